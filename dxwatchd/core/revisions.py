"""A new revision of a card: what it is to be, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dxwatchd.core.entries import Entry
from dxwatchd.core.findings import Findings
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.records import Availability, CardRecord, Change, Content


@dataclass(frozen=True, slots=True)
class CardChange:
    """A card to be written.

    record: what it is to be; change: why; model: the folder to read its content from, or None where the
    content stays as it was published and only availability and the like change; findings: of its digests,
    where all are known. What is read from the folder (bases, digests) is not yet in a record with a model.
    """

    record: CardRecord
    change: Change
    model: ModelFolder | None
    findings: Findings | None = None


def as_entry(card: CardRecord, entry: Entry) -> CardRecord:
    """The card with what the entry alone decides."""
    return replace(
        card,
        technical_name=entry.technical_name,
        model_name=entry.model_name,
        entry_path=entry.path,
        overrides=dict(entry.overrides),
    )


def content_kept(card: CardRecord, wanted: CardRecord, change: Change) -> CardChange | None:
    """A change of anything but content; None where the card says all of it already.

    New overrides wait until the content is read again: what they replaced before is not known any more.
    """
    wanted = replace(wanted, overrides=card.overrides)
    if wanted == card:
        return None
    reason = change if wanted.availability is not card.availability else why(card, wanted)
    return CardChange(next_revision(wanted, card), reason, None)


def next_revision(wanted: CardRecord, card: CardRecord) -> CardRecord:
    """`wanted` as the revision that follows `card`."""
    return replace(wanted, revision=card.revision + 1)


def why(card: CardRecord, wanted: CardRecord) -> Change:
    """What makes a new revision of `card` where it is to be as `wanted`; the gravest difference counts."""
    if (wanted.fingerprint, wanted.approved) != (card.fingerprint, card.approved):
        return Change.APPROVED_AGAIN
    if wanted.availability is not card.availability:
        moved = card.availability is Availability.MISSING and wanted.path != card.path
        return Change.MOVED if moved else Change.RESTORED
    if wanted.found_digest != card.found_digest:
        return Change.DRIFTED
    if wanted.path != card.path or wanted.entry_path != card.entry_path:
        return Change.MOVED
    if wanted.approved_fingerprint != card.approved_fingerprint:
        return Change.APPROVED_AGAIN
    if (wanted.technical_name, wanted.model_name) != (card.technical_name, card.model_name):
        return Change.RENAMED
    return Change.OVERRIDDEN


def digested(
    card: CardRecord, model: ModelFolder, findings: Findings | None, content: Content | None
) -> CardChange | None:
    """`card`, which is as it should be, with the digests of its folder's files; None where it has them.

    The folder is read again, so that files and digests are those of one moment. What was approved is
    remembered as soon as the digests of the content are known, though others may still be pending.
    """
    pinned = card if card.approved is not None else replace(card, approved=content)
    if findings is not None and findings.key != card.digests:
        return CardChange(next_revision(pinned, card), Change.DIGESTED, model, findings)
    return CardChange(next_revision(pinned, card), Change.DIGESTED, None) if pinned != card else None
