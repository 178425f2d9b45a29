"""Passes over real folders: what cards say of bases and digests is the same in memory and on the disk."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dxwatchd import cardmaking, manifest_view, publishing
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import parse
from dxwatchd.core.records import UNRESOLVED, Base
from dxwatchd.cycle import Cycle
from dxwatchd.digesting import Digester
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings
from dxwatchd.stores.card_directory import CardDirectory
from tests.layouts.making import CONFIG, Tree, config, hub_note, lay, plain, tensors

PATIENCE = 30.0


class Root:
    """A models root with passes made by hand."""

    def __init__(self, folder: Path, *, digests: bool) -> None:
        self.settings = Settings(
            models_root=folder / "models", state_dir=folder / "state", quiet_period=0, remote_quiet_period=0
        )
        self.settings.models_root.mkdir()
        self.settings.state_dir.mkdir()
        self.entries: dict[str, str] = {}
        self.cycle = Cycle(self.settings, digested=_nothing if digests else None)
        self.now = 0.0

    def put(self, path: str, files: Tree) -> None:
        """A folder of the models root."""
        lay(files, self.settings.models_root / path)

    def enter(self, name: str, path: str | None, more: str = "") -> None:
        """An approved entry; path: None to remove it."""
        self.entries.pop(name, None)
        if path is not None:
            self.entries[name] = (
                f'[[models]]\nstatus = "approved"\ntechnical_name = "{name}"\nmodel_name = "Model {name}"\n'
                f'path = "{path}"\n{more}\n'
            )
        self.settings.manifest.write_text("".join(self.entries.values()))

    def passes(self) -> list[tuple[str, str, int]]:
        """Passes until nothing happens and no digest is left to compute; what happened."""
        happened: list[tuple[str, str, int]] = []
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(0.003)
            self.now += 10
            result = self.cycle.run(Hints(everything=True), self.now)
            assert not result.trouble
            events = [event for event in result.events if event["event"] != "proposed"]
            happened += [(event["event"], event["technical_name"], event["revision"]) for event in events]
            digests = json.loads((self.settings.state_dir / "status.json").read_bytes())["digests"]
            left = digests["files_left"] if digests is not None else 0
            if not result.events and result.due is None and not left:
                break
        self.same_on_disk()
        return happened

    def same_on_disk(self) -> None:
        """What decisions are made by is what another process reads from the cards."""
        again = CardDirectory(self.cycle.cards.folder)
        again.look()
        assert again.damaged == []
        assert again.published() == self.cycle.cards.published()

    def card(self, name: str) -> Card:
        """A published card."""
        return parse(self.cycle.cards.path_of(name).read_bytes())


def _nothing() -> None:
    """Passes are made by hand: nobody is to be woken."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    """An empty one where nobody computes digests."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    made = Root(tmp_path, digests=False)
    yield made
    made.cycle.close()


@pytest.fixture
def digesting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    """An empty one with digests."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    made = Root(tmp_path, digests=True)
    yield made
    made.cycle.close()


def lora(base: str) -> Tree:
    """An adapter for `base`."""
    return {
        "adapter_config.json": plain({"peft_type": "LORA", "r": 8, "base_model_name_or_path": base}),
        "adapter_model.safetensors": tensors(9),
    }


def model(seed: int = 0) -> Tree:
    """A whole transformers folder."""
    return {"config.json": CONFIG, "model.safetensors": tensors(seed)}


def test_bases_follow_what_is_registered(root: Root) -> None:
    """Registered after the adapter, renamed, removed: in the same pass, the adapter's other content kept."""
    root.put("lora", lora("acme/tiny-1b"))
    root.enter("lora", "lora", 'notes = "mine"')
    assert root.passes() == [("registered", "lora", 1)]
    first = root.card("lora")
    root.put("acme/tiny-1b", model())
    root.enter("tiny", "acme/tiny-1b")
    assert root.passes()[:2] == [("registered", "tiny", 1), ("resolved", "lora", 2)]
    assert root.cycle.cards.published().cards["lora"].bases == (Base("acme/tiny-1b", "tiny"),)
    root.enter("tiny", None)
    root.enter("other", "acme/tiny-1b")
    happened = root.passes()
    assert ("resolved", "lora", 3) in happened or ("resolved", "lora", 4) in happened
    adapter = root.card("lora").adapter
    assert adapter is not None
    assert adapter.base_model_resolved == "other"
    root.enter("other", None)
    root.passes()
    last = root.card("lora")
    assert last.lineage == first.lineage
    assert last.notes == first.notes
    assert last.sources.items() >= first.sources.items()


def test_a_card_that_cannot_be_made_is_nobodys_base(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan wanted to register counts once it is; then the adapter follows."""
    root.put("acme/tiny-1b", model())
    root.put("lora", lora("acme/tiny-1b"))
    make = cardmaking.try_card

    def failing(top: Path, folder: object, identity: object) -> object:
        return None if getattr(folder, "path", "") == "acme/tiny-1b" else make(top, folder, identity)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr(publishing, "try_card", failing)
    root.enter("tiny", "acme/tiny-1b")
    root.enter("lora", "lora")
    assert ("registered", "lora", 1) in root.passes()
    assert root.cycle.cards.published().cards["lora"].bases == (Base("acme/tiny-1b", UNRESOLVED),)
    monkeypatch.setattr(publishing, "try_card", make)
    happened = root.passes()
    assert happened[0] == ("registered", "tiny", 1)
    assert happened[1][:2] == ("resolved", "lora")


def test_a_kill_between_base_and_adapter_is_made_good(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next pass finds by itself that the adapter does not name its base yet."""
    root.put("lora", lora("acme/tiny-1b"))
    root.enter("lora", "lora")
    root.passes()
    root.put("acme/tiny-1b", model())
    root.enter("tiny", "acme/tiny-1b")
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "follow", lambda _self, _stop: [])
        time.sleep(0.003)
        root.cycle.run(Hints(everything=True), 1000.0)
    root.now = 1000.0
    assert ("resolved", "lora") in [happened[:2] for happened in root.passes()]


