"""What is remembered of what was published: the part of a card that decisions are made by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dxwatchd.core.naming import canonical


class Availability(StrEnum):
    """Whether what a card describes can be loaded from its path."""

    AVAILABLE = "available"
    DRIFTED = "drifted"  # what lies there is not what was approved
    MISSING = "missing"  # nothing lies there


class Change(StrEnum):
    """What made a revision of a card; each is one event of the journal."""

    REGISTERED = "registered"
    APPROVED_AGAIN = "approved_again"
    DRIFTED = "drifted"
    MISSING = "missing"
    RESTORED = "restored"
    MOVED = "moved"
    RENAMED = "renamed"
    OVERRIDDEN = "overridden"
    RESOLVED = "resolved"  # a model that it was made from was registered, renamed or removed
    DIGESTED = "digested"  # the digests of all its files became known (or of all that count), or are others


UNRESOLVED = "unresolved"
"""Instead of a technical name: no registered model is known to be it."""

MANIFEST = "manifest"
"""The source of what a person says in the manifest."""


@dataclass(frozen=True, slots=True)
class Base:
    """A model that another one was made from, as a card names it.

    name: a hub id (`org/name`) or a mere name, as stated; technical_name: of the registered model that it is,
    or UNRESOLVED; by_person: stated in the manifest and not by the folder.
    """

    name: str
    technical_name: str = UNRESOLVED
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """Content by the digests of its files.

    digest: over all of them, by which two contents are compared; files: each file's by name, as far as they
    are known and a card has room for them.
    """

    digest: str
    files: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class CardRecord:
    """A published card, as far as it decides what happens next.

    fingerprint: the pinned content; approved_fingerprint: what the entry's `fingerprint` line said when that
    content was taken (None: it had none); path: where the folder was last seen; entry_path: the entry's
    `path` at that time (they differ while a move is not confirmed); revision: counts up from 1;
    bases: what it was made from, in the order of the card's lineage; digests: stands for all that the card
    says of its files' digests (`Findings.key`), "" while they are pending; approved: the digests of the
    content that was approved, None while they are not known; found_digest: of other bytes that were found
    under the same fingerprint since, until those that were approved are back.
    """

    technical_name: str
    model_name: str
    path: str
    entry_path: str
    fingerprint: str
    approved_fingerprint: str | None
    availability: Availability
    revision: int
    overrides: Mapping[str, Any] = field(default_factory=dict)
    bases: tuple[Base, ...] = ()
    digests: str = ""
    approved: Content | None = None
    found_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """All cards and the last revision of every removed one, by canonical technical name.

    forgotten: the highest revision of those that were removed so long ago that their names are not known.
    """

    cards: Mapping[str, CardRecord] = field(default_factory=dict)
    tombstones: Mapping[str, int] = field(default_factory=dict)
    forgotten: int = 0

    def named(self, technical_name: str) -> CardRecord | None:
        """The card of this technical name."""
        return self.cards.get(canonical(technical_name))

    def last_revision(self, technical_name: str) -> int:
        """Of a removed card of this name; 0 where there can have been none."""
        return self.tombstones.get(canonical(technical_name), self.forgotten)
