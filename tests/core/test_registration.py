"""One approved entry, its card, and what lies on the disk: what its card should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dxwatchd.core.entries import Entry
from dxwatchd.core.facts import Fault
from dxwatchd.core.judged import Judged, Known, Outcome
from dxwatchd.core.readiness import judge
from dxwatchd.core.reasons import ReasonKind, State
from dxwatchd.core.records import Availability, CardRecord, Change
from dxwatchd.core.registration import register
from tests.core.making import (
    Tree,
    card,
    digest,
    entry,
    llama,
    only,
    sharded,
    tensors,
    told,
    unusable,
    verdict,
)

FOUND = verdict(llama()).fingerprint
OTHER = verdict(llama("other")).fingerprint


def judged(tree: Tree, path: str = "a", *, settled: bool = True) -> Judged:
    """A folder at `path` with its verdict."""
    model, seen = only({path: tree}, path)
    return Judged(model, judge(model, seen), lambda: settled)


def decided(
    one: Entry,
    published: CardRecord | None = None,
    lies: Tree | None = None,
    *,
    settled: bool = True,
    elsewhere: dict[str, Tree] | None = None,
    **known: Any,
) -> Outcome:
    """What `register` says of an entry, with this folder at its path and those elsewhere."""
    folders = {} if lies is None else {one.path: judged(lies, one.path, settled=settled)}
    candidates = {path: judged(tree, path, settled=settled) for path, tree in (elsewhere or {}).items()}
    return register(one, Known(published, **known), folders | candidates, candidates)


def test_the_first_time_it_is_registered_and_pinned() -> None:
    """Revision 1, what is there, available."""
    outcome = decided(entry("a"), None, llama())
    assert outcome.state is State.REGISTERED
    assert outcome.change is not None
    assert outcome.change.change is Change.REGISTERED
    record = outcome.change.record
    assert (record.fingerprint, record.approved_fingerprint, record.revision) == (FOUND, None, 1)
    assert (record.path, record.availability) == ("a", Availability.AVAILABLE)


def test_a_name_that_was_removed_goes_on_counting() -> None:
    """Revisions of one name never go back."""
    outcome = decided(entry("a"), None, llama(), last_revision=7)
    assert outcome.change is not None
    assert outcome.change.record.revision == 8


@pytest.mark.promise(9, "changed between the proposal and the approval")
def test_what_changed_since_it_was_proposed_is_not_published() -> None:
    """The person approved something else: drifted, no card, with the way out."""
    outcome = decided(entry("a", fingerprint=OTHER), None, llama())
    assert (outcome.state, outcome.change) == (State.DRIFTED, None)
    assert "dxwatchd approve a" in outcome.reasons[0].remedy


@pytest.mark.parametrize(("pinned", "state"), [(None, State.COPYING), (FOUND, State.REGISTERED)])
def test_rest_is_waited_for_unless_the_content_is_known(pinned: str | None, state: State) -> None:
    """With a fingerprint it is the very content that was at rest when it was proposed."""
    outcome = decided(entry("a", fingerprint=pinned), None, llama(), settled=False)
    assert outcome.state is state
    assert (outcome.change is None) is (state is State.COPYING)


def test_what_is_published_as_it_is_stays() -> None:
    """Nothing to write: deciding again changes nothing."""
    for one, published in (
        (entry("a"), card("a", fingerprint=FOUND)),
        (entry("a", fingerprint=FOUND), card("a", fingerprint=FOUND, approved_fingerprint=FOUND)),
    ):
        outcome = decided(one, published, llama())
        assert (outcome.state, outcome.change) == (State.REGISTERED, None)


@pytest.mark.promise(9, "content changed in place, by the fingerprint")
def test_other_content_drifts_once_and_keeps_what_was_published() -> None:
    """The card says so, with the old fingerprint; the next decision has nothing to add."""
    published = card("a", fingerprint=FOUND)
    outcome = decided(entry("a"), published, llama("other"))
    assert outcome.state is State.DRIFTED
    assert outcome.change is not None
    assert (outcome.change.change, outcome.change.model) == (Change.DRIFTED, None)
    record = outcome.change.record
    assert (record.availability, record.fingerprint, record.revision) == (Availability.DRIFTED, FOUND, 2)
    assert decided(entry("a"), record, llama("other")).change is None


def test_the_old_content_back_restores() -> None:
    """No approval needed: it is what was approved."""
    drifted = card("a", fingerprint=FOUND, availability=Availability.DRIFTED, revision=2)
    outcome = decided(entry("a"), drifted, llama())
    assert outcome.change is not None
    assert outcome.change.change is Change.RESTORED
    assert outcome.change.record.availability is Availability.AVAILABLE


@pytest.mark.parametrize(
    ("line", "before"), [(OTHER, FOUND), (OTHER, None), (None, FOUND)], ids=["changed", "added", "deleted"]
)
@pytest.mark.promise(9, "approved again by every way that there is")
def test_an_approval_anew_takes_what_is_there(line: str | None, before: str | None) -> None:
    """By the fingerprint's line changed or added by `approve`, or deleted by hand."""
    drifted = card(
        "a", fingerprint=FOUND, approved_fingerprint=before, availability=Availability.DRIFTED, revision=2
    )
    outcome = decided(entry("a", fingerprint=line), drifted, llama("other"))
    assert outcome.state is State.REGISTERED
    assert outcome.change is not None
    assert outcome.change.change is Change.APPROVED_AGAIN
    record = outcome.change.record
    assert (record.fingerprint, record.approved_fingerprint, record.revision) == (OTHER, line, 3)
    assert decided(entry("a", fingerprint=line), record, llama("other")).change is None


