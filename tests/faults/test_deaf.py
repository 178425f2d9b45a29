"""What makes watchdog and the kernel go deaf without a word: the daemon hears again, or finds it."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import time
from collections.abc import Callable
from typing import Final

import pytest

from tests.e2e.test_names import tiny_model
from tests.faults.mounting_watch import AS_ROOT, WatchedPlace, exchange, watched, without_rights

__all__ = ["watched"]

ROUNDS: Final = 10
ATTEMPTS: Final = 10


def _deaths(place: WatchedPlace) -> int:
    return place.log.read_text().count("the reader of the kernel's events failed")


def _found(place: WatchedPlace, *paths: str) -> None:
    for path in paths:
        place.proposed(path)


@pytest.mark.promise(2, "watchdog's reader thread killed: folder moved out, its name made and removed")
def test_the_reader_is_killed(watched: WatchedPlace, tried: Callable[[int], None]) -> None:
    """`mv root/A out; mkdir root/A; rmdir root/A; rmdir out/A`: a new reader hears at once.

    A reader that is late by chance may survive this; then it is done again.
    """
    watched.start()
    watched.hears()
    burden = watched.burden()
    for number in range(ROUNDS * ATTEMPTS):
        inside, outside = watched.models / f"A{number}", watched.folder / f"A{number}"
        before = _deaths(watched)
        inside.mkdir()
        watched.until(lambda inside=inside: watched.watches(inside), "a watch")  # type: ignore[misc]
        inside.rename(outside)
        inside.mkdir()
        watched.until(lambda inside=inside: watched.watches(inside), "a watch")  # type: ignore[misc]
        inside.rmdir()
        outside.rmdir()
        _wait_for(lambda before=before: _deaths(watched) > before)  # type: ignore[misc]
        watched.hears()
        if _deaths(watched) >= ROUNDS:
            break
    assert _deaths(watched) >= ROUNDS
    assert watched.burden() == burden
    watched.stop()
    tried(ROUNDS)


def _wait_for(look: Callable[[], bool]) -> None:
    """Give what may come some seconds to do so."""
    until = time.monotonic() + 5.0
    while not look() and time.monotonic() < until:
        time.sleep(0.02)


@pytest.mark.promise(2, "trees made and renamed at once at their top: subfolders that are never watched")
def test_trees_made_and_renamed_at_once(watched: WatchedPlace, tried: Callable[[int], None]) -> None:
    """All models in them are proposed; what comes into their deepest folders later is heard."""
    watched.options["rescan_interval"] = 3
    watched.start()
    for number in range(ROUNDS):
        top = watched.models / f"fresh{number}"
        for publisher in range(2):
            tiny_model(top / f"p{publisher}" / "deep" / "m", number * 10 + publisher)
        middle = top.rename(watched.models / f"renamed{number}")
        (middle / "p0").rename(middle / "last")
    for number in range(ROUNDS):
        _found(watched, f"renamed{number}/last/deep/m", f"renamed{number}/p1/deep/m")
    for number in range(ROUNDS):
        tiny_model(watched.models / f"renamed{number}" / "last" / "deep" / "late", 1000 + number)
    for number in range(ROUNDS):
        _found(watched, f"renamed{number}/last/deep/late")
    watched.stop()
    tried(ROUNDS)


@pytest.mark.promise(2, "a tree moved out, written to outside, another in its place, and moved in again")
def test_trees_moved_out_and_in(watched: WatchedPlace, tried: Callable[[int], None]) -> None:
    """What happens outside under the old path's watch misleads nobody; what comes in later is heard."""
    watched.start()
    aside = watched.folder / "aside"
    aside.mkdir()
    tiny_model(watched.models / "p" / "deep" / "m", 0)
    watched.proposed("p/deep/m")
    for number in range(ROUNDS):
        out = (watched.models / "p").rename(aside / f"p{number}")
        tiny_model(out / "deep" / f"outside{number}", number)
        tiny_model(watched.models / "p" / "deep" / f"other{number}", 100 + number)
        watched.proposed(f"p/deep/other{number}")
        assert watched.entry(f"p/deep/outside{number}") is None
        shutil.rmtree(watched.models / "p")
        out.rename(watched.models / "p")
        watched.proposed(f"p/deep/outside{number}")
        watched.hears("p/deep")
    watched.stop()
    tried(ROUNDS)


