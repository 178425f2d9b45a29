"""One approved entry, its card and what lies on the disk → what its card should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from dxwatchd.core.content import approved_anew, changed_bytes, standing
from dxwatchd.core.entries import Entry
from dxwatchd.core.judged import WAITING, Judged, Known, Outcome, says_nothing, unready
from dxwatchd.core.moves import away, gone, lies_elsewhere, moved_to, new_place
from dxwatchd.core.reasons import Reason, ReasonKind, State, state_of
from dxwatchd.core.records import Availability, CardRecord, Change
from dxwatchd.core.revisions import CardChange, as_entry, content_kept, digested, next_revision, why


def register(
    entry: Entry, known: Known, folders: Mapping[str, Judged], candidates: Mapping[str, Judged]
) -> Outcome:
    """Decide about one approved entry.

    folders: every model folder by path; candidates: those that nobody has decided about, where it may have
    moved.
    """
    judged, card = folders.get(entry.path), known.card
    if judged is None:
        return _absent(entry, known, candidates)
    if card is None:
        return _first_time(entry, known, judged) if judged.verdict.whole else _not_whole(entry, judged)
    found = judged.verdict.fingerprint
    if not judged.verdict.whole or found != _expected(entry, card, found):
        followed = away(entry, card, candidates)
        if followed is not None:
            return _there(entry, card, followed, (moved_to(entry, followed, other=True),))
    if not judged.verdict.whole:
        return _not_whole(entry, judged, card)
    return _there(entry, card, judged, (), lambda: lies_elsewhere(known))


def _first_time(entry: Entry, known: Known, judged: Judged, said: tuple[Reason, ...] = ()) -> Outcome:
    """A whole folder that has no card of this name yet. said: what is to be told in any case."""
    place, found, pinned = judged.model.path, judged.verdict.fingerprint, known.renamed
    expected = entry.fingerprint or found if pinned is None else _expected(entry, pinned, found)
    if found != expected:
        since = "since it was proposed" if pinned is None else "since it was approved"
        return Outcome(State.DRIFTED, (*said, _changed(entry, since)), folder=place)
    stands = standing(entry, pinned, judged.content())
    if stands.found is not None:
        return Outcome(State.DRIFTED, (*said, changed_bytes(entry, stands)), folder=place)
    at_rest_before = {entry.fingerprint, pinned.fingerprint if pinned is not None else None}
    if found not in at_rest_before and not judged.settled():
        return Outcome(State.COPYING, (*said, WAITING), folder=place)
    record = CardRecord(
        technical_name=entry.technical_name,
        model_name=entry.model_name,
        path=place,
        entry_path=entry.path,
        fingerprint=found,
        approved_fingerprint=entry.fingerprint,
        availability=Availability.AVAILABLE,
        revision=known.last_revision + 1,
        overrides=dict(entry.overrides),
        approved=stands.approved,
    )
    change = CardChange(record, Change.REGISTERED, judged.model, judged.findings())
    return Outcome(State.REGISTERED, said, change, folder=place)


def _there(
    entry: Entry,
    card: CardRecord,
    judged: Judged,
    said: tuple[Reason, ...],
    also: Callable[[], tuple[Reason, ...]] = tuple,
) -> Outcome:
    """The folder is whole and has a card: is it what was approved, and does the entry say what it said?

    said: what is to be told in any case; also: what else, where the content is another.
    """
    place, found = judged.model.path, judged.verdict.fingerprint
    if found != _expected(entry, card, found):
        reasons = (*said, _changed(entry, "since it was approved"), *also())
        return _drifted(entry, card, replace(card, path=place), reasons)
    stands = standing(entry, card, judged.content())
    if stands.found is not None:
        reasons = (*said, changed_bytes(entry, stands))
        return _drifted(entry, card, replace(card, path=place, found_digest=stands.found), reasons)
    anew = approved_anew(entry, card)
    wanted = replace(
        as_entry(card, entry),
        path=place,
        fingerprint=found,
        approved_fingerprint=entry.fingerprint,
        availability=Availability.AVAILABLE,
        approved=stands.approved if anew or card.approved is not None else None,
        found_digest=None,
    )
    if wanted == card:
        return Outcome(State.REGISTERED, said, _digested(card, judged), folder=place)
    strange = found not in (card.fingerprint, entry.fingerprint) or place not in (card.path, entry.path)
    if strange and not judged.settled():
        return Outcome(State.COPYING, (WAITING,), folder=place)
    record = next_revision(replace(wanted, approved=stands.approved), card)
    change = CardChange(record, why(card, wanted), judged.model, judged.findings())
    return Outcome(State.REGISTERED, said, change, folder=place)


def _drifted(entry: Entry, card: CardRecord, wanted: CardRecord, reasons: tuple[Reason, ...]) -> Outcome:
    """The card says so, and goes on describing what was approved."""
    drifted = replace(as_entry(wanted, entry), availability=Availability.DRIFTED)
    change = content_kept(card, drifted, Change.DRIFTED)
    return Outcome(State.DRIFTED, reasons, change, folder=wanted.path)


def _digested(card: CardRecord, judged: Judged) -> CardChange | None:
    """The card with its digests, which wait for rest where others are known: a log that grows in the folder
    is not to make a revision with every line.
    """
    change = digested(card, judged.model, judged.findings(), judged.content())
    return change if change is None or not card.digests or judged.settled() else None


def _expected(entry: Entry, card: CardRecord, found: str) -> str:
    """The content that a person approved: what the entry says, what is there since its line is gone, or else
    what was pinned.
    """
    if entry.fingerprint is not None:
        return entry.fingerprint
    return found if card.approved_fingerprint is not None else card.fingerprint


def _not_whole(entry: Entry, judged: Judged, card: CardRecord | None = None) -> Outcome:
    state, reasons = unready(judged), judged.verdict.reasons
    if card is None or says_nothing(judged.verdict):
        return Outcome(state, reasons, folder=entry.path)
    return replace(_drifted(entry, card, replace(card, path=entry.path), reasons), state=state)


def _absent(entry: Entry, known: Known, candidates: Mapping[str, Judged]) -> Outcome:
    """No model lies at the entry's path."""
    card = known.card
    here = state_of(known.here) or State.INVALID if known.here else None
    if card is None:
        moved = new_place(known, known.renamed, candidates) if known.renamed is not None else None
        if moved is not None and moved.verdict.whole:  # moved, and then given another name
            return _first_time(entry, known, moved, (moved_to(entry, moved),))
        said = known.here or (
            (_AWAITED,) if known.renamed is None else gone(entry, known, known.renamed, candidates)
        )
        return Outcome(here or State.MISSING, said, folder=entry.path)
    place = new_place(known, card, candidates)
    if place is not None:
        return _moved(entry, card, place)
    if here is State.UNREADABLE:
        return Outcome(here, known.here, folder=entry.path)
    if here is not None:
        drifted = _drifted(entry, card, replace(card, path=entry.path), known.here)
        return replace(drifted, state=here, reasons=(*known.here, *lies_elsewhere(known)))
    missing = replace(as_entry(card, entry), availability=Availability.MISSING)
    change = content_kept(card, missing, Change.MISSING)
    return Outcome(State.MISSING, gone(entry, known, card, candidates), change, folder=card.path)


def _moved(entry: Entry, card: CardRecord, judged: Judged) -> Outcome:
    """The content was found in another place: the card follows, and a person is asked to confirm."""
    confirm = moved_to(entry, judged)
    if judged.verdict.whole:
        return _there(entry, card, judged, (confirm,))
    reasons = (confirm, *judged.verdict.reasons)
    if says_nothing(judged.verdict):
        return Outcome(unready(judged), reasons, folder=judged.model.path)
    # it was followed there, and then it changed
    return _drifted(entry, card, card, (*reasons, _changed(entry, "since it was approved")))


_AWAITED = Reason(
    ReasonKind.NOT_THERE_YET,
    found="no model folder is there yet",
    remedy="copy it there, or correct the entry's path",
)


def _changed(entry: Entry, since: str) -> Reason:
    return Reason(
        ReasonKind.CONTENT_CHANGED,
        found=f"the content has changed {since}",
        remedy=f"`dxwatchd approve {entry.technical_name}` takes what is there now",
    )
