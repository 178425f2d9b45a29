"""PEFT's adapter_config.json → the adapter's part of the card."""

from __future__ import annotations

from dxwatchd.card.parts import Adapter
from dxwatchd.card.values import Notes, at, boolean, integer, mapping, number, text, texts

CONFIG = "adapter_config.json"


def adapter(document: object, notes: Notes) -> Adapter | None:
    """What the file states; None where it is not an object."""
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
    return part
