"""One approved entry, its card and what lies on the disk → what its card should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from dxwatchd.core.entries import Entry
from dxwatchd.core.findings import Findings
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.readiness import Verdict
from dxwatchd.core.reasons import Reason, ReasonKind, State, state_of
from dxwatchd.core.records import Availability, CardRecord, Change
from dxwatchd.core.revisions import CardChange, as_entry, content_kept, digested, next_revision, why


@dataclass(frozen=True, slots=True)
class Judged:
    """A model folder with the verdict on it.

    settled: whether it is at rest; findings: what is known of its digests (both asked only where it matters).
    """

    model: ModelFolder
    verdict: Verdict
    settled: Callable[[], bool]
    findings: Callable[[], Findings | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be said and done about one approved entry. folder: the path that its card speaks of."""

    state: State
    reasons: tuple[Reason, ...] = ()
    change: CardChange | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an entry beside the entry itself.

    card: its published card; last_revision: of an earlier, removed card of its name (0: none);
    renamed: the card of its folder under the name that the entry had before;
    here: what is to be said of its path where no model lies there (not listed, no config, ...).
    """

    card: CardRecord | None = None
    last_revision: int = 0
    renamed: CardRecord | None = None
    here: tuple[Reason, ...] = ()


def register(
    entry: Entry, known: Known, folders: Mapping[str, Judged], candidates: Mapping[str, Judged]
) -> Outcome:
    """Decide about one approved entry.

    folders: every model folder by path; candidates: those that no entry speaks of, where it may have moved.
    """
    judged = folders.get(entry.path)
    if judged is None:
        return _absent(entry, known, candidates)
    if not judged.verdict.whole:
        return _not_whole(entry, known.card, judged)
    if known.card is None:
        return _first_time(entry, known, judged)
    return _again(entry, known.card, judged)


def _first_time(entry: Entry, known: Known, judged: Judged) -> Outcome:
    found, pinned = judged.verdict.fingerprint, known.renamed
    expected = entry.fingerprint or found if pinned is None else _expected(entry, pinned, found)
    if found != expected:
        since = "since it was proposed" if pinned is None else "since it was approved"
        return Outcome(State.DRIFTED, (_changed(entry, since),), folder=entry.path)
    at_rest_before = {entry.fingerprint, pinned.fingerprint if pinned is not None else None}
    if found not in at_rest_before and not judged.settled():
        return Outcome(State.COPYING, (WAITING,), folder=entry.path)
    record = CardRecord(
        technical_name=entry.technical_name,
        model_name=entry.model_name,
        path=entry.path,
        entry_path=entry.path,
        fingerprint=found,
        approved_fingerprint=entry.fingerprint,
        availability=Availability.AVAILABLE,
        revision=known.last_revision + 1,
        overrides=dict(entry.overrides),
    )
    change = CardChange(record, Change.REGISTERED, judged.model, judged.findings())
    return Outcome(State.REGISTERED, change=change, folder=entry.path)


def _again(entry: Entry, card: CardRecord, judged: Judged) -> Outcome:
    """The folder is whole and has a card: is it what was approved, and does the entry say what it said?"""
    found = judged.verdict.fingerprint
    expected = _expected(entry, card, found)
    if found != expected:
        drifted = replace(as_entry(card, entry), availability=Availability.DRIFTED, path=entry.path)
        return Outcome(
            State.DRIFTED,
            (_changed(entry, "since it was approved"),),
            content_kept(card, drifted, Change.DRIFTED),
            folder=entry.path,
        )
    approved = replace(
        as_entry(card, entry),
        path=entry.path,
        fingerprint=found,
        approved_fingerprint=entry.fingerprint,
        availability=Availability.AVAILABLE,
    )
    if approved == card:
        return Outcome(State.REGISTERED, change=_digested(card, judged), folder=entry.path)
    if found not in (card.fingerprint, entry.fingerprint) and not judged.settled():
        return Outcome(State.COPYING, (WAITING,), folder=entry.path)
    record = next_revision(approved, card)
    change = CardChange(record, why(card, approved), judged.model, judged.findings())
    return Outcome(State.REGISTERED, change=change, folder=entry.path)


def _digested(card: CardRecord, judged: Judged) -> CardChange | None:
    """The card with its digests, which wait for rest where others are known: a log that grows in the folder
    is not to make a revision with every line.
    """
    change = digested(card, judged.model, judged.findings())
    return change if change is None or not card.digests or judged.settled() else None


def _expected(entry: Entry, card: CardRecord, found: str) -> str:
    """The content that a person approved: what the entry says, what is there since its line is gone, or else
    what was pinned.
    """
    if entry.fingerprint is not None:
        return entry.fingerprint
    return found if card.approved_fingerprint is not None else card.fingerprint


_NOT_SEEN = frozenset({ReasonKind.UNREADABLE, ReasonKind.NOT_AT_REST})
"""Reasons that say nothing of the content."""


_MAY_BE_UNREAD = frozenset({ReasonKind.MISSING_FILE, ReasonKind.NO_WEIGHTS, ReasonKind.NO_CONFIG})
"""Reasons that may only follow from a file which says what there is and cannot be read."""


def _says_nothing(verdict: Verdict) -> bool:
    """Whether the content could not be seen: what cannot be read for the moment keeps its last good card."""
    kinds = {reason.kind for reason in verdict.reasons}
    return kinds <= _NOT_SEEN or (ReasonKind.UNREADABLE in kinds and kinds <= _NOT_SEEN | _MAY_BE_UNREAD)


def _not_whole(entry: Entry, card: CardRecord | None, judged: Judged) -> Outcome:
    reasons = judged.verdict.reasons
    state = unready(judged)
    if card is None or _says_nothing(judged.verdict):
        return Outcome(state, reasons, folder=entry.path)
    drifted = replace(as_entry(card, entry), availability=Availability.DRIFTED, path=entry.path)
    return Outcome(state, reasons, content_kept(card, drifted, Change.DRIFTED), folder=entry.path)


def unready(judged: Judged) -> State:
    """The state of a folder that is not whole: what is only incomplete may still be on its way."""
    state = state_of(judged.verdict.reasons) or State.INCOMPLETE
    return State.COPYING if state is State.INCOMPLETE and not judged.settled() else state


def _absent(entry: Entry, known: Known, candidates: Mapping[str, Judged]) -> Outcome:
    """No model lies at the entry's path."""
    card = known.card
    here = state_of(known.here) or State.INVALID if known.here else None
    if card is None:
        return Outcome(here or State.MISSING, known.here or (_AWAITED,), folder=entry.path)
    same = [judged for judged in candidates.values() if judged.verdict.fingerprint == card.fingerprint]
    followed = candidates.get(card.path)
    if followed is not None and (followed in same or not same):
        return _moved(entry, card, followed)
    if here is State.UNREADABLE:
        return Outcome(here, known.here, folder=entry.path)
    if len(same) == 1:
        return _moved(entry, card, same[0])
    if here is not None:
        drifted = replace(as_entry(card, entry), availability=Availability.DRIFTED, path=entry.path)
        change = content_kept(card, drifted, Change.DRIFTED)
        return Outcome(here, known.here, change, folder=entry.path)
    missing = replace(as_entry(card, entry), availability=Availability.MISSING)
    change = content_kept(card, missing, Change.MISSING)
    return Outcome(State.MISSING, tuple(_gone(entry, same)), change, folder=card.path)


