"""Models of sentence-transformers whose network lies in a folder of its own, `0_Transformer`, as at first.

Their config says the same as that of a folder of transformers, only further down.
"""

from __future__ import annotations

import dataclasses
import re

from dxwatchd.card.sources import OF_MODULES, CardInputs
from dxwatchd.card.values import Notes, at, clean, text
from dxwatchd.core.model import Layout

_MOVED = re.compile(rf"(?<![\w/.-])(?=(?:{'|'.join(map(re.escape, OF_MODULES))})(?:#|$))")


def first_module(inputs: CardInputs) -> str:
    """The folder of the first module, where the network's config is there and none at the top; else ""."""
    listed = inputs.documents.get("modules.json")
    path = text(at(listed[0], "path")) if isinstance(listed, list) and listed else None
    if inputs.model.layout is not Layout.SENTENCE_TRANSFORMERS or "config.json" in inputs.documents:
        return ""
    return path if path and f"{path}/config.json" in inputs.documents else ""


def at_the_top(inputs: CardInputs, path: str) -> CardInputs:
    """`inputs` with the documents of the module at `path` at the top too, where the other parts look."""
    documents = inputs.documents
    found = {name: documents[f"{path}/{name}"] for name in OF_MODULES if f"{path}/{name}" in documents}
    return dataclasses.replace(inputs, documents={**found, **documents})


def put_back(notes: Notes, path: str) -> None:
    """Let sources and conflicts name the module's files, not the top's."""
    where = f"{clean(path)}/"
    notes.sources = {field: _MOVED.sub(where, source) for field, source in notes.sources.items()}
    notes.conflicts = [
        (field, tuple((_MOVED.sub(where, source), value) for source, value in statements))
        for field, statements in notes.conflicts
    ]
