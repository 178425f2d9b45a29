"""Layers that keep a state of fixed size instead of tokens: which sizes a config gives it."""

from __future__ import annotations

from dxwatchd.card.config.config_keys import find, look_up, text_part, text_type, whole
from dxwatchd.card.config.kv_sizes import (
    gated_delta_bytes,
    gated_recurrence_bytes,
    lightning_bytes,
    mamba2_bytes,
    mamba_bytes,
    short_conv_bytes,
)
from dxwatchd.card.config.layer_rules import LayerType
from dxwatchd.card.values import integer, mapping

_STATE_ITEMSIZES = {"float32": 4, "bfloat16": 2, "float16": 2}
_MAMBA_1 = frozenset({"mamba", "falcon_mamba", "jamba"})
_MAMBA_2_HEADS = ("mamba_n_heads", "mamba_num_heads", "n_mamba_heads")
_MAMBA_2_WIDTHS = ("mamba_d_head", "mamba_head_dim", "mamba_headdim")


def recurrent_bytes(config: object, kind: LayerType, itemsize: int) -> int | None:
    """The state of one layer; 0 for one that has none, None where the config does not tell its sizes.

    The convolution's part has the cache's dtype, the recurrent part float32 unless the config states
    another, as in transformers.
    """
    if kind in (LayerType.MAMBA, LayerType.HYBRID):
        return _mamba(config, itemsize)
    if kind is LayerType.LINEAR:
        return _linear(config, itemsize)
    if kind is LayerType.CONV:
        hidden, cached = look_up(config, "hidden_size"), whole(config, "conv_L_cache")
        return short_conv_bytes(hidden[0], cached, itemsize) if hidden and cached else None
    return 0


def _mamba(config: object, itemsize: int) -> int | None:
    kind = text_type(config)
    conv = whole(config, "mamba_d_conv", "conv_kernel")
    state = whole(config, "mamba_d_state", "ssm_state_size", "state_size")
    if conv is None or state is None:
        return None
    if kind in _MAMBA_1:
        inner = _inner(config, kind)
        return mamba_bytes(inner, conv, state, itemsize, _state_itemsize(config)) if inner else None
    heads, width = whole(config, *_MAMBA_2_HEADS), whole(config, *_MAMBA_2_WIDTHS)
    if kind == "mamba2":
        heads, width = whole(config, "num_heads"), whole(config, "head_dim")
    if heads and width is None:
        inner = _inner(config, kind)
        width = inner // heads if inner and inner % heads == 0 else None
    groups = whole(config, "mamba_n_groups", "mamba_ngroups", "n_groups")
    if not (heads and width and groups):
        return None
    return mamba2_bytes(heads, width, groups, conv, state, itemsize, _state_itemsize(config))


def _inner(config: object, kind: str | None) -> int | None:
    """The width of the inner layer: a multiple of the model's, or stated."""
    hidden, expand = look_up(config, "hidden_size"), whole(config, "mamba_expand", "expand")
    stated = text_part(config)[1].get("intermediate_size")
    if kind in ("mamba", "falcon_mamba") and integer(stated, 1):
        return integer(stated, 1)
    return hidden[0] * expand if hidden and expand else None


def _linear(config: object, itemsize: int) -> int | None:
    """By the keys that tell the kinds of linear attention apart."""
    kind = text_type(config) or ""
    if kind == "recurrent_gemma":
        width, conv = whole(config, "lru_width", "hidden_size"), whole(config, "conv1d_width")
        return gated_recurrence_bytes(width, conv, itemsize, 4) if width and conv else None
    if kind.startswith("minimax"):
        heads, head_dim = look_up(config, "num_attention_heads"), look_up(config, "head_dim")
        return lightning_bytes(heads[0], head_dim[0], itemsize) if heads and head_dim else None
    if listed := mapping(
        text_part(config)[1].get("linear_attn_config")
    ):  # Kimi-Linear: all of its heads alike
        keys = ("num_heads", "head_dim", "short_conv_kernel_size")
        count, size, conv = (integer(listed.get(key), 1) for key in keys)
        if not (count and size and conv):
            return None
        return gated_delta_bytes(count, count, size, size, conv, itemsize, _state_itemsize(config))
    return _gated_delta(config, itemsize)


def _gated_delta(config: object, itemsize: int) -> int | None:
    sizes = [
        whole(config, key)
        for key in (
            "linear_num_key_heads",
            "linear_num_value_heads",
            "linear_key_head_dim",
            "linear_value_head_dim",
            "linear_conv_kernel_dim",
        )
    ]
    key_heads, value_heads, key_dim, value_dim, conv = sizes
    if not (key_heads and value_heads and key_dim and value_dim and conv):
        return None
    state = _state_itemsize(config)
    return gated_delta_bytes(key_heads, value_heads, key_dim, value_dim, conv, itemsize, state)


def _state_itemsize(config: object) -> int:
    for key in ("mamba_ssm_cache_dtype", "mamba_ssm_dtype"):
        found = find(config, key)
        if found and isinstance(found[0], str) and found[0] in _STATE_ITEMSIZES:
            return _STATE_ITEMSIZES[found[0]]
    return 4
