"""How many key-value heads a layer has, and how wide they are, where that differs by the kind of layer."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dxwatchd.card.config.config_keys import find, look_up, whole
from dxwatchd.card.config.layer_rules import LayerType
from dxwatchd.card.config.per_layer import global_head_dim


class HeadSizes(NamedTuple):
    """Of one layer. key_dim, value_dim: elements of one head's key and value."""

    num_key_value_heads: int
    key_dim: int
    value_dim: int


def head_sizes(
    config: object,
    num_key_value_heads: int | None,
    head_dim: int | None,
    types: Collection[LayerType],
    kind: LayerType,
) -> HeadSizes | None:
    """The sizes in layers of `kind`, of a model with layers of `types`; None where that is not told.

    num_key_value_heads, head_dim: those of every layer that has none of its own. Keys of their own: Gemma-4's
    `global_head_dim` and `num_global_key_value_heads` (with `attention_k_eq_v`), MiMo's `swa_*`.
    """
    heads, width = look_up(config, "num_key_value_heads"), look_up(config, "head_dim")
    shared = num_key_value_heads or (heads[0] if heads else None)
    key_dim = whole(config, "attention_head_dim") or head_dim or (width[0] if width else None)
    if kind is LayerType.SLIDING:
        shared = whole(config, "swa_num_key_value_heads") or shared
        key_dim = whole(config, "swa_head_dim") or key_dim
        value_dim = whole(config, "swa_v_head_dim") or whole(config, "v_head_dim") or key_dim
    else:
        mixed = LayerType.SLIDING in types
        wide = global_head_dim(config) if mixed else None
        own = find(config, "attention_k_eq_v")
        if mixed and own and own[0] is True:
            shared = whole(config, "num_global_key_value_heads") or shared
        key_dim = wide or key_dim
        value_dim = (None if wide else whole(config, "v_head_dim")) or key_dim
    if shared is None or key_dim is None or value_dim is None:
        return None
    return HeadSizes(shared, key_dim, value_dim)
