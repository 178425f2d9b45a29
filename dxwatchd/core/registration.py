"""One approved entry, its card and what lies on the disk → what its card should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dxwatchd.core.entries import Entry
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.readiness import Verdict
from dxwatchd.core.reasons import Reason, ReasonKind, State, state_of
from dxwatchd.core.records import Availability, CardRecord, Change


@dataclass(frozen=True, slots=True)
class Judged:
    """A model folder with the verdict on it; settled: whether it has come to rest (asked only when it matters)."""

    model: ModelFolder
    verdict: Verdict
    settled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class CardChange:
    """A card to be written.

    record: what it is to be; change: why; model: the folder to read its content from, or None where the
    content stays as it was published and only availability and the like change.
    """

    record: CardRecord
    change: Change
    model: ModelFolder | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be said and done about one approved entry. folder: the path that its card speaks of."""

    state: State
    reasons: tuple[Reason, ...] = ()
    change: CardChange | None = None
    folder: str = ""


def register(
    entry: Entry,
    card: CardRecord | None,
    last_revision: int,
    folders: Mapping[str, Judged],
    candidates: tuple[Judged, ...],
) -> Outcome:
    """Decide about one approved entry.

    card: its published card; last_revision: of an earlier, removed card of that name (0: none);
    folders: every model folder by path; candidates: those that no entry speaks of, where it may have moved to.
    """
    judged = folders.get(entry.path)
    if judged is None:
        return _absent(entry, card, candidates)
    if not judged.verdict.whole:
        return _not_whole(entry, card, judged)
    if card is None:
        return _first_time(entry, last_revision, judged)
    return _again(entry, card, judged)


def _first_time(entry: Entry, last_revision: int, judged: Judged) -> Outcome:
    found = judged.verdict.fingerprint
    if entry.fingerprint is not None and entry.fingerprint != found:
        return Outcome(State.DRIFTED, (_changed(entry, "since it was proposed"),), folder=entry.path)
    if entry.fingerprint is None and not judged.settled():
        # with a fingerprint it is the very content that was at rest when it was proposed
        return Outcome(State.COPYING, (WAITING,), folder=entry.path)
    record = CardRecord(
        technical_name=entry.technical_name,
        model_name=entry.model_name,
        path=entry.path,
        entry_path=entry.path,
        fingerprint=found,
        approved_fingerprint=entry.fingerprint,
        availability=Availability.AVAILABLE,
        revision=last_revision + 1,
        overrides=dict(entry.overrides),
    )
    return Outcome(
        State.REGISTERED,
        judged.verdict.warnings,
        CardChange(record, Change.REGISTERED, judged.model),
        folder=entry.path,
    )


def _again(entry: Entry, card: CardRecord, judged: Judged) -> Outcome:
    """The folder is whole and has a card: is it what was approved, and does the entry say the same as before?"""
    found = judged.verdict.fingerprint
    expected = _expected(entry, card, found)
    if found != expected:
        drifted = replace(_as_entry(card, entry), availability=Availability.DRIFTED, path=entry.path)
        return Outcome(
            State.DRIFTED,
            (_changed(entry, "since it was approved"),),
            _content_kept(card, drifted, Change.DRIFTED),
            folder=entry.path,
        )
    approved = replace(
        _as_entry(card, entry),
        path=entry.path,
        fingerprint=found,
        approved_fingerprint=entry.fingerprint,
        availability=Availability.AVAILABLE,
    )
    if approved == card:
        return Outcome(State.REGISTERED, judged.verdict.warnings, folder=entry.path)
    if found not in (card.fingerprint, entry.fingerprint) and not judged.settled():
        return Outcome(State.COPYING, (WAITING,), folder=entry.path)
    change = CardChange(_next(approved, card), _why(card, approved), judged.model)
    return Outcome(State.REGISTERED, judged.verdict.warnings, change, folder=entry.path)


