"""Configs in which single layers have sizes of their own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.config.context import context
from dxwatchd.card.config.kv_cache import kv_cache
from dxwatchd.card.config.per_layer import differing, own_sizes, with_sizes
from dxwatchd.card.values import Notes

_KINDS = ["sliding_attention", "full_attention"] * 2
_CONFIG: dict[str, Any] = {
    "model_type": "gemma4_text", "architectures": ["Gemma4ForCausalLM"], "num_hidden_layers": 4,
    "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "sliding_window": 8, "max_position_embeddings": 64, "layer_types": _KINDS,
}  # fmt: skip
_WIDE = {"1": {"head_dim": 32}, "03": {"head_dim": 32, "num_key_value_heads": 1}}


def test_a_size_that_differs_by_layer_is_null_with_a_warning() -> None:
    """One number for all layers would be wrong for some of them."""
    notes = Notes()
    shape = architecture({**_CONFIG, "per_layer_config": _WIDE}, notes)
    assert (shape.head_dim, shape.num_key_value_heads, shape.num_attention_heads) == (None, None, 4)
    assert shape.attention.type is None
    assert "architecture.head_dim" not in notes.sources
    assert any("head_dim differs by layer: 32 in some" in warning for warning in notes.warnings)


def test_experts_that_differ_by_layer_are_null_with_a_warning() -> None:
    """So that no active parameters are made of them, either."""
    notes = Notes()
    config = {"num_experts": 64, "num_experts_per_tok": 2, "per_layer_config": {"1": {"num_experts": 32}}}
    moe = architecture(config, notes).moe
    assert moe is not None
    assert (moe.num_experts, moe.num_experts_per_tok) == (None, 2)
    assert notes.warnings == ["num_experts differs by layer: 32 in some, as per_layer_config states"]


def test_the_cache_is_summed_over_the_layers_as_they_are() -> None:
    """Two windows of 2 heads of 16; one full layer with 2 heads of 32, one with 1 head of 32."""
    for config in (
        {**_CONFIG, "per_layer_config": _WIDE},
        {"architectures": ["Gemma4ForCausalLM"], "text_config": {**_CONFIG, "per_layer_config": _WIDE}},
    ):
        notes = Notes()
        shape = architecture(config, notes)
        cache = kv_cache(config, shape, context(config, None, None, notes), "bfloat16", None, notes)
        assert cache.bytes_per_token == (2 + 1) * 2 * 32 * 2
        assert cache.constant_bytes == 2 * (2 * 2 * 16 * 2) * 8
        assert [layer.layers for layer in cache.layers] == [2, 1, 1]


def test_windows_of_unlike_width_each_count() -> None:
    """A window that differs is null in the architecture, and kept in the sum."""
    config = {**_CONFIG, "per_layer_config": {"2": {"sliding_window": 16}}}
    notes = Notes()
    shape = architecture(config, notes)
    assert shape.attention.sliding_window is None
    cache = kv_cache(config, shape, context(config, None, None, notes), "bfloat16", None, notes)
    assert cache.constant_bytes == (2 * 2 * 16 * 2) * (8 + 16)
    odd = {**config, "per_layer_config": {"1": {"sliding_window": 16}}}
    assert (
        kv_cache(odd, shape, context(odd, None, None, notes), "bfloat16", None, notes).bytes_per_token is None
    )


@pytest.mark.parametrize(
    "stated", [{}, {"1": {}}, {"1": {"head_dim": 16}}, {"x": {"head_dim": 1}}, {"1": {"head_dim": "32"}}, [1]]
)
def test_what_is_no_difference_changes_nothing(stated: object) -> None:
    """An empty list of differences, the same size again, or what is not understood."""
    config = {**_CONFIG, "per_layer_config": stated}
    assert architecture(config, Notes()) == architecture(
        {**_CONFIG, "global_head_dim": _CONFIG["head_dim"]}, Notes()
    )


def test_a_layer_sees_its_own_sizes() -> None:
    """In the part of the config that states them."""
    config = {"a": 1, "text_config": {"head_dim": 16}}
    assert with_sizes(config, (("head_dim", 32),)) == {"a": 1, "text_config": {"head_dim": 32}}
    assert with_sizes({"head_dim": 16}, (("head_dim", 32),)) == {"head_dim": 32}
    assert with_sizes(config, ()) is config
    assert differing({"per_layer_config": {"0": {"n_head": 3}}}, {"num_attention_heads": (4, "")}) == {
        "num_attention_heads": 3
    }


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["0", "07", "²", "head_dim", "9" * 20]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_ANY)
def test_whatever_stands_there_is_bounded(stated: object) -> None:
    """Nothing raises, and all sizes are of positive 63 bits."""
    found = own_sizes({"per_layer_config": stated})
    assert all(0 < size < 2**63 for sizes in found.values() for _, size in sizes)
