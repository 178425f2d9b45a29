"""Card ↔ bytes."""

from __future__ import annotations

import json
from typing import Any

from dxwatchd.card.schema import Card


def dump(card: Card) -> bytes:
    """The card as JSON: keys in the schema's order, ASCII only, two spaces, a final newline."""
    content = card.model_dump(mode="json", by_alias=True)
    return (json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def parse(data: bytes) -> Card:
    """The inverse of `dump`.

    Raises pydantic.ValidationError (a ValueError) that names every key that is wrong.
    """
    return Card.model_validate_json(data)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a card."""
    return Card.model_json_schema(by_alias=True, mode="serialization")
