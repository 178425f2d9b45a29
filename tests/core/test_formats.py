"""Which version of a format a file says it has."""

from __future__ import annotations

import pytest

from dxwatchd.card.schema import Card
from dxwatchd.core import formats


@pytest.mark.parametrize("said", ["dxwatchd.card/v2", "dxwatchd.card/v10", "dxwatchd.card/v999999999"])
def test_a_later_version_is_later(said: str) -> None:
    """By number, not by letters."""
    assert formats.is_later(said, formats.CARD)
    assert formats.is_later("dxwatchd.card/v10", "dxwatchd.card/v9")


@pytest.mark.parametrize(
    "said",
    [
        *(formats.CARD, "dxwatchd.card/v0", "dxwatchd.card/v02", "dxwatchd.index/v2", "xdxwatchd.card/v2"),
        *("dxwatchd.card/v2\n", "dxwatchd.card/v-2", "dxwatchd.card/v٢", "dxwatchd.card/v", "v2", ""),
        *("dxwatchd.card/v" + "9" * 5000, None, 2, ["dxwatchd.card/v2"], {}),
    ],
    ids=lambda said: repr(said)[:30],
)
def test_all_else_is_not(said: object) -> None:
    """Ours, another format's, and what no version of dxwatchd writes: that is damage."""
    assert not formats.is_later(said, formats.CARD)


def test_the_card_says_the_format_that_is_named_here() -> None:
    """Its schema has the name as a literal, which cannot be taken from elsewhere."""
    assert Card.model_fields["schema_"].default == formats.CARD
