"""Entries whose folder belongs to another model: a component of a pipeline is no model of its own.

A model that merely lies inside another one (a checkpoint, an adapter) is a model, and an entry may have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from dxwatchd.core.entries import Entry, Problem
from dxwatchd.core.layouts import PARTS
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.ownership import DOWNLOADER
from dxwatchd.core.snapshot import is_below, parent
from dxwatchd.core.text import printable

T = TypeVar("T")


def above(path: str, models: Mapping[str, T]) -> T | None:
    """The innermost of the `models` (by path) that `path` lies in; None where it lies in none."""
    place = parent(path)
    while place:
        if place in models:
            return models[place]
        place = parent(place)
    return None


def is_part(path: str, model: ModelFolder) -> bool:
    """Whether the folder at `path`, which lies in `model`, is loaded as a part of it and never by itself."""
    inside = path[len(model.path) + 1 :]
    if any(part in PARTS or part == DOWNLOADER for part in inside.split("/")):
        return True
    return any(is_below(inside, component) for component in model.components if component)


def part_problem(manifest: Manifest, entry: Entry, owner: ModelFolder) -> Problem:
    """What is wrong with an entry for a part of `owner`."""
    theirs = manifest.at_path(owner.path)
    line = manifest.spot(theirs.number, "path").line if theirs is not None else 0
    which = f", the folder of line {line}" if line else ""
    spot = manifest.spot(entry.number, "path")
    kind = f"{owner.layout.value} {owner.kind.value}"
    return Problem(
        f'path "{printable(entry.path, 120)}" is a part of the {kind} {printable(owner.path, 120)}{which}',
        "delete this entry: its owner is registered as a whole; or copy the folder to a place of its own",
        line=spot.line,
        column=spot.column,
        entry=entry.number,
        key="path",
    )
