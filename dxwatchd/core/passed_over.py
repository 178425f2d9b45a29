"""Folders that are models only where an entry speaks of them, once such a model was moved."""

from __future__ import annotations

from collections.abc import Container

from dxwatchd.core.layouts import Found, find
from dxwatchd.core.plan import Observation, Options
from dxwatchd.core.readiness import judge
from dxwatchd.core.records import CardRecord
from dxwatchd.core.snapshot import basename


def find_moved(
    seen: Observation, options: Options, claimed: frozenset[str], going: Container[CardRecord]
) -> tuple[Found, frozenset[str]]:
    """Every model, also those checkpoints and old revisions to which a card was or is to be followed.

    claimed: the paths that entries speak of; going: cards that do not stay. The second value are the paths of
    those that are models for the sake of a card alone, and not to be proposed.

    A trainer's last checkpoint often equals the finished model beside it, so that one which was moved has to
    have kept its own name as well.
    """

    def look(entered: frozenset[str]) -> Found:
        return find(seen.snapshot, propose_checkpoints=options.propose_checkpoints, entered=entered)

    found = look(claimed)
    skipped = {stray.path for stray in found.strays if stray.skipped}
    if not skipped:
        return found, frozenset()
    cards = [card for card in seen.published.cards.values() if card not in going]
    followed = {card.path for card in cards} & skipped
    there = {model.path for model in found.models} | followed
    absent: dict[str, set[str]] = {}
    for card in cards:
        if card.path not in there:
            absent.setdefault(basename(card.path), set()).add(card.fingerprint)
    named = frozenset(path for path in skipped if basename(path) in absent)
    if named:
        followed |= {
            model.path
            for model in look(claimed | named).models
            if model.path in named and judge(model, seen.snapshot).fingerprint in absent[basename(model.path)]
        }
    unasked = frozenset(followed)
    return look(claimed | unasked) if unasked else found, unasked
