"""What is taken where a config.json states nothing: the class's defaults, after the tensors' shapes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.config.class_defaults import config_class, has_model_class
from dxwatchd.card.config.config_keys import find, text_class
from dxwatchd.card.config.context import context
from dxwatchd.card.values import Notes
from dxwatchd.card.weights.shapes import embedding_sizes, note_conflicts

TABLE = Path(__file__).parents[2] / "dxwatchd" / "card" / "config" / "class_defaults.json"


@pytest.mark.oracle
def test_table_is_what_transformers_says() -> None:
    """The checked-in table is the one that the installed transformers gives: its generator was run."""
    spec = importlib.util.spec_from_file_location(
        "generate", Path(__file__).with_name("generate_class_defaults.py")
    )
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert TABLE.read_text("utf-8") == generate.text(generate.table())


def test_every_entry_can_be_used() -> None:
    """Each of the table's model types has a class, and parts whose types are in the table too."""
    types = json.loads(TABLE.read_bytes())["model_types"]
    assert len(types) > 700
    for model_type in types:
        known = config_class(model_type)
        assert known is not None
        assert known.name.isidentifier()
        assert set(known.rules) <= {"num_key_value_heads", "intermediate_size"}
        assert all(len(words) <= 12 for words in known.patterns.values())


@pytest.mark.parametrize("model_type", [None, "", "no_such_type", "__class__", "../llama"])
def test_unknown_types_have_no_class(model_type: str | None) -> None:
    """What transformers does not know has no defaults."""
    assert config_class(model_type) is None


@pytest.mark.parametrize(
    ("name", "known"),
    [("LlamaForCausalLM", True), ("llamaforcausallm", True), ("Qwen2ForRewardModel", False), ("", False),
     ("BertModel", True), ("ForCausalLM", False), ("JinaBertModel", False)],
)  # fmt: skip
def test_classes_are_known_by_family_and_head(name: str, known: bool) -> None:
    """Transformers' own model classes are told from those that only folders bring."""
    assert has_model_class(name) is known


def test_stated_prevails_shape_comes_next_default_last() -> None:
    """The order of resolution, with the source of each."""
    shapes = {
        "vocab_size": (262_144, "model.safetensors#embed"),
        "hidden_size": (2560, "model.safetensors#embed"),
    }
    for config, by_shape, value, source in (
        ({"vocab_size": 7}, shapes, 7, "config.json#/vocab_size"),
        ({}, shapes, 262_144, "model.safetensors#embed"),
        ({}, {}, 262_208, "default: transformers Gemma3TextConfig"),
    ):
        notes = Notes()
        shape = architecture({"model_type": "gemma3_text", **config}, notes, by_shape)
        assert shape.vocab_size == value
        assert notes.sources["architecture.vocab_size"] == source


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gemma2", "head_dim": None},
        {"model_type": "gemma2", "head_dim": "wide"},
        {"model_type": "gemma2", "head_dim": -1},
    ],
)
def test_what_is_stated_as_nothing_has_no_default(config: dict[str, Any]) -> None:
    """A key that is there, if only as null or as nonsense, is not replaced by the class's default."""
    notes = Notes()
    assert architecture(config, notes).head_dim is None
    assert "architecture.head_dim" not in notes.sources


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"model_type": "gemma3", "text_config": {"hidden_size": 2560}}, "Gemma3TextConfig"),
        ({"model_type": "gemma3", "text_config": {"model_type": "llama"}}, "LlamaConfig"),
        ({"model_type": "llava", "text_config": {"hidden_size": 4096}}, "LlamaConfig"),
        ({"model_type": "gemma3"}, "Gemma3Config"),
        ({"model_type": "unheard_of", "text_config": {"hidden_size": 1}}, None),
        ({"text_config": {"hidden_size": 1}}, None),
        (
            {"thinker_config": {"model_type": "qwen2_5_omni_thinker", "text_config": {"hidden_size": 1}}},
            "Qwen2_5OmniTextConfig",
        ),
        ([], None),
        (None, None),
    ],
)
def test_class_of_the_text_part(config: object, name: str | None) -> None:
    """By its own model type, else by the type that its parent's class gives it."""
    known = text_class(config)
    assert (known.name if known else None) == name


def test_gemma_3_text_part_without_heads_and_vocabulary() -> None:
    """As Gemma-3-4B is published: heads, vocabulary and the pattern of its layers come from the class."""
    config = {
        "model_type": "gemma3",
        "architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10_240,
                        "num_hidden_layers": 34, "sliding_window": 1024},
    }  # fmt: skip
    notes = Notes()
    shape = architecture(config, notes)
    assert (shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim) == (8, 4, 256)
    assert shape.vocab_size == 262_208
    assert shape.attention.layer_types.count("full_attention") == 5
    assert shape.attention.sliding_window == 1024
    assert notes.sources["architecture.num_attention_heads"] == "default: transformers Gemma3TextConfig"
    assert context(config, None, None, notes).declared == 131_072
    assert notes.sources["context.declared"] == "default: transformers Gemma3TextConfig"


def test_patterns_are_found_like_stated_lists() -> None:
    """A pattern's words are what `find` gives for the list, unless the config has one."""
    found = find({"model_type": "gemma2"}, "layer_types")
    assert found == (["sliding_attention", "full_attention"], "default: transformers Gemma2Config")
    assert find({"model_type": "gemma2", "layer_types": None}, "layer_types") is None


