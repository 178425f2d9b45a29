"""Cards without an approved entry: which go, and which stay because so much going at once is suspicious."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from dxwatchd.core.claims import Claims
from dxwatchd.core.entries import Entry, Status
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.naming import canonical
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.records import CardRecord, Published

FEW = 2
"""As many cards may always go at once: a person who removes two of two entries means it."""

CONFIRM = "confirm with `dxwatchd scan --accept-removals`"
"""What a person does who means it."""


def is_many(going: int, of: int) -> bool:
    """Whether so many at once look like an accident."""
    return going > FEW and 2 * going > of


@dataclass(frozen=True, slots=True)
class Orphans:
    """withdrawals: cards to be removed; renamed: those of them whose folder has an entry of another name;
    held: entries made up from cards that stay; reasons: why they do; suspected: canonical names of those
    that stay until their entries are back or a person confirms; confirmed: of withdrawals by such a word.
    """

    withdrawals: tuple[CardRecord, ...] = ()
    renamed: tuple[CardRecord, ...] = ()
    held: tuple[Entry, ...] = ()
    reasons: tuple[Reason, ...] = ()
    suspected: frozenset[str] = frozenset()
    confirmed: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[CardRecord, ...]:
        """The withdrawals that nothing follows."""
        return tuple(card for card in self.withdrawals if card not in self.renamed)

    def halted(self) -> Orphans:
        """The same while nothing may be withdrawn. A renamed card is none that goes."""
        return replace(self, withdrawals=self.renamed, held=(*self.held, *map(entry_of, self.lost)))


def orphans(
    manifest: Manifest,
    claims: Claims,
    published: Published,
    *,
    trusted: bool,
    accept_removals: bool,
    suspected: Set[str] = frozenset(),
) -> Orphans:
    """Sort out the cards that no approved entry in force speaks of.

    trusted: whether the file is in force at all; where it is not, every card stays. A card whose own entry is
    broken or lost its name to another stays too: the incumbent is not punished for a slip of the pen.
    suspected: canonical names of those held before: a person who puts back one entry after the other is not
    to lose the last half meanwhile.
    """
    approved = {entry.keys[0] for entry in claims.entries if entry.status is Status.APPROVED}
    without = [card for name, card in published.cards.items() if name not in approved]
    if not without:
        return Orphans()
    if not trusted:
        return Orphans(held=tuple(map(entry_of, without)), suspected=frozenset(suspected))
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
    many = is_many(len(lost), len(published.cards))
    doubtful = [card for card in lost if many or canonical(card.technical_name) in suspected]
    names = [canonical(card.technical_name) for card in doubtful]
    if accept_removals or not doubtful:
        gone, renamed_ones = (*renamed, *lost), tuple(renamed)
        return Orphans(gone, renamed_ones, tuple(map(entry_of, kept)), confirmed=tuple(sorted(names)))
    return Orphans(
        (*renamed, *(card for card in lost if card not in doubtful)),
        tuple(renamed),
        tuple(map(entry_of, [*kept, *doubtful])),
        (_suspicious(len(doubtful)),),
        frozenset(names),
    )


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


def _suspicious(lost: int) -> Reason:
    # not of how many: that number may be another one in the next pass, and then all is said again
    what = "1 card lost its entry" if lost == 1 else f"{lost:,} cards lost their entries"
    return Reason(
        ReasonKind.HELD_BACK,
        found=f"{what} in the manifest at once",
        remedy=f"bring the manifest back, or {CONFIRM}; nothing of them is withdrawn until then",
    )
