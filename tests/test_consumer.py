"""What training and inference components get: cards, the index, and errors that say what to do."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from dxwatchd import (
    CardUnreadable,
    LaterFormat,
    ModelNotRegistered,
    ModelsRootUnknown,
    StateDirectoryNotFound,
    list_cards,
    load_card,
    model_folder,
    watch_cards,
)
from dxwatchd.card.build import build_card
from dxwatchd.card.serialize import dump
from dxwatchd.card.sources import CardInputs
from dxwatchd.core.model import Kind, Layout, ModelFolder
from dxwatchd.core.records import Availability, CardRecord, Change
from dxwatchd.publishing import identity_of
from dxwatchd.stores.card_directory import CardDirectory


class Publishing:
    """A state directory that cards are published in, as the daemon does."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.cards = CardDirectory(state / "cards", state / "models")
        self.cards.load()

    def publish(self, name: str, revision: int = 1, **more: str) -> CardRecord:
        """Write a card and the index."""
        record = CardRecord(
            technical_name=name,
            model_name=more.get("model_name", name.upper()),
            path=f"p/{name}",
            entry_path=f"p/{name}",
            fingerprint="sha256:" + "0" * 64,
            approved_fingerprint=None,
            availability=Availability(more.get("availability", "available")),
            revision=revision,
        )
        change = Change.REGISTERED if revision == 1 else Change.DRIFTED
        model = ModelFolder(record.path, Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())
        self.cards.write(record, change, dump(build_card(CardInputs(model), identity_of(record, change))))
        self.cards.commit()
        return record

    def remove(self, record: CardRecord) -> None:
        """Take a card away."""
        self.cards.bury(record)
        self.cards.commit()


@pytest.fixture
def publishing(tmp_path: Path) -> Publishing:
    """An empty state directory."""
    return Publishing(tmp_path)


def test_a_card_is_loaded_by_its_technical_name(publishing: Publishing) -> None:
    """Typed, whole, also by another way to write the name."""
    publishing.publish("qwen3-8b", model_name="Qwen3-8B")
    for name in ("qwen3-8b", "QWEN3-8B"):
        card = load_card(name, state_dir=publishing.state)
        assert (card.technical_name, card.model_name, card.path) == ("qwen3-8b", "Qwen3-8B", "p/qwen3-8b")
    assert load_card("qwen3-8b", state_dir=str(publishing.state)).revision == 1


def test_a_wrong_name_is_answered_with_the_closest(publishing: Publishing) -> None:
    """In words, and as a value for programs."""
    publishing.publish("qwen3-8b", model_name="Qwen3-8B (chat)")
    publishing.publish("llama-3")
    with pytest.raises(
        ModelNotRegistered, match='no model is registered as "qwen3"; the closest is "qwen3-8b"'
    ) as raised:
        load_card("qwen3", state_dir=publishing.state)
    assert raised.value.closest == "qwen3-8b"
    with pytest.raises(ModelNotRegistered, match='is a model name; its technical name is "qwen3-8b"'):
        load_card("Qwen3-8B (chat)", state_dir=publishing.state)
    with pytest.raises(ModelNotRegistered, match="`dxwatchd list` shows what is") as raised:
        load_card("zzzzzz", state_dir=publishing.state)
    assert raised.value.closest is None


def test_a_removed_model_is_told_as_such(publishing: Publishing) -> None:
    """The tombstone remembers it."""
    publishing.remove(publishing.publish("gone"))
    with pytest.raises(ModelNotRegistered, match="it was removed"):
        load_card("gone", state_dir=publishing.state)


@pytest.mark.parametrize("name", ["", "../index", "..", "index", "a/b", "a\x00b", "a\nb", "x" * 5000])
def test_no_name_leads_out_of_the_cards(publishing: Publishing, name: str) -> None:
    """Whatever is asked for, the answer is that nobody has that name."""
    publishing.publish("a")
    (publishing.state / "index.json").write_text("{}")
    with pytest.raises(ModelNotRegistered) as raised:
        load_card(name, state_dir=publishing.state)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


