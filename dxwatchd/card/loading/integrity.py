"""What the pickles of a folder import → the card's safety facts. Nothing here says that a file is safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dxwatchd.card.loading.weights_only import ALLOWED
from dxwatchd.card.parts import Integrity, PickleFile
from dxwatchd.card.values import LIST_LIMIT, Notes, clean, encodable
from dxwatchd.core.filenames import weight_format
from dxwatchd.core.model import ModelFolder, WeightFormat
from dxwatchd.core.pickles import UNKNOWN, PickleContent
from dxwatchd.core.snapshot import basename

_SHOWN = 4


def integrity(model: ModelFolder, pickles: Mapping[str, PickleContent], notes: Notes) -> Integrity:
    """The pickles of the folder, by name, with what they import and which of it weights do not need.

    Digests and where the files are from are not this part's: they keep their defaults.
    """
    listed = tuple(_listed(name, pickles[name]) for name in sorted(pickles))
    if listed:
        notes.source("integrity.pickles", "derived: the opcodes of the pickles")
    if any(pickle.disallowed for pickle in listed):
        notes.source("integrity.disallowed_globals", "derived: what torch.load(weights_only=True) refuses")
    warnings = [sentence for name in sorted(pickles) for sentence in _warnings(name, pickles[name])]
    if any(pickle.disallowed and weight_format(basename(pickle.name)) for pickle in listed) and any(
        weights.format is WeightFormat.SAFETENSORS for weights in model.weight_sets
    ):
        warnings.append(
            "The folder has safetensors weights too, which loaders prefer to these pickles; they run no code."
        )
    return Integrity(
        pickle_present=bool(listed),
        pickles=listed,
        disallowed_globals=tuple(sorted({name for pickle in listed for name in pickle.disallowed})),
        warnings=_bounded(warnings),
    )


def _listed(name: str, content: PickleContent) -> PickleFile:
    return PickleFile(
        name=encodable(name),
        globals=_cleaned(content.globals),
        disallowed=_cleaned(_disallowed(content)),
        complete=content.complete,
    )


def _disallowed(content: PickleContent) -> tuple[str, ...]:
    return tuple(name for name in content.globals if name not in ALLOWED)


def _cleaned(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(clean(name) for name in names))


def _warnings(name: str, content: PickleContent) -> list[str]:
    """What a person should know of one pickle."""
    found: list[str] = []
    shown = clean(name)
    disallowed = _disallowed(content)
    if disallowed:
        why = "no weights need" if weight_format(basename(name)) else "torch.load refuses by default"
        found.append(
            f"{shown} names {_enumerated(disallowed)}, which {why}: loading it runs code; "
            "do not load it without reading it."
        )
    if not content.complete:
        found.append(f"{shown} was not read to its end: {content.problem} What else it names is not known.")
    return found


def _enumerated(names: Sequence[str]) -> str:
    """Some of the names, in words."""
    known = ["a global that it does not spell out" if name == UNKNOWN else clean(name, 80) for name in names]
    first = ", ".join(known[:_SHOWN])
    return f"{first} and {len(known) - _SHOWN} more" if len(known) > _SHOWN else first


def _bounded(warnings: Sequence[str]) -> tuple[str, ...]:
    if len(warnings) <= LIST_LIMIT:
        return tuple(warnings)
    return (*warnings[: LIST_LIMIT - 1], f"{len(warnings) - LIST_LIMIT + 1} more warnings are left out.")
