"""Promise 9 against a model of it: whatever happens, a card is available for what was approved alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dxwatchd.core.entries import Entry
from dxwatchd.core.judged import Judged, Known
from dxwatchd.core.readiness import judge
from dxwatchd.core.records import Availability, CardRecord, Content
from dxwatchd.core.registration import register
from tests.core.making import digest, entry, llama, only, sharded, verdict

BYTES = {say: Content(digest(say)) for say in "xyz"}
EXAMPLES = 600


@dataclass
class Folder:
    """What lies at `path`. say: what the fingerprint sees of it; bytes: the rest."""

    path: str = "a"
    say: str = "1"
    bytes: str = "x"
    there: bool = True
    whole: bool = True
    known: bool = False

    def judged(self) -> dict[str, Judged]:
        """As a pass sees it."""
        if not self.there:
            return {}
        tree = llama(self.say) if self.whole else sharded(3, without=(2,))
        model, seen = only({self.path: tree}, self.path)
        now = BYTES[self.bytes] if self.known else None
        return {self.path: Judged(model, judge(model, seen), lambda: True, content=lambda: now)}

    @property
    def fingerprint(self) -> str:
        """Of what is there."""
        return verdict(llama(self.say)).fingerprint


ACTS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from("12")),
    st.tuples(st.just("bytes"), st.sampled_from("xyz")),
    st.tuples(st.just("known"), st.booleans()),
    st.tuples(st.just("there"), st.booleans()),
    st.tuples(st.just("whole"), st.booleans()),
    st.tuples(st.just("move"), st.sampled_from("ab")),
    st.tuples(st.just("approve"), st.none()),
    st.tuples(st.just("delete the line"), st.none()),
    st.tuples(st.just("delete the digest"), st.none()),
    st.tuples(st.just("override"), st.sampled_from("pq")),
)


class World:
    """One entry with its folder and its card, and what a person approved last (None: whatever is there)."""

    def __init__(self) -> None:
        self.folder = Folder()
        self.entry: Entry = entry("a", fingerprint=self.folder.fingerprint)
        self.card: CardRecord | None = None
        self.approved_say: str | None = self.folder.say
        self.approved_bytes: str | None = None
        self.told = False  # other bytes were found, and neither the right ones nor an approval since

    def act(self, act: str, how: Any) -> None:
        """A change of the disk, or a person's."""
        if act in ("say", "bytes"):
            self.folder.known = self.folder.known and getattr(self.folder, act) == how  # it is read again
            setattr(self.folder, act, how)
        elif act in ("known", "there", "whole"):
            setattr(self.folder, act, how)
        elif act == "move":
            self.folder.path, self.folder.known = how, False
        elif act == "approve":
            self._approve()
        elif act == "delete the line":
            if self.entry.fingerprint is not None and self.folder.path == self.entry.path:
                self.approved_say, self.approved_bytes, self.told = None, None, False
                self.entry = replace(self.entry, fingerprint=None, digest=None)
        elif act == "delete the digest":
            self.entry = replace(self.entry, digest=None)
        else:
            self.entry = replace(self.entry, overrides={"notes": how})

    def _approve(self) -> None:
        """As the command does it."""
        if not (self.folder.there and self.folder.whole) or self.card is None:
            return
        found = self.folder.fingerprint
        if self.folder.path not in (self.entry.path, self.card.path):
            return
        if self.entry.fingerprint != found:
            self.told = False
            if self.entry.fingerprint is not None or self.card.fingerprint != found:
                self.approved_say, self.approved_bytes = self.folder.say, None
            else:  # the line is added beside what is pinned already
                self.approved_bytes = None
            self.entry = replace(self.entry, fingerprint=found, digest=None)
        if self.card.found_digest is not None and self.card.fingerprint == found:
            told = next(say for say, one in BYTES.items() if one.digest == self.card.found_digest)
            self.approved_say, self.approved_bytes, self.told = self.folder.say, told, False
            self.entry = replace(self.entry, fingerprint=found, digest=self.card.found_digest)
        self.entry = replace(self.entry, path=self.folder.path)

    def decide(self) -> None:
        """Passes until nothing is left to do, and the promise."""
        for _ in range(4):
            folders = self.folder.judged()
            undecided = {path: one for path, one in folders.items() if path != self.entry.path}
            change = register(self.entry, Known(self.card), folders, undecided).change
            if change is None:
                break
            assert self.card is None or change.record.revision == self.card.revision + 1
            self.card = change.record
        else:
            raise AssertionError("passes do not end")
        self._hold()

    def _hold(self) -> None:
        folder, card = self.folder, self.card
        if card is None or not (folder.there and folder.whole):
            return
        if card.availability is Availability.MISSING or folder.path not in (self.entry.path, card.path):
            return
        if self.approved_say is None:
            self.approved_say = folder.say
        same = folder.say == self.approved_say
        if same and folder.known and self.approved_bytes is None:
            self.approved_bytes = folder.bytes  # approved as it was found; known from now on
        if same and folder.known:
            self.told = folder.bytes != self.approved_bytes
        assert (card.availability is Availability.AVAILABLE) == (same and not self.told)


@given(st.lists(ACTS, max_size=25))
@settings(max_examples=EXAMPLES)
def _sequences(acts: list[tuple[str, Any]]) -> None:
    world = World()
    world.decide()
    for act in acts:
        world.act(*act)
        world.decide()


@pytest.mark.promise(9, "random changes of bytes, digests, places and entries, against a model")
def test_a_card_is_available_for_what_was_approved_alone(tried: Any) -> None:
    """Known digests: available exactly where bytes and fingerprint are those approved last."""
    _sequences()
    tried(EXAMPLES)
