"""Passes over real folders that people and tools move: the card follows its content, or somebody asks."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dxwatchd import manifest_view
from dxwatchd.commands.deciding import NewNames, approve
from dxwatchd.core.records import UNRESOLVED
from tests.layouts.making import CONFIG, Tree, plain, tensors
from tests.test_following import Root


class Said(NamedTuple):
    """What a card says of where its model is."""

    path: str
    entry_path: str
    availability: str
    revision: int


class Moving(Root):
    """A models root whose folders move, with passes made by hand and no digests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, digests=False)
        self.models = self.settings.models_root

    def register(self, **seeds: int) -> None:
        """Approved models at the paths that their names are, with two underscores for a slash."""
        for name, seed in seeds.items():
            path = name.replace("__", "/")
            self.put(path, model(seed))
            self.enter(path.replace("/", "-"), path, f"# of {path}, by a person")
        assert {kind for kind, _, _ in self.passes()} == {"registered"}

    def rename(self, old: str, new: str) -> None:
        """As `mv` does on one file system."""
        (self.models / new).parent.mkdir(parents=True, exist_ok=True)
        (self.models / old).rename(self.models / new)

    def copy(self, old: str, new: str, *, copy_function: Callable[..., Any] = shutil.copy2) -> None:
        """As `cp -p` does."""
        shutil.copytree(self.models / old, self.models / new, copy_function=copy_function)

    def delete(self, path: str) -> None:
        """As `rm -r` does."""
        shutil.rmtree(self.models / path)

    def said(self, name: str) -> Said:
        """By the card."""
        card = self.card(name)
        return Said(card.path, card.entry_path, card.availability, card.revision)

    def told(self, path: str) -> tuple[str, str]:
        """State and reasons of a folder by `status.json`."""
        folders = json.loads((self.settings.state_dir / "status.json").read_bytes())["folders"]
        (folder,) = [one for one in folders if one["path"] == path]
        return folder["state"], " | ".join(reason["told"] for reason in folder["reasons"])

    def edit(self, old: str, new: str) -> None:
        """A person's edit of the manifest."""
        text = self.settings.manifest.read_text()
        assert text.count(old) == 1, text
        self.settings.manifest.write_text(text.replace(old, new))

    def approve(self, name: str) -> None:
        """The command."""
        assert approve(self.settings, name, NewNames()) == 0

    def paths(self) -> dict[str, str]:
        """The manifest's entries: technical name and path."""
        tables = tomllib.loads(self.settings.manifest.read_text()).get("models", [])
        return {table["technical_name"]: table["path"] for table in tables}


def model(seed: int) -> Tree:
    """A whole transformers folder."""
    return {"config.json": CONFIG, "model.safetensors": tensors(seed)}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moving]:
    """An empty models root."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    made = Moving(tmp_path)
    yield made
    made.cycle.close()


pytestmark = pytest.mark.promise(2, "folders renamed, moved, swapped, copied and deleted, over real folders")


def test_a_rename_is_one_event_and_the_name_stays(root: Moving) -> None:
    """Same technical name, new path, next revision; nothing more however many passes follow."""
    root.register(a=1)
    root.rename("a", "deep/er/b")
    assert root.passes() == [("moved", "a", 2)]
    assert root.said("a") == Said("deep/er/b", "a", "available", 2)
    assert root.passes() == []
    state, reasons = root.told("deep/er/b")
    assert state == "registered"
    assert "dxwatchd approve a" in reasons
    assert list(root.paths()) == ["a"]  # and it is not proposed as another model


def test_a_whole_publisher_renamed(root: Moving, tried: Callable[[int], None]) -> None:
    """Twenty models, twenty events, each card at its own new place."""
    names = [f"org__m{number}" for number in range(20)]
    root.register(**{name: number for number, name in enumerate(names)})
    root.rename("org", "other/org")
    happened = root.passes()
    assert sorted(happened) == sorted(("moved", name.replace("__", "-"), 2) for name in names)
    for number in range(20):
        assert root.said(f"org-m{number}").path == f"other/org/m{number}"
    assert root.passes() == []
    tried(20)


@pytest.mark.promise(9, "two folders that change places")
def test_a_swap_is_drift_that_says_where_the_content_is(root: Moving) -> None:
    """No card describes what lies at its path; written into both entries at once, both are right again."""
    root.register(a=1, b=2)
    root.rename("a", "c")
    root.rename("b", "a")
    root.rename("c", "b")
    assert root.passes() == [("drifted", "a", 2), ("drifted", "b", 2)]
    state, reasons = root.told("a")
    assert state == "drifted"
    assert 'lies in b (entry "b")' in reasons
    assert 'path = "b"' in reasons
    assert root.passes() == []
    text = root.settings.manifest.read_text()
    swapped = {'path = "a"': 'path = "b"', 'path = "b"': 'path = "a"'}
    root.settings.manifest.write_text("\n".join(swapped.get(line, line) for line in text.split("\n")))
    assert root.passes() == [("restored", "a", 3), ("restored", "b", 3)]
    assert (root.said("a").path, root.said("b").path) == ("b", "a")


def test_a_swap_put_right_by_hand(root: Moving) -> None:
    """The folders back in their places: restored."""
    root.register(a=1, b=2)
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        root.rename(old, new)
    root.passes()
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        root.rename(old, new)
    assert root.passes() == [("restored", "a", 3), ("restored", "b", 3)]


def test_a_move_and_a_copy_back(root: Moving) -> None:
    """At the entry's path again: the card comes back by itself, and the other one is a proposal."""
    root.register(a=1)
    root.rename("a", "b")
    root.passes()
    root.copy("b", "a")
    assert root.passes() == [("moved", "a", 3)]
    assert root.said("a") == Said("a", "a", "available", 3)
    assert root.told("b")[0] == "proposed"


