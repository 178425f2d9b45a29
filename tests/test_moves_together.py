"""Moves of several models at once, and moves together with drift and new names: nobody's place is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dxwatchd import manifest_view
from dxwatchd.commands.explaining import explain
from tests.layouts.making import CONFIG, plain, torch
from tests.test_moves import Moving, Said, model


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moving]:
    """An empty models root."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    made = Moving(tmp_path)
    yield made
    made.cycle.close()


OTHER = plain({**json.loads(CONFIG), "vocab_size": 99})

pytestmark = pytest.mark.promise(2, "several models moved at once, also after moves that nobody confirmed")


@pytest.mark.parametrize("first", ["a", "c"])
def test_to_where_another_one_was_before_it_went(root: Moving, first: str) -> None:
    """A card that was followed there and whose folder is gone does not take what another one's moved there,
    whichever entry comes first, and both are told of.
    """
    root.register(**{first: 1 if first == "a" else 2, "c" if first == "a" else "a": 2 if first == "a" else 1})
    root.rename("c", "x")
    root.passes()
    root.delete("x")
    assert root.passes() == [("missing", "c", 3)]
    root.rename("a", "x")
    assert root.passes() == [("moved", "a", 2)]
    assert root.told("x")[0] == "registered"
    assert root.told("c")[0] == "missing"
    assert root.passes() == []
    root.rename("x", "z")
    assert root.passes() == [("moved", "a", 3)]
    assert root.said("c").availability == "missing"


def test_two_that_were_moved_change_places(root: Moving) -> None:
    """No entry speaks of either place: each card follows its content."""
    root.register(a=1, b=2)
    root.rename("a", "x")
    root.rename("b", "y")
    root.passes()
    for old, new in (("x", "t"), ("y", "x"), ("t", "y")):
        root.rename(old, new)
    assert sorted(root.passes()) == [("moved", "a", 3), ("moved", "b", 3)]
    assert (root.said("a").path, root.said("b").path) == ("y", "x")
    assert root.passes() == []


@pytest.mark.parametrize("names", [{"a": 1, "b": 1}, {"b": 1, "a": 1}])
def test_an_entry_with_a_new_name_is_a_rival_too(root: Moving, names: dict[str, int]) -> None:
    """Two miss one content and one of them was renamed at the same moment: asked, in whatever order."""
    root.register(**names)
    root.edit('technical_name = "a"', 'technical_name = "new"')
    root.rename("a", "c")
    root.delete("b")
    assert sorted(root.passes()) == [("missing", "a", 2), ("missing", "b", 2)]
    for path, other in (("a", "b"), ("b", "new")):
        assert f"{other} may have been there" in root.told(path)[1]
    root.edit('path = "a"', 'path = "c"')
    assert sorted(root.passes()) == [("registered", "new", 1), ("removed", "a", 3)]


@pytest.mark.promise(9, "a new name for what has drifted where it was moved to")
def test_a_new_name_for_what_drifted_where_it_was_moved_to(root: Moving) -> None:
    """The old card goes on saying so until a person approves; `approve`, as told, takes what is there."""
    root.register(a=1)
    root.rename("a", "b")
    root.passes()
    root.put("b", {"config.json": OTHER})
    assert root.passes() == [("drifted", "a", 3)]
    root.edit('technical_name = "a"', 'technical_name = "new"')
    assert root.passes() == []
    assert root.said("a") == Said("b", "a", "drifted", 3)
    assert "`dxwatchd approve new` takes what is there now" in root.told("b")[1]
    root.approve("new")
    assert sorted(root.passes()) == [("registered", "new", 1), ("removed", "a", 4)]
    assert root.paths() == {"new": "b"}


def test_a_new_name_for_what_is_gone(root: Moving) -> None:
    """It was there once, and nobody is told to copy it there for the first time."""
    root.register(a=1)
    root.delete("a")
    root.edit('technical_name = "a"', 'technical_name = "new"')
    assert root.passes() == [("missing", "a", 2)]
    assert "no model is there any more" in root.told("a")[1]