@pytest.mark.promise(9, "the fingerprint line deleted before anything changes")
def test_a_line_deleted_while_nothing_changed_is_no_blank_cheque() -> None:
    """It pins what is there now; a later change drifts all the same."""
    published = card("a", fingerprint=FOUND, approved_fingerprint=FOUND)
    outcome = decided(entry("a"), published, llama())
    assert outcome.change is not None
    assert outcome.change.record.approved_fingerprint is None
    later = decided(entry("a"), outcome.change.record, llama("other"))
    assert later.state is State.DRIFTED


def test_a_folder_that_is_gone_is_missing_once_and_comes_back() -> None:
    """The card stays, and says so."""
    published = card("a", fingerprint=FOUND)
    gone = decided(entry("a"), published)
    assert gone.state is State.MISSING
    assert gone.change is not None
    assert (gone.change.change, gone.change.record.availability) == (Change.MISSING, Availability.MISSING)
    assert decided(entry("a"), gone.change.record).change is None
    back = decided(entry("a"), gone.change.record, llama())
    assert back.change is not None
    assert back.change.change is Change.RESTORED
    assert back.change.record.revision == 3


def test_an_entry_before_its_folder_waits() -> None:
    """No card, and no trouble either."""
    outcome = decided(entry("a"))
    assert (outcome.state, outcome.change) == (State.MISSING, None)
    assert told(outcome.reasons) == [(ReasonKind.NOT_THERE_YET, "")]


@pytest.mark.promise(9, "a shard lost after approval")
def test_what_is_not_whole_any_more_drifts_with_the_reasons() -> None:
    """A shard lost after approval: not what was approved, and it says which."""
    published = card("a", fingerprint=verdict(sharded(3)).fingerprint)
    outcome = decided(entry("a"), published, sharded(3, without=(2,)))
    assert outcome.state is State.INCOMPLETE
    assert told(outcome.reasons) == [(ReasonKind.MISSING_FILE, "model-00002-of-00003.safetensors")]
    assert outcome.change is not None
    assert outcome.change.record.availability is Availability.DRIFTED
    assert decided(entry("a"), published, sharded(3, without=(2,)), settled=False).state is State.COPYING


def test_what_cannot_be_read_for_the_moment_keeps_its_card() -> None:
    """A read error says nothing about the content."""
    published = card("a", fingerprint=FOUND)
    unreadable = llama(**{"model.safetensors": unusable(Fault.UNREADABLE)})
    outcome = decided(entry("a"), published, unreadable)
    assert (outcome.state, outcome.change) == (State.UNREADABLE, None)


@pytest.mark.promise(2, "a registered folder moved")
def test_a_moved_folder_takes_its_card_along() -> None:
    """One event; a person is asked to confirm, and then nothing more happens."""
    published = card("a", fingerprint=FOUND)
    moved = decided(entry("a"), published, elsewhere={"new/place": llama()})
    assert moved.state is State.REGISTERED
    assert moved.change is not None
    assert moved.change.change is Change.MOVED
    record = moved.change.record
    assert (record.path, record.entry_path, record.availability) == ("new/place", "a", Availability.AVAILABLE)
    assert told(moved.reasons) == [(ReasonKind.MOVED, "")]
    assert decided(entry("a"), record, elsewhere={"new/place": llama()}).change is None
    confirmed = decided(entry("a", "new/place"), record, llama())
    assert confirmed.reasons == ()
    assert confirmed.change is not None
    assert confirmed.change.record.path == confirmed.change.record.entry_path == "new/place"


@pytest.mark.promise(2, "a folder gone that two others are equal to")
def test_two_equal_copies_are_asked_about_not_guessed() -> None:
    """Missing, and both places are named."""
    outcome = decided(entry("a"), card("a", fingerprint=FOUND), elsewhere={"x": llama(), "y": llama()})
    assert outcome.state is State.MISSING
    assert ReasonKind.AMBIGUOUS_MOVE in [reason.kind for reason in outcome.reasons]
    assert "x, y" in str(outcome.reasons[-1])


def test_another_model_elsewhere_is_no_move() -> None:
    """Only the same content is the same model."""
    outcome = decided(entry("a"), card("a", fingerprint=FOUND), elsewhere={"x": llama("other")})
    assert outcome.state is State.MISSING


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"model_name": "Other"}, Change.RENAMED),
        ({"overrides": {"license": "mit"}}, Change.OVERRIDDEN),
    ],
)
def test_what_the_entry_says_otherwise_is_published(changed: dict[str, Any], why: Change) -> None:
    """Another model name or an override makes a revision with the same content."""
    one = replace(entry("a"), **changed)
    outcome = decided(one, card("a", fingerprint=FOUND), llama())
    assert outcome.change is not None
    assert outcome.change.change is why
    assert outcome.change.model is not None
    assert decided(one, outcome.change.record, llama()).change is None


def test_overrides_wait_while_the_content_is_not_what_was_approved() -> None:
    """They are made on what is read, and what is there must not be read now."""
    drifted = card("a", fingerprint=FOUND, availability=Availability.DRIFTED)
    one = replace(entry("a"), overrides={"license": "mit"})
    assert decided(one, drifted, llama(**{"model.safetensors": tensors("x")})).change is None


def test_fingerprints_in_these_tests_differ() -> None:
    """Else they would prove nothing."""
    assert len({FOUND, OTHER, digest("a")}) == 3
