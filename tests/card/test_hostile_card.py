"""Folders that say what no writer would: they get a card, whose bytes say the same and stay few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.card.annotations import with_digests
from dxwatchd.card.build import build_card
from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.card.exports.problems import ExportError
from dxwatchd.card.exports.render import render
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.core.findings import findings
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder, WeightFormat, WeightSet
from dxwatchd.core.provenance import Check, Checked, Digests
from dxwatchd.readers.safetensors import Tensor
from dxwatchd.stores.card_directory import read_stored

MODEL = ModelFolder("m", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())
HUGE = 2**63 - 1


def card_of(documents: Mapping[str, object], model: ModelFolder = MODEL, **more: Any) -> Card:
    """The card, which is what its bytes say."""
    made = build_card(
        CardInputs(model, documents, **more), Identity("a", "A", model.path, model.path, "sha256:0")
    )
    assert parse(dump(made)) == made
    return made


@pytest.mark.parametrize("pattern", ["", "L" * 10**6, "M" * 10**6, "\0"])
@pytest.mark.parametrize("key", ["sliding_window_pattern", "hybrid_override_pattern"])
def test_a_pattern_of_layers_that_is_none(key: str, pattern: str) -> None:
    """An empty word for the layers tells nothing, and one of another length than the layers is not read."""
    card = card_of({"config.json": {"num_hidden_layers": 4, "hidden_size": 8, key: pattern}})
    assert len(card.architecture.attention.layer_types) <= 4


def test_a_size_that_only_arithmetic_makes_too_large() -> None:
    """What is derived from sizes below 2**63 may be beyond, and is then not told."""
    falcon = card_of({"config.json": {"model_type": "falcon", "hidden_size": HUGE}})
    assert (falcon.architecture.hidden_size, falcon.architecture.intermediate_size) == (HUGE, None)
    meta = {"dim": HUGE, "n_layers": 2, "multiple_of": HUGE, "ffn_dim_multiplier": 999.0}
    llama = card_of({"params.json": meta})
    assert (llama.architecture.hidden_size, llama.architecture.intermediate_size) == (HUGE, None)
    modules = [{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]
    pooling = {"word_embedding_dimension": HUGE, "pooling_mode": "cls+max"}
    sentences = card_of({"modules.json": modules, "1_Pooling/config.json": pooling}).sentence_transformers
    assert sentences is not None
    assert (sentences.pooling_mode, sentences.embedding_dimension) == ("cls+max", None)


def test_a_million_names_of_layers() -> None:
    """A card lists the modules that an adapter trains, but not as many as there are tensors."""
    shape = (8, 8)
    tensors = tuple(Tensor(f"model.layers.{n % 60}.x{n}.weight", "BF16", shape, 128) for n in range(1000))
    few, many = (
        card_of({"config.json": {"model_type": "llama"}}, tensors={"w": tensors[:most]})
        for most in (60, 1000)
    )
    assert [one.method for one in few.memory_estimate.training] == ["full", "lora"]
    assert len(few.memory_estimate.training[1].target_modules) == 60
    assert [one.method for one in many.memory_estimate.training] == ["full"]
    assert len(dump(many)) < 10_000


LONG = "\U0001f600" * 190  # characters that JSON writes with twelve bytes each


@pytest.mark.parametrize(
    "documents",
    [
        {"generation_config.json": {str(n): LONG * 21 for n in range(4000)}},
        {"generation_config.json": {f"{n}{LONG}": n for n in range(4000)}},
        {"generation_config.json": {"a": {f"{n}{LONG}": [] for n in range(4000)}}},
        {"genai_config.json": {"search": {f"{n}{LONG}": LONG * 21 for n in range(4000)}}},
        {"tokenizer_config.json": {"additional_special_tokens": [f"{n}{LONG}" for n in range(1024)]}},
        {
            "modules.json": [],
            "config_sentence_transformers.json": {"prompts": {f"{n}": f"{n}{LONG * 20}" for n in range(64)}},
        },
    ],
    ids=["texts", "keys", "keys inside", "sources", "tokens", "prompts"],
)
def test_long_lists_of_long_texts(documents: dict[str, Any]) -> None:
    """A card tells that something was left out; its size stays that of a card."""
    card = card_of(documents)
    assert len(dump(card)) < 400_000
    assert card.warnings


def test_a_hundred_thousand_files() -> None:
    """A card lists what it has room for, and how much the rest is; no export takes a part for the whole."""
    files = tuple(ModelFile(f"{n:06}{'é' * 100}.py", 3) for n in range(100_000))
    sets = tuple(WeightSet(WeightFormat.GGUF, (file.name,), primary=not n) for n, file in enumerate(files))
    folder = replace(MODEL, files=files, weight_sets=sets)
    card = card_of({}, folder)
    assert len(dump(card)) < 4 * 2**20
    assert card.files[0].name == files[0].name
    assert (card.file_count, card.size) == (100_000, 300_000)
    assert card.unlisted_files is not None
    assert card.unlisted_files.count == 100_000 - len(card.files)
    assert {warning.partition(":")[0] for warning in card.warnings} >= {
        "files",
        "weight_sets",
        "custom_code.python_files",
    }
    known = tuple(Checked(file.name, Check.COMPUTED, digests=Digests("0" * 64)) for file in files)
    told = findings(folder, known)
    assert told is not None
    digested = with_digests(card, told)
    assert all(file.digest for file in digested.files)
    assert len(dump(digested)) < 4 * 2**20
    for wanted in (ExportFormat.MODEL_SIGNING, ExportFormat.MODELPACK):
        with pytest.raises(ExportError, match="of the folder's 100,000 files only"):
            render(digested, wanted)
    assert "100,000 files" in render(digested, ExportFormat.MODELCARD)


def test_a_list_that_is_cut_stays_as_it_is(tmp_path: Path) -> None:
    """What is read of a cut card is what the findings say: else each pass wrote it anew."""
    files = tuple(ModelFile(f"{n:06}{'x' * 100}", 3) for n in range(20_000))
    folder = replace(MODEL, files=files)
    known = tuple(Checked(file.name, Check.COMPUTED, digests=Digests("0" * 64)) for file in files)
    told = findings(folder, known)
    assert told is not None
    path = tmp_path / "a.json"
    path.write_bytes(dump(with_digests(card_of({}, folder), told)))
    stored = read_stored(path)
    assert stored is not None
    assert stored.record.digests == told.key
