"""PEFT's adapter_config.json → the adapter's part of the card."""

from __future__ import annotations

from collections.abc import Sequence

from dxwatchd.card.parts import Adapter, Ancestor
from dxwatchd.card.values import Notes, at, boolean, integer, mapping, number, text, texts
from dxwatchd.core.records import UNRESOLVED

CONFIG = "adapter_config.json"


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
        target_modules=tuple(sorted(texts(at(document, "target_modules"), count=256))),
        num_virtual_tokens=integer(at(document, "num_virtual_tokens"), 1),
        use_dora=boolean(at(document, "use_dora")),
        use_rslora=boolean(at(document, "use_rslora")),
        base_model_name_or_path=text(at(document, "base_model_name_or_path"), 500),
    )
    for name, value in part:
        if value is not None and value != ():
            notes.source(f"adapter.{name}", f"{CONFIG}#/{name}")
    base = base_of(lineage, named=part.base_model_name_or_path is not None)
    if base is not None:
        notes.source("adapter.base_model_resolved", "derived: lineage")
    return part.model_copy(update={"base_model_resolved": base})


def base_of(lineage: Sequence[Ancestor], *, named: bool) -> str | None:
    """The technical name of the model that an adapter is for, UNRESOLVED where it is not registered.

    named: whether the adapter's own configuration names one. None where nothing does.
    """
    found = next((one.technical_name for one in lineage if one.relation == "adapter"), None)
    return found or (UNRESOLVED if named else None)
