"""config.json → the architecture. Only what the folder states, and what follows from it with certainty."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config_keys import Path, Reading, levels, look_up, pointer, text_part
from dxwatchd.card.parts import Architecture, Attention, Moe
from dxwatchd.card.values import Notes, at, boolean, integer, text, texts

_FALCON = frozenset({"falcon", "RefinedWeb", "RefinedWebModel"})
_DUAL_ENCODERS = frozenset(
    {"clip", "chinese_clip", "siglip", "siglip2", "altclip", "clipseg", "owlvit", "owlv2", "clap"}
)
# fmt: off
_OWN_HEAD_DIM = (
    "gemma", "vaultgemma", "qwen3", "gpt_oss", "glm", "t5", "mt5", "umt5", "longt5", "switch_transformers",
    "pop2piano", "udop", "mamba", "zamba", "nemotron_h", "seed_oss", "helium", "ernie4_5", "reformer",
    "mobilebert", "convbert", "funnel", "xlnet", "llama4",
)
# fmt: on
"""Model types (by their beginning) whose head_dim is not hidden_size / num_attention_heads by default."""


def architecture(config: object, notes: Notes) -> Architecture:
    """The architecture that a config.json states; sources and what is odd go to `notes`."""
    model_type = text(at(config, "model_type"))
    architectures = texts(at(config, "architectures"), count=8)
    if model_type:
        notes.source("architecture.model_type", pointer("model_type"))
    if architectures:
        notes.source("architecture.architectures", pointer("architectures"))
    plain_fields = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    readings = {field: look_up(config, field) for field in plain_fields}
    readings["intermediate_size"] = _intermediate_size(config)
    readings["num_key_value_heads"] = _key_value_heads(config, readings["num_attention_heads"], notes)
    readings["head_dim"] = _head_dim(config, readings, notes)
    values: dict[str, int | None] = {}
    for field, reading in readings.items():
        values[field] = reading[0] if reading else None
        if reading:
            notes.source(f"architecture.{field}", reading[1])
    return Architecture(
        model_type=model_type,
        architectures=architectures,
        tie_word_embeddings=_tied(config, notes),
        attention=_attention(config, values, notes),
        moe=_moe(config, notes),
        hidden_size=values["hidden_size"],
        intermediate_size=values["intermediate_size"],
        num_hidden_layers=values["num_hidden_layers"],
        num_attention_heads=values["num_attention_heads"],
        num_key_value_heads=values["num_key_value_heads"],
        head_dim=values["head_dim"],
        vocab_size=values["vocab_size"],
    )


def _intermediate_size(config: object) -> Reading | None:
    found = look_up(config, "intermediate_size")
    if found:
        return found
    for path, part in levels(config):
        sides = (integer(part.get("encoder_ffn_dim"), 1), integer(part.get("decoder_ffn_dim"), 1))
        if sides[0] is not None and sides[0] == sides[1]:
            return sides[0], pointer(*path, "encoder_ffn_dim")
    return None


def _key_value_heads(config: object, heads: Reading | None, notes: Notes) -> Reading | None:
    path, part = text_part(config)
    model_type = text(part.get("model_type"))
    stated = look_up(config, "num_key_value_heads")
    if model_type in _FALCON and part.get("new_decoder_architecture") is not True:
        # Without the new decoder `num_kv_heads` is not used: one shared head, or one for each query head.
        if part.get("multi_query") is True:
            return 1, pointer(*path, "multi_query")
        if part.get("multi_query") is False and part.get("n_head_kv") is None:
            return heads and (heads[0], pointer(*path, "multi_query"))
    if model_type == "gpt_bigcode":
        if part.get("multi_query") is True:
            return 1, pointer(*path, "multi_query")
        return (
            (heads[0], pointer(*path, "multi_query")) if heads and part.get("multi_query") is False else None
        )
    if part.get("multi_query_attention") is True:
        groups = integer(part.get("multi_query_group_num"), 1)
        if groups:
            return groups, pointer(*path, "multi_query_group_num")
    for_global = integer(part.get("num_global_key_value_heads"), 1)
    if stated and for_global and for_global != stated[0]:
        notes.warn(
            f"num_key_value_heads differs by layer type: {for_global} in layers of full attention,"
            f" {stated[0]} in the others"
        )
        return None
    if stated is None and model_type == "whisper" and heads:
        return heads[0], "derived: num_attention_heads, since Whisper's attention is multi-head"
    return stated


def _head_dim(config: object, readings: Mapping[str, Reading | None], notes: Notes) -> Reading | None:
    _, part = text_part(config)
    stated = look_up(config, "head_dim")
    if stated:
        for_global = integer(part.get("global_head_dim"), 1)
        if for_global and for_global != stated[0]:
            notes.warn(
                f"head_dim differs by layer type: {for_global} in layers of full attention,"
                f" {stated[0]} in the others"
            )
            return None
        return stated
    hidden, heads = readings["hidden_size"], readings["num_attention_heads"]
    kinds = (text(part.get("model_type")) or "", text(at(config, "model_type")) or "")
    if hidden is None or heads is None or hidden[0] % heads[0]:
        return None
    if integer(part.get("kv_lora_rank"), 1) or any(kind.startswith(_OWN_HEAD_DIM) for kind in kinds):
        return None
    if hidden[1].rpartition("/")[0] != heads[1].rpartition("/")[0]:
        return None  # one of the whole, one of a part
    return hidden[0] // heads[0], "derived: hidden_size / num_attention_heads"


def _tied(config: object, notes: Notes) -> bool | None:
    path, part = text_part(config)
    places: list[tuple[Path, object]] = [((), config)]
    if path and text(at(config, "model_type")) not in _DUAL_ENCODERS:
        places.append((path, part))
    for way, place in places:
        value = boolean(at(place, "tie_word_embeddings"))
        if value is not None:
            notes.source("architecture.tie_word_embeddings", pointer(*way, "tie_word_embeddings"))
            return value
    return None


def _attention(config: object, values: Mapping[str, int | None], notes: Notes) -> Attention:
    path, part = text_part(config)
    kind = None
    heads, shared = values["num_attention_heads"], values["num_key_value_heads"]
    if integer(part.get("kv_lora_rank"), 1) and part.get("use_mla") is not False:
        kind = "mla"
        notes.source("architecture.attention.type", pointer(*path, "kv_lora_rank"))
    elif heads and shared and heads >= shared:
        kind = "mha" if shared == heads else "mqa" if shared == 1 else "gqa"
        notes.source("architecture.attention.type", "derived: num_attention_heads, num_key_value_heads")
    window = None if part.get("use_sliding_window") is False else integer(part.get("sliding_window"), 1)
    if window:
        notes.source("architecture.attention.sliding_window", pointer(*path, "sliding_window"))
    listed = part.get("layer_types")
    layers: tuple[str, ...] = ()
    if isinstance(listed, list) and len(listed) <= 1024 and all(text(item, 40) for item in listed):
        layers = tuple(text(item, 40) or "" for item in listed)
        notes.source("architecture.attention.layer_types", pointer(*path, "layer_types"))
    return Attention(type=kind, sliding_window=window, layer_types=layers)


def _moe(config: object, notes: Notes) -> Moe | None:
    experts = look_up(config, "num_experts", least=2)
    if experts is None:
        return None
    fields = ("num_experts_per_tok", "num_shared_experts", "moe_intermediate_size")
    readings = {field: look_up(config, field) for field in fields} | {"num_experts": experts}
    for field, reading in readings.items():
        if reading:
            notes.source(f"architecture.moe.{field}", reading[1])
    values = {field: reading[0] if reading else None for field, reading in readings.items()}
    return Moe(**values)
