"""The platform's row: every column, with its type."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given

from dxwatchd.card.exports.platform import platform
from dxwatchd.card.parts import FilePart
from dxwatchd.card.schema import Card
from tests.card.exports.making import bare_card, cards, full_card

_VARCHAR = {"type": ["string", "null"], "minLength": 1}
_LIST = {"type": "array", "items": {"type": "string"}}
_NULL = {"type": "null"}
COLUMNS = {
    "model_name": {"type": "string"},
    "technic_name": {"type": "string"},
    "path": {"type": "string"},
    "model_version": {"type": ["string", "null"]},
    "model_type": {"type": ["string", "null"]},
    "architectures": _LIST,
    "pretraining_datasets": _LIST,
    "training_objectives": _LIST,
    "model_language": _VARCHAR,
    "tasks": _LIST,
    "tags": _LIST,
    "license": {"type": ["string", "null"]},
    "training_framework": {"type": ["string", "null"]},
    "limitations": {"type": ["string", "null"]},
    "authors": _VARCHAR,
    "model_created_at": _NULL,
    "model_references": _VARCHAR,
    "disk_size_gb": {"type": ["string", "null"], "pattern": r"^[0-9]+\.[0-9]{2,8}$"},
    "template": {"type": ["string", "null"]},
    "model_usage_type": {"type": ["string", "null"]},
    "inference_python_file": _NULL,
    "deploy_config": _NULL,
    "inference_support": {"enum": [True, None]},
    "deployment_tools": _NULL,
}
"""The columns of `base_model` but for the database's own, each with the JSON type that it takes."""
SCHEMA = {
    "type": "object",
    "properties": COLUMNS,
    "required": [*COLUMNS],
    "additionalProperties": False,
}


def test_a_known_model_fills_its_row() -> None:
    """Every column that a folder can answer."""
    assert platform(full_card()) == {
        "model_name": "Qwen3-8B-Instruct",
        "technic_name": "qwen3-8b-instruct",
        "path": "Qwen/Qwen3-8B",
        "model_version": "3.0",
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "pretraining_datasets": ["some/corpus", "https://example.org/data"],
        "training_objectives": ["causal language modelling"],
        "model_language": "en, zh-Hans, deu, yue",
        "tasks": ["text-generation", "conversational"],
        "tags": ["chat", "reasoning"],
        "license": "apache-2.0",
        "training_framework": "transformers",
        "limitations": "It may be wrong.",
        "authors": "Qwen Team; Doe, Jane",
        "model_created_at": None,
        "model_references": "https://arxiv.org/abs/2505.09388\nQwen3 Technical Report",
        "disk_size_gb": "15.27",
        "template": "qwen3",
        "model_usage_type": "chat",
        "inference_python_file": None,
        "deploy_config": None,
        "inference_support": True,
        "deployment_tools": None,
    }


def test_what_is_not_known_is_null() -> None:
    """No default takes the place of knowledge: neither "chat" nor a version nor a support."""
    row = platform(bare_card(files=()))
    told = {name for name, value in row.items() if value not in (None, [])}
    assert told == {"model_name", "technic_name", "path"}


def test_columns_stand_in_the_order_of_the_table() -> None:
    """So that rows can be read beside the table."""
    assert [*platform(full_card())] == [*COLUMNS]


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (16_396_716_700, "15.27"),
        (2**30, "1.00"),
        (3 * 2**40, "3072.00"),
        (3 * 2**20, "0.003"),
        (30 * 2**20, "0.03"),
        (11, "0.00000001"),
        (0, "0.00"),
    ],
)
def test_size_on_disk_is_a_text_in_binary_gigabytes(size: int, written: str) -> None:
    """Two decimals as the platform writes them, more where it would be a zero that is none."""
    card = full_card(files=(FilePart(name="a", size=size // 2), FilePart(name="b", size=size - size // 2)))
    assert platform(card)["disk_size_gb"] == written


@pytest.mark.parametrize(
    ("changes", "license_"),
    [
        ({"license": "mit"}, "mit"),
        ({"license": "other", "license_name": "nvidia-license"}, "nvidia-license"),
        ({"license": "other", "license_name": None}, "other"),
        ({"license": None, "license_name": "gemma-terms"}, "gemma-terms"),
        ({"license": "mit", "license_name": "unread"}, "mit"),
        ({"license": None, "license_name": None}, None),
    ],
)
def test_another_licence_goes_by_its_name(changes: dict[str, object], license_: str | None) -> None:
    """The word "other" says nothing where the folder has a name for it."""
    assert platform(full_card(**changes))["license"] == license_


@pytest.mark.parametrize(
    ("library", "framework"),
    [("transformers", "transformers"), ("peft", "peft"), ("gguf", None), ("onnx", None), (None, None)],
)
def test_a_runtime_is_no_training_framework(library: str | None, framework: str | None) -> None:
    """What only runs models has trained none."""
    assert platform(full_card(library_name=library))["training_framework"] == framework


def test_the_task_of_the_readme_stands_in() -> None:
    """Where no tasks are listed."""
    assert platform(full_card(tasks=()))["tasks"] == ["text-generation"]
    assert platform(full_card(tasks=(), pipeline_tag=None))["tasks"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "adapter"},
        {"layout": "onnx"},
        {"model_usage_type": None},
        {"weight_sets": ()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_support_is_told_only_where_servers_load_it(changes: dict[str, object]) -> None:
    """An adapter, another runtime's layout, an unknown use, no weights: null, never false."""
    assert platform(full_card(**changes))["inference_support"] is None


def test_every_family_has_a_row(corpus_cards: tuple[Card, ...]) -> None:
    """Types hold over the whole corpus, and names are its own."""
    for card in corpus_cards:
        row = platform(card)
        jsonschema.validate(row, SCHEMA)
        assert row["technic_name"] == card.technical_name


@given(cards())
def test_any_card_has_a_row_of_the_right_types(card: Card) -> None:
    """Whatever the folder says of itself; and JSON takes it."""
    row = platform(card)
    jsonschema.validate(row, {**SCHEMA, "properties": {**COLUMNS, "authors": {}, "model_references": {}}})
    assert json.loads(json.dumps(row, allow_nan=False)) == row
