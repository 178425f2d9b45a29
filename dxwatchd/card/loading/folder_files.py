"""The files of a folder, and which of them are its weights, as far as a card has room for their names."""

from __future__ import annotations

from dxwatchd.card.parts import FilePart, UnlistedFiles, WeightSetPart
from dxwatchd.card.sources import CardInputs
from dxwatchd.card.values import Notes, encodable
from dxwatchd.core.listed_files import listed
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.room import Room
from dxwatchd.core.text import count

_SETS = 512 * 1024
"""Bytes of the weight sets in a card. With every quantisation of a large model in shards they take 10,000."""
_SET, _FILE = 150, 12
"""Bytes of what stands beside the names of a set, and beside each of them."""


def listed_files(model: ModelFolder, notes: Notes) -> tuple[tuple[FilePart, ...], UnlistedFiles | None]:
    """The files that there is room for, and what is to be said of the rest: None where there is none."""
    first = listed(model.files)
    rest = model.files[len(first) :]
    if rest:
        notes.warn(
            f"files: {count(len(rest), 'file')} of {len(model.files):,} are not listed; move what is not the "
            "model's out of its folder"
        )
    unlisted = UnlistedFiles(count=len(rest), size=sum(file.size for file in rest)) if rest else None
    return tuple(FilePart(name=encodable(file.name), size=file.size) for file in first), unlisted


def weight_sets(inputs: CardInputs, notes: Notes) -> tuple[WeightSetPart, ...]:
    """The weight sets that there is room for, each with all of its files."""
    sizes = {file.name: file.size for file in inputs.model.files}
    tensors = sum(len(file) for file in inputs.tensors.values()) if inputs.tensors else None
    room = Room(_SETS)
    found: list[WeightSetPart] = []
    for weights in inputs.model.weight_sets:
        if not room.takes(*weights.files, weights.index or "", beside=_SET + _FILE * len(weights.files)):
            left = len(inputs.model.weight_sets) - len(found)
            notes.warn(f"weight_sets: {left:,} of {len(inputs.model.weight_sets):,} are not listed")
            break
        found.append(
            WeightSetPart(
                format=weights.format.value,
                primary=weights.primary,
                files=tuple(map(encodable, weights.files)),
                index=None if weights.index is None else encodable(weights.index),
                tensors=tensors if weights.primary else None,
                bytes=sum(sizes.get(name, 0) for name in weights.files),
            )
        )
    return tuple(found)
