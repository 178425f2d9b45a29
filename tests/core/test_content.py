"""Bytes that the fingerprint does not see: what is approved is remembered by its digests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dxwatchd.core.content import content_of
from dxwatchd.core.entries import Entry, read_entry
from dxwatchd.core.judged import Judged, Known, Outcome
from dxwatchd.core.provenance import Check, Checked, Digests
from dxwatchd.core.readiness import judge
from dxwatchd.core.reasons import ReasonKind, State
from dxwatchd.core.records import Availability, CardRecord, Change, Content
from dxwatchd.core.registration import register
from tests.core.making import Tree, card, digest, entry, llama, named, only, sharded, told, verdict

FOUND = verdict(llama()).fingerprint


def content(say: str) -> Content:
    """What the files of a folder are by their digests, `say` being in the weights."""
    files = {"config.json": digest("config"), "model.safetensors": digest(say)}
    return Content(digest(f"all of {say}"), files)


GOOD, BAD, WORSE = content("good"), content("bad"), content("worse")
APPROVED = card("a", fingerprint=FOUND, approved_fingerprint=FOUND, approved=GOOD)
DRIFTED = replace(APPROVED, availability=Availability.DRIFTED, found_digest=BAD.digest, revision=2)
PINNED = entry("a", fingerprint=FOUND)


def judged(now: Content | None, tree: Tree | None = None, path: str = "a") -> Judged:
    """A folder at rest, whose content is known to be `now`, or not known."""
    model, seen = only({path: llama() if tree is None else tree}, path)
    return Judged(model, judge(model, seen), lambda: True, content=lambda: now)


def decided(
    one: Entry,
    published: CardRecord | None,
    now: Content | None,
    tree: Tree | None = None,
    **known: Any,
) -> Outcome:
    """What `register` says of an entry with this folder at its path."""
    return register(one, Known(published, **known), {one.path: judged(now, tree, one.path)}, {})


def record(outcome: Outcome) -> CardRecord:
    """The card that is to be written."""
    assert outcome.change is not None
    return outcome.change.record


@pytest.mark.promise(9, "bytes between the fingerprint's samples, seen by the digests alone")
def test_other_bytes_drift_once_and_the_file_is_named() -> None:
    """Drifted, with the name of what changed; deciding again adds nothing."""
    outcome = decided(PINNED, APPROVED, BAD)
    assert outcome.state is State.DRIFTED
    assert told(outcome.reasons) == [(ReasonKind.CONTENT_CHANGED, "model.safetensors")]
    assert "dxwatchd approve a" in outcome.reasons[0].remedy
    assert outcome.change is not None
    assert (outcome.change.change, outcome.change.model) == (Change.DRIFTED, None)
    assert outcome.change.record == DRIFTED
    again = decided(PINNED, DRIFTED, BAD)
    assert (again.state, again.change) == (State.DRIFTED, None)


@pytest.mark.promise(9, "digests that are lost, pending or switched off while the card says `drifted`")
def test_what_drifted_stays_so_until_its_digests_say_otherwise() -> None:
    """Nothing known: drifted. The old bytes back, proven: restored, without an approval."""
    outcome = decided(PINNED, DRIFTED, None)
    assert (outcome.state, outcome.change) == (State.DRIFTED, None)
    back = decided(PINNED, DRIFTED, GOOD)
    assert back.state is State.REGISTERED
    assert back.change is not None
    assert back.change.change is Change.RESTORED
    assert record(back) == replace(APPROVED, revision=3)


@pytest.mark.promise(9, "drifted bytes that go, are half there or move, and come back not yet read")
def test_no_way_round_leads_out_of_drift(tried: Any) -> None:
    """Missing, incomplete, moved, renamed in between: the bytes are still not those that were approved."""
    gone = register(PINNED, Known(DRIFTED), {}, {})
    assert record(gone).availability is Availability.MISSING
    half = decided(PINNED, DRIFTED, None, sharded(3, without=(2,)))
    assert half.change is None
    for before in (record(gone), DRIFTED):
        outcome = decided(PINNED, before, None)
        assert outcome.state is State.DRIFTED
        after = record(outcome) if outcome.change is not None else before
        assert (after.availability, after.found_digest) == (Availability.DRIFTED, BAD.digest)
    there = {"b": judged(None, path="b")}
    moved = register(PINNED, Known(DRIFTED), there, there)
    assert moved.change is not None
    assert moved.change.change is Change.MOVED
    assert (record(moved).path, record(moved).availability) == ("b", Availability.DRIFTED)
    one = replace(PINNED, technical_name="other", model_name="Other")
    for now in (BAD, None):
        renamed = decided(one, None, now, renamed=DRIFTED)
        assert (renamed.state, renamed.change) == (State.DRIFTED, None)
    tried(7)


WAYS = {
    "digest line": replace(PINNED, digest=BAD.digest),
    "line deleted": entry("a"),
}
"""Entries that approve BAD after DRIFTED, whose entry had a fingerprint line."""


@pytest.mark.parametrize("way", [*WAYS, "line added", "line added with digest"])
@pytest.mark.parametrize("now", [BAD, None], ids=["known", "pending"])
@pytest.mark.promise(9, "approved again, by the command and by hand, though the fingerprint is the same")
def test_approved_again(way: str, now: Content | None) -> None:
    """What is there is what was approved from then on; a further change drifts again."""
    before, one = DRIFTED, WAYS.get(way, PINNED)
    if way.startswith("line added"):
        before = replace(DRIFTED, approved_fingerprint=None)
    if way.endswith("digest"):
        one = replace(PINNED, digest=BAD.digest)
    outcome = decided(one, before, now)
    assert outcome.state is State.REGISTERED
    assert outcome.change is not None
    assert outcome.change.change is Change.APPROVED_AGAIN
    after = record(outcome)
    assert (after.availability, after.found_digest) == (Availability.AVAILABLE, None)
    assert after.approved == (BAD if now is not None or one.digest is not None else None)
    settled = decided(one, after, BAD)
    assert settled.state is State.REGISTERED
    if settled.change is not None:  # now the digests are known
        assert settled.change.change is Change.DIGESTED
        after = record(settled)
    assert after.approved == BAD
    assert decided(one, after, BAD).change is None
    assert decided(one, after, WORSE).state is State.DRIFTED


def test_bytes_that_change_further_are_told_again() -> None:
    """So that a person approves what is there, and not what was told before."""
    outcome = decided(PINNED, DRIFTED, WORSE)
    assert outcome.change is not None
    assert outcome.change.change is Change.DRIFTED
    assert record(outcome).found_digest == WORSE.digest
    late = decided(replace(PINNED, digest=BAD.digest), DRIFTED, WORSE)
    assert late.state is State.DRIFTED


def test_a_digest_line_that_goes_says_nothing() -> None:
    """An editor's old buffer, saved: the card remembers what was approved."""
    approved = replace(APPROVED, approved=BAD)
    assert decided(PINNED, approved, BAD).change is None
    assert decided(PINNED, approved, GOOD).state is State.DRIFTED


