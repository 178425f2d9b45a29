"""What must hold of every card, whatever its folder says: its bytes, its exports, its screen, its lineage."""

from __future__ import annotations

import json

import yaml

from dxwatchd.card.annotations import with_bases, with_digests
from dxwatchd.card.build import build_card
from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.card.exports.problems import ExportError
from dxwatchd.card.exports.render import render
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.card.summary import summary
from dxwatchd.commands.card_screen import TEXT_LIMIT, groups
from dxwatchd.core.findings import Findings
from dxwatchd.core.lineage import Registry
from dxwatchd.core.provenance import Check
from dxwatchd.core.records import Availability, Base, CardRecord

MOST_BYTES = 6 * 2**20
"""Of one card: the largest made on purpose, all of its lists full of the longest names, has 4.5 MB."""


def look_at(inputs: CardInputs, identity: Identity) -> Card:
    """Make the card and all that is made of it. Raises AssertionError where one is not as it must be."""
    card = build_card(inputs, identity)
    check(card)
    bases = [Base(one.name, one.technical_name, one.source == "manifest") for one in card.lineage]
    names = ("a-model", "A-Model", identity.path, identity.path, "sha256:0", None)
    record = CardRecord(*names, Availability.AVAILABLE, 1, {}, tuple(bases))
    check(with_bases(card, Registry([record]).resolve(record)))
    digests = {file.name: "0" * 64 for file in inputs.model.files}
    check(with_digests(card, Findings(Check.MISMATCH, digests, (), tuple(digests)[:1], "")))
    return card


def check(card: Card) -> None:
    """The bytes say the same as the card, every export can be read, every line of the screen is one."""
    data = dump(card)
    assert parse(data) == card, "the card's bytes say something else"
    assert len(data) <= MOST_BYTES, f"the card has {len(data):,} bytes"
    for wanted in ExportFormat:
        try:
            text = render(card, wanted)
        except ExportError:
            continue
        if wanted is ExportFormat.MODELCARD:
            _check_markdown(text)
        else:
            assert text.isascii()
            json.loads(text)
    for published in (False, True):
        for label, text in (row for group in groups(card, published=published) for row in group):
            assert text.isprintable(), (label, text)
            assert len(text) <= TEXT_LIMIT + 1, (label, text)
    assert summary(card).isascii()
    assert summary(card).isprintable() or not summary(card)


def _check_markdown(text: str) -> None:
    """Its front matter is a mapping of texts, and nothing below it is more than text."""
    assert all(character.isprintable() or character == "\n" for character in text)
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    for value in (yaml.safe_load(front) or {}).values():
        assert isinstance(value, str) or all(isinstance(item, str) for item in value), value
    fenced = False
    for line in body.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            assert not line or line.startswith(("- ", "# ", "## ")), line
