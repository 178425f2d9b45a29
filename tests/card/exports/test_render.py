"""From a card to the bytes that are written."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given

from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.card.exports.render import EXPORTS, render
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from tests.card.exports.making import cards, digested, full_card


def test_every_format_is_made() -> None:
    """None is named that nothing makes."""
    assert set(EXPORTS) == set(ExportFormat)


@pytest.mark.parametrize("wanted", ExportFormat)
def test_the_published_card_is_enough(wanted: ExportFormat) -> None:
    """A consumer that reads the card's file gets the same bytes."""
    card = digested(full_card())
    assert render(parse(dump(card)), wanted) == render(card, wanted)


@pytest.mark.parametrize("wanted", [one for one in ExportFormat if one is not ExportFormat.MODELCARD])
def test_json_is_ascii_and_ends_with_a_newline(wanted: ExportFormat) -> None:
    """So that any terminal and any reader takes it."""
    text = render(digested(full_card(model_name="通义千问")), wanted)
    assert text.isascii()
    assert text.endswith("}\n")
    assert json.loads(text)


@given(cards())
def test_any_card_can_be_written_as_utf_8(card: Card) -> None:
    """In every format, once it has digests."""
    if card.files:
        for wanted in ExportFormat:
            assert render(digested(card), wanted).encode("utf-8")


def test_nothing_is_imported_that_only_tests_have() -> None:
    """The libraries that judge the exports are not needed to make them."""
    program = (
        "import sys, dxwatchd.card.exports.render\n"
        "print(sorted({'cyclonedx', 'jsonschema', 'huggingface_hub', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
