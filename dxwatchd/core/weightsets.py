"""Which weight files of a folder belong together, and which set is the one that is loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from dxwatchd.core.facts import WeightIndex
from dxwatchd.core.filenames import Numbered, index_format, numbered, weight_format
from dxwatchd.core.model import WeightFormat, WeightSet
from dxwatchd.core.snapshot import SeenFolder

_FORMAT_ORDER = (
    WeightFormat.SAFETENSORS,
    WeightFormat.PYTORCH,
    WeightFormat.GGUF,
    WeightFormat.TENSORFLOW,
    WeightFormat.FLAX,
)
"""What a loader takes first where several formats lie side by side (transformers' own order)."""

_USUAL_STEMS = ("model", "pytorch_model", "adapter_model", "diffusion_pytorch_model")


def weight_sets(
    folder: SeenFolder, wanted: Callable[[str], bool], *, prefix: str = ""
) -> tuple[WeightSet, ...]:
    """The weight sets of one folder, the primary one first.

    An index rules the files it names; a numbering (`-00001-of-00019`) promises every number; any other
    weight file is a set by itself. `wanted` says which file names are this model's weights at all;
    `prefix` is put before the names ("unet/" for a component).
    """
    sets: list[WeightSet] = []
    claimed: set[str] = set()
    for name, file in sorted(folder.files.items()):
        form = index_format(name)
        if form is not None and isinstance(file.facts, WeightIndex) and file.facts.files:
            sets.append(WeightSet(form, file.facts.files, index=name))
            claimed.update(file.facts.files)
    loose = [name for name in sorted(folder.files) if name not in claimed and wanted(name)]
    sets.extend(_by_numbering(loose))
    present = frozenset(folder.files)
    ordered = sorted(sets, key=lambda weights: _preference(weights, present))
    return tuple(
        replace(
            weights,
            files=tuple(prefix + name for name in weights.files),
            index=None if weights.index is None else prefix + weights.index,
            primary=position == 0,
        )
        for position, weights in enumerate(ordered)
    )


def _by_numbering(names: list[str]) -> list[WeightSet]:
    sets: list[WeightSet] = []
    groups: dict[tuple[str, str, str, str], list[Numbered]] = defaultdict(list)
    for name in names:
        form, parts = weight_format(name), numbered(name)
        if form is not None and parts is None:
            sets.append(WeightSet(form, (name,)))
        elif form is not None and parts is not None:
            groups[parts.stem, parts.joint, parts.total, parts.suffix].append(parts)
    for group in groups.values():
        form = weight_format(str(group[0]))
        if form is not None:
            sets.append(WeightSet(form, _all_of(group)))
    return sets


def _all_of(group: list[Numbered]) -> tuple[str, ...]:
    """The names of every file of a numbered set, those that are there as they are written."""
    there = {int(parts.number): str(parts) for parts in group}
    some, total = group[0], int(group[0].total)
    # MLC and a few converters count from 0: a file with number 0 shifts the whole set
    numbers = range(total) if 0 in there else range(1, total + 1)
    padded = [len(parts.number) for parts in group if parts.number.startswith("0") and len(parts.number) > 1]
    shorter = any(len(parts.number) < len(some.total) for parts in group)
    width = max(padded) if padded else 1 if shorter else len(some.total)
    return tuple(there.get(number) or str(some._replace(number=f"{number:0{width}d}")) for number in numbers)


def stem_of(weights: WeightSet) -> str:
    """The part of a set's file names that names the set: `model` of `model-00001-of-00019.safetensors`."""
    name = (weights.index or weights.files[0]).rpartition("/")[2]
    parts = numbered(name)
    return parts.stem if parts else name.partition(".")[0]


def _preference(weights: WeightSet, present: frozenset[str]) -> tuple[bool, int, int, bool, str]:
    """Sort key: first what is there in full, then by format, usual name, with an index, and by name.

    A leftover index beside a consistent set must not win over the files that are really there.
    """
    complete = present.issuperset(weights.files)
    stem = stem_of(weights)
    usual = _USUAL_STEMS.index(stem) if stem in _USUAL_STEMS else len(_USUAL_STEMS)
    order = _FORMAT_ORDER.index(weights.format)
    return (not complete, order, usual, weights.index is None, weights.files[0])