def test_moved_in_steps_without_a_word(root: Moving) -> None:
    """A chain of moves that nobody confirms: one event each, the same card."""
    root.register(a=1)
    for number, (old, new) in enumerate((("a", "b"), ("b", "c/d"), ("c/d", "e"), ("e", "a"), ("a", "b")), 2):
        root.rename(old, new)
        assert root.passes() == [("moved", "a", number)]
        assert root.said("a") == Said(new, "a", "available", number)
    assert root.paths() == {"a": "a"}


def test_a_copy_that_was_proposed_before_the_original_went(root: Moving) -> None:
    """Moved over a mount or by copy and delete: followed; to confirm takes the proposal out."""
    root.register(a=1)
    root.copy("a", "b")
    root.passes()
    assert set(root.paths().values()) == {"a", "b"}
    root.delete("a")
    assert root.passes() == [("moved", "a", 2)]
    state, reasons = root.told("b")
    assert state == "registered"
    assert "the proposal" in reasons
    assert root.passes() == []
    root.approve("a")
    assert root.passes() == [("moved", "a", 3)]
    assert root.paths() == {"a": "b"}
    assert root.told("b") == ("registered", "")


def test_a_copy_half_made_is_not_followed(root: Moving) -> None:
    """Copied file by file: while the copy is not whole, the card stays with the original or is missing."""
    root.register(a=1)
    root.put("b", {"config.json": CONFIG})
    assert root.passes() == []
    root.delete("a")
    assert root.passes() == [("missing", "a", 2)]
    root.put("b", model(1))
    assert root.passes() == [("moved", "a", 3)]
    assert root.said("a").path == "b"


def test_two_copies_are_asked_about_until_one_is_left(root: Moving) -> None:
    """Missing, with both paths; then the one that is left is the one."""
    root.register(a=1)
    root.copy("a", "x")
    root.copy("a", "y")
    root.passes()
    root.delete("a")
    assert root.passes() == [("missing", "a", 2)]
    state, reasons = root.told("a")
    assert state == "missing"
    assert "the same content lies in x, y" in reasons
    assert root.passes() == []
    root.delete("y")
    assert root.passes() == [("moved", "a", 3)]
    assert root.said("a") == Said("x", "a", "available", 3)


def test_an_ambiguous_move_is_settled_by_the_entry(root: Moving) -> None:
    """Asked; a person writes one of the paths."""
    root.register(a=1)
    root.copy("a", "x")
    root.rename("a", "y")
    assert root.passes() == [("missing", "a", 2)]
    root.edit('path = "a"', 'path = "y"')
    assert root.passes()[0] == ("moved", "a", 3)
    assert root.said("a") == Said("y", "y", "available", 3)


def test_a_registered_copy_is_no_place_to_follow_to(root: Moving) -> None:
    """Two entries of one content: the loss of one leaves the other alone, and is told."""
    root.register(a=1, b=1)
    root.delete("a")
    assert root.passes() == [("missing", "a", 2)]
    assert root.said("b") == Said("b", "b", "available", 1)
    assert 'lies in b (entry "b")' in root.told("a")[1]