def test_a_directory_without_cards_is_told(tmp_path: Path) -> None:
    """It is the wrong directory, or nothing was ever approved."""
    for work in (lambda: load_card("a", state_dir=tmp_path), lambda: list_cards(state_dir=tmp_path)):
        with pytest.raises(StateDirectoryNotFound, match="state_dir"):
            work()


def test_a_card_of_a_later_format_is_told_as_such(publishing: Publishing) -> None:
    """Also one that this version could take for its own: its words may mean something else by now."""
    publishing.publish("a")
    path = publishing.cards.path_of("a")
    path.write_text(path.read_text().replace("dxwatchd.card/v1", "dxwatchd.card/v2"))
    with pytest.raises(
        LaterFormat, match=r'card of "a" cannot be read: it is dxwatchd\.card/v2.*update its dxwatchd'
    ):
        load_card("a", state_dir=publishing.state)


def test_an_index_of_a_later_format_is_told_as_such(publishing: Publishing) -> None:
    """By whatever reads it; who follows it is not left waiting, and nothing counts as removed."""
    publishing.publish("a")
    watched = watch_cards(state_dir=publishing.state, every=0.01)
    assert next(watched).kind == "added"
    index = publishing.state / "cards" / "index.json"
    index.write_text(index.read_text().replace("dxwatchd.index/v1", "dxwatchd.index/v12"))
    for work in (
        lambda: next(watched),
        lambda: list_cards(state_dir=publishing.state),
        lambda: load_card("b", state_dir=publishing.state),
        lambda: model_folder("a", state_dir=publishing.state),
    ):
        with pytest.raises(LaterFormat, match=r"it is dxwatchd\.index/v12"):
            work()
    assert load_card("a", state_dir=publishing.state).technical_name == "a"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": "dxwatchd.card/v9"}'])
def test_a_card_that_is_none_is_told(publishing: Publishing, data: bytes) -> None:
    """Damaged, or of a later format: named, with what to do."""
    publishing.publish("a")
    publishing.cards.path_of("a").write_bytes(data)
    with pytest.raises(CardUnreadable, match='the card of "a" cannot be read'):
        load_card("a", state_dir=publishing.state)
    (publishing.state / "cards" / "index.json").write_bytes(data)
    with pytest.raises(CardUnreadable, match=r"index\.json"):
        list_cards(state_dir=publishing.state)


def test_nothing_is_waited_for_in_a_card_s_place(publishing: Publishing) -> None:
    """A FIFO there has no other end: that is told, like any other card that is none."""
    publishing.publish("a")
    card, index = publishing.state / "cards" / "a.json", publishing.state / "cards" / "index.json"
    for path in (card, index):
        path.unlink()
        os.mkfifo(path)
    with pytest.raises(CardUnreadable, match="Not a regular file"):
        load_card("a", state_dir=publishing.state)
    with pytest.raises(CardUnreadable, match="Not a regular file"):
        list_cards(state_dir=publishing.state)


def test_the_index_lists_every_card(publishing: Publishing) -> None:
    """Sorted by name, with availability and revision."""
    publishing.publish("b")
    publishing.publish("a", revision=3, availability="drifted")
    entries = list_cards(state_dir=publishing.state)
    assert [(entry.technical_name, entry.availability, entry.revision) for entry in entries] == [
        ("a", "drifted", 3),
        ("b", "available", 1),
    ]


def test_the_folder_of_a_model_is_found_from_the_state_directory_alone(publishing: Publishing) -> None:
    """By name, card or line of the index; a root that is mounted elsewhere may be given."""
    publishing.publish("a")
    state = publishing.state
    folder = state / "models" / "p" / "a"
    for model in ("a", "A", load_card("a", state_dir=state), list_cards(state_dir=state)[0]):
        assert model_folder(model, state_dir=state) == folder
        assert model_folder(model, state_dir=str(state), models_root="/mnt/m") == Path("/mnt/m/p/a")
    with pytest.raises(ModelNotRegistered):
        model_folder("b", state_dir=state)
    with pytest.raises(StateDirectoryNotFound):
        model_folder(load_card("a", state_dir=state), state_dir=state / "elsewhere")


