"""State directories that releases left behind are taken up by this version; one of a later version is not.

`released/<version>/` has a models root with the state that a release's own daemon made of it
(`make_released.py` says how).
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dxwatchd import LaterFormat, list_cards, load_card
from dxwatchd.core.root_guard import RootIdentity
from dxwatchd.scan import Scanner
from dxwatchd.stores.format_file import FORMAT
from tests.e2e.conftest import Place
from tests.upgrades.make_released import HOME, put

RELEASES = sorted(path for path in Path(__file__).with_name("released").iterdir() if path.is_dir())
LATER = {"format": FORMAT + 1, "written_by": "dxwatchd 99.1.0"}
CACHES = {"facts.db", "digests.db"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The first release's models root and state directory."""
    made = take_up(RELEASES[0], tmp_path)
    yield made
    made.kill()


def take_up(release: Path, folder: Path) -> Place:
    """What a release left, as if it had run in `folder`."""
    place = Place(folder)
    for name in ("models", "state"):
        shutil.copytree(release / name, folder / name, dirs_exist_ok=True)
    put(HOME, str(folder), place.state)
    guards = json.loads((place.state / "guards.json").read_bytes())
    root = _identity(place.models)
    guards["root"] = {"device": root.device, "inode": root.inode, "file_system": root.file_system}
    (place.state / "guards.json").write_text(json.dumps(guards))
    return place


def _identity(root: Path) -> RootIdentity:
    scanner = Scanner(root, (), None)
    scanner.look(None, lambda: False)
    return scanner.identity


def _published(place: Place) -> dict[str, bytes]:
    """The manifest, the journal, and every card with the index."""
    paths = (place.manifest, place.state / "events.jsonl", *(place.state / "cards").iterdir())
    return {str(path.relative_to(place.state)): path.read_bytes() for path in paths}


def _lies(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in (folder, *folder.rglob("*"))
    }


def _quiet(place: Place) -> None:
    """Wait until nothing is left to do, digests included."""

    def done() -> bool:
        place.run("scan", code=None)
        return not place.json("status", code=None)["digests"]["files_left"]

    place.until(done, "the digests")
    place.run("scan", code=None)


def _states(place: Place) -> dict[str, Any]:
    status = json.loads((place.state / "status.json").read_bytes())
    assert status["held"] == []
    return {folder["path"]: folder["state"] for folder in status["folders"]}


def test_there_is_a_release_to_upgrade_from() -> None:
    """With something of every state in it; without one, the other tests here would say nothing."""
    states = json.loads((RELEASES[0] / "state" / "status.json").read_bytes())["folders"]
    assert {folder["state"] for folder in states} == {
        *("registered", "drifted", "missing", "proposed", "rejected"),
    }


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: str(path.name))
@pytest.mark.promise(9, "the state directory of the first release, taken up by this version")
def test_the_state_of_a_release_is_taken_up_and_gone_on_from(release: Path, tmp_path: Path) -> None:
    """No event is told twice, no card, entry or index line changes; then sequence and revisions go on."""
    place = take_up(release, tmp_path)
    try:
        before, states = _published(place), _states(place)
        sequence, generation = place.events()[-1]["sequence"], _index(place)["generation"]
        place.start()
        _quiet(place)
        assert _published(place) == before
        assert _states(place) == states
        assert json.loads((place.state / "format.json").read_bytes())["format"] == FORMAT
        for name, change, revision in (("proposed", "registered", 1), ("drifted", "approved_again", 3)):
            place.run("approve", name)
            card = place.registered(name)
            assert (card["change"], card["revision"]) == (change, revision)
        # a name that was given up goes on from the revision that its tombstone has
        place.run("rename", "new-name", "--technical-name", "renamed")
        assert place.registered("renamed")["revision"] == 3
        _quiet(place)
        assert place.stop() == 0
        events = place.events()
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        assert len({event["id"] for event in events}) == len(events)
        assert events[:sequence] == [json.loads(line) for line in before["events.jsonl"].splitlines()]
        assert _index(place)["generation"] > generation
        for entry in list_cards(state_dir=place.state):
            assert load_card(entry.technical_name, state_dir=place.state).revision == entry.revision
    finally:
        place.kill()


