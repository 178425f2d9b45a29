"""Cards and their index survive kills and damage, and count on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.core.records import CardRecord, Change
from dxwatchd.stores import card_directory
from dxwatchd.stores.card_directory import CardDirectory, digest_of, read_stored

MakeRecord = Callable[..., CardRecord]
MakeContent = Callable[..., bytes]
GARBAGE = [b"", b"{", b"[]", b"\xff\xfe", b'{"technical_name": 5}', b"[" * 100_000, b'{"revision": Infinity}']


def _loaded(folder: Path) -> CardDirectory:
    cards = CardDirectory(folder)
    cards.load()
    return cards


def _index(folder: Path) -> Any:
    return json.loads((folder / "index.json").read_bytes())


@pytest.fixture
def put(record: MakeRecord, content: MakeContent) -> Callable[..., CardRecord]:
    """Write a card into a directory, without the index."""

    def write(cards: CardDirectory, name: str, **other: object) -> CardRecord:
        made = record(name, **other)
        cards.write(made, Change.REGISTERED, content(made))
        return made

    return write


Put = Callable[..., CardRecord]


def test_what_was_written_is_loaded_again(tmp_path: Path, put: Put) -> None:
    """Cards, digests and the generation, which counts up with every commit."""
    cards = _loaded(tmp_path / "cards")
    assert cards.generation == 0
    first = put(cards, "one")
    cards.commit()
    second = put(cards, "two")
    cards.commit()
    again = _loaded(tmp_path / "cards")
    assert again.generation == 2
    assert again.published().cards == {"one": first, "two": second}
    assert not again.stale
    lines = _index(tmp_path / "cards")["models"]
    assert [line["technical_name"] for line in lines] == ["one", "two"]
    for line in lines:
        assert digest_of((tmp_path / "cards" / line["card"]).read_bytes()) == line["digest"]


def test_a_card_without_its_index_line_is_found(tmp_path: Path, put: Put) -> None:
    """A kill between card and index leaves a card that says of itself what it is."""
    cards = _loaded(tmp_path)
    put(cards, "one")
    cards.commit()
    put(cards, "one", revision=2)
    put(cards, "two")
    again = _loaded(tmp_path)
    assert again.unindexed == ["one", "two"]
    assert again.stale
    assert again.cards["one"].record.revision == 2


@pytest.mark.promise(5, "a card or the index damaged by others")
@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_damaged_card_counts_as_absent_and_its_revision_counts_on(
    tmp_path: Path, put: Put, garbage: bytes
) -> None:
    """The others are there, and whoever is registered anew under the name gets a later revision."""
    cards = _loaded(tmp_path)
    put(cards, "one", revision=7)
    put(cards, "two")
    cards.commit()
    (tmp_path / "one.json").write_bytes(garbage)
    again = _loaded(tmp_path)
    assert again.damaged == ["one.json"]
    assert set(again.cards) == {"two"}
    assert again.published().tombstones == {"one": 7}
    assert again.stale


def test_a_deleted_card_leaves_the_index_at_the_next_commit(tmp_path: Path, put: Put) -> None:
    """What lists models never names one whose card is not there for long."""
    cards = _loaded(tmp_path)
    put(cards, "one", revision=3)
    cards.commit()
    (tmp_path / "one.json").unlink()
    again = _loaded(tmp_path)
    assert again.stale
    again.commit()
    assert _index(tmp_path)["models"] == []
    assert _loaded(tmp_path).published().tombstones == {"one": 3}


@pytest.mark.promise(5, "a card or the index damaged by others")
@pytest.mark.parametrize("garbage", [*GARBAGE, b'{"generation": "2", "models": [], "tombstones": []}'])
def test_a_damaged_index_is_made_again_from_the_cards(tmp_path: Path, put: Put, garbage: bytes) -> None:
    """Nothing is lost with it that the cards still say."""
    cards = _loaded(tmp_path)
    one = put(cards, "one")
    cards.commit()
    (tmp_path / "index.json").write_bytes(garbage)
    again = _loaded(tmp_path)
    assert again.published().cards == {"one": one}
    assert again.stale
    again.commit()
    assert [line["technical_name"] for line in _index(tmp_path)["models"]] == ["one"]


def test_a_removed_card_leaves_a_tombstone(tmp_path: Path, put: Put) -> None:
    """Its file goes with the commit; the index says what it was, and the revision of its removal."""
    cards = _loaded(tmp_path)
    one = put(cards, "one", revision=4)
    cards.commit()
    cards.bury(one)
    assert (tmp_path / "one.json").exists()
    cards.commit()
    assert not (tmp_path / "one.json").exists()
    assert _index(tmp_path)["tombstones"] == [
        {"technical_name": "one", "model_name": "ONE", "path": "models/one", "revision": 5}
    ]
    assert _loaded(tmp_path).published().tombstones == {"one": 5}


def _removed_in_the_index_only(tmp_path: Path, put: Put) -> None:
    """The state that a kill between writing the index and deleting the card leaves."""
    cards = _loaded(tmp_path)
    one = put(cards, "one")
    cards.commit()
    kept = (tmp_path / "one.json").read_bytes()
    cards.bury(one)
    cards.commit()
    (tmp_path / "one.json").write_bytes(kept)


def test_a_card_whose_removal_was_indexed_is_deleted_at_the_next_start(tmp_path: Path, put: Put) -> None:
    """A kill between index and deletion does not bring a removed model back."""
    _removed_in_the_index_only(tmp_path, put)
    again = _loaded(tmp_path)
    assert again.cards == {}
    assert not (tmp_path / "one.json").exists()


def test_a_card_that_came_again_ends_its_tombstone(tmp_path: Path, put: Put) -> None:
    """Its revision is later than the removal's."""
    cards = _loaded(tmp_path)
    cards.bury(put(cards, "one"))
    cards.commit()
    put(cards, "one", revision=3)
    cards.commit()
    again = _loaded(tmp_path)
    assert again.cards["one"].record.revision == 3
    assert again.published().tombstones == {}
    assert _index(tmp_path)["tombstones"] == []


