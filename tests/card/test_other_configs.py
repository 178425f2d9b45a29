"""Configs of other formats: params.json, DeepSeek's own, MLC's, onnxruntime-genai's, timm's, OpenCLIP's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.build import build_card
from dxwatchd.card.config.config_formats import FORMATS
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import CardInputs
from dxwatchd.core.model import Kind, Layout, ModelFolder
from tests.card.conftest import IDENTITY

_LLAMA = {"dim": 4096, "n_layers": 32, "n_heads": 32, "multiple_of": 256, "norm_eps": 1e-5, "vocab_size": -1}


def card_of(documents: dict[str, object], tensors: Any = None) -> Card:
    """The card of a folder with these documents."""
    model = ModelFolder("a", Layout.LLAMA, Kind.MODEL, (), (), (), ())
    return build_card(CardInputs(model, documents, tensors=tensors or {}), IDENTITY)


def shape_of(documents: dict[str, object], tensors: Any = None) -> tuple[int | None, ...]:
    """Hidden, feed-forward, layers, heads, key-value heads, head, vocabulary."""
    shape = card_of(documents, tensors).architecture
    return (
        shape.hidden_size,
        shape.intermediate_size,
        shape.num_hidden_layers,
        shape.num_attention_heads,
        shape.num_key_value_heads,
        shape.head_dim,
        shape.vocab_size,
    )


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        # LLaMA 2 7B, 13B; LLaMA 3.1 8B, 70B: the published shapes
        (_LLAMA, (4096, 11008, 32, 32, 32, 128, None)),
        ({**_LLAMA, "dim": 5120, "n_heads": 40, "n_layers": 40}, (5120, 13824, 40, 40, 40, 128, None)),
        (
            {
                "dim": 4096,
                "n_layers": 32,
                "n_heads": 32,
                "n_kv_heads": 8,
                "vocab_size": 128256,
                "multiple_of": 1024,
                "ffn_dim_multiplier": 1.3,
                "rope_theta": 5e5,
            },
            (4096, 14336, 32, 32, 8, 128, 128256),
        ),
        (
            {
                "dim": 8192,
                "n_layers": 80,
                "n_heads": 64,
                "n_kv_heads": 8,
                "vocab_size": 128256,
                "multiple_of": 4096,
                "ffn_dim_multiplier": 1.3,
            },
            (8192, 28672, 80, 64, 8, 128, 128256),
        ),
        # Devstral: a head that is no share of dim
        (
            {
                "dim": 5120,
                "n_layers": 40,
                "head_dim": 128,
                "hidden_dim": 32768,
                "n_heads": 32,
                "n_kv_heads": 8,
                "vocab_size": 131072,
            },
            (5120, 32768, 40, 32, 8, 128, 131072),
        ),
        ({"dim": "4096", "n_layers": [], "n_heads": -1}, (None,) * 7),
        ({"dim": 4096, "n_layers": 2}, (4096, None, 2, None, None, None, None)),
    ],
)
def test_params_json(params: dict[str, object], wanted: tuple[int | None, ...]) -> None:
    """As stated, and as Meta's own code completes it; what it does not tell stays unknown."""
    assert shape_of({"params.json": params}) == wanted


def test_a_vocabulary_by_the_embeddings_shape(tensor: Callable[..., Any]) -> None:
    """LLaMA's params.json says -1."""
    tensors = {"consolidated.safetensors": (tensor("tok_embeddings.weight", "BF16", 32000, 4096),)}
    card = card_of({"params.json": _LLAMA}, tensors)
    assert card.architecture.vocab_size == 32000
    assert card.sources["architecture.vocab_size"] == "consolidated.safetensors#tok_embeddings.weight"
    assert card.sources["architecture.hidden_size"] == "params.json#/dim"
    assert card.sources["architecture.intermediate_size"].startswith("derived:")
    assert card.architecture.attention.type == "mha"


def test_mistrals_experts_window_and_scaling() -> None:
    """Nested objects and the length before YaRN."""
    params = {
        "dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "head_dim": 128, "hidden_dim": 14336,
        "vocab_size": 32000, "moe": {"num_experts": 8, "num_experts_per_tok": 2}, "sliding_window": 4096,
        "max_position_embeddings": 131072, "yarn": {"original_max_position_embeddings": 8192, "factor": 16},
        "tied_embeddings": True,
    }  # fmt: skip
    card = card_of({"params.json": params})
    assert card.architecture.moe is not None
    assert (card.architecture.moe.num_experts, card.architecture.moe.num_experts_per_tok) == (8, 2)
    assert (card.architecture.attention.type, card.architecture.attention.sliding_window) == ("gqa", 4096)
    assert (card.context.declared, card.context.native, card.context.effective) == (131072, 8192, 131072)
    assert card.architecture.tie_word_embeddings is True
    assert card.sources["architecture.moe.num_experts"] == "params.json#/moe/num_experts"
    assert card.sources["context.native"] == "params.json#/yarn/original_max_position_embeddings"


def test_latent_attention_has_no_heads_by_share() -> None:
    """A stated rank means that dim / n_heads is no head."""
    params = {"dim": 7168, "n_layers": 61, "n_heads": 128, "kv_lora_rank": 512, "vocab_size": 131072}
    shape = card_of({"params.json": params}).architecture
    assert (shape.attention.type, shape.head_dim, shape.num_key_value_heads) == ("mla", None, None)


