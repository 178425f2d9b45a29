"""Which weight files of a folder belong together, and which set is the one that is loaded."""

from __future__ import annotations

from collections.abc import Callable

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
    if not sets:
        return ()
    present = frozenset(folder.files)
    ordered = sorted(sets, key=lambda weights: _preference(weights, present))
    return tuple(
        WeightSet(
            weights.format,
            tuple(prefix + name for name in weights.files),
            index=None if weights.index is None else prefix + weights.index,
            primary=position == 0,
        )
        for position, weights in enumerate(ordered)
    )


def _by_numbering(names: list[str]) -> list[WeightSet]:
    sets: dict[Numbered | str, WeightSet] = {}
    for name in names:
        form = weight_format(name)
        if form is None:
            continue
        parts = numbered(name)
        if parts is None:
            sets[name] = WeightSet(form, (name,))
            continue
        key = parts._replace(number=0)
        if key not in sets:
            sets[key] = WeightSet(form, tuple(parts.name(number) for number in _numbers(parts)))
    return list(sets.values())


def _numbers(parts: Numbered) -> range:
    # MLC and a few converters count from 0: a file with number 0 shifts the whole set
    return range(parts.total) if parts.number == 0 else range(1, parts.total + 1)


def stem_of(weights: WeightSet) -> str:
    """The part of a set's file names that names the set: `model` of `model-00001-of-00019.safetensors`."""
    name = weights.index or weights.files[0]
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