def test_what_is_touched_is_read_again_and_nothing_happens() -> None:
    """Pending, then equal: no revision."""
    for now in (None, GOOD):
        outcome = decided(PINNED, APPROVED, now)
        assert (outcome.state, outcome.change) == (State.REGISTERED, None)


def test_what_was_approved_is_remembered_as_soon_as_it_is_known() -> None:
    """Also while digests of what does not count are pending; once."""
    fresh = replace(APPROVED, approved=None)
    outcome = decided(PINNED, fresh, GOOD)
    assert outcome.change is not None
    assert (outcome.change.change, outcome.change.model) == (Change.DIGESTED, None)
    assert record(outcome) == replace(APPROVED, revision=2)
    noted = decided(replace(PINNED, overrides={"license": "mit"}), fresh, GOOD)
    assert noted.change is not None
    assert (noted.change.change, record(noted).approved) == (Change.OVERRIDDEN, GOOD)


@pytest.mark.promise(9, "an entry that names the digest: other bytes are never registered as those")
def test_a_digest_by_hand_counts_from_the_first_time_on() -> None:
    """Known to be another: no card. Not yet known: registered, and held to it."""
    one = replace(PINNED, digest=GOOD.digest)
    assert decided(one, None, GOOD).state is State.REGISTERED
    refused = decided(one, None, BAD)
    assert (refused.state, refused.change) == (State.DRIFTED, None)
    first = record(decided(one, None, None))
    assert first.approved == GOOD
    assert decided(one, first, GOOD).change is None
    assert decided(one, first, BAD).state is State.DRIFTED


def test_the_line_counts_beside_a_fingerprint_only() -> None:
    """Deleting `fingerprint` approves what is there, whatever `digest` still says; the leftover is told."""
    table = named("a", fingerprint=FOUND, digest=BAD.digest)
    one, problems = read_entry(0, table)
    assert one is not None
    assert (one.digest, problems) == (BAD.digest, [])
    del table["fingerprint"]
    one, problems = read_entry(0, table)
    assert one is not None
    assert one.digest is None
    assert [(problem.key, problem.stops) for problem in problems] == [("digest", False)]
    one, problems = read_entry(0, named("a", fingerprint=FOUND, digest="sha256:1"))
    assert one is None
    assert [problem.key for problem in problems] == ["digest"]


def checked(name: str, value: str | None, *, content: bool = True) -> Checked:
    digests = Digests(value) if value is not None else None
    return Checked(name, Check.COMPUTED if value else Check.PENDING, digests=digests, content=content)


def test_content_is_what_counts_and_nothing_else() -> None:
    """Names and digests of it; what does not count may be anything, or pending."""
    one = content_of([checked("a", "1" * 64), checked("b", "2" * 64)])
    assert one is not None
    assert one.files == {"a": f"sha256:{'1' * 64}", "b": f"sha256:{'2' * 64}"}
    for beside in (None, "3" * 64):
        assert (
            content_of([checked("a", "1" * 64), checked("b", "2" * 64), checked("c", beside, content=False)])
            == one
        )
    assert content_of([checked("a", "1" * 64), checked("b", None)]) is None
    assert content_of([checked("a", "1" * 64), checked("c", "2" * 64)]) != one
    assert content_of([checked("a", "2" * 64), checked("b", "1" * 64)]) != one


def test_names_have_no_end_and_the_digest_counts_them_all() -> None:
    """Of a folder with very many files the card remembers some names; one byte of any other drifts."""
    many = [checked(f"{number:06d}.py", "1" * 64) for number in range(5000)]
    one, other = content_of(many), content_of([*many[:-1], checked("004999.py", "2" * 64)])
    assert one is not None
    assert 1000 < len(one.files) < 5000
    assert one != other
