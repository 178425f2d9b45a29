"""Entries whose path is a part of another model, is spelled otherwise, or names nothing that is there."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from dxwatchd.core.decision import decide
from dxwatchd.core.plan import FolderState, Observation, Options, Plan
from dxwatchd.core.reasons import ReasonKind, State
from dxwatchd.core.records import Published
from dxwatchd.core.rest import Periods
from dxwatchd.core.snapshot import Trouble
from tests.core.making import (
    File,
    Folder,
    Tree,
    card,
    config,
    gguf,
    llama,
    manifest,
    modules,
    named,
    pipeline,
    published,
    snapshot,
    text,
)

PIPELINE: Tree = {
    "model_index.json": pipeline("unet", "text_encoder"),
    "unet": llama("u"),
    "text_encoder": llama("t"),
    "onnx": {"config.json": config()},
}
SENTENCES: Tree = {
    **llama("s"),
    "modules.json": modules("", "1_Pooling"),
    "1_Pooling": {"config.json": config()},
}


def _plan(tree: Tree, *entries: dict[str, Any], cards: Published | None = None) -> Plan:
    seen = Observation(snapshot(tree), manifest(*entries), cards or published())
    return decide(seen, {}, Options(Periods(0, 0)), 100.0)


def _state(plan: Plan, path: str) -> FolderState:
    return next(folder for folder in plan.folders if folder.path == path)


@pytest.mark.promise(7, "an entry for a component of another model: it is stopped, and names the owner")
@pytest.mark.parametrize("status", ["approved", "proposed"])
@pytest.mark.parametrize(
    ("tree", "part"),
    [(PIPELINE, "unet"), (PIPELINE, "onnx"), (SENTENCES, "1_Pooling"), (PIPELINE, "text_encoder/deeper")],
)
def test_a_component_is_no_entry_of_its_own(tree: Tree, part: str, status: str) -> None:
    """With the line of the owner's entry and what to do; the owner is registered all the same."""
    plan = _plan({"m": tree}, named("part", f"m/{part}", status), named("m"))
    told = _state(plan, f"m/{part}")
    assert told.state is State.CONFLICT
    assert told.reasons[0].kind is ReasonKind.ENTRY_PROBLEM
    (problem,) = plan.problems
    assert (problem.line, problem.column) == (5, 8)
    assert "a part of the" in problem.message
    assert " m, the folder of line 10" in problem.message
    assert "delete this entry" in problem.remedy
    assert [change.record.path for change in plan.cards] == ["m"]


def test_a_component_without_an_entry_of_its_owner_is_stopped_too() -> None:
    """The owner is proposed as a whole."""
    plan = _plan({"m": PIPELINE}, named("part", "m/unet"))
    assert [new.model.path for new in plan.proposals] == ["m"]
    assert plan.cards == ()
    assert _state(plan, "m/unet").state is State.CONFLICT


@pytest.mark.promise(8, "a registered folder becomes a component of another model: its card stays")
def test_the_card_of_a_stopped_entry_stays() -> None:
    """Registered before the pipeline was there: stopped, and what is published stays as it is."""
    cards = published(card("part", "m/text_encoder"))
    plan = _plan({"m": PIPELINE}, named("part", "m/text_encoder"), cards=cards)
    assert (plan.cards, plan.withdrawals, plan.held) == ((), (), ())
    assert _state(plan, "m/text_encoder").state is State.CONFLICT


def test_a_model_inside_a_model_may_have_an_entry() -> None:
    """A checkpoint that a person enters is theirs to have, beside the run that it came from."""
    tree = {"m": {**llama("m"), "checkpoint-5": {**llama("c"), "trainer_state.json": text()}}}
    plan = _plan(tree, named("m"), named("c", "m/checkpoint-5"))
    assert plan.problems == ()
    assert [change.record.path for change in plan.cards] == ["m", "m/checkpoint-5"]


TREE: Tree = {
    "Qwen": {"Qwen3-8B": llama("q"), "Qwen3-4B": llama("q4"), "file.gguf": gguf()},
    "links": Folder({"out": File(trouble=Trouble.LINK_OUTSIDE)}, links={"in": "Qwen/Qwen3-8B"}),
}


@pytest.mark.promise(10, "an entry's path that names no folder: what was meant is told")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("qwen/qwen3-8b", 'did you mean path = "Qwen/Qwen3-8B"?'),
        ("Qwen/Qwen-8B", 'did you mean path = "Qwen/Qwen3-8B"?'),
        ("Qwen3-8B", 'did you mean path = "Qwen/Qwen3-8B"?'),
        ("Qwen /Qwen3-8B ", 'did you mean path = "Qwen/Qwen3-8B"?'),
        ("Qwen\\Qwen3-8B", 'did you mean path = "Qwen/Qwen3-8B"?'),
        ("Qwen/file.gguf", 'it is a file and no folder; did you mean path = "Qwen"?'),
        ("links/in", 'links/in is a link; did you mean path = "Qwen/Qwen3-8B"?'),
        ("links/out", "links/out is a link that leads out of the models root"),
        ("links/out/model", "links/out is a link that leads out of the models root"),
        ("~/Qwen3", "only a shell knows ~"),
        ("Qwen/Qwen3-14B", "no model folder is there yet"),
        ("something/else", "no model folder is there yet"),
    ],
)
def test_what_is_nearly_there_is_told_to_who_waits(path: str, said: str) -> None:
    """As a hint: the entry waits for its folder, unless its path leads out of the models root."""
    told = _state(_plan(TREE, named("a", path)), path)
    assert said in str(told.reasons[0])
    assert told.state is (State.INVALID if "links/out" in path else State.MISSING)
    assert (told.reasons[0].kind is ReasonKind.NOT_THERE_YET) == ("links/out" not in path)


@pytest.mark.parametrize("composed", [True, False])
def test_a_name_that_macos_encoded_otherwise_is_the_same(composed: bool) -> None:
    """The entry is registered, with the path as the folder has it; both there are two folders."""
    both_ways = [unicodedata.normalize("NFC", "café/modèle"), unicodedata.normalize("NFD", "café/modèle")]
    name, folder = both_ways if composed else reversed(both_ways)
    top, inner = folder.split("/")
    plan = _plan({top: {inner: llama("c")}}, named("a", name))
    assert [change.record.path for change in plan.cards] == [folder]
    assert (plan.problems, plan.proposals) == ((), ())
    other_top, other_inner = name.split("/")
    both = _plan({top: {inner: llama("c")}, other_top: {other_inner: llama("d")}}, named("a", name))
    assert [change.record.path for change in both.cards] == [name]
    assert _state(both, folder).state is State.CONFLICT


def test_a_folder_of_another_case_tells_which_entry_to_correct() -> None:
    """There is only one folder, so the entry is wrong and not the folder."""
    told = _state(_plan(TREE, named("a", "QWEN/Qwen3-8B")), "Qwen/Qwen3-8B")
    assert 'correct that entry: path = "Qwen/Qwen3-8B"' in told.reasons[0].remedy
