"""What registering an entry goes by, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dxwatchd.core.findings import Findings
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.readiness import Verdict
from dxwatchd.core.reasons import Reason, ReasonKind, State, state_of
from dxwatchd.core.records import CardRecord, Content
from dxwatchd.core.revisions import CardChange


@dataclass(frozen=True, slots=True)
class Judged:
    """A model folder with the verdict on it.

    settled: whether it is at rest; findings, content: what is known of its digests, of all and of those that
    count as content (all asked only where it matters).
    """

    model: ModelFolder
    verdict: Verdict
    settled: Callable[[], bool]
    findings: Callable[[], Findings | None] = lambda: None
    content: Callable[[], Content | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be said and done about one approved entry. folder: the path that its card speaks of."""

    state: State
    reasons: tuple[Reason, ...] = ()
    change: CardChange | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A folder of the approved content that an entry speaks of. entry: its technical name, "" for none."""

    path: str
    entry: str = ""

    def __str__(self) -> str:
        """For a sentence."""
        return f'{self.path} (entry "{self.entry}")' if self.entry else self.path


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an entry beside the entry itself.

    card: its published card; last_revision: of an earlier, removed card of its name (0: none);
    renamed: the card of its folder under the name that the entry had before;
    here: what is to be said of its path where no model lies there (not listed, no config, ...);
    elsewhere: every folder, but that at its own path, of the content that its card describes;
    rivals: technical names of other entries that miss the same content.
    """

    card: CardRecord | None = None
    last_revision: int = 0
    renamed: CardRecord | None = None
    here: tuple[Reason, ...] = ()
    elsewhere: Callable[[], tuple[Elsewhere, ...]] = tuple
    rivals: Callable[[], tuple[str, ...]] = tuple


WAITING = Reason(
    ReasonKind.NOT_AT_REST,
    found="whole, and not yet at rest",
    remedy="wait: it is taken once nothing has changed for the quiet period",
)


_NOT_SEEN = frozenset({ReasonKind.UNREADABLE, ReasonKind.NOT_AT_REST})
"""Reasons that say nothing of the content."""


_MAY_BE_UNREAD = frozenset({ReasonKind.MISSING_FILE, ReasonKind.NO_WEIGHTS, ReasonKind.NO_CONFIG})
"""Reasons that may only follow from a file which says what there is and cannot be read."""


def says_nothing(verdict: Verdict) -> bool:
    """Whether the content could not be seen: what cannot be read for the moment keeps its last good card."""
    kinds = {reason.kind for reason in verdict.reasons}
    return kinds <= _NOT_SEEN or (ReasonKind.UNREADABLE in kinds and kinds <= _NOT_SEEN | _MAY_BE_UNREAD)


def unready(judged: Judged) -> State:
    """The state of a folder that is not whole: what is only incomplete may still be on its way."""
    state = state_of(judged.verdict.reasons) or State.INCOMPLETE
    return State.COPYING if state is State.INCOMPLETE and not judged.settled() else state
