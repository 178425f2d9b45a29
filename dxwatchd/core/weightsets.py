"""Which weight files of a folder belong together, and which set is the one that is loaded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import TypeAlias

from dxwatchd.core.document_facts import ShardTable, WeightIndex
from dxwatchd.core.facts import Onnx
from dxwatchd.core.filenames import Numbered, index_format, numbered
from dxwatchd.core.model import WeightFormat, WeightSet
from dxwatchd.core.snapshot import SeenFile, SeenFolder, basename

_FORMAT_ORDER = tuple(WeightFormat)
_USUAL_STEMS = ("model", "pytorch_model", "adapter_model", "diffusion_pytorch_model")


FormatOf: TypeAlias = Callable[[str], WeightFormat | None]
"""A file's name → the format of the weights in it; None for what is not this model's weights."""


def weight_sets(folder: SeenFolder, format_of: FormatOf, *, prefix: str = "") -> tuple[WeightSet, ...]:
    """The weight sets of one folder, the primary one first.

    An index rules the files it names; a numbering (`-00001-of-00019`) promises every number; some formats
    spread one model over several files; any other weight file is a set by itself. `prefix` is put before the
    names ("unet/" for a component).
    """
    sets: list[WeightSet] = []
    claimed: set[str] = set()
    for name, file in sorted(folder.files.items()):
        listed = _listed(name, file)
        if listed is not None:
            sets.append(listed)
            claimed.update(listed.files)
    loose = [(name, format_of(name)) for name in sorted(folder.files) if name not in claimed]
    sets.extend(_by_numbering([(name, form) for name, form in loose if form is not None]))
    sets = [_with_external_data(weights, folder) for weights in sets]
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


def _listed(name: str, file: SeenFile) -> WeightSet | None:
    """The set that a file lists, if it is an index."""
    form = index_format(name)
    if form is not None and isinstance(file.facts, WeightIndex) and file.facts.files:
        return WeightSet(form, file.facts.files, index=name)
    if isinstance(file.facts, ShardTable) and file.facts.names:
        return WeightSet(WeightFormat.MLC, file.facts.names, index=name)
    return None


def _with_external_data(weights: WeightSet, folder: SeenFolder) -> WeightSet:
    """An ONNX set with the files that hold its tensors' data, too."""
    if weights.format is not WeightFormat.ONNX:
        return weights
    found = [(name, folder.files[name].facts) for name in weights.files if name in folder.files]
    outside = {name: facts.names for name, facts in found if isinstance(facts, Onnx) and facts.names}
    if not outside:
        return weights
    files = {*weights.files, *chain.from_iterable(outside.values())}
    return replace(weights, files=tuple(sorted(files)), index=min(outside))


_COUNTED = re.compile(r"(?P<stem>consolidated\.|rank)(?P<number>[0-9]{1,4})(?P<suffix>\.[a-z]+)")
"""Sets whose files are numbered from 0 and tell no total: original LLaMA's, and TensorRT-LLM's ranks."""

_ONNX_VARIANT = re.compile(r".+?(_(?P<variant>fp16|int8|uint8|q4|q4f16|q8|bnb4|quantized))?\.onnx", re.DOTALL)
_SPREAD = (WeightFormat.ONNX, WeightFormat.OPENVINO, WeightFormat.TORCH_DISTRIBUTED)
"""Formats in which all files of a folder are one model: encoder and decoder, graph and weights, parts."""


def _by_numbering(names: list[tuple[str, WeightFormat]]) -> list[WeightSet]:
    sets: list[WeightSet] = []
    groups: dict[tuple[WeightFormat, str, str, str, str], list[Numbered]] = defaultdict(list)
    counted: dict[tuple[WeightFormat, str, str], list[str]] = defaultdict(list)
    spread: dict[tuple[WeightFormat, str], list[str]] = defaultdict(list)
    for name, form in names:
        parts, from_zero, variant = numbered(name), _COUNTED.fullmatch(name), _ONNX_VARIANT.fullmatch(name)
        if parts is not None:
            groups[form, parts.stem, parts.joint, parts.total, parts.suffix].append(parts)
        elif from_zero is not None:
            counted[form, from_zero["stem"], from_zero["suffix"]].append(from_zero["number"])
        elif form in _SPREAD:
            spread[form, (variant["variant"] or "") if variant else ""].append(name)
        else:
            sets.append(WeightSet(form, (name,)))
    sets.extend(WeightSet(key[0], _all_of(group)) for key, group in groups.items())
    for (form, stem, suffix), numbers in counted.items():
        wide = max(map(len, numbers)) if any(one.startswith("0") and len(one) > 1 for one in numbers) else 1
        every = range(max(map(int, numbers)) + 1)
        sets.append(WeightSet(form, tuple(f"{stem}{number:0{wide}d}{suffix}" for number in every)))
    sets.extend(WeightSet(form, tuple(sorted(files))) for (form, _), files in spread.items())
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
    name = basename(weights.index or weights.files[0])
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
