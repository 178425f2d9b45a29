"""More happens than the kernel's queue holds: creations and renames by the ten thousand."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from _pytest.mark import ParameterSet

from tests.e2e.test_names import tiny_model
from tests.faults.mounting_watch import WatchedPlace, watched, watches_allowed

__all__ = ["watched"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PUBLISHERS: Final = 18
MEMORY: Final = 700  # MiB: 200,000 files are known by name and stat


@pytest.fixture
def room(watched: WatchedPlace) -> Iterator[Path]:
    """A model to copy. The root is in memory if it can be: a disk may take a minute for so many files."""
    tiny_model(watched.folder / "source", 1)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as top:
        watched.models = Path(top, "models")
        watched.models.mkdir()
        yield watched.folder / "source"
        watched.kill()


def _storm(models: Path, source: Path, creations: int) -> int:
    """As many creations as fast as possible; a model comes in the midst of each publisher's files.

    Returns how many they were. Folders are a part of them where this machine lets a user watch so many.
    """
    made = 0
    folders = 2000 if watches_allowed() > 10_000 else 0
    for number in range(PUBLISHERS):
        top = models / f"p{number}"
        top.mkdir(exist_ok=True)
        share = creations // PUBLISHERS + 1
        for count in range(share):
            name = f"{top}/{count}.txt"
            if count < folders // PUBLISHERS:
                os.mkdir(f"{top}/{count}")
            elif count % 2:
                os.mknod(name)
            else:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT))
            if count == share // 2:
                shutil.copytree(source, top / "model")
        made += share + 1
    return made


def _creations(creations: int, fault: str, *, stopped: bool) -> ParameterSet:
    return pytest.param(creations, stopped, marks=pytest.mark.promise(2, fault))


@pytest.mark.parametrize(
    ("creations", "stopped"),
    [
        _creations(200_000, "creations while the daemon stands still: the queue overflows", stopped=True),
        # fewer: the daemon and the storm wait for each other, as both use the same folders
        _creations(60_000, "creations as fast as can be while the daemon runs", stopped=False),
    ],
)
def test_creations(
    watched: WatchedPlace, room: Path, creations: int, stopped: bool, tried: Callable[[int], None]
) -> None:
    """Every model among them is proposed; then it rests, hears, and has not grown out of bounds."""
    watched.options["digests"] = "off"
    for number in range(0, PUBLISHERS, 2):  # of the others the kernel tells nothing until they are watched
        (watched.models / f"p{number}").mkdir()
    watched.start()
    watched.hears()
    burden = watched.burden()
    if stopped:
        os.kill(watched.pid(), signal.SIGSTOP)
    assert _storm(watched.models, room, creations) >= creations
    if stopped:
        os.kill(watched.pid(), signal.SIGCONT)
    for number in range(PUBLISHERS):
        watched.proposed(f"p{number}/model")
    if stopped:
        watched.until(lambda: watched.watching()["overflows"], "the overflow to be told")
    watched.comes_to_rest()
    overflows = watched.watching()["overflows"]
    watched.hears("p0")
    watched.comes_to_rest()
    assert watched.watching()["overflows"] == overflows
    assert watched.memory() < MEMORY
    assert watched.burden() == burden
    watched.stop()
    tried(creations)


@pytest.mark.promise(2, "20,000 renames in a storm: of models, of the folders above them, of files")
def test_20000_renames(watched: WatchedPlace, room: Path, tried: Callable[[int], None]) -> None:
    """In the end every model is where it is, under its last name, and a change of it is heard."""
    watched.options["digests"] = "off"
    publishers = [watched.models / f"p{number}" for number in range(6)]
    for top in publishers:
        shutil.copytree(room, top / "model-0")
    watched.start()
    watched.hears()
    renames = 0
    names = dict.fromkeys(publishers, "model-0")
    while renames < 20_000:
        for top in publishers:
            aside, fresh = top.with_name(f"{top.name}x"), f"model-{renames}"
            os.rename(top, aside)
            os.rename(aside / names[top], aside / fresh)
            os.rename(aside / fresh / "config.json", aside / fresh / "config.txt")
            os.rename(aside / fresh / "config.txt", aside / fresh / "config.json")
            os.rename(aside, top)
            names[top] = fresh
            renames += 5
    paths = [f"{top.name}/{name}" for top, name in names.items()]
    for path in paths:
        watched.proposed(path)
    watched.comes_to_rest()
    watched.relies_on_events()
    for path in paths:
        (watched.models / path / "model.safetensors").unlink()
    for path in paths:
        watched.until(lambda path=path: _is_lost(watched, path), f"the loss of {path}")  # type: ignore[misc]
    watched.hears("p0")
    watched.stop()
    tried(renames)


def _is_lost(place: WatchedPlace, path: str) -> bool:
    state = place.folder_state(path)
    return state is None or state["state"] != "proposed"
