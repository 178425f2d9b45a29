"""Thousands of orders in which editors, commands and the daemon can make their system calls on one manifest.

What is guaranteed, on a local file system on which the kernel tells the daemon and the command who has the
file open (they own it, or are root):

* What the last editor's save held is in the file to the line, whatever way it saved; the only differences are
  proposals behind it and words that commands changed. What `>>` added since is there.
* What a command said was done is in the file, unless an editor saved after it from what it had opened before.
* The file is valid whenever nobody is in the middle of saving it, and no reader ever finds half a proposal.
* Every proposal is in the file, once; one that a save erased came again. Each is journalled, and no more
  often than it was appended.
* A command or the daemon killed at any call loses nothing of this; a save that it was about to give back is
  brought back by the next one, or lies beside as `manifest.toml.kept-…` where somebody saved again before.

What is not: an editor that opens the file in the microseconds in which a command has its change in place but
has not yet looked at what it replaced sees the file without the save that is about to be given back. Where
the kernel does not tell who has it open, all this holds for editors that save by a rename (`blind` runs).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interleavings.baton import taking_turns
from tests.interleavings.world import FINGERPRINT, FOLDERS, STATUS, World, events_of

RUNS = 4_800
PARTS = 8

BLOCK_LINES = re.compile(
    r'|\[\[models\]\]|(status|technical_name|model_name|path|fingerprint) = ".*".*|# found .*'
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: nothing here is about disks."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    made = Path(tempfile.mkdtemp(prefix="dxwatchd-turns-", dir=memory))
    yield made
    shutil.rmtree(made)


@pytest.mark.timeout(600)
@pytest.mark.promise(4, "editors, commands and the daemon taking turns at every system call (a model)")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_order_of_system_calls_loses_a_change(
    folder: Path, part: int, tried: Callable[[int], None]
) -> None:
    """Each seed is one order; one that fails is named, and fails again."""
    for seed in range(part, RUNS, PARTS):
        run(folder / str(seed), seed)
    tried(RUNS // PARTS)


def run(folder: Path, seed: int) -> None:
    """One order of calls, and what must be true after it."""
    folder.mkdir()
    with taking_turns(seed) as (baton, patch):
        world = World(folder, baton, patch)
        actors = world.cast()
        baton.run(*actors)
        killed = any(actor.dead for actor in actors)
        if not killed:
            assert not _left(folder), f"seed {seed}: left beside: {_left(folder)}"
        world.settle()
    try:
        check(world, killed=killed)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n{world.path.read_text()}") from error
    shutil.rmtree(folder)


def check(world: World, *, killed: bool) -> None:
    """Nobody's change is lost, and the file is whole."""
    text = world.path.read_bytes().decode()
    entries = tomllib.loads(text)["models"]
    assert Counter(entry["technical_name"] for entry in entries) == dict.fromkeys(FOLDERS, 1)
    assert all(entry["fingerprint"] == FINGERPRINT and entry["path"][2:] in FOLDERS for entry in entries)
    kept = [path.read_text() for path in world.folder.glob("manifest.toml.kept-*")]
    assert killed or not kept
    assert not list(world.folder.glob(".manifest.toml.dxwatchd-*"))
    _check_saved(world, text, kept)
    _check_commands(world, {entry["technical_name"]: entry["status"] for entry in entries})
    events = events_of(world.folder)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["id"] for event in events}) == len(events)
    told = Counter(event["technical_name"] for event in events)
    assert set(told) == set(FOLDERS)
    assert told <= world.history.appended, f"told {told}, appended {world.history.appended}"


def _check_saved(world: World, text: str, kept: list[str]) -> None:
    lines = text.splitlines()
    for word in world.history.added:
        assert lines.count(word) == 1, f"{word} was appended"
        lines.remove(word)
    saves = world.history.saves
    wanted = (saves[-1].text if saves else world.start).splitlines()
    changed = [new for old, new in zip(wanted, lines, strict=False) if not _may_become(old, new)]
    if kept and (changed or len(lines) < len(wanted)):
        assert any(one.splitlines() == wanted for one in kept)
        return
    assert changed == []
    assert len(lines) >= len(wanted)
    strange = [line for line in lines[len(wanted) :] if not BLOCK_LINES.fullmatch(line)]
    assert not strange or not wanted, f"nobody saved {strange}"


def _may_become(old: str, new: str) -> bool:
    return new == old or (old.startswith(STATUS) and new == old.replace("proposed", "approved", 1))


def _check_commands(world: World, statuses: dict[str, str]) -> None:
    saves, approvals = world.history.saves, world.history.approvals
    ended = saves[-1].ended if saves else -1
    for approval in approvals:
        if approval.done and approval.swapped is not None and approval.swapped > ended:
            assert statuses[approval.name] == "approved", f"{approval} was lost"
    last = saves[-1].text if saves else ""
    tables = tomllib.loads(last).get("models", [])
    by_person = {table["technical_name"] for table in tables if table.get("status") == "approved"}
    by_command = {one.name for one in approvals if one.done or not one.refused}
    for name, status in statuses.items():
        assert status == "proposed" or name in by_person | by_command, f"nobody approved {name}"


def _left(folder: Path) -> list[str]:
    return sorted({path.name for path in folder.iterdir()} - {"manifest.toml", "state"})
