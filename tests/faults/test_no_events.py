"""File systems whose changes others make, without an event: overlays and FUSE, as the root and below it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.test_names import tiny_model
from tests.faults.mounting_watch import HOUR, SILENT, WatchedPlace, watched

__all__ = ["watched"]


@pytest.mark.promise(
    2, "models root on a file system without events (overlay, FUSE), written from underneath"
)
@pytest.mark.parametrize(("kind", "interval"), [("overlay", HOUR), ("fuse", 1)])
def test_a_root_without_events_is_looked_at_more_often(
    watched: WatchedPlace, kind: str, interval: int, tmp_path: Path
) -> None:
    """What is put underneath is found by passes, though the next look was an hour away; and that is said."""
    watched.options["rescan_interval"] = interval
    with SILENT[kind](watched.models, tmp_path / "aside") as underneath:
        watched.start()
        told = watched.says("is a file system of kind", kind, str(watched.models))
        assert "rescan_interval" in told["remedy"]
        assert not watched.watching()["by_events"]
        tiny_model(underneath / "p" / "first", 1)
        watched.until(lambda: _is(watched, "p/first", "proposed"), "the proposal")
        (underneath / "p" / "first" / "model.safetensors").unlink()
        watched.until(lambda: _is(watched, "p/first", "incomplete"), "the loss")
        said = watched.run("status", code=None)
        assert str(watched.models) in said
        assert kind in said
        watched.stop()


@pytest.mark.promise(2, "mounts without events (overlay, FUSE) come below a local root, and go again")
def test_mounts_without_events_below_a_local_root(
    watched: WatchedPlace, tmp_path: Path, tried: Callable[[int], None]
) -> None:
    """They are found, and what is in them; once they are gone events are relied on again."""
    for kind in SILENT:
        (watched.models / kind).mkdir()
    watched.start()
    watched.hears()
    with ExitStack() as mounts:
        underneath = {
            kind: mounts.enter_context(make(watched.models / kind, tmp_path / kind))
            for kind, make in SILENT.items()
        }
        watched.looks()
        for kind in SILENT:
            watched.says("is a file system of kind", kind, str(watched.models / kind))
            tiny_model(underneath[kind] / "far", len(kind))
        for kind in SILENT:
            watched.until(lambda path=f"{kind}/far": _is(watched, path, "proposed"), "it")  # type: ignore[misc]
            shutil.rmtree(underneath[kind] / "far")
        for kind in SILENT:
            watched.until(lambda path=f"{kind}/far": _is(watched, path, "missing"), "the loss")  # type: ignore[misc]
    watched.looks()
    for kind in SILENT:
        watched.hears(kind)
    watched.stop()
    tried(len(SILENT))


def _is(place: WatchedPlace, path: str, wanted: str) -> bool:
    state = place.folder_state(path)
    return state is not None and state["state"] == wanted
