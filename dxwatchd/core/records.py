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


@dataclass(frozen=True, slots=True)
class CardRecord:
    """A published card, as far as it decides what happens next.

    fingerprint: the pinned content; approved_fingerprint: what the entry's `fingerprint` line said when that
    content was taken (None: it had none); path: where the folder was last seen; entry_path: the entry's
    `path` at that time (they differ while a move is not confirmed); revision: counts up from 1.
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


@dataclass(frozen=True, slots=True)
class Published:
    """All cards and the last revision of every removed one, by canonical technical name."""

    cards: Mapping[str, CardRecord] = field(default_factory=dict)
    tombstones: Mapping[str, int] = field(default_factory=dict)

    def named(self, technical_name: str) -> CardRecord | None:
        """The card of this technical name."""
        return self.cards.get(canonical(technical_name))