def _gone(entry: Entry, same: list[Judged]) -> Iterator[Reason]:
    yield Reason(
        ReasonKind.NO_FOLDER,
        found="no model is there any more",
        remedy=f"bring it back, or `dxwatchd remove {entry.technical_name}`",
    )
    if same:
        yield Reason(
            ReasonKind.AMBIGUOUS_MOVE,
            found=f"the same content lies in {', '.join(judged.model.path for judged in same[:5])}",
            remedy="write the right path into the entry",
        )


def _moved(entry: Entry, card: CardRecord, judged: Judged) -> Outcome:
    """The content was found in another place: the card follows, and a person is asked to confirm."""
    place = judged.model.path
    confirm = Reason(
        ReasonKind.MOVED,
        found=f"the folder is now {place}",
        expected=entry.path,
        remedy=f"`dxwatchd approve {entry.technical_name}` writes the new path",
    )
    if not judged.verdict.whole and _says_nothing(judged.verdict):
        return Outcome(unready(judged), (confirm, *judged.verdict.reasons), folder=place)
    if judged.verdict.fingerprint != card.fingerprint:  # it was followed there, and then it changed
        drifted = replace(as_entry(card, entry), availability=Availability.DRIFTED)
        change = content_kept(card, drifted, Change.DRIFTED)
        reasons = (confirm, *judged.verdict.reasons, _changed(entry, "since it was approved"))
        return Outcome(State.DRIFTED, reasons, change, folder=place)
    there = replace(as_entry(card, entry), path=place, availability=Availability.AVAILABLE)
    if there == card:
        return Outcome(State.REGISTERED, (confirm,), _digested(card, judged), folder=place)
    if place != card.path and not judged.settled():
        return Outcome(State.COPYING, (WAITING,), folder=place)
    reason = Change.MOVED if place != card.path else why(card, there)
    change = CardChange(next_revision(there, card), reason, judged.model, judged.findings())
    return Outcome(State.REGISTERED, (confirm,), change, folder=place)


_AWAITED = Reason(
    ReasonKind.NOT_THERE_YET,
    found="no model folder is there yet",
    remedy="copy it there, or correct the entry's path",
)

WAITING = Reason(
    ReasonKind.NOT_AT_REST,
    found="whole, and not yet at rest",
    remedy="wait: it is taken once nothing has changed for the quiet period",
)


def _changed(entry: Entry, since: str) -> Reason:
    return Reason(
        ReasonKind.CONTENT_CHANGED,
        found=f"the content has changed {since}",
        remedy=f"`dxwatchd approve {entry.technical_name}` takes what is there now",
    )
