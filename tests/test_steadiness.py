"""The last look before something is published."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dxwatchd.core.layouts import find
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.snapshot import Snapshot
from dxwatchd.core.unread import Unread
from dxwatchd.leases import has_writer
from dxwatchd.scan import Scanner
from dxwatchd.steadiness import is_steady
from tests.e2e.test_names import tiny_model


@pytest.fixture
def judged(tmp_path: Path) -> tuple[Path, ModelFolder, Snapshot]:
    """A root with one model, as a look saw it."""
    tiny_model(tmp_path / "m", 1)
    seen = Scanner(tmp_path, (), None).look(None, lambda: False)
    (model,) = find(seen).models
    return tmp_path, model, seen


def test_what_is_as_it_was_seen_is_steady(judged: tuple[Path, ModelFolder, Snapshot]) -> None:
    """Reading it changes nothing."""
    root, model, seen = judged
    (root / "m" / "config.json").read_bytes()
    assert is_steady(root, model, seen, [])


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "config.json").write_text("{}"),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: os.utime(folder / "config.json", (1, 1)),
        lambda folder: (
            (folder / "model.safetensors").rename(folder / "x")
            and (folder / "x").rename(folder / "model.safetensors")
        ),
    ],
    ids=["written", "removed", "touched", "renamed"],
)
@pytest.mark.promise(3, "a change between the look and the proposal")
def test_any_change_since_the_look_is_not(
    judged: tuple[Path, ModelFolder, Snapshot], change: Callable[[Path], object]
) -> None:
    """However small: what was judged is not what would be published."""
    root, model, seen = judged
    change(root / "m")
    assert not is_steady(root, model, seen, [])


@pytest.mark.promise(3, "a writer that has a whole file open or mapped")
def test_a_writer_is_seen_though_nothing_has_changed(judged: tuple[Path, ModelFolder, Snapshot]) -> None:
    """Somebody has a weight file open for writing, or mapped: the kernel knows."""
    root, model, seen = judged
    weights = root / "m" / "model.safetensors"
    assert has_writer(weights) is False
    with weights.open("r+b") as writer:
        assert has_writer(weights) is True
        held: list[Unread] = []
        assert not is_steady(root, model, seen, held)
        assert held == [Unread("m", "m/model.safetensors", held=True)]
        mapped = mmap.mmap(writer.fileno(), 0)
    assert has_writer(weights) is True
    mapped.close()
    assert has_writer(weights) is False
    assert is_steady(root, model, seen, [])


def test_readers_are_no_writers(judged: tuple[Path, ModelFolder, Snapshot]) -> None:
    """A server that has the model loaded does not hinder."""
    root, model, seen = judged
    with (root / "m" / "model.safetensors").open("rb"):
        assert is_steady(root, model, seen, [])


def test_where_the_kernel_does_not_tell_it_is_not_known(tmp_path: Path) -> None:
    """Neither a folder nor what is not there has a lease."""
    assert has_writer(tmp_path / "nothing") is None
    assert has_writer(tmp_path) is None
