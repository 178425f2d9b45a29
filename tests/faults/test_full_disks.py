"""Full disks: state or manifest on a small tmpfs and a small ext4 that run out of room or of inodes."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from dxwatchd.stores.card_directory import digest_of
from tests.e2e.conftest import Place
from tests.e2e.test_names import drop, tiny_model
from tests.faults.filling import Filler
from tests.faults.mounting import Mounts

pytestmark = [pytest.mark.xdist_group("mounts"), pytest.mark.usefixtures("without_digests")]

BATCH: Final = 50
SMALL: Final = 2 * 2**20  # bytes


@pytest.fixture(params=["tmpfs", "ext4"])
def small(request: pytest.FixtureRequest, mounts: Mounts) -> Path:
    """A small file system."""
    if request.param == "tmpfs":
        return mounts.tmpfs("small", f"size={SMALL},nr_inodes=200")
    return mounts.loop("small", mounts.image("small", 2 * SMALL, "-N", "200", "-m", "0"))


@pytest.fixture
def full(place: Place, small: Path) -> Iterator[Filler]:
    """The state directory lies on the small file system; the daemon ends before that goes."""
    place.state = small / "state"
    place.manifest = place.state / "manifest.toml"
    yield Filler(small)
    place.kill()


def whole(place: Place) -> None:
    """What must be true at any moment: nothing is torn, and the index is that of the cards."""
    tomllib.loads(place.manifest.read_text())
    for line in place.index():
        card = (place.state / "cards" / line["card"]).read_bytes()
        assert json.loads(card)["technical_name"] == line["technical_name"]
        if json.loads(card)["revision"] == line["revision"]:
            assert digest_of(card) == line["digest"]
    journal = place.state / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()  # the kernel shows a write page by page: a line is there once it ends
    assert [json.loads(line)["sequence"] for line in lines] == list(range(1, len(lines) + 1))


def complete(place: Place, proposed: set[str], registered: set[str]) -> None:
    """What must be true at the end: as if the disk had never been full."""
    place.until(lambda: not json.loads(place.passes())["trouble"], "the end of the trouble")
    whole(place)
    events = Counter((event["event"], event["path"]) for event in place.settled_events())
    assert (place.state / "events.jsonl").read_bytes().endswith(b"\n")
    assert events == Counter(
        [("proposed", path) for path in proposed] + [("registered", path) for path in registered]
    )
    assert sorted(entry["path"] for entry in place.entries()) == sorted(proposed)
    assert {line["path"] for line in place.index()} == registered
    assert not list(place.state.rglob(".*")), "leftovers"
    place.until(lambda: not (place.state / "append.pending").exists(), "the end of the append")


def said(place: Place) -> str:
    """The log so far."""
    return place.log.read_text()


def in_trouble(place: Place, times: int = 1) -> None:
    """Wait until the daemon has said that it cannot write, and what to do."""
    place.until(lambda: said(place).count("needs attention") >= times, "the trouble")
    text = said(place)
    assert "make room there" in text or "remove files there" in text
    assert f"{place.state}" in text
    assert "Traceback" not in text


def batch(place: Place, name: str, count: int = BATCH) -> set[str]:
    """Drop many models in one rename."""
    for number in range(count):
        tiny_model(place.folder / "aside" / name / f"m-{name}-{number:02}", number)
    (place.folder / "aside" / name).rename(place.models / name)
    return {f"{name}/m-{name}-{number:02}" for number in range(count)}


def approved(text: str, path: str) -> str:
    """The manifest's text with the entry of a path approved: not a byte longer."""
    start = text.rindex('status = "proposed"', 0, text.index(f'path = "{path}"'))
    return text[:start] + 'status = "approved"' + text[start + len('status = "proposed"') :]


