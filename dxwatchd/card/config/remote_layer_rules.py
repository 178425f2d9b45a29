"""One word for each decoder layer, by keys of one publisher's networks. Asked before `layer_rules`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dxwatchd.card.config.config_keys import find, pointer, text_part, text_type
from dxwatchd.card.config.layer_rules import MOST_LAYERS, Layers, LayerType
from dxwatchd.card.values import integer, mapping


def _kimi_linear(config: object, layers: int) -> Layers | None:
    """Kimi-Linear lists its layers, the first of which is 1, as delta attention or as latent attention."""
    path, part = text_part(config)
    listed = mapping(part.get("linear_attn_config"))
    full, linear = _numbers(listed.get("full_attn_layers")), _numbers(listed.get("kda_layers"))
    if not full | linear:
        return None
    kinds = [_one(number in full, number in linear) for number in range(1, layers + 1)]
    types = tuple(kind for kind in kinds if kind)
    return types if len(types) == layers else (), pointer(*path, "linear_attn_config")


def _one(full: bool, linear: bool) -> LayerType | None:
    if full is linear:
        return None
    return LayerType.FULL if full else LayerType.LINEAR


def _numbers(value: object) -> set[int]:
    listed = value[:MOST_LAYERS] if isinstance(value, list) else []
    return {number for item in listed if (number := integer(item)) is not None}


def _mimo(config: object, layers: int) -> Layers | None:
    """MiMo-V2's `hybrid_layer_pattern`: 1 for a layer with a window, 0 for one that sees all."""
    path, part = text_part(config)
    listed = part.get("hybrid_layer_pattern")
    if not isinstance(listed, list):
        return None
    words = {0: LayerType.FULL, 1: LayerType.SLIDING}
    types = tuple(words[item] for item in listed[:layers] if isinstance(item, int) and item in words)
    return types if len(types) == layers else (), pointer(*path, "hybrid_layer_pattern")


def _shared_by_neighbours(config: object, layers: int) -> Layers | None:
    """Hunyuan's cross-layer attention: of `cla_share_factor` layers only the first keeps something."""
    path, part = text_part(config)
    step = integer(part.get("cla_share_factor"), 1)
    if part.get("use_cla") is not True or step is None:
        return None
    types = (LayerType.NONE if index % step else LayerType.FULL for index in range(layers))
    return tuple(types), pointer(*path, "cla_share_factor")


def _recurrent_gemma(config: object, layers: int) -> Layers | None:
    """RecurrentGemma's `block_types`, repeated: attention through a window, or a recurrence."""
    found = find(config, "block_types")
    if text_type(config) != "recurrent_gemma" or not found:
        return None
    if not isinstance(found[0], list) or not found[0]:
        return (), found[1]
    words = {"attention": LayerType.SLIDING, "recurrent": LayerType.LINEAR}
    listed = [found[0][index % len(found[0])] for index in range(layers)]
    types = tuple(words[word] for word in listed if isinstance(word, str) and word in words)
    return types if len(types) == layers else (), found[1]


REMOTE_RULES: Sequence[Callable[[object, int], Layers | None]] = (
    _kimi_linear,
    _mimo,
    _shared_by_neighbours,
    _recurrent_gemma,
)
"""Source: the publishers' modelling code, and what transformers' classes of the same types make of the keys:
configuration_kimi_linear, MiMo-V2-Flash's modeling_mimo_v2_flash, Tencent-Hunyuan-Large's modeling_hunyuan,
configuration_recurrent_gemma."""
