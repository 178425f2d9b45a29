"""Cards without an approved entry: which go, and which stay because so much going at once is suspicious."""

from __future__ import annotations

from dataclasses import dataclass

from dxwatchd.core.claims import Claims
from dxwatchd.core.entries import Entry, Status
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.naming import canonical
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.records import CardRecord, Published
from dxwatchd.core.text import count

FEW = 2
"""As many cards may always go at once: a person who removes two of two entries means it."""


@dataclass(frozen=True, slots=True)
class Orphans:
    """withdrawals: cards to be removed; held: entries made up from cards that stay; reasons: why they do."""

    withdrawals: tuple[CardRecord, ...] = ()
    held: tuple[Entry, ...] = ()
    reasons: tuple[Reason, ...] = ()


def orphans(
    manifest: Manifest, claims: Claims, published: Published, *, trusted: bool, accept_removals: bool
) -> Orphans:
    """Sort out the cards that no approved entry in force speaks of.

    trusted: whether the file is in force at all; where it is not, every card stays. A card whose own entry is
    broken or lost its name to another stays too: the incumbent is not punished for a slip of the pen.
    """
    approved = {entry.keys[0] for entry in claims.entries if entry.status is Status.APPROVED}
    without = [card for name, card in published.cards.items() if name not in approved]
    if not without:
        return Orphans()
    if not trusted:
        return Orphans(held=tuple(entry_of(card) for card in without))
    slips = {canonical(broken.technical_name) for broken in manifest.broken}
    slip_paths = {broken.path for broken in manifest.broken}
    for entry in manifest.entries:
        if entry.number in claims.losers:
            slips.add(entry.keys[0])
            slip_paths.add(entry.path)
    renamed_to = {entry.path for entry in claims.entries if entry.status is Status.APPROVED}
    kept: list[CardRecord] = []
    renamed: list[CardRecord] = []
    lost: list[CardRecord] = []
    for card in without:
        if canonical(card.technical_name) in slips or {card.path, card.entry_path} & slip_paths:
            kept.append(card)
        else:
            (renamed if card.entry_path in renamed_to else lost).append(card)
    reasons: tuple[Reason, ...] = ()
    if len(lost) > FEW and 2 * len(lost) > len(published.cards) and not accept_removals:
        reasons = (_suspicious(len(lost), published),)
        kept, lost = [*kept, *lost], []
    return Orphans((*renamed, *lost), tuple(entry_of(card) for card in kept), reasons)


def entry_of(card: CardRecord) -> Entry:
    """The entry as `card` remembers it. Its number is no line of any file."""
    return Entry(
        number=-1,
        status=Status.APPROVED,
        technical_name=card.technical_name,
        model_name=card.model_name,
        path=card.entry_path,
        fingerprint=card.approved_fingerprint,
        overrides=card.overrides,
    )


def _suspicious(lost: int, published: Published) -> Reason:
    return Reason(
        ReasonKind.HELD_BACK,
        found=f"{lost} of {count(len(published.cards), 'card')} lost their entries in the manifest at once",
        remedy="bring the manifest back, or confirm with `dxwatchd scan --accept-removals`",
    )
