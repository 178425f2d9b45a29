"""What each decoder layer of a model remembers: one word for each layer, as the config's own keys tell it."""

from __future__ import annotations

from dxwatchd.card.config.config_keys import find, text_part, whole
from dxwatchd.card.config.layer_rules import MOST_LAYERS, RULES, Layers, LayerType, window
from dxwatchd.card.config.remote_layer_rules import REMOTE_RULES
from dxwatchd.card.values import integer, mapping

_TWO_ATTENTIONS = ("longcat_flash",)


def layer_types(config: object, layers: int, context: int | None) -> Layers | None:
    """The type of each of the `layers` decoder layers; None where the config's words are not understood.

    context: what is served, in tokens; a window at least that long leaves nothing out, so that such layers
    are of full attention. Source of the rules: the modelling code of the types in transformers, and of the
    publishers for keys that only remote code reads.
    """
    if not 1 <= layers <= MOST_LAYERS:
        return None
    for rule in (*REMOTE_RULES, *RULES):
        found = rule(config, layers)
        if found is not None:
            types, source = found
            return (_without_shared(config, _windowed(config, types, context)), source) if types else None
    return None


def _windowed(config: object, types: tuple[LayerType, ...], context: int | None) -> tuple[LayerType, ...]:
    """Sliding layers whose window holds all of the context are of full attention."""
    size = window(config)
    if LayerType.SLIDING in types and context is not None and size and size[0] >= context:
        return tuple(LayerType.FULL if kind is LayerType.SLIDING else kind for kind in types)
    return types


def _without_shared(config: object, types: tuple[LayerType, ...]) -> tuple[LayerType, ...]:
    """The last `num_kv_shared_layers` look at what earlier layers keep (Gemma 3n, Gemma 4)."""
    shared = whole(config, "num_kv_shared_layers")
    if shared is None or shared >= len(types):
        return types
    return (*types[: len(types) - shared], *([LayerType.NONE] * shared))


def keeping(config: object, types: tuple[LayerType, ...]) -> tuple[LayerType, ...]:
    """The type of everything that keeps tokens: a layer of LongCat-Flash has two attentions.

    Source: transformers' modeling_longcat_flash, whose class counts 2 * num_layers for its cache.
    """
    if text_part(config)[1].get("model_type") not in _TWO_ATTENTIONS:
        return types
    return tuple(kind for kind in types for _ in range(2))


def deci_groups(config: object) -> list[int | None] | None:
    """DeciLM's `block_configs`: for each layer how many query heads share a key-value head; None for a layer
    without attention. None altogether where the config has no such list or it is not understood.
    """
    found = find(config, "block_configs")
    if not found or not isinstance(found[0], list) or not 1 <= len(found[0]) <= MOST_LAYERS:
        return None
    groups: list[int | None] = []
    for block in found[0]:
        attention = mapping(mapping(block).get("attention"))
        size = integer(attention.get("n_heads_in_group"), 1)
        absent = attention.get("no_op") is True or attention.get("replace_with_linear") is True
        if size is None and not absent:
            return None
        groups.append(None if absent else size)
    return groups