def test_two_that_miss_one_content_are_asked(root: Moving) -> None:
    """Both gone, one folder left: nobody guesses whose it is; a person's word settles it."""
    root.register(a=1, b=1)
    root.rename("a", "c")
    root.delete("b")
    assert root.passes() == [("missing", "a", 2), ("missing", "b", 2)]
    for name, other in (("a", "b"), ("b", "a")):
        reasons = root.told(name)[1]
        assert "the same content lies in c" in reasons
        assert f"{other} may have been there" in reasons
    assert root.passes() == []
    root.edit('path = "b"', 'path = "c"')
    assert root.passes() == [("moved", "b", 3)]
    assert root.said("a").availability == "missing"


def test_onto_a_path_that_another_entry_waits_for(root: Moving) -> None:
    """The entry of that path has it, as a person wrote; the one that lost its folder says where it is."""
    root.register(a=1)
    root.enter("w", "w")
    assert root.passes() == []
    root.rename("a", "w")
    assert sorted(root.passes()) == [("missing", "a", 2), ("registered", "w", 1)]
    assert 'lies in w (entry "w")' in root.told("a")[1]


def test_onto_a_path_that_was_rejected(root: Moving) -> None:
    """A person said no to that folder: not followed, and told."""
    root.register(a=1)
    root.enter("r", "r")
    root.edit('status = "approved"\ntechnical_name = "r"', 'status = "rejected"\ntechnical_name = "r"')
    root.rename("a", "r")
    assert root.passes() == [("missing", "a", 2)]
    assert root.told("r")[0] == "rejected"
    assert 'lies in r (entry "r")' in root.told("a")[1]


@pytest.mark.promise(9, "something else put where a moved folder was")
def test_something_else_at_the_old_place(root: Moving) -> None:
    """The card stays with the content that was approved; what came is not proposed under another name."""
    root.register(a=1)
    root.rename("a", "b")
    root.passes()
    root.put("a", {"config.json": CONFIG})  # a copy begins
    assert root.passes() == []
    root.put("a", model(2))
    assert root.passes() == []
    assert root.said("a") == Said("b", "a", "available", 2)
    assert 'path = "b"' in root.told("b")[1]
    assert root.paths() == {"a": "a"}
    root.approve("a")  # as the reason says, it takes what lies there
    assert root.passes() == [("approved_again", "a", 3)]
    assert root.said("a") == Said("a", "a", "available", 3)
    assert root.told("b")[0] == "proposed"


@pytest.mark.promise(9, "moved away and replaced in one go")
def test_replaced_in_place_with_the_old_one_kept(root: Moving) -> None:
    """`mv a a.old` and a new one in its place, between two passes: drifted, with where the old one is."""
    root.register(a=1)
    root.rename("a", "a.old")
    root.put("a", model(2))
    assert root.passes() == [("drifted", "a", 2)]
    assert "lies in a.old" in root.told("a")[1]
    root.approve("a")
    assert root.passes() == [("approved_again", "a", 3)]


@pytest.mark.promise(9, "changed after it was moved")
def test_drift_and_move_together(root: Moving) -> None:
    """Moved, then changed where it is now: drifted there; approved by the command, path and all."""
    root.register(a=1)
    root.rename("a", "b")
    root.passes()
    root.put("b", {"config.json": plain({**json.loads(CONFIG), "vocab_size": 99})})
    assert root.passes() == [("drifted", "a", 3)]
    assert root.said("a") == Said("b", "a", "drifted", 3)
    root.approve("a")
    assert root.passes() == [("approved_again", "a", 4)]
    assert root.said("a") == Said("b", "b", "available", 4)


def test_moved_and_changed_at_once_is_missing_and_new(root: Moving) -> None:
    """Nothing tells that it is the same: it is a proposal, and the card says missing."""
    root.register(a=1)
    root.rename("a", "b")
    root.put("b", {"config.json": plain({**json.loads(CONFIG), "vocab_size": 99})})
    assert root.passes() == [("missing", "a", 2)]
    assert root.told("b")[0] == "proposed"


