"""Which models a model was made from."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part
from dxwatchd.core.records import UNRESOLVED


class Ancestor(Part):
    """A model that this one was made from.

    name: as the folder states it (a hub id, or the last part of a path); relation: "adapter", "finetune",
    "quantized", "merge", "checkpoint", "conversion", None where not told; technical_name: of the registered
    model that it is, or "unresolved"; source: where the folder says so.
    """

    name: str
    relation: str | None = None
    technical_name: str = UNRESOLVED
    source: str