def _expected(entry: Entry, card: CardRecord, found: str) -> str:
    """The content that a person approved: the entry's line; what is there, where the line was deleted; the pinned."""
    if entry.fingerprint is not None:
        return entry.fingerprint
    return found if card.approved_fingerprint is not None else card.fingerprint


def _not_whole(entry: Entry, card: CardRecord | None, judged: Judged) -> Outcome:
    reasons = judged.verdict.reasons
    state = state_of(reasons) or State.INCOMPLETE
    if state is State.INCOMPLETE and not judged.settled():
        state = State.COPYING
    if card is None or state is State.UNREADABLE:
        # what cannot be read for the moment keeps its last good card
        return Outcome(state, reasons, folder=entry.path)
    drifted = replace(_as_entry(card, entry), availability=Availability.DRIFTED, path=entry.path)
    return Outcome(state, reasons, _content_kept(card, drifted, Change.DRIFTED), folder=entry.path)


def _absent(entry: Entry, card: CardRecord | None, candidates: tuple[Judged, ...]) -> Outcome:
    if card is None:
        waits = Reason(
            ReasonKind.NO_FOLDER,
            found="no model folder is there yet",
            remedy="copy it there, or correct the entry's path",
        )
        return Outcome(State.MISSING, (waits,), folder=entry.path)
    same = [judged for judged in candidates if judged.verdict.fingerprint == card.fingerprint]
    if len(same) == 1:
        return _moved(entry, card, same[0])
    missing = replace(_as_entry(card, entry), availability=Availability.MISSING)
    reasons = [
        Reason(
            ReasonKind.NO_FOLDER,
            found="the folder is gone",
            remedy=f"bring it back, or `dxwatchd remove {entry.technical_name}`",
        )
    ]
    if same:
        places = ", ".join(judged.model.path for judged in same[:5])
        reasons.append(
            Reason(
                ReasonKind.AMBIGUOUS_MOVE,
                found=f"the same content lies in {places}",
                remedy="write the right path into the entry",
            )
        )
    return Outcome(
        State.MISSING, tuple(reasons), _content_kept(card, missing, Change.MISSING), folder=card.path
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
    there = replace(_as_entry(card, entry), path=place, availability=Availability.AVAILABLE)
    if there == card:
        return Outcome(State.REGISTERED, (confirm,), folder=place)
    if not judged.settled():
        return Outcome(State.COPYING, (WAITING,), folder=place)
    change = CardChange(_next(there, card), Change.MOVED, judged.model)
    return Outcome(State.REGISTERED, (confirm,), change, folder=place)


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


def _as_entry(card: CardRecord, entry: Entry) -> CardRecord:
    """The card with what the entry alone decides."""
    return replace(
        card,
        technical_name=entry.technical_name,
        model_name=entry.model_name,
        entry_path=entry.path,
        overrides=dict(entry.overrides),
    )


def _content_kept(card: CardRecord, wanted: CardRecord, change: Change) -> CardChange | None:
    """A change of anything but content; None where the card says all of it already.

    New overrides wait until the content is read again: what they replaced before is not known any more.
    """
    wanted = replace(wanted, overrides=card.overrides)
    if wanted == card:
        return None
    why = change if wanted.availability is not card.availability else _why(card, wanted)
    return CardChange(_next(wanted, card), why, None)


def _next(wanted: CardRecord, card: CardRecord) -> CardRecord:
    return replace(wanted, revision=card.revision + 1)


def _why(card: CardRecord, wanted: CardRecord) -> Change:
    if wanted.fingerprint != card.fingerprint:
        return Change.APPROVED_AGAIN
    if wanted.availability is not card.availability:
        return Change.RESTORED
    if wanted.path != card.path or wanted.entry_path != card.entry_path:
        return Change.MOVED
    if wanted.approved_fingerprint != card.approved_fingerprint:
        return Change.APPROVED_AGAIN
    if (wanted.technical_name, wanted.model_name) != (card.technical_name, card.model_name):
        return Change.RENAMED
    return Change.OVERRIDDEN