def test_sizes_that_follow_others() -> None:
    """Rules instead of numbers: as many key-value heads as heads, four times the hidden size."""
    notes = Notes()
    llama = architecture({"model_type": "llama", "num_attention_heads": 6, "hidden_size": 60}, notes)
    assert (llama.num_key_value_heads, llama.head_dim) == (6, 10)
    assert notes.sources["architecture.num_key_value_heads"].startswith("derived: num_attention_heads")
    falcon = architecture({"model_type": "falcon", "hidden_size": 60}, notes)
    assert falcon.intermediate_size == 240
    mistral = architecture({"model_type": "mistral", "num_key_value_heads": None}, notes)
    assert mistral.num_key_value_heads is None


def test_experts_of_classes_that_only_sometimes_have_them() -> None:
    """Nemotron-H's class has eight experts by default; a dense folder that does not name them has none."""
    assert architecture({"model_type": "nemotron_h"}, Notes()).moe is None
    assert architecture({"model_type": "mixtral"}, Notes()).moe is not None


def test_embedding_tells_sizes(tensor: Callable[..., Any]) -> None:
    """The table of tokens gives vocabulary and width; where two of them disagree, neither counts."""
    one = {"a.safetensors": [tensor("model.embed_tokens.weight", "BF16", 100, 8)]}
    found = embedding_sizes(one)
    assert found["vocab_size"] == (100, "a.safetensors#model.embed_tokens.weight")
    assert found["hidden_size"][0] == 8
    two = {**one, "b.safetensors": [tensor("vision.word_embeddings.weight", "BF16", 50, 8)]}
    assert embedding_sizes(two) == {}
    packed = {"a": [tensor("embed_tokens.weight", "U32", 100, 8)]}
    assert embedding_sizes(packed) == {}
    assert embedding_sizes({"a": [tensor("embed_tokens.weight", "BF16", 0, 8)]}) == {}
    assert embedding_sizes({"a": [tensor("embed_tokens.weight", "BF16", 8)]}) == {}
    assert embedding_sizes({}) == {}


def test_more_tokens_than_rows_is_a_conflict(tensor: Callable[..., Any]) -> None:
    """A padded table is none; a table that is too short for the stated vocabulary is."""
    tensors = {"a.safetensors": [tensor("embed_tokens.weight", "BF16", 100, 8)]}
    for vocabulary, conflicts in ((90, 0), (100, 0), (101, 1)):
        notes = Notes()
        shape = architecture({"vocab_size": vocabulary}, notes)
        note_conflicts(shape, embedding_sizes(tensors), notes)
        assert len(notes.conflicts) == conflicts


def test_heads_that_differ_by_layer_type() -> None:
    """Gemma-4's layers of full attention have other heads: no number stands for both."""
    config = {
        "model_type": "gemma4_text", "num_hidden_layers": 6, "num_attention_heads": 8, "hidden_size": 2048,
        "num_key_value_heads": 4, "head_dim": 256, "global_head_dim": 512, "num_global_key_value_heads": 1,
        "attention_k_eq_v": True, "sliding_window": 512,
        "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
    }  # fmt: skip
    notes = Notes()
    shape = architecture(config, notes)
    assert shape.head_dim is None
    heads = shape.attention.by_layer_type
    assert (heads["sliding_attention"].head_dim, heads["sliding_attention"].num_key_value_heads) == (256, 4)
    assert (heads["full_attention"].head_dim, heads["full_attention"].num_key_value_heads) == (512, 1)
    assert "global_head_dim" in notes.sources["architecture.attention.by_layer_type"]


def test_gemma_4_without_a_word_on_its_wide_heads() -> None:
    """The class makes the heads of full attention 512 wide: no one number is true of all layers."""
    config = {"model_type": "gemma4_text", "num_hidden_layers": 6, "hidden_size": 2304, "sliding_window": 512,
              "layer_types": ["sliding_attention"] * 5 + ["full_attention"]}  # fmt: skip
    shape = architecture(config, Notes())
    assert shape.head_dim is None
    assert shape.attention.by_layer_type["full_attention"].head_dim == 512
    by_layer = {**config, "per_layer_config": {"5": {"head_dim": 64}}}
    assert architecture(by_layer, Notes()).attention.by_layer_type == {}


def test_latent_attention_has_sizes_of_its_own() -> None:
    """DeepSeek-V3: the compressed vector's sizes instead of a head_dim that would be half a truth."""
    config = {"model_type": "deepseek_v3", "kv_lora_rank": 512, "qk_rope_head_dim": 64}
    attention = architecture(config, Notes()).attention
    assert attention.type == "mla"
    assert (attention.kv_lora_rank, attention.qk_rope_head_dim, attention.v_head_dim) == (512, 64, 128)
    assert architecture({**config, "use_mla": False}, Notes()).attention.kv_lora_rank is None


def test_chunks_are_told_where_layers_have_them() -> None:
    """Llama-4's chunk size, and none for a config that only has the key."""
    shape = architecture({"model_type": "llama4_text", "num_hidden_layers": 8}, Notes())
    assert shape.attention.chunk_size == 8192
    assert shape.attention.layer_types.count("chunked_attention") == 6
    assert (
        architecture({"model_type": "llama", "attention_chunk_size": 7}, Notes()).attention.chunk_size is None
    )
