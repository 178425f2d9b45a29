"""What was approved, down to the last byte: the digests of the files that count as content.

The fingerprint is known at once and samples large files; a change between its samples shows in their digests
alone, which become known later. A card therefore remembers both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dxwatchd.core.entries import Entry
from dxwatchd.core.provenance import Checked
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.records import CardRecord, Content
from dxwatchd.core.room import Room

_ROOM = 256 * 1024
"""Bytes of the names and digests of approved files in a card: some 2,000 of them."""
_BESIDE = 80
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """How content stands to what was approved of it.

    approved: what is to be remembered as approved, None while it is not known; found: the digest of what lies
    there instead, None where it is what was approved or nothing speaks against that; now: what lies there.
    """

    approved: Content | None
    found: str | None = None
    now: Content | None = field(default=None, compare=False)


def content_of(checked: Iterable[Checked]) -> Content | None:
    """The content of a model by the digests of its files; None while one that counts is pending."""
    total = hashlib.sha256(b"dxwatchd content digest 1\n")
    files: dict[str, str] = {}
    room, full = Room(_ROOM), False
    for file in checked:
        if not file.content:
            continue
        if file.digests is None:
            return None
        total.update(f"{file.name}\0{file.digests.sha256}\n".encode(errors="surrogateescape"))
        name = file.name.encode("utf-8", "replace").decode()
        full = full or not room.takes(name, beside=_BESIDE)
        if not full:
            files[name] = f"sha256:{file.digests.sha256}"
    return Content(f"sha256:{total.hexdigest()}", files)


def approved_anew(entry: Entry, card: CardRecord) -> bool:
    """Whether a person has approved the content again since the card took it.

    By another `fingerprint` line, or none any more where there was one; or by a `digest` line that names
    other bytes. A `digest` line that goes says nothing: the card remembers.
    """
    named = card.approved.digest if card.approved is not None else None
    return entry.fingerprint != card.approved_fingerprint or entry.digest not in (None, named)


def standing(entry: Entry, card: CardRecord | None, now: Content | None) -> Standing:
    """How content of the right fingerprint stands to what was approved.

    now: by its digests, None while they are pending or where nobody computes any. What was found to differ
    stays so until its digests are known and say otherwise, or a person approves.
    """
    if card is None or approved_anew(entry, card):
        approved = now if entry.digest is None else Content(entry.digest)
        told = card is not None and entry.digest not in (None, card.found_digest)
        before = card.found_digest if card is not None and told else None
    else:
        approved, before = card.approved or now, card.found_digest
    if now is None:
        return Standing(approved, before)
    if approved is None or approved == now:
        return Standing(now, now=now)
    return Standing(approved, now.digest, now)


def is_another(card: CardRecord, now: Content | None) -> bool:
    """Whether content is known not to be the card's, neither what was approved nor what it became since."""
    return (
        now is not None
        and card.approved is not None
        and now.digest not in (card.approved.digest, card.found_digest)
    )


def changed_bytes(entry: Entry, stands: Standing) -> Reason:
    """Why content drifts whose fingerprint is that which was approved."""
    changed = list(_changed(stands.approved, stands.now))
    names = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if changed[_SHOWN:] else "")
    return Reason(
        ReasonKind.CONTENT_CHANGED,
        file=names,
        found="other bytes than were approved, by their digests",
        remedy=f"`dxwatchd approve {entry.technical_name}` takes what is there now",
    )


def _changed(approved: Content | None, now: Content | None) -> Iterator[str]:
    """The names of files whose digests differ, as far as both are known."""
    if approved is not None and now is not None:
        files: Mapping[str, str] = now.files
        yield from (name for name, digest in approved.files.items() if files.get(name, digest) != digest)
