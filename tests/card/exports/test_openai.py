"""The entry of a server's list of models."""

from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given

from dxwatchd.card.exports.openai import openai
from dxwatchd.card.parts import Adapter, Context
from dxwatchd.card.schema import Card
from dxwatchd.core.records import UNRESOLVED
from tests.card.exports.making import cards, full_card

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
        "root": {"type": ["string", "null"]},
        "parent": {"type": ["string", "null"]},
        "max_model_len": {"type": ["integer", "null"]},
    },
    "required": ["id", "object", "created", "owned_by"],
    "additionalProperties": False,
}
"""OpenAI's model object, and vLLM's further keys."""


def test_a_known_model_is_listed() -> None:
    """Under its technical name, with the context that a server offers, and no time made up."""
    assert openai(full_card()) == {
        "id": "qwen3-8b-instruct",
        "object": "model",
        "created": 0,
        "owned_by": "dxwatchd",
        "root": "Qwen/Qwen3-8B",
        "parent": None,
        "max_model_len": 40_960,
    }


@pytest.mark.parametrize(("resolved", "parent"), [("base", "base"), (UNRESOLVED, None), (None, None)])
def test_an_adapter_names_its_registered_base(resolved: str | None, parent: str | None) -> None:
    """Only a base that is registered is one that a server knows."""
    card = full_card(kind="adapter", adapter=Adapter(base_model_resolved=resolved))
    assert openai(card)["parent"] == parent


def test_an_unknown_context_is_null() -> None:
    """What was declared is not what a server offers."""
    assert openai(full_card(context=Context(declared=131_072)))["max_model_len"] is None


def test_every_family_is_listed(corpus_cards: tuple[Card, ...]) -> None:
    """Over the whole corpus."""
    for card in corpus_cards:
        jsonschema.validate(openai(card), SCHEMA)


@given(cards())
def test_any_card_is_listed(card: Card) -> None:
    """Whatever the folder says of itself."""
    jsonschema.validate(openai(card), SCHEMA)
