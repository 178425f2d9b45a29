"""PEFT's adapter_config.json → the adapter's part of the card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dxwatchd.card.parts import Adapter, Ancestor
from dxwatchd.card.values import Notes, at, boolean, integer, mapping, number, text, texts
from dxwatchd.core.records import UNRESOLVED

CONFIG = "adapter_config.json"
_MODULES = 4096  # a list of every projection of every layer has some hundred
_PATTERN = 2000  # characters: a regular expression that trainers write has about 300

T = TypeVar("T")


def adapter(document: object, lineage: Sequence[Ancestor], notes: Notes) -> Adapter | None:
    """What the file states, and which of the model's ancestors it is for; None where it is not an object."""
    if not mapping(document):
        return None
    part = Adapter(
        peft_type=text(at(document, "peft_type")),
        task_type=text(at(document, "task_type")),
        r=integer(at(document, "r"), 1),
        lora_alpha=number(at(document, "lora_alpha")),
        lora_dropout=number(at(document, "lora_dropout")),
        target_r=integer(at(document, "target_r"), 1),
        alpha=number(at(document, "alpha")),
        bias=text(at(document, "bias")),
        target_modules=_modules(document, "target_modules", notes),
        exclude_modules=_modules(document, "exclude_modules", notes),
        target_parameters=_modules(document, "target_parameters", notes),
        modules_to_save=_modules(document, "modules_to_save", notes),
        rank_pattern=_pattern(document, "rank_pattern", lambda value: integer(value, 1), notes),
        alpha_pattern=_pattern(document, "alpha_pattern", number, notes),
        num_virtual_tokens=integer(at(document, "num_virtual_tokens"), 1),
        use_dora=boolean(at(document, "use_dora")),
        use_rslora=boolean(at(document, "use_rslora")),
        peft_version=text(at(document, "peft_version")),
        base_model_name_or_path=text(at(document, "base_model_name_or_path"), 500),
        revision=text(at(document, "revision")),
    )
    for name, value in part:
        if value is not None and value not in ((), {}):
            notes.source(f"adapter.{name}", f"{CONFIG}#/{name}")
    base = base_of(lineage, named=part.base_model_name_or_path is not None)
    if base is not None:
        notes.source("adapter.base_model_resolved", "derived: lineage")
    return part.model_copy(update={"base_model_resolved": base})


def _modules(document: object, key: str, notes: Notes) -> tuple[str, ...]:
    """The names of a list, sorted, or the one text; none of a longer list, as a part of it is another one."""
    stated = at(document, key)
    if isinstance(stated, list) and len(stated) > _MODULES:
        notes.warn(f"{CONFIG} lists more than {_MODULES:,} {key}, which were left out")
        return ()
    return tuple(sorted(texts(stated, _PATTERN, _MODULES)))


def _pattern(document: object, key: str, read: Callable[[object], T | None], notes: Notes) -> dict[str, T]:
    """Module → value; nothing where not every value can be read, or AdaLoRA keeps lists of masks there."""
    stated = mapping(at(document, key))
    if any(isinstance(value, list) for value in stated.values()):
        return {}
    found = {name: read(value) for name, value in stated.items() if text(name, _PATTERN)}
    kept = {name: value for name, value in found.items() if value is not None}
    if len(kept) < len(stated) or len(stated) > _MODULES:
        notes.warn(f"{CONFIG}: not every entry of {key} is a number by module; they were left out")
        return {}
    return kept


def base_of(lineage: Sequence[Ancestor], *, named: bool) -> str | None:
    """The technical name of the model that an adapter is for, UNRESOLVED where it is not registered.

    named: whether the adapter's own configuration names one. None where nothing does.
    """
    found = next((one.technical_name for one in lineage if one.relation == "adapter"), None)
    return found or (UNRESOLVED if named else None)
