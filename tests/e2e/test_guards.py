"""A lost models root as people meet it: what the commands say of it, refuse, and do once it is confirmed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND, PATIENCE, Place
from tests.e2e.test_names import drop, tiny_model
from tests.guarding import mounted

REGISTERED = ("a", "b", "c")


def _settled(place: Place, *, daemon: bool) -> None:
    """Three registered models and a proposal."""
    for seed, name in enumerate((*REGISTERED, "waiting")):
        drop(place, name, seed)
    place.run("scan")
    for name in REGISTERED:
        place.run("approve", name)
    place.run("scan")
    if daemon:
        place.start()


def _words(place: Place) -> dict[str, str]:
    return {line["technical_name"]: line["availability"] for line in place.index()}


DAEMON = pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "no daemon"])


@DAEMON
@pytest.mark.promise(8, "the root unmounted: `tidy` and a removed entry, then `scan --accept-removals`")
@pytest.mark.usefixtures("without_digests")
def test_an_unmounted_root_is_held_until_confirmed(place: Place, *, daemon: bool) -> None:
    """`status` and `scan` exit with 1 and say how to confirm; `tidy` refuses; a removed entry keeps its card;
    `--dry-run` says what a confirmation would do, and does nothing; the confirmation does it.
    """
    _settled(place, daemon=daemon)
    with mounted(place.models):
        said = place.run("scan", code=1)
        assert "held back: the models root is empty, and 4 models are gone from it" in said
        assert "confirm with `dxwatchd scan --accept-removals`" in said
        assert place.json("status", code=1)["held"][0]["kind"] == "root_doubted"
        assert _words(place) == dict.fromkeys(REGISTERED, "missing")
        before = place.manifest.read_text()
        refused = place.run("tidy", code=3)
        assert "the models root is empty" in refused
        assert "--accept-removals" in refused
        assert place.manifest.read_text() == before
        said = place.run("remove", "b")
        assert not daemon or "held back: the models root is empty" in said
        place.run("scan", code=1)
        assert set(_words(place)) == set(REGISTERED)
        state = {path: path.read_bytes() for path in place.state.rglob("*") if path.is_file()}
        plan = place.json("scan", "--dry-run", "--accept-removals", code=1)
        assert [(step["do"], step["technical_name"]) for step in plan["plan"]] == [
            ("take as gone", "a"),
            ("take as gone", "b"),
            ("take as gone", "c"),
            ("take as gone", "waiting"),
            ("remove the card of", "b"),
        ]
        if not daemon:
            assert state == {path: path.read_bytes() for path in place.state.rglob("*") if path.is_file()}
        assert set(_words(place)) == set(REGISTERED)
        said = place.run("scan", "--accept-removals", code=1)  # 1: models are still missing
        assert "held back" not in said
        assert _words(place) == {"a": "missing", "c": "missing"}
        assert [entry["technical_name"] for entry in place.entries()] == ["a", "c", "waiting"]
        (accepted,) = [event for event in place.settled_events() if event["event"] == "removals_accepted"]
        assert accepted["missing"] == ["a", "b", "c", "waiting"]
        assert "removed waiting" in place.run("tidy")
    place.run("scan", code=None)
    assert _words(place) == dict.fromkeys("ac", "available")


@DAEMON
@pytest.mark.promise(8, "the wrong disk with other content under the same path, and `approve`")
@pytest.mark.usefixtures("without_digests")
def test_nothing_on_the_wrong_disk_is_approved(place: Place, *, daemon: bool) -> None:
    """The person means the model that is on the other disk; the entry stays as it is to the letter."""
    _settled(place, daemon=daemon)
    with mounted(place.models):
        tiny_model(place.models / "a", 9, hidden=16)
        said = place.run("scan", code=1)
        assert "another file system lies at the models root, and 3 models are gone from it" in said
        assert _words(place) == {"a": "drifted", "b": "missing", "c": "missing"}
        before = place.manifest.read_text()
        for name in ("a", "waiting"):
            refused = place.run("approve", name, code=3)
            assert "another file system lies at the models root, and models are gone from it" in refused
            assert "mount the right one" in refused
        assert place.manifest.read_text() == before
    place.run("scan")
    assert _words(place) == dict.fromkeys(REGISTERED, "available")
    place.run("approve", "waiting")
    place.registered("waiting") if daemon else place.run("scan")
    assert _words(place)["waiting"] == "available"


@pytest.mark.promise(8, "`tidy` on a root that is not mounted, with nothing but proposals")
def test_tidy_takes_no_unmounted_root_for_deleted_proposals(place: Place) -> None:
    """Also where nothing was ever registered, and whether or not a daemon saw the root go."""
    drop(place, "one", 1)
    drop(place, "two", 2)
    place.run("scan")
    with mounted(place.models):
        assert "the models root is empty" in place.run("tidy", code=3)
    aside = place.folder / "away"
    place.models.rename(aside)
    assert "cannot be looked at" in place.run("tidy", code=3)
    place.models.mkdir()
    assert "the models root is empty" in place.run("tidy", code=3)
    tiny_model(place.models / "three", 3)
    assert "another folder lies at the models root" in place.run("tidy", code=3)
    assert len(place.entries()) == 2
    shutil.rmtree(place.models)
    aside.rename(place.models)
    assert "nothing to tidy" in place.run("tidy")
    shutil.rmtree(place.models / "one")
    assert "removed one" in place.run("tidy")


@pytest.mark.promise(8, "the root may not be listed any more")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_a_root_that_may_not_be_read_withdraws_nothing(place: Place) -> None:
    """EACCES by the kernel; also for `tidy`, and the same as lost until the right is given back."""
    _settled(place, daemon=False)
    place.models.chmod(0)
    place.run("remove", "b")
    try:
        for command, code in (("scan", 1), ("tidy", 3), ("status", 1), ("approve", 0)):
            done = _without_override(place, command)
            assert done.returncode == code, done.stdout + done.stderr
            assert command == "approve" or "Permission denied" in done.stdout + done.stderr
            assert "Traceback" not in done.stderr
        assert _words(place) == dict.fromkeys(REGISTERED, "missing")
    finally:
        place.models.chmod(0o755)
    place.run("scan")
    assert _words(place) == dict.fromkeys(("a", "c", "waiting"), "available")


def _without_override(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user who is bound by permissions, which root is not."""
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*bound, COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=place.environ(),
        cwd=Path("/"),
        timeout=PATIENCE,
        check=False,
    )