def test_a_card_under_another_ones_name_counts_as_damaged(tmp_path: Path, put: Put) -> None:
    """A copied file does not become a second model."""
    cards = _loaded(tmp_path)
    put(cards, "one")
    cards.commit()
    (tmp_path / "two.json").write_bytes((tmp_path / "one.json").read_bytes())
    again = _loaded(tmp_path)
    assert set(again.cards) == {"one"}
    assert again.damaged == ["two.json"]


def test_looking_changes_nothing(tmp_path: Path, put: Put) -> None:
    """What only shows the state leaves leftovers and removed cards where they are."""
    _removed_in_the_index_only(tmp_path, put)
    (tmp_path / ".writing-index.json").write_bytes(b"half")
    before = sorted(os.listdir(tmp_path))
    looking = CardDirectory(tmp_path)
    looking.look()
    assert looking.cards == {}
    assert sorted(os.listdir(tmp_path)) == before


def test_looking_at_no_directory_finds_nothing(tmp_path: Path) -> None:
    """Before the first start there are no cards, and that is no error."""
    cards = CardDirectory(tmp_path / "none")
    assert cards.look() == []
    assert cards.cards == {}
    assert not (tmp_path / "none").exists()


def test_a_failing_commit_leaves_the_old_index(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk full, the generation stays, and the next commit has both changes."""
    cards = _loaded(tmp_path)
    put(cards, "one")
    cards.commit()
    put(cards, "two")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dxwatchd.stores.card_directory.write_atomically", full)
        with pytest.raises(OSError, match="No space"):
            cards.commit()
    assert _index(tmp_path)["generation"] == 1
    cards.commit()
    assert [line["technical_name"] for line in _index(tmp_path)["models"]] == ["one", "two"]


def test_a_file_that_is_no_card_has_no_record(tmp_path: Path) -> None:
    """Also one that is not there, or a folder."""
    assert read_stored(tmp_path / "none.json") is None
    assert read_stored(tmp_path) is None


def test_the_index_says_where_the_models_root_is(tmp_path: Path, put: Put) -> None:
    """And is written anew after the root has moved, and after an update from 0.1.0, whose index did not."""
    cards = CardDirectory(tmp_path, Path("/models"))
    cards.load()
    assert not cards.stale  # nothing was ever published: there is nothing to say yet
    put(cards, "one")
    cards.commit()
    assert _index(tmp_path)["models_root"] == "/models"
    for root, stale in (("/models", False), ("/elsewhere", True)):
        again = CardDirectory(tmp_path, Path(root))
        again.load()
        assert again.stale is stale
    old = _index(tmp_path)
    del old["models_root"]
    (tmp_path / "index.json").write_text(json.dumps(old))
    again = CardDirectory(tmp_path, Path("/models"))
    again.load()
    assert (again.generation, again.stale) == (1, True)
    assert set(again.cards) == {"one"}


def test_old_tombstones_are_forgotten_and_revisions_count_on(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index does not grow for ever, and no name that was used begins again below its last revision."""
    monkeypatch.setattr(card_directory, "MOST_TOMBSTONES", 3)
    cards = _loaded(tmp_path)
    for number in range(8):
        cards.bury(put(cards, f"m{number}", revision=20 - number))
        cards.commit()
    for one in (cards, _loaded(tmp_path)):
        assert [line["technical_name"] for line in _index(tmp_path)["tombstones"]] == ["m5", "m6", "m7"]
        published = one.published()
        assert [published.last_revision(f"m{number}") for number in (0, 4, 5, 7)] == [21, 21, 16, 14]


def test_a_file_that_could_not_be_deleted_is_deleted_later(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the directory counts as not yet done."""
    cards = _loaded(tmp_path)
    cards.bury(put(cards, "one"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        with pytest.raises(OSError, match="No space"):
            cards.commit()
    assert cards.stale
    cards.commit()
    assert not (tmp_path / "one.json").exists()
