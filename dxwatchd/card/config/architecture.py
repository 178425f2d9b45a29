"""config.json → the architecture. Only what the folder states, and what follows from it with certainty."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.attention import attention
from dxwatchd.card.config.class_defaults import FOLLOWS_HEADS, config_class
from dxwatchd.card.config.config_keys import (
    ALIASES,
    Path,
    Reading,
    defaulted,
    find,
    is_mla,
    look_up,
    mentions,
    pointer,
    positive,
    stated,
    text_class,
    text_part,
    text_type,
)
from dxwatchd.card.config.feed_forward import expert_size, intermediate_size
from dxwatchd.card.config.layer_rules import MOST_LAYERS
from dxwatchd.card.config.per_layer import differing, global_head_dim
from dxwatchd.card.config.remote_heads import heads_of_remote_code, shared_by_key
from dxwatchd.card.parts import Architecture, Moe
from dxwatchd.card.values import Notes, at, boolean, integer, text, texts

_FALCON = frozenset({"falcon", "RefinedWeb", "RefinedWebModel"})
_DUAL_ENCODERS = frozenset(
    {"clip", "chinese_clip", "siglip", "siglip2", "altclip", "clipseg", "owlvit", "owlv2", "clap"}
)
_OWN_HEAD_DIM = ("reformer", "mobilebert", "convbert", "funnel", "xlnet", "mamba", "zamba", "rwkv", "xlstm")
"""Model types (by their beginning) without a key for it whose heads are no share of hidden_size."""
_HEADS_OF_A_STATE = frozenset({"mamba2", "xlstm"})
"""Model types without attention: their `num_heads` and `head_dim` divide the state."""
_WIDER_HEADS = frozenset({"zamba", "zamba2"})
"""Model types whose attention sees the embedding beside the state, and has heads of `attention_head_dim`."""
_NOT_MULTI_HEAD = ("xlnet", "mamba", "rwkv", "xlstm", "recurrent_gemma", "funnel", "reformer", "mobilebert")
"""Model types (by their beginning) without a key for them of which nothing is said on key-value heads."""
_SOMETIMES_MOE = frozenset({"nemotron_h", "jamba", "granitemoehybrid"})
"""Model types whose class has experts by default, and folders without any of them."""


def architecture(config: object, notes: Notes, by_shape: Mapping[str, Reading] | None = None) -> Architecture:
    """The architecture that a config.json states; sources and what is odd go to `notes`.

    by_shape: what the tensors' shapes tell, which prevails over the class's defaults.
    """
    model_type = text(at(config, "model_type"))
    architectures = texts(at(config, "architectures"), count=8)
    if model_type:
        notes.source("architecture.model_type", pointer("model_type"))
    if architectures:
        notes.source("architecture.architectures", pointer("architectures"))
    plain_fields = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    told = by_shape or {}
    readings = {
        field: stated(config, field) or told.get(field) or defaulted(config, field) for field in plain_fields
    }
    if text_type(config) in _HEADS_OF_A_STATE:
        readings["num_attention_heads"] = None
    readings["num_hidden_layers"] = _blocks(config) or readings["num_hidden_layers"]
    readings["intermediate_size"] = intermediate_size(config, readings["hidden_size"])
    readings["num_key_value_heads"] = _key_value_heads(config, readings["num_attention_heads"], notes)
    readings["head_dim"] = _head_dim(config, readings, notes)
    for field, other in differing(config, readings).items():
        notes.warn(f"{field} differs by layer: {other} in some, as per_layer_config states")
        readings[field] = None
    values: dict[str, int | None] = {}
    for field, reading in readings.items():
        values[field] = integer(reading[0], 1) if reading else None
        if reading and values[field] is not None:
            notes.source(f"architecture.{field}", reading[1])
    return Architecture(
        model_type=model_type,
        architectures=architectures,
        tie_word_embeddings=_tied(config, notes),
        attention=attention(config, values, notes),
        moe=_moe(config, notes),
        hidden_size=values["hidden_size"],
        intermediate_size=values["intermediate_size"],
        num_hidden_layers=values["num_hidden_layers"],
        num_attention_heads=values["num_attention_heads"],
        num_key_value_heads=values["num_key_value_heads"],
        head_dim=values["head_dim"],
        vocab_size=values["vocab_size"],
    )


def _blocks(config: object) -> Reading | None:
    """Funnel's layers, whose `num_decoder_layers` are two beside those of all blocks; Nemotron-H's list."""
    path, part = text_part(config)
    listed = part.get("block_sizes")
    sizes = [integer(item, 1) for item in listed[:MOST_LAYERS]] if isinstance(listed, list) else []
    total = integer(sum(size for size in sizes if size), 1)
    if total and None not in sizes:
        return total, pointer(*path, "block_sizes")
    words = part.get("layers_block_type")
    counted = isinstance(words, list) and bool(words) and not stated(config, "num_hidden_layers")
    return (len(words), pointer(*path, "layers_block_type")) if counted and isinstance(words, list) else None


def _key_value_heads(config: object, heads: Reading | None, notes: Notes) -> Reading | None:
    kind = text_type(config)
    if kind in _FALCON or kind == "gpt_bigcode":
        return _multi_query(config, kind, heads)
    _, part = text_part(config)
    if by_key := shared_by_key(config, heads):
        return by_key
    found = stated(config, "num_key_value_heads")
    for_global = integer(part.get("num_global_key_value_heads"), 1)
    if found and for_global and for_global != found[0]:
        notes.warn(
            f"num_key_value_heads differs by layer type: {for_global} in layers of full attention,"
            f" {found[0]} in the others"
        )
        return None
    return found or _heads_by_class(config, heads) or heads_of_remote_code(config, heads)


def _multi_query(config: object, kind: str | None, heads: Reading | None) -> Reading | None:
    """Falcon and StarCoder: one shared head, or one for each query head.

    Falcon's newer decoder has groups; without it `num_kv_heads` is not used. Its first config class
    ("RefinedWeb") has them in `n_head_kv`.
    """
    grouped = stated(config, "num_key_value_heads") if kind in _FALCON else None
    newer = find(config, "new_decoder_architecture")
    if newer and newer[0] is True:
        return grouped or heads
    shared = find(config, "multi_query")
    if shared and shared[0] is True:
        return 1, shared[1]
    if kind != "falcon" and grouped:
        return grouped
    return heads and (heads[0], shared[1]) if shared and shared[0] is False else None


def _heads_by_class(config: object, heads: Reading | None) -> Reading | None:
    """Where nothing is stated: the class's number, or as many as there are query heads."""
    known = text_class(config)
    if known is None:
        return None
    if known.rules.get("num_key_value_heads") == FOLLOWS_HEADS:
        return heads and (heads[0], f"derived: num_attention_heads, as transformers {known.name}")
    default = defaulted(config, "num_key_value_heads")
    if default or any(alias in known.defaults for alias in ALIASES["num_key_value_heads"]):
        return default
    kind = text_type(config) or ""
    if heads is None or mentions(config, *ALIASES["num_key_value_heads"]) or kind.startswith(_NOT_MULTI_HEAD):
        return None
    return heads[0], f"derived: num_attention_heads, since transformers {known.name} has no other key"