@pytest.mark.promise(2, "two trees exchanged by one rename, again and again")
def test_trees_exchanged(watched: WatchedPlace, tried: Callable[[int], None]) -> None:
    """Each is known under its new name, and heard there."""
    tiny_model(watched.models / "one" / "x" / "first", 1)
    tiny_model(watched.models / "two" / "x" / "second", 2)
    watched.start()
    _found(watched, "one/x/first", "two/x/second")
    for number in range(ROUNDS):
        exchange(watched.models / "one", watched.models / "two")
        holder = "two" if number % 2 == 0 else "one"
        watched.until(
            lambda holder=holder: watched.folder_state(f"{holder}/x/first"),  # type: ignore[misc]
            f"the first in {holder}",
        )
        watched.hears("one/x")
        watched.hears("two/x")
    watched.stop()
    tried(ROUNDS)


def _model_type(place: WatchedPlace, path: str) -> str:
    return str(json.loads((place.models / path / "config.json").read_bytes())["model_type"])


@pytest.mark.promise(
    2, "weights that come by a hard link, are truncated, or written by mmap: few events or none"
)
def test_changes_that_send_few_events(watched: WatchedPlace, tried: Callable[[int], None]) -> None:
    """A link, a truncation and writes into a mapping: each is seen by the next look at the latest."""
    watched.options["rescan_interval"] = 1
    tiny_model(watched.folder / "aside", 1)
    watched.start()
    for name in ("linked", "truncated", "mapped"):
        (watched.models / name).mkdir()
        for file in sorted((watched.folder / "aside").iterdir()):
            if name == "linked":
                os.link(file, watched.models / name / file.name)
            else:
                shutil.copy(file, watched.models / name)
    _found(watched, "linked", "truncated", "mapped")
    for name in ("linked", "truncated", "mapped"):
        watched.until(lambda name=name: _is(watched, name, "proposed"), "the state")  # type: ignore[misc]
    os.truncate(watched.models / "truncated" / "model.safetensors", 100)
    watched.until(lambda: _is_not_whole(watched, "truncated"), "the truncation to be seen")
    os.truncate(watched.folder / "aside" / "model.safetensors", 90)
    watched.until(lambda: _is_not_whole(watched, "linked"), "the truncation by another name to be seen")
    weights = watched.models / "mapped" / "model.safetensors"
    head = weights.read_bytes()[:8]
    without_stamp = False
    for _ in range(ATTEMPTS):  # what the kernel wrote back just then gets a new stamp
        with weights.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as mapping:
            mapping[:8] = b"\xff" * 8
            watched.until(lambda: _is_not_whole(watched, "mapped"), "the broken header to be seen")
            time.sleep(1.5)  # until the first write's stamp is old
            stamp = weights.stat().st_ctime_ns
            mapping[:8] = head
            without_stamp = weights.stat().st_ctime_ns == stamp
        watched.until(lambda: _is(watched, "mapped", "proposed"), "the mended header to be seen")
        if without_stamp:
            break
    assert without_stamp
    watched.stop()
    tried(4)


def _is(place: WatchedPlace, path: str, *states: str) -> bool:
    state = place.folder_state(path)
    return state is not None and state["state"] in states


def _is_not_whole(place: WatchedPlace, path: str) -> bool:
    return _is(place, path, "invalid", "incomplete")


@pytest.mark.promise(2, "a folder that the daemon's user may not read, then may: no event for what is in it")
@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o700, 0o711, 0o744])
def test_a_folder_that_becomes_readable(watched: WatchedPlace, mode: int) -> None:
    """It stops nothing else; after chmod what is there is found, and what comes later is heard."""
    closed = watched.models / "closed"
    tiny_model(closed / "m", 1)
    tiny_model(watched.models / "open", 2)
    for file in (*closed.glob("m/*"), *watched.models.glob("open/*")):
        file.chmod(0o644)
    closed.chmod(mode)
    without_rights(watched)
    watched.start()
    watched.proposed("open")
    watched.says("does not watch")
    assert watched.entry("closed/m") is None
    closed.chmod(0o755)
    watched.proposed("closed/m")
    watched.relies_on_events()
    late = watched.folder / "late"
    tiny_model(late, 3)
    for file in late.iterdir():
        file.chmod(0o644)
    late.rename(closed / "late")
    watched.proposed("closed/late")
    watched.stop()