def _index(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.state / "cards" / "index.json").read_bytes())
    return found


@pytest.mark.promise(10, "every command that writes, on the state directory of a later version")
def test_no_command_touches_the_state_of_a_later_version(place: Place) -> None:
    """Exit code 3, the versions and the remedy; not a file, name or time in the directory is changed."""
    (place.state / "format.json").write_text(json.dumps(LATER))
    for name in CACHES:
        _set_version(place.state / name, 99)
    before = _lies(place.state)
    for arguments in (
        ("run",),
        ("scan",),
        ("scan", "--dry-run"),
        ("approve", "proposed"),
        ("approve", "drifted"),
        ("reject", "proposed"),
        ("add", "other", "Other", "some/where"),
        ("rename", "kept", "--model-name", "Other"),
        ("remove", "kept"),
        ("tidy",),
    ):
        said = place.run(*arguments, code=3)
        assert f"{place.state}/format.json says format {FORMAT + 1}, written by dxwatchd 99.1.0" in said
        assert "install dxwatchd 99.1.0 again" in said
        assert _lies(place.state) == before, arguments
    assert len(place.json("list")) == 6  # who only reads goes by what each file says of itself


def test_caches_of_another_version_are_made_anew_where_the_state_is_known(place: Place) -> None:
    """They are caches: their version alone refuses nothing, and costs the computing."""
    for name in CACHES:
        _set_version(place.state / name, 99)
    before = _published(place)
    place.start()
    _quiet(place)
    assert place.stop() == 0
    assert _published(place) == before
    for name in CACHES:
        assert _version(place.state / name) != 99


def _set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_a_damaged_format_file_is_refused_until_a_person_removes_it(place: Place) -> None:
    """Nobody can tell which version ran there last; nothing is lost, and one command goes on."""
    before = _published(place)
    (place.state / "format.json").write_bytes(b"")
    assert "remove that file" in place.run("run", code=3)
    (place.state / "format.json").unlink()
    place.start()
    _quiet(place)
    assert _published(place) == before


@pytest.mark.promise(5, "a directory of a later version put in the place of a running daemon's")
def test_a_running_daemon_leaves_a_later_directory_alone(place: Place) -> None:
    """It says so, writes nothing there but the lock, and goes on once its own is back."""
    place.start()
    _quiet(place)
    later = place.folder / "later"
    shutil.copytree(place.state, later)
    (later / "format.json").write_text(json.dumps(LATER))
    before = _lies(later)
    place.state.rename(place.folder / "own")
    later.rename(place.state)
    place.until(lambda: "the state directory cannot be used" in place.log.read_text(), "the refusal")
    said = place.log.read_text()
    assert "dxwatchd 99.1.0" in said
    assert "Traceback" not in said
    (place.models / "kept" / "extra.py").write_text("x = 1\n")  # wants a card: it drifts
    place.run("scan", code=3)
    after = _lies(place.state)
    assert {name for name in after if after[name] != before.get(name)} <= {"daemon.lock"}
    place.state.rename(place.folder / "later")
    (place.folder / "own").rename(place.state)
    place.until(lambda: (place.card("kept") or {})["availability"] == "drifted", "the card")
    assert place.stop() == 0
    events = place.events()
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))


def test_consumers_are_told_of_a_later_index(place: Place) -> None:
    """`list` says which version is needed; so does the function behind it."""
    index = place.state / "cards" / "index.json"
    index.write_text(index.read_text().replace("dxwatchd.index/v1", "dxwatchd.index/v2"))
    with pytest.raises(LaterFormat, match="update its dxwatchd"):
        list_cards(state_dir=place.state)
    assert "dxwatchd.index/v2" in place.run("list", code=3)
    assert "of a later format" in place.run("run", code=3)
