"""Three minutes of the soak, and that its model would see what it looks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.conftest import Place
from tests.soak.editors import Book, Wanted
from tests.soak.quiet import list_tree
from tests.soak.reader import Reader
from tests.soak.trees import content, identity, with_other_weights
from tests.soak.truth import Sight, violations
from tests.soak.world import Round, World

MINUTES, SEED = 3, 5


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.promise(
    2, "a soak: random drops, copies, moves, lost events, kills; every whole folder is spoken of"
)
@pytest.mark.promise(3, "a soak: nothing is proposed that never was whole")
@pytest.mark.promise(4, "a soak: editors, commands and the daemon at one manifest; every last save is in it")
@pytest.mark.promise(5, "a soak: a consumer reads index and cards all the while")
@pytest.mark.promise(7, "a soak: hostile names, junk and broken entries among the others")
@pytest.mark.promise(9, "a soak: weights overwritten and swapped; every card says what lies there")
def test_three_minutes(tmp_path: Path) -> None:
    """Whatever people, copiers and misfortune do: at every quiet point the simple model holds."""
    words = ["--minutes", str(MINUTES), "--seed", str(SEED), "--folder", str(tmp_path / "soak")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak.engine", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-4000:]
    print(done.stdout)


def card(**other: Any) -> dict[str, Any]:
    """A card as far as the model looks at it."""
    return {
        "technical_name": "a",
        "model_name": "A",
        "path": "a",
        "entry_path": "a",
        "fingerprint": "F",
        "availability": "available",
        "revision": 1,
        **other,
    }


def line(**other: Any) -> dict[str, Any]:
    """A line of the index."""
    return {"technical_name": "a", "digest": "D", **other}


ENTRY = {"technical_name": "a", "model_name": "A", "path": "a", "status": "approved", "fingerprint": "F"}
EVENTS = (
    {"sequence": 1, "id": "p", "event": "proposed", "technical_name": "a", "fingerprint": "F"},
    {"sequence": 2, "id": "c", "event": "registered", "technical_name": "a", "revision": 1},
)
INDEX = {"generation": 2, "models": [line()], "tombstones": []}
GOOD = Sight(
    whole={"a": "I"},
    parts=(),
    prints={"I": "F", "J": "G"},
    text="",
    entries=(ENTRY,),
    cards={"a": card()},
    digests={"a": "D"},
    index=INDEX,
    events=EVENTS,
    left=(),
)
SECOND = {**ENTRY, "technical_name": "b", "model_name": "B", "path": "b"}
TOLD = (*EVENTS, {"sequence": 3, "id": "r", "event": "removed", "technical_name": "a", "revision": 2})


def test_what_is_right_is_right() -> None:
    """The sight that is spoiled below has nothing wrong in it."""
    assert list(violations(GOOD, GOOD, Round())) == []


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        ({"text": "x = ["}, "no TOML"),
        ({"whole": {"a": "I", "b": "J"}}, "'b' is whole and has no entry"),
        ({"entries": (ENTRY, {**ENTRY, "status": "rejected"})}, "'a' has 2 entries"),
        ({"whole": {"a": "I", "x\n": "J"}, "entries": (ENTRY, {**SECOND, "path": "x\n"})}, "is no text"),
        ({"prints": {"I": "F2"}}, "never was whole"),
        ({"cards": {}}, "approved and whole, and it has no card"),
        ({"entries": ()}, "no approved entry"),
        ({"entries": ({**ENTRY, "status": "rejected"},)}, "no approved entry"),
        ({"whole": {"a": "J"}}, "is not what was approved"),
        ({"entries": ({**ENTRY, "fingerprint": "G"},)}, "another fingerprint"),
        ({"cards": {"a": card(path="b")}, "whole": {"a": "I", "b": "I"}}, "the card says 'b'"),
        ({"cards": {"a": card(availability="missing")}}, "whole and as approved"),
        ({"cards": {"a": card(availability="drifted")}}, "whole and as approved"),
        ({"cards": {"a": card(availability="missing")}, "whole": {"a": "J"}}, "something else lies"),
        ({"cards": {"a": card(availability="drifted")}, "whole": {}}, "nothing lies"),
        ({"cards": {"a": card(), "b": card(technical_name="b")}}, "cards have the model_name"),
        ({"cards": {"a": card(), "b": card(technical_name="A")}}, "cards have the technical_name"),
        ({"cards": {"a": card(), "b": card(technical_name="b")}}, "cards are available at 'a'"),
        ({"digests": {"a": "E"}}, "another digest"),
        ({"index": {**INDEX, "models": []}}, "index and cards differ"),
        (
            {"index": {**INDEX, "tombstones": [{"technical_name": "a", "revision": 1}]}},
            "tombstone and a card",
        ),
        ({"events": EVENTS[1:]}, "sequence has gaps"),
        ({"events": (EVENTS[0], {**EVENTS[1], "id": "p"})}, "2 events with the id p"),
        ({"events": (EVENTS[0], {**EVENTS[1], "revision": 2})}, "revision 2 after 0"),
        ({"events": EVENTS[:1]}, "the journal ends with revision None"),
        ({"events": TOLD}, "nobody touched the entry of a"),
        ({"index": {**INDEX, "generation": 1}}, "generation went back"),
        ({"left": (".writing-x",)}, "left behind"),
    ],
)
def test_what_is_wrong_is_told(spoiled: dict[str, Any], told: str) -> None:
    """Each thing that must be true, made untrue."""
    found = list(violations(replace(GOOD, **spoiled), GOOD, Round()))
    assert any(told in one for one in found), found


def test_a_move_that_is_not_followed_is_told() -> None:
    """A folder renamed once, its content nowhere else: its card is to be there."""
    done = Round()
    done.moved["a"] = ("b", "I")
    done.touched.update(("a", "b"))
    now = replace(GOOD, whole={"b": "I"}, cards={"a": card(availability="missing")}, entries=(ENTRY, SECOND))
    assert any("was moved to 'b'" in one for one in violations(now, GOOD, done))
    done.removals.add("a")
    assert not any("was moved to 'b'" in one for one in violations(now, GOOD, done))


@pytest.mark.parametrize(
    ("wanted", "notes", "status", "told"),
    [
        (Wanted("a", 1, "approved"), "n.1", "approved", None),
        (Wanted("a", 1, None), "n.1", "rejected", None),
        (Wanted("a", 1, None, None), None, "", None),
        (Wanted("a", 2, "approved"), "n.1", "approved", "saved was version 2"),
        (Wanted("a", 1, "rejected"), "n.1", "approved", "saved was rejected"),
        (Wanted("a", 1, "approved"), None, "", "is lost"),
        (Wanted("a", 1, None, False), "n.1", "approved", "there again"),
    ],
)
def test_a_lost_save_is_told(wanted: Wanted, notes: str | None, status: str, told: str | None) -> None:
    """What a person saved, against what the manifest says."""
    book = Book()
    book.save("n", wanted)
    entries = [{"technical_name": "a", "notes": notes, "status": status}] if notes else []
    found = list(book.check(entries))
    assert bool(found) == (told is not None)
    assert told is None or told in found[0]


@pytest.fixture
def published(tmp_path: Path) -> Callable[..., Path]:
    """Writes an index and a card as they may look to a reader."""
    cards = tmp_path / "state" / "cards"
    cards.mkdir(parents=True)

    def publish(**spoiled: Any) -> Path:
        raw = spoiled.pop(
            "raw", json.dumps({"technical_name": "a", "revision": spoiled.pop("has", 2)}).encode()
        )
        if raw is not None:
            (cards / "a.json").write_bytes(raw)
        elif (cards / "a.json").exists():
            (cards / "a.json").unlink()
        text = {"technical_name": "a", "model_name": "A", "path": "a", "availability": "available"}
        index = {
            "generation": spoiled.pop("generation", 2),
            "models": [{**text, "card": "a.json", "revision": 2, "digest": "sha256:0", **spoiled}],
            "tombstones": [],
        }
        (cards / "index.json").write_text(json.dumps(index))
        return tmp_path / "state"

    return publish


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        ({"raw": b'{"half'}, "half a card"),
        ({"raw": None}, "which has no card"),
        ({"raw": b'{"technical_name": "b", "revision": 2}'}, "is that of b"),
        ({"has": 1}, "revision 1, 2 in the index"),
        ({"has": 2}, "another digest"),
        ({"generation": 1}, "generation 1 after 2"),
    ],
)
def test_the_reader_sees_what_no_reader_may(
    published: Callable[..., Path], spoiled: dict[str, Any], told: str
) -> None:
    """Half files, files that are gone, and whatever counts backwards."""
    reader = Reader(published(has=3))
    reader.look()
    assert [one for one in reader.problems if "format" not in one and "cannot be read" not in one] == []
    published(**spoiled)
    reader.look()
    assert any(told in one for one in reader.problems), reader.problems


def test_a_half_index_and_a_lost_one_are_seen(published: Callable[..., Path]) -> None:
    """The index is never half, and never gone once it was there."""
    reader = Reader(published(has=3))
    reader.look()
    index = reader.cards / "index.json"
    index.write_bytes(index.read_bytes()[:40])
    reader.look()
    index.unlink()
    reader.look()
    assert any("half an index" in one for one in reader.problems)
    assert "the index is gone" in reader.problems


def test_a_write_below_the_models_root_would_be_seen(tmp_path: Path) -> None:
    """A file more, a file touched, a file of the same size with other bytes: the listing is another one."""
    world = World(Place(tmp_path), 1, 3)
    (made := world.models / "m").mkdir()
    (made / "f").write_bytes(b"x")
    seen = [list_tree(world.models)]
    (made / "f").write_bytes(b"y")
    seen.append(list_tree(world.models))
    os.utime(made / "f", (1, 1))
    seen.append(list_tree(world.models))
    (made / "g").touch()
    seen.append(list_tree(world.models))
    assert all(one != other for number, one in enumerate(seen) for other in seen[:number])


def test_contents_are_told_apart_by_bytes_alone(tmp_path: Path) -> None:
    """A README is none of it; one byte of a weight file is, and the daemon's fingerprint says so too."""
    made = content("sharded", 1)
    other = with_other_weights(made, 7)
    assert made.identity != other.identity
    assert made.fingerprint != other.fingerprint
    folder = tmp_path / "m"
    for name, data in made.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "README.md").write_text("x")
    assert identity(folder) == made.identity
    (folder / "config.json").write_bytes(b"{}")
    assert identity(folder) not in (made.identity, "")


@pytest.mark.parametrize("approved", ["F", None])
def test_a_fingerprint_taken_away_counts_when_the_folder_is_there_again(approved: str | None) -> None:
    """Rounds later, too; where there never was one in force, nobody has touched it."""
    entry = {key: value for key, value in ENTRY.items() if key != "fingerprint"}
    before = replace(GOOD, entries=(entry,), cards={"a": card(approved_fingerprint=approved)})
    again = {"sequence": 3, "id": "r", "event": "approved_again", "technical_name": "a", "revision": 2}
    found = violations(replace(before, events=(*EVENTS, again)), before, Round())
    assert any("nobody touched" in one for one in found) == (approved is None)