def test_what_came_to_the_old_place_is_told_there_too(root: Moving) -> None:
    """A folder that an entry speaks of, whose own is elsewhere, is in `status` with what can be done."""
    root.register(a=1)
    root.rename("a", "b")
    root.passes()
    root.put("a", model(2))
    assert root.passes() == []
    state, reasons = root.told("a")
    assert state == "conflict"
    assert 'write path = "b" into that entry' in reasons
    root.edit('path = "a"', 'path = "b"')
    assert root.passes() == [("moved", "a", 3)]
    assert root.told("a")[0] == "proposed"


def test_two_that_went_missing_in_one_place_are_both_told(root: Moving) -> None:
    """Each entry has a line, also where the cards of both name the same path."""
    root.register(c=1, d=2)
    root.rename("c", "x")
    root.passes()
    root.delete("x")
    root.passes()
    root.rename("d", "x")
    root.passes()
    root.delete("x")
    root.passes()
    folders = json.loads((root.settings.state_dir / "status.json").read_bytes())["folders"]
    assert sorted(folder["technical_name"] for folder in folders) == ["c", "d"]
    assert {folder["state"] for folder in folders} == {"missing"}


def test_a_checkpoint_is_followed_and_no_other_is_proposed(root: Moving) -> None:
    """One that a person added moves with its run; its neighbours and what is left behind stay passed over.
    The finished model beside its equal last checkpoint is told from it.
    """
    for number in (10, 20):
        state = {"trainer_state.json": plain({}), "optimizer.pt": torch(4)}
        root.put(f"run/checkpoint-{number}", {**model(number), **state})
    root.put("run", model(20))
    root.enter("ck", "run/checkpoint-10")
    root.enter("run", "run")
    assert sorted(root.passes()) == [("registered", "ck", 1), ("registered", "run", 1)]
    root.rename("run", "old/run")
    assert sorted(root.passes()) == [("moved", "ck", 2), ("moved", "run", 2)]
    assert root.said("ck").path == "old/run/checkpoint-10"
    assert root.said("run").path == "old/run"
    assert root.passes() == []
    root.copy("old/run/checkpoint-10", "run/checkpoint-10")
    assert root.passes() == [("moved", "ck", 3)]
    assert root.said("ck").path == "run/checkpoint-10"
    assert root.paths() == {"ck": "run/checkpoint-10", "run": "run"}
    root.delete("run/checkpoint-10")
    assert root.passes() == [("moved", "ck", 4)]
    root.enter("ck", None)
    assert root.passes() == [("removed", "ck", 5)]
    assert root.paths() == {"run": "run"}


@pytest.mark.promise(10, "moved out of the models root, with a link left behind")
def test_a_link_that_leads_out_is_named(root: Moving, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` and `explain` say so of a registered model; `explain` also of one that nobody registered."""
    root.register(a=1)
    (root.models / "a").rename(root.models.parent / "out")
    for name in ("a", "b"):
        (root.models / name).symlink_to(root.models.parent / "out")
    assert root.passes() == [("missing", "a", 2)]
    assert "a is a link that leads out of the models root; copy" in root.told("a")[1]
    capsys.readouterr()
    for name in ("a", "b"):
        assert explain(root.settings, name, as_json=False) == 1
        assert f"{name} is a link that leads out of the models root; copy" in capsys.readouterr().out


@pytest.mark.promise(10, "explain of a registered folder that is gone")
def test_explain_says_what_status_says_of_what_is_gone(
    root: Moving, capsys: pytest.CaptureFixture[str]
) -> None:
    """State, name, why and what to do."""
    root.register(a=1)
    root.delete("a")
    root.passes()
    capsys.readouterr()
    assert explain(root.settings, "a", as_json=False) == 1
    said = capsys.readouterr().out
    assert "a  missing as a" in said
    assert "no model is there any more; bring it back, or `dxwatchd remove a`" in said