def test_a_config_of_transformers_prevails() -> None:
    """Beside a config.json that tells its type, params.json adds nothing."""
    config = {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_size": 64}
    assert card_of({"config.json": config, "params.json": _LLAMA}).architecture.hidden_size == 64
    assert not any("params.json" in source for source in card_of(
        {"config.json": config, "params.json": _LLAMA}
    ).sources.values())  # fmt: skip


@pytest.mark.parametrize(
    ("documents", "wanted", "declared", "model_type"),
    [
        (
            {
                "mlc-chat-config.json": {
                    "model_type": "qwen2",
                    "context_window_size": 8192,
                    "model_config": {
                        "hidden_size": 1536,
                        "intermediate_size": 8960,
                        "num_attention_heads": 12,
                        "num_hidden_layers": 28,
                        "num_key_value_heads": 2,
                        "vocab_size": 151936,
                        "head_dim": 128,
                    },
                }
            },
            (1536, 8960, 28, 12, 2, 128, 151936),
            8192,
            "qwen2",
        ),
        (
            {
                "genai_config.json": {
                    "model": {
                        "type": "gemma4",
                        "context_length": 32768,
                        "vocab_size": 262144,
                        "decoder": {
                            "head_size": 256,
                            "hidden_size": 2048,
                            "num_attention_heads": 8,
                            "num_hidden_layers": 1,
                            "num_key_value_heads": 4,
                        },
                    }
                }
            },
            (2048, None, 1, 8, 4, 256, 262144),
            32768,
            "gemma4",
        ),
        (
            {
                "open_clip_config.json": {
                    "model_cfg": {
                        "embed_dim": 768,
                        "text_cfg": {
                            "context_length": 77,
                            "vocab_size": 49408,
                            "width": 768,
                            "heads": 12,
                            "layers": 12,
                        },
                    }
                }
            },
            (768, None, 12, 12, None, None, 49408),
            77,
            None,
        ),
        (
            {
                "config.json": {
                    "architecture": "resnet50",
                    "num_features": 2048,
                    "num_classes": 1000,
                    "pretrained_cfg": {"tag": "a1"},
                }
            },
            (2048, None, None, None, None, None, None),
            None,
            None,
        ),
        (
            {
                "config.json": {
                    "pretrained_config": {
                        "architecture": "LlamaForCausalLM",
                        "hidden_size": 4096,
                        "intermediate_size": 11008,
                        "num_hidden_layers": 32,
                        "num_attention_heads": 32,
                        "num_key_value_heads": 32,
                        "head_size": 128,
                        "vocab_size": 32000,
                        "max_position_embeddings": 4096,
                    },
                    "build_config": {},
                }
            },
            (4096, 11008, 32, 32, 32, 128, 32000),
            4096,
            None,
        ),
    ],
)
def test_runtimes_own_configs(
    documents: dict[str, object], wanted: tuple[int | None, ...], declared: int | None, model_type: str | None
) -> None:
    """Every value that they state, none that they do not, each with its source."""
    card = card_of(documents)
    assert shape_of(documents) == wanted
    assert (card.context.declared, card.architecture.model_type) == (declared, model_type)
    file = next(iter(documents))
    for field, value in card.architecture:
        if isinstance(value, int) and not isinstance(value, bool):
            assert card.sources[f"architecture.{field}"].startswith(f"{file}#/")


def test_classes_of_timm_and_tensorrt() -> None:
    """What they call the architecture is the card's too."""
    timm: dict[str, object] = {"architecture": "resnet50", "num_classes": 10, "pretrained_cfg": {"tag": "a"}}
    card = card_of({"config.json": timm})
    assert (card.architecture.architectures, card.pipeline_tag) == (("resnet50",), "image-classification")
    assert card.sources["architecture.architectures"] == "config.json#/architecture"


def test_deepseeks_own_config() -> None:
    """671 B parameters in names of its own."""
    config = {
        "vocab_size": 129280, "dim": 7168, "inter_dim": 18432, "moe_inter_dim": 2048, "n_layers": 61,
        "n_heads": 128, "n_routed_experts": 256, "n_shared_experts": 1, "n_activated_experts": 8,
        "kv_lora_rank": 512, "dtype": "fp8",
    }  # fmt: skip
    shape = card_of({"config.json": config}).architecture
    assert (shape.hidden_size, shape.intermediate_size, shape.num_hidden_layers) == (7168, 18432, 61)
    assert shape.moe is not None
    assert (shape.moe.num_experts, shape.moe.num_experts_per_tok, shape.moe.num_shared_experts) == (256, 8, 1)
    assert (shape.moe.moe_intermediate_size, shape.attention.type) == (2048, "mla")


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_KEYS = sorted({part for each in FORMATS for key in each.fields.values() for part in key.split("/")})


@given(
    st.sampled_from(FORMATS),
    st.dictionaries(st.sampled_from([*_KEYS, "multiple_of", "ffn_dim_multiplier", "kv_lora_rank"]), _VALUE),
    _VALUE,
)
def test_any_config(known: Any, stated: dict[str, object], mark: object) -> None:
    """Whatever a config states where: a card comes of it, and survives its file."""
    inner = {**dict.fromkeys(known.marks, mark or 1), **stated}
    content = {**inner, known.within: inner} if known.within else inner
    card = card_of({known.file: content})
    assert parse(dump(card)) == card