@pytest.mark.promise(4, "a move confirmed by the command: comments and order stay")
def test_confirmed_by_command_and_by_hand(root: Moving) -> None:
    """The path alone is written; one event for it; nothing is left to confirm."""
    root.register(a=1, b=2)
    root.rename("a", "x/a")
    root.rename("b", "x/b")
    root.passes()
    before = root.settings.manifest.read_text()
    root.approve("a")
    after = root.settings.manifest.read_text()
    expected = before.replace('path = "a"', 'path = "x/a"')
    found = root.cycle.cards.published().cards["a"].fingerprint
    assert [line for line in after.split("\n") if not line.startswith("fingerprint")] == expected.split("\n")
    assert after.count(found) == 1
    root.edit('path = "b"', 'path = "x/b"')
    assert sorted(root.passes()) == [("moved", "a", 3), ("moved", "b", 3)]
    for name in "ab":
        assert root.said(name) == Said(f"x/{name}", f"x/{name}", "available", 3)
        assert root.told(f"x/{name}") == ("registered", "")


def test_confirmed_where_the_old_folder_is_left_empty(root: Moving) -> None:
    """`mv a/* b/` leaves a folder that holds no model: the command writes where the card is."""
    root.register(a=1)
    (root.models / "b").mkdir()
    for file in (root.models / "a").iterdir():
        file.rename(root.models / "b" / file.name)
    assert root.passes() == [("moved", "a", 2)]
    root.approve("a")
    assert root.paths() == {"a": "b"}


def test_moved_while_a_person_edits(root: Moving) -> None:
    """New model name and tags at the same moment: both in one revision, under the same technical name."""
    root.register(a=1)
    root.rename("a", "b")
    root.edit('model_name = "Model a"', 'model_name = "Better"\ntags = ["x"]')
    assert root.passes() == [("moved", "a", 2)]
    card = root.card("a")
    assert (card.path, card.model_name, card.tags) == ("b", "Better", ("x",))


def test_the_entry_first_and_the_folder_after(root: Moving) -> None:
    """The path is written before the folder is there: the card stays where the folder is, then follows."""
    root.register(a=1)
    root.edit('path = "a"', 'path = "b"')
    assert root.passes() == [("moved", "a", 2)]
    assert root.said("a") == Said("a", "b", "available", 2)
    root.rename("a", "b")
    assert root.passes() == [("moved", "a", 3)]
    assert root.said("a") == Said("b", "b", "available", 3)


def test_a_base_moves_and_its_adapters_stay_with_it(root: Moving) -> None:
    """As long as its publisher can be told from its place; else nobody guesses."""
    root.register(acme__base=1)
    adapter = {
        "adapter_config.json": plain({"peft_type": "LORA", "r": 8, "base_model_name_or_path": "acme/base"}),
        "adapter_model.safetensors": tensors(9),
    }
    root.put("lora", adapter)
    root.enter("lora", "lora")
    root.passes()
    assert root.card("lora").lineage[0].technical_name == "acme-base"
    root.rename("acme", "big/acme")
    assert root.passes() == [("moved", "acme-base", 2)]
    assert root.card("lora").lineage[0].technical_name == "acme-base"
    root.rename("big/acme/base", "nobody/base")  # another publisher's, by its place
    assert root.passes() == [("moved", "acme-base", 3), ("resolved", "lora", 2)]
    assert root.card("lora").lineage[0].technical_name == UNRESOLVED


def test_a_hard_linked_copy_is_a_copy(root: Moving) -> None:
    """The same inodes under another path: asked, followed and confirmed as any copy."""
    root.register(a=1)
    root.copy("a", "b", copy_function=lambda old, new: Path(new).hardlink_to(old))
    root.passes()
    assert root.said("a") == Said("a", "a", "available", 1)
    root.delete("a")
    assert root.passes() == [("moved", "a", 2)]
    assert root.said("a").path == "b"


@pytest.mark.promise(9, "a new name before the move is confirmed")
def test_a_new_name_before_the_move_is_confirmed(root: Moving) -> None:
    """The old card goes and the new one is there at once, still of the place where the folder is now."""
    root.register(a=1)
    root.rename("a", "elsewhere/b")
    assert root.passes() == [("moved", "a", 2)]
    root.edit('technical_name = "a"', 'technical_name = "new"')
    assert sorted(root.passes()) == [("registered", "new", 1), ("removed", "a", 3)]
    card = json.loads((root.settings.state_dir / "cards" / "new.json").read_text())
    assert (card["path"], card["entry_path"], card["availability"]) == ("elsewhere/b", "a", "available")
    assert root.passes() == []
