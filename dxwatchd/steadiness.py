"""A last look before something is published: is the folder what was judged, and does nobody write to it?"""

from __future__ import annotations

import os
from pathlib import Path

from dxwatchd.core.filenames import weight_format
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.snapshot import Snapshot, Stat, basename, join
from dxwatchd.core.unread import Unread
from dxwatchd.leases import has_writer
from dxwatchd.readers.opening import stat_of


def is_steady(root: Path, model: ModelFolder, snapshot: Snapshot, held: list[Unread]) -> bool:
    """Whether every file of `model` still has the stat of the snapshot, and no weight file has a writer.

    The first file that has one is added to `held`.
    """
    unchanged = all(_is_as_seen(root, model, file.name, snapshot) for file in model.files)
    writing = _held_open(root, model)
    if writing is not None:
        held.append(writing)
    return unchanged and writing is None


def _is_as_seen(root: Path, model: ModelFolder, name: str, snapshot: Snapshot) -> bool:
    seen = snapshot.file(join(model.path, name))
    return _now(root / model.path / name) == (seen.stat if seen is not None else None)


def _held_open(root: Path, model: ModelFolder) -> Unread | None:
    """The first weight file of `model` that some process has open for writing, as far as the kernel tells."""
    for file in model.files:
        path = root / model.path / file.name
        if weight_format(basename(file.name)) is not None and has_writer(Path(os.path.realpath(path))):
            return Unread(model.path, join(model.path, file.name), held=True)
    return None


def _now(path: Path) -> Stat | None:
    try:
        return stat_of(os.stat(path))
    except OSError:
        return None
