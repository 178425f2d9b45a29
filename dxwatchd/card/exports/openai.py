"""The model's entry in the list that `GET /v1/models` answers.

Source: OpenAI's API reference ("The model object": id, object, created, owned_by, all required), and what
vLLM's `ModelCard` adds to it (root, parent, max_model_len), which clients of such servers read.
"""

from __future__ import annotations

from pydantic import JsonValue

from dxwatchd.card.schema import Card
from dxwatchd.core.records import UNRESOLVED

_OWNER = "dxwatchd"
"""As vLLM, llama.cpp and others write their own name: whoever lists the model owns its name."""


def openai(card: Card) -> dict[str, JsonValue]:
    """The entry. created: in seconds since 1970; 0, since no folder says when its model was made; root: the
    folder, relative to the models root; parent: of an adapter, its base where that is registered;
    max_model_len: in tokens.
    """
    base = card.adapter.base_model_resolved if card.adapter else None
    return {
        "id": card.technical_name,
        "object": "model",
        "created": 0,
        "owned_by": _OWNER,
        "root": card.path,
        "parent": None if base == UNRESOLVED else base,
        "max_model_len": card.context.effective,
    }