@pytest.mark.promise(5, "the disk gets full in a batch of 50 proposals and in one of 50 cards")
@pytest.mark.promise(2, "the disk gets full in a batch of 50 proposals and in one of 50 cards")
@pytest.mark.timeout(300)
def test_a_batch_meets_a_full_disk_at_any_step(
    place: Place, full: Filler, tried: Callable[[int], None]
) -> None:
    """Wherever the room ends, nothing is torn, it is said what to do, and with room all goes on."""
    place.start()
    proposed: set[str] = set()
    registered: set[str] = set()

    def through(leave: int, begin: Callable[[], object]) -> None:
        """Begin something with that many pages left, see it stop, make room, and see it done."""
        full.fill(leave=leave)
        troubles = said(place).count("needs attention")
        begin()
        in_trouble(place, troubles + 1)
        whole(place)
        assert "trouble: " in place.run("status", code=1)
        whole(place)
        full.free()
        place.until(lambda: len(place.entries()) == len(proposed), "all proposals")
        place.until(lambda: len(place.index()) == len(registered), "all cards")
        complete(place, proposed, registered)

    for leave in (0, 9, 14):
        names = {f"b{leave}/m-b{leave}-{number:02}" for number in range(BATCH)}
        proposed |= names
        through(leave, lambda name=f"b{leave}": batch(place, name))  # type: ignore[misc]
    for leave, name in ((8, "b0"), (30, "b9")):
        new = {path for path in proposed if path.startswith(f"{name}/")}
        registered |= new
        text = place.manifest.read_text()
        for path in new:
            text = approved(text, path)
        through(leave, lambda text=text: place.manifest.write_text(text))  # type: ignore[misc]
    tried(5)


@pytest.mark.promise(2, "no inodes are left; the daemon starts on a full disk")
@pytest.mark.parametrize("what", ["room", "inodes"])
def test_it_starts_on_a_full_disk_and_commands_say_so(
    place: Place, full: Filler, what: str, tried: Callable[[int], None]
) -> None:
    """Cards stay readable, commands change nothing and leave nothing, and with room all goes on by itself."""
    place.start()
    drop(place, "first", 1)
    place.proposed("first")
    place.run("approve")
    card = place.registered("first")
    place.stop()
    drop(place, "second", 2)
    full.fill() if what == "room" else full.take_inodes()
    place.start(wait=False)
    in_trouble(place)
    whole(place)
    assert place.card("first") == card
    before = place.manifest.read_bytes()
    there = sorted(place.state.rglob("*"))
    assert "trouble: " in place.run("status", code=1)
    for words in (["approve", "first"], ["add", "by-hand", "By Hand", "hand"], ["scan"]):
        told = place.run(*words, code=0 if words[0] == "approve" else 3)
        assert words[0] == "approve" or "make room there" in told or "remove files there" in told
        assert place.manifest.read_bytes() == before
        assert sorted(place.state.rglob("*")) == there
    full.free()
    place.proposed("second")
    place.run("add", "by-hand", "By Hand", "hand")
    place.until(lambda: not json.loads(place.passes())["trouble"], "the end of the trouble")
    whole(place)
    assert place.card("first") == card
    assert [event["event"] for event in place.settled_events()] == ["proposed", "registered", "proposed"]
    tried(5)


@pytest.mark.promise(4, "the manifest's own disk is full, that of the state is not")
def test_the_manifest_lies_on_a_full_disk_of_its_own(place: Place, small: Path) -> None:
    """Cards and status go on, proposals wait, it is said why; commands change nothing until there is room."""
    place.manifest = small / "models.toml"
    place.options["manifest"] = place.manifest
    try:
        place.start()
        drop(place, "first", 1)
        place.proposed("first")
        filler = Filler(small)
        filler.fill()
        drop(place, "second", 2)
        told = place.until(lambda: json.loads(place.passes())["trouble"], "the trouble")
        assert told.startswith(f"{place.manifest} cannot be written: the file system at {small} (")
        assert "make room there" in told
        before = place.manifest.read_bytes()
        assert [entry["path"] for entry in place.entries()] == ["first"]
        assert f"{place.manifest} cannot be written" in place.run("approve", "first", code=3)
        assert f"{place.manifest} cannot be written" in place.run("add", "a", "A", "a", code=3)
        assert place.manifest.read_bytes() == before
        assert {path.name for path in small.iterdir()} <= {"models.toml", "filler", "lost+found"}
        place.manifest.write_bytes(approved(before.decode(), "first").encode())
        place.registered("first")
        filler.free()
        place.proposed("second")
        complete(place, {"first", "second"}, {"first"})
    finally:
        place.kill()
