"""From a real folder to its card: what was read, and what could not be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dxwatchd import cardmaking
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import Identity
from dxwatchd.cardmaking import make_card
from dxwatchd.core.layouts import find
from dxwatchd.scan import Scanner
from tests.e2e.test_names import tiny_model


def card_of(root: Path, path: str = "m") -> Card:
    """The card of the model at `path`."""
    seen = Scanner(root, (), None).look(None, lambda: False)
    model = next(model for model in find(seen).models if model.path == path)
    return make_card(root, model, Identity("m", "M", path, path, "sha256:" + "0" * 64))


def test_headers_documents_and_readme_are_read(tmp_path: Path) -> None:
    """Parameters from the header, sizes from the config, licence from the README."""
    tiny_model(tmp_path / "m", 1)
    (tmp_path / "m" / "README.md").write_text("---\nlicense: mit\nlanguage: [en, de]\n---\n# M\n")
    (tmp_path / "m" / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}')
    (tmp_path / "m" / "chat_template.jinja").write_text("{{ tools }}")
    card = card_of(tmp_path)
    assert card.parameters.total == 16 * 8
    assert card.parameters.exact
    assert (card.dtype, card.license, card.language) == ("float32", "mit", ("en", "de"))
    assert card.tokenizer.tokenizer_class == "LlamaTokenizer"
    assert [template.source for template in card.tokenizer.chat_templates] == ["chat_template.jinja"]
    assert card.sources["license"] == "README.md#license"


def test_all_shards_are_counted(tmp_path: Path) -> None:
    """Every file of the primary set, and of no other."""
    tiny_model(tmp_path / "m", 1)
    folder = tmp_path / "m"
    (folder / "model.safetensors").unlink()
    for number in (1, 2):
        tensor = {f"layer.{number}": np.zeros((4, 4), dtype=np.float16)}
        save_file(tensor, folder / f"model-0000{number}-of-00002.safetensors")
    save_file({"again": np.zeros(99, dtype=np.float32)}, folder / "other.safetensors")
    card = card_of(tmp_path)
    assert card.parameters.total == 32
    assert card.dtype == "float16"


@pytest.mark.parametrize("spoiled", ["truncated", "removed"])
def test_one_header_that_cannot_be_read_leaves_no_count(tmp_path: Path, spoiled: str) -> None:
    """A sum of some shards would look like the sum of all."""
    tiny_model(tmp_path / "m", 1)
    folder = tmp_path / "m"
    for number in (1, 2):
        tensor = {f"layer.{number}": np.zeros((4, 4), dtype=np.float16)}
        save_file(tensor, folder / f"big-0000{number}-of-00002.safetensors")
    (folder / "model.safetensors").unlink()
    second = folder / "big-00002-of-00002.safetensors"
    if spoiled == "removed":
        second.unlink()
    else:
        second.write_bytes(second.read_bytes()[:20])
    card = card_of(tmp_path)
    assert card.parameters.total is None
    assert not card.parameters.exact
    assert any(second.name in warning for warning in card.warnings)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "README.md", "generation_config.json"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"---\na: &x [*x]\n---\n", b"\x00" * 64])
def test_no_file_of_the_folder_makes_it_fail(tmp_path: Path, name: str, content: bytes) -> None:
    """What cannot be read is a warning or nothing, and the rest of the card is there."""
    tiny_model(tmp_path / "m", 1)
    (tmp_path / "m" / name).write_bytes(content)
    seen = Scanner(tmp_path, (), None).look(None, lambda: False)
    for model in find(seen).models:
        card = make_card(tmp_path, model, Identity("m", "M", "m", "m", "sha256:" + "0" * 64))
        assert card.parameters.total == 16 * 8


def test_links_out_of_the_root_are_not_read(tmp_path: Path) -> None:
    """A README that leads to somebody's file is none."""
    root = tmp_path / "root"
    tiny_model(root / "m", 1)
    secret = tmp_path / "secret.md"
    secret.write_text("---\nlicense: secret\n---\n")
    (root / "m" / "README.md").symlink_to(secret)
    assert card_of(root).license is None


def test_the_same_folder_gives_the_same_card(tmp_path: Path) -> None:
    """No times, no order, no chance."""
    tiny_model(tmp_path / "m", 1)
    one, other = card_of(tmp_path), card_of(tmp_path)
    assert json.loads(one.model_dump_json()) == json.loads(other.model_dump_json())


def test_documents_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are in memory at once: what comes when there is no room any more is told, not read."""
    monkeypatch.setattr(cardmaking, "MAX_DOCUMENTS", 2200)
    tiny_model(tmp_path / "m", 1)
    for name in ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / "m" / name).write_text(json.dumps({"pad_token": name, "x": "x" * 900}))
    card = card_of(tmp_path)
    assert card.architecture.model_type is not None
    assert [warning for warning in card.warnings if "2,200 bytes together" in warning] != []
    assert card.tokenizer.pad_token == "tokenizer_config.json"


def test_templates_are_read_as_far_as_a_card_lists_them(tmp_path: Path) -> None:
    """The default one is among them however many others there are."""
    tiny_model(tmp_path / "m", 1)
    (tmp_path / "m" / "chat_template.jinja").write_text("{{ tools }}")
    (tmp_path / "m" / "additional_chat_templates").mkdir()
    for number in range(200):
        (tmp_path / "m" / "additional_chat_templates" / f"a{number}.jinja").write_text("x")
    templates = card_of(tmp_path).tokenizer.chat_templates
    assert (len(templates), templates[0].name) == (64, "default")


@pytest.mark.parametrize(("bound", "most"), [("MAX_TENSORS", 5), ("MAX_HEADERS", 300)])
def test_more_tensors_than_any_model_has_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    """The bound is for all files together: a folder may have thousands."""
    tiny_model(tmp_path / "m", 1)
    (tmp_path / "m" / "model.safetensors").unlink()
    for number in (1, 2):
        shard = tmp_path / "m" / f"model-0000{number}-of-00002.safetensors"
        save_file({f"t{number}.{n}": np.zeros(1, dtype=np.uint8) for n in range(3)}, shard)
    monkeypatch.setattr(cardmaking, bound, most)
    card = card_of(tmp_path)
    assert card.parameters.total is None
    assert any("not counted" in warning for warning in card.warnings)
