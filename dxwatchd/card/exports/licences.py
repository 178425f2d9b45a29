"""How a card's licence is called elsewhere."""

from __future__ import annotations

import re

from dxwatchd.card.exports.spdx import spdx_identifier
from dxwatchd.card.schema import Card

_OTHER = "other"
"""On the Hugging Face Hub: none of its list, see `license_name`."""


def licence_name(card: Card) -> str | None:
    """What the licence is called: `license`, or `license_name` where that says "other" or nothing."""
    stated = card.license
    return card.license_name or stated if stated is None or stated.lower() == _OTHER else stated


def spdx_expression(name: str) -> str:
    """A licence as an SPDX licence expression: its identifier, or "LicenseRef-" and its name.

    Source: SPDX 2.3, annex D: a licence outside the list is a LicenseRef of letters, digits, "." and "-".
    """
    own = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")
    return spdx_identifier(name) or f"LicenseRef-{own or 'unnamed'}"
