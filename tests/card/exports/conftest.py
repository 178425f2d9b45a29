"""The cards of the whole corpus, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import Identity
from tests.card.exports.making import digested


@pytest.fixture(scope="session")
def corpus_cards(families: Callable[[], Iterator[Any]], identity: Identity) -> tuple[Card, ...]:
    """Every family's card with all digests computed, each under the family's name."""
    made = tuple(
        digested(build_card(family.inputs, replace(identity, technical_name=family.name)))
        for family in families()
    )
    assert len(made) > 50
    return tuple(card for card in made if card.files)
