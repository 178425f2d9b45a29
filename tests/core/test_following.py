"""What a card says that changes later without its folder: its bases and its digests, decided in each pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.decision import decide
from dxwatchd.core.lineage import Registry
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.naming import canonical
from dxwatchd.core.plan import Observation, Options, Plan
from dxwatchd.core.provenance import Check, Digests, Known, overall
from dxwatchd.core.records import UNRESOLVED, Availability, Base, CardRecord, Change
from dxwatchd.core.rest import Periods
from dxwatchd.core.snapshot import Snapshot, join
from tests.core.making import File, adapter, card, llama, manifest, named, published, snapshot, tensors
from tests.core.test_decision import ACTS, PATHS, World, _act

AT_ONCE = Options(Periods(0.0, 0.0))
USUAL = Options(Periods(5.0, 60.0))


def all_known(seen: Snapshot, value: str = "ab") -> Known:
    """Every file's digest."""
    return {
        (join(folder.path, name), file.stat): Digests(value * 32)
        for folder in seen.folders.values()
        for name, file in folder.files.items()
        if file.stat is not None
    }


def look(
    tree: dict[str, Any],
    *cards: CardRecord,
    known: str | None = "ab",
    options: Options = AT_ONCE,
    entries: tuple[dict[str, Any], ...] = (named("a"),),
) -> Plan:
    """The decision about a tree whose digests are all known, or none."""
    seen = snapshot(tree)
    digests = all_known(seen, known) if known is not None else {}
    return decide(
        Observation(seen, manifest(*entries), published(*cards), digests=digests), {}, options, 100.0
    )


def written(made: Plan) -> CardRecord:
    """The one card of a plan as it is published from its folder."""
    (change,) = made.cards
    return replace(change.record, digests=change.findings.key if change.findings is not None else "")


def test_digests_that_are_known_are_in_the_first_revision() -> None:
    """A proposal's are computed too: what is approved later has them at once."""
    (change,) = look({"a": llama()}).cards
    assert change.change is Change.REGISTERED
    assert change.findings is not None
    assert change.findings.status is Check.COMPUTED


def test_digests_that_become_known_are_one_revision() -> None:
    """The card's folder is read again for them, without waiting for rest: it is what was approved."""
    first = written(look({"a": llama()}, known=None))
    assert first.digests == ""
    assert look({"a": llama()}, first, known=None).cards == ()
    made = look({"a": llama()}, first, options=USUAL)
    (change,) = made.cards
    assert (change.change, change.record.revision) == (Change.DIGESTED, 2)
    assert change.model is not None
    assert change.findings is not None
    assert look({"a": llama()}, written(made)).cards == ()


def test_nothing_is_decided_where_nobody_computes_digests() -> None:
    """Neither for a card that has none nor for one that has."""
    seen = snapshot({"a": llama()})
    for digests in ("", "ab" * 16):
        record = replace(written(look({"a": llama()}, known=None)), digests=digests)
        observed = Observation(seen, manifest(named("a")), published(record))
        plan = decide(observed, {}, AT_ONCE, 0.0)
        assert plan.cards == ()
        assert [folder.checked for folder in plan.folders] == [()]


def test_digests_of_what_is_no_content_wait_for_rest() -> None:
    """A file beside the model: a new revision, once nothing changes any more."""
    record = written(look({"a": {**llama(), "notes.md": File(size=5)}}))
    (change,) = look({"a": llama()}, record).cards
    assert change.change is Change.DIGESTED
    waiting = look({"a": llama()}, record, options=USUAL)
    assert waiting.cards == ()
    assert waiting.due == 105.0


def test_while_a_new_file_is_pending_the_card_keeps_what_it_says() -> None:
    """It is told anew once all are known again."""
    record = written(look({"a": llama()}))
    tree = {"a": {**llama(), "notes.md": File(size=5)}}
    some = {key: value for key, value in all_known(snapshot(tree)).items() if "notes" not in key[0]}
    observed = Observation(snapshot(tree), manifest(named("a")), published(record), digests=some)
    plan = decide(observed, {}, AT_ONCE, 0.0)
    assert plan.cards == ()
    assert overall(plan.folders[0].checked) is Check.PENDING
    (change,) = look(tree, record).cards
    assert change.change is Change.DIGESTED


def test_what_is_approved_anew_has_the_digests_that_are_known_then() -> None:
    """Pending again where one is not; another reason for reading the folder takes them along."""
    record = written(look({"a": llama("old")}))
    other = {"a": llama("new")}
    unpinned = replace(record, approved_fingerprint="sha256:" + "0" * 64)
    (known,) = look(other, unpinned).cards
    (pending,) = look(other, unpinned, known=None).cards
    assert known.change is pending.change is Change.APPROVED_AGAIN
    assert known.findings is not None
    assert pending.findings is None
    (noted,) = look({"a": llama("old")}, record, entries=(named("a", notes="x"),)).cards
    assert noted.change is Change.OVERRIDDEN
    assert noted.findings is not None


@pytest.mark.parametrize(("tree", "change"), [({"a": llama("other")}, Change.DRIFTED), ({}, Change.MISSING)])
def test_what_is_not_what_was_approved_keeps_its_digests(tree: dict[str, Any], change: Change) -> None:
    """They are those of the approved content; what lies there now is another thing."""
    record = written(look({"a": llama()}))
    (made,) = look(tree, record, known="cd").cards
    assert (made.change, made.model, made.record.digests) == (change, None, record.digests)


