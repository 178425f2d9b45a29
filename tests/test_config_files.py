"""The files in config/ that are made from the code say what the code says."""

from __future__ import annotations

import json

import jsonschema
import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.serialize import dump, json_schema
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.core.manifest import parse
from dxwatchd.core.model import Kind, Layout, ModelFolder
from dxwatchd.core.proposals import HEADER
from tests.conftest import REPOSITORY


def test_the_starter_manifest_is_the_one_that_is_made() -> None:
    """config/manifest.toml is what a new manifest begins with, and is in order."""
    text = (REPOSITORY / "config" / "manifest.toml").read_text()
    assert text == HEADER
    assert not parse(text).problems


def test_the_card_schema_is_current() -> None:
    """config/card.schema.json is what `dxwatchd schema` prints; make it anew with that command."""
    written = json.loads((REPOSITORY / "config" / "card.schema.json").read_text())
    assert written == json_schema()
    jsonschema.Draft202012Validator.check_schema(written)


@pytest.mark.parametrize("layout", list(Layout))
def test_cards_fit_the_schema(layout: Layout) -> None:
    """The emptiest card of each layout is valid by the published schema."""
    model = ModelFolder("p/m", layout, Kind.MODEL, (), (), (), ())
    identity = Identity("m", "M", "p/m", "p/m", "sha256:" + "0" * 64)
    card = json.loads(dump(build_card(CardInputs(model=model), identity)))
    jsonschema.validate(card, json_schema())