def test_digests_become_known_once_for_all_files(digesting: Root) -> None:
    """A download is verified in one revision, a component's files and names that are no UTF-8 too."""
    downloaded = {"config.json": CONFIG, "model.safetensors": tensors(1)}
    notes = {
        f".cache/huggingface/download/{name}.metadata": hub_note(data, small=name.endswith(".json"))
        for name, data in downloaded.items()
    }
    digesting.put("m", {**downloaded, **notes, "onnx/extra.json": b"{}", "odd\udcff.txt": b"x"})
    digesting.enter("m", "m")
    assert digesting.passes() == [("registered", "m", 1), ("digested", "m", 2)]
    card = digesting.card("m")
    assert card.integrity.status == "verified"
    assert [one.files for one in card.integrity.provenance] == [2]
    assert all(file.digest for file in card.files)
    assert {"odd?.txt", "onnx/extra.json"} < {file.name for file in card.files}
    assert digesting.passes() == []


def test_a_file_that_is_not_what_was_downloaded_is_named(digesting: Root) -> None:
    """A README is no content that is approved; the card says that it is another one all the same."""
    readme = b"---\nlicense: mit\n---\n"
    note = {".cache/huggingface/download/README.md.metadata": hub_note(readme + b"x", small=True)}
    digesting.put("m", {**model(), "README.md": readme, **note})
    digesting.enter("m", "m")
    digesting.passes()
    integrity = digesting.card("m").integrity
    assert (integrity.status, integrity.mismatched_files) == ("mismatch", ("README.md",))


def test_content_approved_anew_has_digests_of_its_own(digesting: Root) -> None:
    """A drifted card keeps those of what was approved; what is approved then has those that are known."""
    digesting.put("m", model())
    digesting.enter("m", "m")
    digesting.passes()
    old = digesting.card("m")
    digesting.put("m", {"config.json": config(hidden_size=16)})
    assert digesting.passes() == [("drifted", "m", 3)]
    assert digesting.card("m").files == old.files
    digesting.enter("m", "m", f'fingerprint = "{_found(digesting)}"')
    assert digesting.passes() == [("approved_again", "m", 4)]
    new = digesting.card("m")
    assert new.integrity.status == "computed"
    assert [file.digest for file in new.files] != [file.digest for file in old.files]


@pytest.mark.promise(9, "moved with digests known: they are taken along, and changed bytes are still found")
def test_digests_move_with_their_files(digesting: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename is one revision and reads nothing again, also while down; changed bytes are found after."""
    big = tensors(7, 40_000)
    digesting.put("m", {"config.json": CONFIG, "model.safetensors": big, "onnx/extra.json": b"{}"})
    digesting.enter("m", "m")
    digesting.passes()
    first = digesting.card("m")
    models = digesting.settings.models_root
    with monkeypatch.context() as patch:
        patch.setattr(Digester, "_digests", lambda _digester, _wanted: pytest.fail("read again"))
        (models / "m").rename(models / "n")
        assert digesting.passes() == [("moved", "m", 3)]
        digesting.cycle.close()
        (models / "o").mkdir()
        (models / "n").rename(models / "o" / "n")
        digesting.cycle = Cycle(digesting.settings, digested=_nothing)
        assert digesting.passes() == [("moved", "m", 4)]
    assert digesting.card("m").files == first.files
    assert digesting.card("m").integrity == first.integrity
    (models / "o" / "n").rename(models / "q")
    changed = bytearray(big)
    changed[100_000] ^= 1  # between the fingerprint's samples
    (models / "q" / "model.safetensors").write_bytes(changed)
    assert digesting.passes() == [("moved", "m", 5), ("drifted", "m", 6)]


def test_without_digests_a_card_stays_pending(root: Root) -> None:
    """Which is the truth: nobody computes them."""
    root.put("m", model())
    root.enter("m", "m")
    assert root.passes() == [("registered", "m", 1)]
    card = root.card("m")
    assert card.integrity.status == "pending"
    assert [file.digest for file in card.files] == [None, None]


def _found(root: Root) -> str:
    """The fingerprint of what lies in `m` now."""
    from dxwatchd.core.layouts import find
    from dxwatchd.core.readiness import judge
    from dxwatchd.scan import Scanner

    snapshot = Scanner(root.settings.models_root, (), None).look(None, lambda: False)
    (model_folder,) = find(snapshot).models
    return judge(model_folder, snapshot).fingerprint


def test_a_damaged_lineage_makes_a_damaged_card(root: Root) -> None:
    """It counts as absent, and is made anew from its folder."""
    root.put("lora", lora("acme/tiny-1b"))
    root.enter("lora", "lora")
    root.passes()
    path = root.cycle.cards.path_of("lora")
    whole = json.loads(path.read_bytes())
    spoiled: list[dict[str, object]] = [
        {"lineage": [1]},
        {"lineage": 5},
        {"integrity": []},
        {"integrity": {}},
    ]
    for wrong in spoiled:
        path.write_text(json.dumps({**whole, **wrong}))
        again = CardDirectory(root.cycle.cards.folder)
        again.look()
        assert again.damaged == ["lora.json"]