def test_a_moved_card_is_digested_where_it_is() -> None:
    """Also while the move waits to be confirmed."""
    tree = {"there": llama()}
    first = written(look({"a": llama()}, known=None))
    moved = written(look(tree, first, known=None))
    (change,) = look(tree, moved).cards
    assert (change.change, change.record.path) == (Change.DIGESTED, "there")
    assert change.findings is not None


def test_a_base_that_is_registered_is_told_beside_whatever_else_changes() -> None:
    """A missing adapter's base is resolved in the revision that says it is missing."""
    lora = card("lora", fingerprint="sha256:1", bases=(Base("org/a"),))
    tree = {"org": {"a": llama()}}
    base = written(look(tree, entries=(named("a", "org/a"),)))
    made = look(tree, base, lora, entries=(named("a", "org/a"), named("lora")))
    (change,) = made.cards
    assert change.change is Change.MISSING
    assert change.record.availability is Availability.MISSING
    assert change.record.bases == (Base("org/a", "a"),)


@dataclass
class Followed(World):
    """The small model of everything, with folders that name bases and digests that get known."""

    stated: dict[str, str] = field(default_factory=dict)  # path → what its files call their base
    digests: str | None = None  # as of all files, None while nothing is known

    def decide(self) -> Plan:
        """One decision about it as it is."""
        seen = snapshot(self.tree)
        known = all_known(seen, self.digests) if self.digests is not None else {}
        cards = published(*self.cards.values(), **self.tombstones)
        observed = Observation(seen, manifest(*self.entries), cards, digests=known)
        return decide(observed, {}, AT_ONCE, 100.0)

    def apply(self, made: Plan) -> None:
        """What a pass does with a plan: bases are named and resolved where a folder is read."""
        before = self.cards
        super().apply(made)
        going = {canonical(record.technical_name) for record in made.withdrawals}
        registry = Registry(one for name, one in before.items() if name not in going)
        for change in made.cards:
            record = change.record
            if change.model is not None:
                stated = tuple(Base(name) for name in self._stated(change.model))
                bases = registry.resolve(replace(record, bases=stated))
                digests = change.findings.key if change.findings is not None else ""
                record = replace(record, bases=bases, digests=digests)
            self.cards[canonical(record.technical_name)] = record
            registry.add(record)

    def register(self, path: str, content: str, base: str | None) -> None:
        """A person puts a model there, made from `base`, and enters it."""
        if base is not None:
            self.stated[path] = base
        _act(self, "put", path, content)
        name = path.replace("/", "-")
        if all(entry["path"] != path for entry in self.entries):
            self.entries.append(named(name, path))

    def _stated(self, model: ModelFolder) -> list[str]:
        return [self.stated[model.path]] if model.path in self.stated else []


REGISTER = st.tuples(
    st.just("register"),
    PATHS,
    st.tuples(st.sampled_from(["1", "2", "3"]), st.sampled_from([None, "p/a", "p/b", "b", "q/c", "X"])),
)
DIGEST = st.tuples(st.just("digest"), st.sampled_from(["ab", "cd", None]), st.none())


@given(
    st.lists(REGISTER, min_size=2, max_size=4),
    st.lists(st.one_of(REGISTER, DIGEST, ACTS), min_size=3, max_size=12),
)
def test_once_applied_a_plan_leaves_nothing_to_do(
    first: list[tuple[str, Any, Any]], acts: list[tuple[str, Any, Any]]
) -> None:
    """With bases that come, go and get other names, and digests: two passes or three, then silence.

    Then every card names as its base what is registered, and has the digests that are known.
    """
    world = Followed()
    for act, one, other in (*first, *acts):
        if act == "register":
            world.register(one, *other)
        elif act == "digest":
            world.digests = one
        else:
            _act(world, act, one, other)
        for _ in range(4):
            world.apply(world.decide())
        again = world.decide()
        assert (again.cards, again.withdrawals, again.proposals) == ((), (), ())
        names = {record.technical_name for record in world.cards.values()} | {UNRESOLVED}
        assert {base.technical_name for record in world.cards.values() for base in record.bases} <= names
        if world.digests is not None:
            available = [one for one in world.cards.values() if one.availability is Availability.AVAILABLE]
            assert all(record.digests for record in available)


def test_an_adapter_is_resolved_whether_it_comes_before_its_base_or_after() -> None:
    """First or second, the card names it in the end; the one that came first has one revision more."""
    world = Followed(stated={"lora": "p/base"})
    world.tree = {"lora": adapter(), "p": {"base": {**llama(), "extra.safetensors": tensors("x")}}}
    world.entries = [named("lora")]
    for _ in range(2):
        world.apply(world.decide())
    assert world.cards["lora"].bases == (Base("p/base"),)
    world.entries.append(named("b", "p/base"))
    for _ in range(2):
        world.apply(world.decide())
    assert world.cards["lora"].bases == (Base("p/base", "b"),)
    assert (world.cards["lora"].revision, world.cards["b"].revision) == (2, 1)
