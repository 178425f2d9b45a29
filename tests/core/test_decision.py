"""The whole decision: what is proposed, said and written; a plan, once applied, leaves nothing to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.decision import decide
from dxwatchd.core.entries import Problem
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.naming import canonical
from dxwatchd.core.plan import Observation, Options, Plan
from dxwatchd.core.reasons import Reason, ReasonKind, State
from dxwatchd.core.records import CardRecord, Published
from dxwatchd.core.rest import Periods, Watched
from dxwatchd.core.snapshot import Snapshot
from tests.core.making import Tree, adapter, card, llama, manifest, named, published, sharded, snapshot

AT_ONCE = Options(Periods(0.0, 0.0))
USUAL = Options(Periods(5.0, 60.0))


def plan(
    tree: Tree,
    written: Manifest | None = None,
    cards: Published | None = None,
    *,
    options: Options = AT_ONCE,
    watched: Mapping[str, Watched] | None = None,
    now: float = 100.0,
    **more: Any,
) -> Plan:
    """The decision about a tree, a manifest and cards."""
    seen = Observation(snapshot(tree), written or manifest(), cards or published(), **more)
    return decide(seen, watched or {}, options, now)


def states(made: Plan) -> dict[str, State]:
    return {folder.path: folder.state for folder in made.folders}


def test_whole_folders_at_rest_are_proposed_in_one_batch_with_different_names() -> None:
    """Names are unique under the manifest, the cards and each other."""
    made = plan(
        {"x": {"m": llama("1")}, "y": {"M": llama("2")}, "z": {"m": llama("3")}, "taken": llama("4")},
        manifest(named("taken", "elsewhere", model_name="Elsewhere")),
        published(card("x-m", "gone")),
    )
    names = [new.names for new in made.proposals]
    assert len(names) == 4
    given_names = {canonical(one.technical_name) for one in names}
    assert len(given_names) == 4
    assert not given_names & {"taken"}
    assert len({canonical(one.model_name) for one in names}) == 4


def test_what_is_not_at_rest_is_awaited_until_it_is_due() -> None:
    """Copying, with the moment at which it will be looked at again; then it is proposed."""
    first = plan({"m": llama()}, options=USUAL)
    assert states(first) == {"m": State.COPYING}
    assert first.due == 105.0
    assert first.proposals == ()
    second = plan({"m": llama()}, options=USUAL, watched=first.watched, now=105.0)
    assert [new.model.path for new in second.proposals] == ["m"]


def test_entries_speak_for_their_folders() -> None:
    """Rejected ones are silent, proposed ones wait, and neither is proposed again."""
    made = plan(
        {"no": llama("1"), "wait": llama("2")},
        manifest(
            named("no", status="rejected"), named("wait", status="proposed"), named("b", "gone", "proposed")
        ),
    )
    assert made.proposals == ()
    assert states(made) == {"no": State.REJECTED, "wait": State.PROPOSED, "gone": State.MISSING}


@pytest.mark.promise(10, "incomplete, loose, broken and conflicting folders at once")
def test_every_folder_that_is_not_proposed_says_why() -> None:
    """Incomplete ones, strays, and those whose entry is broken or lost its claim."""
    made = plan(
        {
            "half": sharded(3, without=(2,)),
            "twice": llama("1"),
            "broken": llama("2"),
            "loose": {"model.safetensors": llama()["model.safetensors"]},
        },
        manifest(named("a", "first"), named("a", "twice", model_name="T"), named("NO", "broken")),
    )
    said = states(made)
    assert said["half"] is State.INCOMPLETE
    assert said["twice"] is State.CONFLICT
    assert said["broken"] is State.CONFLICT
    assert said["loose"] is State.INCOMPLETE
    assert all(folder.reasons for folder in made.folders)
    assert made.proposals == ()


@pytest.mark.promise(8, "the models root cannot be looked at")
def test_a_lost_root_makes_cards_missing_and_withdraws_nothing() -> None:
    """And nothing is proposed; the reason is told."""
    lost = Reason(ReasonKind.ROOT_LOST, found="gone", remedy="mount it")
    seen = Observation(Snapshot({}), manifest(named("a")), published(card("a")), root_lost=lost)
    made = decide(seen, {}, AT_ONCE, 0.0)
    assert [change.record.availability.value for change in made.cards] == ["missing"]
    assert made.withdrawals == ()
    assert made.held == (lost,)
    assert states(made) == {"a": State.MISSING}


@pytest.mark.parametrize(
    "more", [{"manifest_trouble": Problem("torn", "mend it")}, {"manifest_quiet": False}]
)
def test_nothing_is_proposed_while_the_manifest_cannot_be_appended_to(more: dict[str, Any]) -> None:
    """The folder waits, and says for what."""
    made = plan({"m": llama()}, **more)
    assert made.proposals == ()
    assert states(made) == {"m": State.COPYING}


@pytest.mark.promise(8, "the manifest is torn, also right after a start")
def test_while_the_manifest_is_torn_every_card_stays() -> None:
    """Also after a restart, when nothing is known but the cards."""
    first = plan({"a": llama()}, manifest(named("a")))
    record = first.cards[0].record
    torn = plan({"a": llama()}, manifest(), published(record), manifest_trouble=Problem("torn", "mend it"))
    assert torn.withdrawals == ()
    assert torn.cards == ()
    assert states(torn) == {"a": State.REGISTERED}
    assert [problem.message for problem in torn.problems] == ["torn"]


def test_a_removed_entry_frees_the_name_at_once() -> None:
    """The card goes, and the folder, which is still there, is proposed under the same name."""
    record = plan({"a": llama()}, manifest(named("a"))).cards[0].record
    made = plan({"a": llama()}, manifest(), published(record))
    assert [gone.technical_name for gone in made.withdrawals] == ["a"]
    assert [new.names.technical_name for new in made.proposals] == ["a"]


@dataclass
class World:
    """A small model of everything that plans are applied to."""

    tree: dict[str, Any] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    cards: dict[str, CardRecord] = field(default_factory=dict)
    tombstones: dict[str, int] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)

    def decide(self) -> Plan:
        """One decision about it as it is."""
        return plan(self.tree, manifest(*self.entries), Published(dict(self.cards), dict(self.tombstones)))

    def apply(self, made: Plan) -> None:
        """What a pass does with a plan."""
        for change in made.cards:
            name = canonical(change.record.technical_name)
            assert change.record.revision > self.revisions.get(name, 0)
            self.revisions[name] = change.record.revision
            self.cards[name] = change.record
            self.tombstones.pop(name, None)
        for record in made.withdrawals:
            name = canonical(record.technical_name)
            del self.cards[name]
            self.tombstones[name] = self.revisions[name] = record.revision + 1
        for new in made.proposals:
            names = new.names
            block = named(names.technical_name, new.model.path, "proposed", names.model_name)
            self.entries.append({**block, "fingerprint": new.fingerprint})


PATHS = st.sampled_from(["a", "b", "p/a", "p/b", "c"])
CONTENTS = st.sampled_from(["1", "2", "3"])
ACTS = st.one_of(
    st.tuples(st.just("put"), PATHS, CONTENTS),
    st.tuples(st.just("half"), PATHS, CONTENTS),
    st.tuples(st.just("take away"), PATHS, CONTENTS),
    st.tuples(st.just("move"), PATHS, PATHS),
    st.tuples(st.just("approve"), st.integers(0, 5), CONTENTS),
    st.tuples(st.just("reject"), st.integers(0, 5), CONTENTS),
    st.tuples(st.just("delete"), st.integers(0, 5), CONTENTS),
    st.tuples(st.just("unpin"), st.integers(0, 5), CONTENTS),
    st.tuples(st.just("rename"), st.integers(0, 5), st.sampled_from(["x", "y", "a"])),
)


def _place(tree: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    head, _, last = path.rpartition("/")
    return (tree.setdefault(head, {}) if head else tree), last


def _act(world: World, act: str, one: Any, other: Any) -> None:
    if act in ("put", "half"):
        holder, name = _place(world.tree, one)
        holder[name] = llama(other) if act == "put" else sharded(3, without=(2,))
    elif act == "take away":
        holder, name = _place(world.tree, one)
        holder.pop(name, None)
    elif act == "move":
        holder, name = _place(world.tree, one)
        target, target_name = _place(world.tree, other)
        if name in holder:
            target[target_name] = holder.pop(name)
    elif one < len(world.entries):
        entry = world.entries[one]
        if act == "delete":
            world.entries.pop(one)
        elif act == "unpin":
            entry.pop("fingerprint", None)
        elif act == "rename":
            entry["technical_name"] = other
        else:
            entry["status"] = "approved" if act == "approve" else "rejected"


@given(st.lists(ACTS, max_size=14))
@pytest.mark.promise(6, "random drops, moves, approvals and renames: names stay unique")
def test_once_applied_a_plan_leaves_nothing_to_do(acts: list[tuple[str, Any, Any]]) -> None:
    """Whatever people, copiers and disks did before: one or two passes, then silence; names stay unique."""
    world = World()
    for act in acts:
        _act(world, *act)
        for _ in range(3):
            world.apply(world.decide())
        again = world.decide()
        assert again.proposals == ()
        assert again.cards == ()
        assert again.withdrawals == ()
        names = [canonical(record.technical_name) for record in world.cards.values()]
        models = [canonical(record.model_name) for record in world.cards.values()]
        assert len(set(names)) == len(names)
        assert len(set(models)) == len(models)


def test_the_same_arguments_give_the_same_plan() -> None:
    """Nothing but the arguments decides."""
    tree = {"a": llama("1"), "b": adapter(), "c": sharded(2, without=(1,))}
    written = manifest(named("a"), named("b", status="proposed"))
    assert plan(tree, written) == replace(plan(tree, written))
