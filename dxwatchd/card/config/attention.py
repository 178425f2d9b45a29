"""config.json → how the layers look at each other's tokens."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.attention_type import attention_type
from dxwatchd.card.config.config_keys import find, is_mla, pointer, positive, text_part, whole
from dxwatchd.card.config.head_sizes import head_sizes
from dxwatchd.card.config.layer_rules import MOST_LAYERS, NEMOTRON_H, LayerType
from dxwatchd.card.config.layers import layer_types
from dxwatchd.card.config.per_layer import differing
from dxwatchd.card.parts import Attention, LayerHeads
from dxwatchd.card.values import Notes, text

_LATENT = ("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
_OWN_SIZES = (
    "global_head_dim",
    "num_global_key_value_heads",
    "swa_num_key_value_heads",
    "swa_head_dim",
    "swa_v_head_dim",
    "v_head_dim",
)
"""Keys by which layers of one kind have other heads than the rest."""
_ATTENDING = (LayerType.FULL, LayerType.SLIDING, LayerType.CHUNKED)


def attention(config: object, values: Mapping[str, int | None], notes: Notes) -> Attention:
    """The attention of a config.json. values: of the card's architecture, by field."""
    kind = _kind(config, values, notes)
    layers, types = _layer_types(config, values["num_hidden_layers"], notes)
    return Attention(
        type=kind,
        sliding_window=_window(config, notes),
        chunk_size=_size(config, "attention_chunk_size", "chunk_size", notes) if _chunks(layers) else None,
        layer_types=layers,
        by_layer_type=_by_layer_type(config, values, types, notes),
        **{key: _size(config, key, key, notes) for key in (_LATENT if kind == "mla" else ())},
    )


def _kind(config: object, values: Mapping[str, int | None], notes: Notes) -> str | None:
    heads, shared = values["num_attention_heads"], values["num_key_value_heads"]
    if is_mla(config):
        found = find(config, "kv_lora_rank")
        notes.source("architecture.attention.type", found[1] if found else "derived: kv_lora_rank")
        return "mla"
    if not heads or not shared or heads < shared:
        return None
    notes.source("architecture.attention.type", "derived: num_attention_heads, num_key_value_heads")
    return attention_type(heads, shared)


def _window(config: object, notes: Notes) -> int | None:
    used = find(config, "use_sliding_window")
    found = positive(config, "sliding_window", "attention_window_size")
    if (used and used[0] is False) or found is None:
        return None
    if differing(config, {"sliding_window": found}):
        notes.warn("sliding_window differs by layer, as per_layer_config states")
        return None
    notes.source("architecture.attention.sliding_window", found[1])
    return found[0]


def _size(config: object, key: str, field: str, notes: Notes) -> int | None:
    found = positive(config, key)
    if found:
        notes.source(f"architecture.attention.{field}", found[1])
    return found[0] if found else None


def _layer_types(
    config: object, count: int | None, notes: Notes
) -> tuple[tuple[str, ...], tuple[LayerType, ...]]:
    """The words for the card, and the types that they are understood as; no words where all layers are full.

    As stated, else by the rule that the config's other keys or its class give.
    """
    found = layer_types(config, count, None) if count else None
    path, part = text_part(config)
    key = "layer_types" if "layer_types" in part else "layers_block_type"
    listed = part.get(key)
    if isinstance(listed, list) and 0 < len(listed) <= MOST_LAYERS and all(text(one, 40) for one in listed):
        notes.source("architecture.attention.layer_types", pointer(*path, key))
        return tuple(text(one, 40) or "" for one in listed), found[0] if found else ()
    if found is None or set(found[0]) <= {LayerType.FULL, LayerType.NONE}:
        return (), found[0] if found else ()
    notes.source("architecture.attention.layer_types", found[1])
    pattern = find(config, "hybrid_override_pattern")
    if pattern and pattern[1] == found[1]:  # it tells the layers without attention apart
        return tuple(NEMOTRON_H[letter] for letter in str(pattern[0])), found[0]
    return tuple(kind.value for kind in found[0]), found[0]


def _chunks(layers: tuple[str, ...]) -> bool:
    return LayerType.CHUNKED.value in layers


def _by_layer_type(
    config: object, values: Mapping[str, int | None], types: tuple[LayerType, ...], notes: Notes
) -> dict[str, LayerHeads]:
    """The heads of each kind of layer, where they differ; {} elsewhere."""
    shapes: dict[str, LayerHeads] = {}
    for kind in dict.fromkeys(types):
        sizes = head_sizes(config, values["num_key_value_heads"], values["head_dim"], types, kind)
        if kind in _ATTENDING and sizes is not None:
            shapes[kind.value] = LayerHeads(
                num_key_value_heads=sizes.num_key_value_heads,
                head_dim=sizes.key_dim,
                v_head_dim=sizes.value_dim,
            )
    if is_mla(config) or len(set(shapes.values())) < 2:
        return {}
    keys = [key for key in _OWN_SIZES if whole(config, key)]
    notes.source("architecture.attention.by_layer_type", f"derived: {', '.join(keys)}")
    return shapes
