"""How many tokens a model takes."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part, Size


class Context(Part):
    """In tokens.

    declared: what the config says; native: before any scaling of positions; effective: what a server offers
    by default; rule: how effective follows from the others.
    """

    declared: Size | None = None
    native: Size | None = None
    effective: Size | None = None
    rule: str | None = None