def _head_dim(config: object, readings: Mapping[str, Reading | None], notes: Notes) -> Reading | None:
    kind = text_type(config)
    if kind in _HEADS_OF_A_STATE or kind in _WIDER_HEADS:
        return positive(config, "attention_head_dim")
    found, heads = stated(config, "head_dim"), readings["num_attention_heads"]
    if found and heads and _level(heads).startswith(f"{_level(found)}/"):
        found = None  # the whole's is that of another part: the text part states its heads itself
    if found is None and is_mla(config):
        return None
    found = found or (None if _turned_off(config) else defaulted(config, "head_dim"))
    if found is None:
        return _share_of_hidden(config, readings["hidden_size"], heads)
    for_global = global_head_dim(config)
    if for_global and for_global != found[0]:
        notes.warn(
            f"head_dim differs by layer type: {for_global} in layers of full attention,"
            f" {found[0]} in the others"
        )
        return None
    return found


def _share_of_hidden(config: object, hidden: Reading | None, heads: Reading | None) -> Reading | None:
    """hidden_size / num_attention_heads, unless the class has a width of its own."""
    known = text_class(config)
    kinds = (text_type(config) or "", text(at(config, "model_type")) or "")
    if hidden is None or heads is None or hidden[0] % heads[0]:
        return None
    if any(kind.startswith(_OWN_HEAD_DIM) for kind in kinds):
        return None
    own = known and any(alias in known.defaults for alias in ALIASES["head_dim"])
    if own and not _turned_off(config):
        return None
    if not known and _level(hidden) != _level(heads):
        return None  # one of the whole, one of a part
    return hidden[0] // heads[0], "derived: hidden_size / num_attention_heads"


def _turned_off(config: object) -> bool:
    """Whether latent attention is off: then the class's head_dim, a part of it, is no width."""
    return text_part(config)[1].get("use_mla") is False


def _level(reading: Reading) -> str:
    """Where a value stands: the way to the object that holds it."""
    return reading[1].rpartition("/")[0]


def _tied(config: object, notes: Notes) -> bool | None:
    path, part = text_part(config)
    places: list[tuple[Path, object]] = [((), config)]
    if path and text(at(config, "model_type")) not in _DUAL_ENCODERS:
        places.append((path, part))
    for way, place in places:
        for key in ("tie_word_embeddings", "weight_tying", "share_input_output_layers"):
            value = boolean(at(place, key))
            if value is not None:
                notes.source("architecture.tie_word_embeddings", pointer(*way, key))
                return value
    known = config_class(text(at(config, "model_type"))) if path else text_class(config)
    default = boolean(known.defaults.get("tie_word_embeddings")) if known else None
    if known and default is not None:
        notes.source("architecture.tie_word_embeddings", known.source)
    return default


def _moe(config: object, notes: Notes) -> Moe | None:
    sometimes = text_type(config) in _SOMETIMES_MOE
    experts = (stated if sometimes else look_up)(config, "num_experts", 2)
    if experts is None:
        return None
    fields = ("num_experts_per_tok", "num_shared_experts")
    readings = {field: look_up(config, field) for field in fields} | {"num_experts": experts}
    readings["moe_intermediate_size"] = expert_size(config)
    for field, other in differing(config, readings).items():
        notes.warn(f"{field} differs by layer: {other} in some, as per_layer_config states")
        readings[field] = None
    for field, reading in readings.items():
        if reading:
            notes.source(f"architecture.moe.{field}", reading[1])
    values = {field: reading[0] if reading else None for field, reading in readings.items()}
    return Moe(**values)