def test_an_index_of_0_1_0_is_read_and_lacks_only_the_root(publishing: Publishing) -> None:
    """It lists its models; where their folders are has to be said, which the error says."""
    publishing.publish("a")
    index = publishing.state / "cards" / "index.json"
    data = json.loads(index.read_bytes())
    for root in (None, "", 5):
        data["models_root"] = root
        if root is None:
            del data["models_root"]
        index.write_text(json.dumps(data))
        assert [entry.technical_name for entry in list_cards(state_dir=publishing.state)] == ["a"]
        with pytest.raises(ModelsRootUnknown, match="give models_root"):
            model_folder("a", state_dir=publishing.state)
        assert model_folder("a", state_dir=publishing.state, models_root="/m") == Path("/m/p/a")


@pytest.mark.parametrize("path", ["/etc", "../x", "p/../../x", "p/..", "", "a\0b", "a\nb"])
def test_a_path_that_leads_out_of_the_root_is_refused(publishing: Publishing, path: str) -> None:
    """Whoever edits a card or the index sends no reader to a folder elsewhere."""
    publishing.publish("a")
    card = load_card("a", state_dir=publishing.state).model_copy(update={"path": path})
    (publishing.state / "cards" / "a.json").write_bytes(dump(card))
    index = publishing.state / "cards" / "index.json"
    data = json.loads(index.read_bytes())
    data["models"][0]["path"] = path
    index.write_text(json.dumps(data))
    for model in ("a", card, list_cards(state_dir=publishing.state)[0]):
        with pytest.raises(CardUnreadable, match="no path below the models root"):
            model_folder(model, state_dir=publishing.state)


@pytest.mark.parametrize("root", ["models", "../models", "./"])
def test_a_root_that_depends_on_the_reader_is_none(publishing: Publishing, root: str) -> None:
    """A relative root in the index would be another folder for each process."""
    publishing.publish("a")
    index = publishing.state / "cards" / "index.json"
    index.write_text(json.dumps({**json.loads(index.read_bytes()), "models_root": root}))
    with pytest.raises(ModelsRootUnknown):
        model_folder("a", state_dir=publishing.state)


@pytest.mark.parametrize(
    "field", ["technical_name", "model_name", "path", "availability", "revision", "digest"]
)
@pytest.mark.parametrize("value", [None, [], {}, "5", 1.5])
def test_a_line_of_the_index_with_another_type_is_told(
    publishing: Publishing, field: str, value: object
) -> None:
    """As the damage that it is, not as an error of whoever asks."""
    publishing.publish("a")
    index = publishing.state / "cards" / "index.json"
    data = json.loads(index.read_bytes())
    data["models"][0][field] = value
    data["tombstones"] = value
    index.write_text(json.dumps(data))
    if isinstance(value, str) and field != "revision":
        assert list_cards(state_dir=publishing.state)
    else:
        with pytest.raises(CardUnreadable):
            list_cards(state_dir=publishing.state)
    with pytest.raises((ModelNotRegistered, CardUnreadable)):
        load_card("b", state_dir=publishing.state)


def test_watching_gives_what_is_there_then_every_change(publishing: Publishing) -> None:
    """Added, changed, removed, in the order of publication; a directory without an index is waited for."""
    stop = threading.Event()
    changes = watch_cards(state_dir=publishing.state, stop=stop, every=0.01)
    timer = threading.Timer(0.1, lambda: publishing.publish("first"))
    timer.start()
    one = next(changes)
    assert (one.kind, one.entry.technical_name) == ("added", "first")
    timer.join()
    publishing.publish("first", revision=2, availability="missing")
    two = next(changes)
    assert (two.kind, two.entry.availability, two.entry.revision) == ("changed", "missing", 2)
    second = publishing.publish("second")
    three = next(changes)
    assert (three.kind, three.entry.technical_name) == ("added", "second")
    publishing.remove(second)
    four = next(changes)
    assert (four.kind, four.entry.technical_name) == ("removed", "second")
    stop.set()
    assert list(changes) == []
