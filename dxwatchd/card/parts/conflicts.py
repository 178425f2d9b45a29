"""Where a folder contradicts itself."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part


class Statement(Part):
    """What one source says."""

    source: str
    value: str


class Conflict(Part):
    """Different statements on one field; the card's value is the first."""

    field: str
    statements: tuple[Statement, ...]
