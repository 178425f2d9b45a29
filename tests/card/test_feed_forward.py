"""How wide feed-forward layers are, by hand-written configs and what the modelling code makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from dxwatchd.card.config.feed_forward import expert_size, intermediate_size

HIDDEN = (64, "config.json#/hidden_size")


@pytest.mark.parametrize(
    ("config", "width", "source"),
    [
        ({"model_type": "distilbert", "dim": 64, "hidden_dim": 200}, 200, "config.json#/hidden_dim"),
        ({"model_type": "ctrl", "dff": 200}, 200, "config.json#/dff"),
        ({"model_type": "xlnet", "d_inner": 200}, 200, "config.json#/d_inner"),
        ({"model_type": "bert", "hidden_dim": 200}, 3072, "default: transformers BertConfig"),
        ({"model_type": "gpt2", "n_inner": None}, 256, "derived: 4 * hidden_size, as the code of gpt2"),
        ({"model_type": "gpt2", "n_inner": 200}, 200, "config.json#/n_inner"),
        ({"model_type": "bloom"}, 256, "derived: 4 * hidden_size, as the code of bloom"),
        ({"model_type": "mpt", "expansion_ratio": 3}, 192, "config.json#/expansion_ratio"),
        ({"model_type": "trocr", "decoder_ffn_dim": 200}, 200, "config.json#/decoder_ffn_dim"),
        ({"model_type": "bart", "encoder_ffn_dim": 200, "decoder_ffn_dim": 100}, None, None),
        ({"model_type": "bart", "decoder_ffn_dim": 100}, None, None),
        ({"model_type": "somebody's own"}, None, None),
    ],
)
def test_width_of_a_dense_layer(config: dict[str, Any], width: int | None, source: str | None) -> None:
    """By the key of its class, else by the class's rule, its source told; null where halves may differ."""
    assert intermediate_size(config, HIDDEN) == (width and (width, source))


def test_width_by_a_rule_needs_the_width_of_the_state() -> None:
    """Nothing follows from nothing."""
    assert intermediate_size({"model_type": "gpt2"}, None) is None


@pytest.mark.parametrize(
    ("config", "width"),
    [
        ({"model_type": "mixtral", "intermediate_size": 200}, 200),
        ({"model_type": "dbrx", "ffn_config": {"ffn_hidden_size": 200}}, 200),
        ({"model_type": "qwen3_moe", "intermediate_size": 200, "moe_intermediate_size": 100}, 100),
        ({"model_type": "deepseek_v3", "intermediate_size": 200, "moe_intermediate_size": None}, None),
        ({"text_config": {"model_type": "llama4_text", "intermediate_size": 200}}, 200),
    ],
)
def test_width_of_an_expert(config: dict[str, Any], width: int | None) -> None:
    """Families without dense layers, and Llama-4, give it by the general key."""
    found = expert_size(config)
    assert (found and found[0]) == width
