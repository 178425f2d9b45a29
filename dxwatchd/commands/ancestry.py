"""What a registered model was made from, in words: which model that is, or why that is not known."""

from __future__ import annotations

from dxwatchd.core.lineage import Registry
from dxwatchd.core.records import UNRESOLVED, Base
from dxwatchd.core.text import printable
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.card_directory import CardDirectory, read_stored

SHOWN = 5
"""Models that one base may be, on one line."""


def bases_told(settings: Settings, technical_name: str) -> list[str]:
    """A line for each base that the model's card names, with what to do where it is not resolved."""
    cards = CardDirectory(StateDirectory(settings.state_dir).cards)
    stored = read_stored(cards.path_of(technical_name))
    if stored is None:
        return []
    record = stored.record
    registry = Registry()
    if any(base.technical_name == UNRESOLVED for base in record.bases):
        cards.look()
        registry = Registry(cards.published().cards.values())
    return [_told(base, registry.candidates(base, technical_name)) for base in record.bases]


def _told(base: Base, candidates: tuple[str, ...]) -> str:
    name = printable(base.name, 200)
    if base.technical_name != UNRESOLVED:
        return f"{name}, registered as {base.technical_name}"
    if len(candidates) > 1:
        more = f" and {len(candidates) - SHOWN} more" if len(candidates) > SHOWN else ""
        several = f"{', '.join(candidates[:SHOWN])}{more}"
        return f'{name}, unresolved: it may be {several}; write base_model = "{candidates[0]}" into the entry'
    return (
        f'{name}, unresolved: no registered model is known to be it; register it, or write base_model = "…"'
    )
