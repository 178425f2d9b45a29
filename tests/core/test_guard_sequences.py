"""Random sequences of mounts, losses, returns, edits and confirmations, against a model of a few sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dxwatchd.core.decision import decide
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.plan import Observation, Options, Plan
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.records import Availability, CardRecord, Published
from dxwatchd.core.rest import Periods
from dxwatchd.core.root_guard import Memory, RootIdentity
from dxwatchd.core.snapshot import Snapshot
from tests.core.making import llama, manifest, named, snapshot

NAMES = "abcdefgh"
AT_ONCE = Options(Periods(0.0, 0.0))
RIGHT, MOUNT_POINT, WRONG = (RootIdentity(1, 2, number) for number in (10, 20, 30))
LOST = Reason(ReasonKind.ROOT_LOST, found="gone", remedy="mount it")
EXAMPLES = 300


@cache
def _seen(names: frozenset[str]) -> Snapshot:
    return snapshot({name: llama(name) for name in sorted(names)})


@cache
def _written(names: frozenset[str]) -> Manifest:
    return manifest(*(named(name) for name in sorted(names)))


@dataclass
class World:
    """Disk, manifest, cards and memory; and beside them the model of what must be true.

    on_disk: folders of the right root; mounted: which root lies there (None: nothing can be looked at);
    settled: names whose loss is no news, by an unsuspicious pass or a person's word; trusted: the root of the
    last unsuspicious pass; alarm: names of the loss that is held.
    """

    on_disk: set[str] = field(default_factory=lambda: set(NAMES))
    entries: set[str] = field(default_factory=lambda: set(NAMES))
    mounted: RootIdentity | None = RIGHT
    cards: dict[str, CardRecord] = field(default_factory=dict)
    tombstones: dict[str, int] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    settled: set[str] = field(default_factory=set)
    orphans: set[str] = field(default_factory=set)
    trusted: RootIdentity = RIGHT
    alarm: set[str] = field(default_factory=set)
    removed: int = 0

    def there(self) -> set[str]:
        """The folders that can be seen."""
        return self.on_disk if self.mounted is RIGHT else set()

    def decide(self, *, accept: bool) -> Plan:
        """One decision, and its plan carried out."""
        there = frozenset(self.there() if self.mounted is not WRONG else {"other"})
        seen = Observation(
            _seen(there) if self.mounted is not None else Snapshot({}),
            _written(frozenset(self.entries)),
            Published(dict(self.cards), dict(self.tombstones)),
            root_lost=LOST if self.mounted is None else None,
            accept_removals=accept,
            root=self.mounted or RootIdentity(),
            memory=self.memory,
        )
        made = decide(seen, {}, AT_ONCE, 0.0)
        for change in made.cards:
            self.cards[change.record.technical_name] = change.record
            self.tombstones.pop(change.record.technical_name, None)
        for record in made.withdrawals:
            del self.cards[record.technical_name]
            self.tombstones[record.technical_name] = record.revision + 1
        self.memory = made.root.memory
        return made

    def suspicious(self, gone: set[str]) -> bool:
        """Whether what is gone now looks like an accident."""
        fresh = gone - self.settled
        if not fresh:
            return False
        before = set(self.cards) - self.settled
        many = len(fresh) > 2 and 2 * len(fresh) > len(before)
        held_on = len(fresh & self.alarm) > 2
        empty = not self.there() and self.mounted is not WRONG
        return empty or self.mounted != self.trusted or many or held_on

    def look(self, *, accept: bool = False) -> Plan:
        """One pass, and what must be true of it."""
        before = set(self.cards)
        gone = before - self.there()
        lost = before - self.entries
        doubtful = lost if len(lost) > 2 and 2 * len(lost) > len(before) else lost & self.orphans
        halted = self.mounted is None or self.suspicious(gone)
        made = self.decide(accept=accept)
        withdrawn = {record.technical_name for record in made.withdrawals}
        expected = lost if accept else set() if halted else lost - doubtful
        assert withdrawn == expected
        assert bool(made.held) is (self.mounted is None or (not accept and bool(halted or doubtful)))
        assert all("--accept-removals" in reason.remedy for reason in made.held if reason != LOST)
        self.orphans = set() if accept else doubtful
        if accept:
            assert set(made.root.accepted) == (
                (gone - self.settled) - (lost if self.mounted is None else set()) if halted else set()
            )
        if self.mounted is None:
            self.settled |= before - lost if accept else set()
            self.alarm = set() if accept else self.alarm
        elif halted and not accept:
            if not gone - self.settled <= self.alarm:
                self.alarm = gone - self.settled
            self.settled &= gone
        else:
            self.settled, self.alarm, self.trusted = gone, set(), self.mounted
        if made.root.doubted:
            assert made.proposals == ()
        for name, card in self.cards.items():
            is_there = name in self.there()
            assert card.availability is (Availability.AVAILABLE if is_there else Availability.MISSING)
        self.removed += len(withdrawn)
        return made

    def quiet(self) -> None:
        """A second pass over the same says the same and does nothing."""
        first = self.look()
        second = self.look()
        assert (second.cards, second.withdrawals) == ((), ())
        assert second.held == first.held


SOME = st.sets(st.sampled_from(NAMES), min_size=1)
ACTS = st.one_of(
    st.tuples(st.just("mount"), st.sampled_from([RIGHT, MOUNT_POINT, WRONG, None])),
    st.tuples(st.just("mount"), st.just(RIGHT)),
    st.tuples(st.just("lose"), SOME),
    st.tuples(st.just("return"), SOME),
    st.tuples(st.just("remove entries"), SOME),
    st.tuples(st.just("put entries back"), SOME),
    st.tuples(st.just("accept"), st.none()),
    st.tuples(st.just("look"), st.none()),
)


def _act(world: World, act: str, what: Any) -> None:
    if act == "mount":
        world.mounted = what
    elif act == "lose":
        world.on_disk -= what
    elif act == "return":
        world.on_disk |= what
    elif act == "remove entries":
        world.entries -= what
    elif act == "put entries back":
        world.entries |= what


@pytest.mark.promise(
    8, "random sequences of unmounts, wrong disks, losses, removed entries and confirmations"
)
def test_no_sequence_withdraws_what_nobody_gave_up(tried: Callable[[int], None]) -> None:
    """A card goes only with its entry, in a pass without suspicion or by a person's word; and once the disk
    is mounted and the manifest mended, everything is as it was, unasked.
    """
    removed = 0

    @settings(max_examples=EXAMPLES, phases=set(Phase) - {Phase.explain})
    @given(st.lists(st.tuples(ACTS, st.booleans()), max_size=16))
    def sequence(acts: list[tuple[tuple[str, Any], bool]]) -> None:
        nonlocal removed
        world = World()
        world.look()
        for (act, what), with_pass in acts:
            _act(world, act, what)
            if act == "accept":
                world.look(accept=True)
            if with_pass or act in ("accept", "look"):
                world.quiet()
        world.mounted, world.on_disk, world.entries = RIGHT, set(NAMES), set(NAMES)
        world.look()
        end = world.look()
        assert end.held == ()
        assert end.cards == ()
        assert {name: card.availability for name, card in world.cards.items()} == dict.fromkeys(
            NAMES, Availability.AVAILABLE
        )
        removed += world.removed

    sequence()
    assert removed  # some cards did go
    tried(EXAMPLES)
