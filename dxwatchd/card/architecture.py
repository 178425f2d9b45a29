"""config.json → the architecture. Only what the folder states, and what follows from it with certainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dxwatchd.card.parts import Architecture, Attention, Moe
from dxwatchd.card.values import Notes, at, boolean, integer, mapping, text, texts

CONFIG = "config.json"

Path = tuple[str, ...]
Reading = tuple[int, str]

TEXT_PARTS: tuple[Path, ...] = (
    ("text_config",),
    ("decoder",),
    ("generator",),
    ("text_encoder",),
    ("llm_config",),
    ("language_config",),
    ("thinker_config", "text_config"),
)
"""Where configs of several parts keep their language model, in the order in which they are asked."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size", "n_embd", "n_embed", "d_model"),
    "intermediate_size": (
        "intermediate_size",
        "n_inner",
        "d_ff",
        "ffn_dim",
        "ffn_hidden_size",
        "inner_hidden_size",
        "ffn_config/ffn_hidden_size",
    ),
    "num_hidden_layers": (
        "num_hidden_layers",
        "n_layer",
        "n_layers",
        "num_layers",
        "encoder_layers",
        "num_decoder_layers",
        "decoder_layers",
    ),
    "num_attention_heads": (
        "num_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "encoder_attention_heads",
        "decoder_attention_heads",
    ),
    "num_key_value_heads": (
        "num_key_value_heads",
        "n_head_kv",
        "n_kv_heads",
        "num_kv_heads",
        "attn_config/kv_n_heads",
    ),
    "head_dim": ("head_dim", "d_kv", "kv_channels"),
    "vocab_size": ("vocab_size", "padded_vocab_size"),
    "num_experts": (
        "num_local_experts",
        "num_experts",
        "n_routed_experts",
        "moe_num_experts",
        "ffn_config/moe_num_experts",
    ),
    "num_experts_per_tok": (
        "num_experts_per_tok",
        "experts_per_token",
        "num_experts_per_token",
        "moe_top_k",
        "moe_k",
        "top_k_experts",
        "ffn_config/moe_top_k",
    ),
    "num_shared_experts": ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"),
    "moe_intermediate_size": ("moe_intermediate_size",),
}
"""The names that configs use for one thing, first the one that prevails; "/" leads into an object."""

_FALCON = frozenset({"falcon", "RefinedWeb", "RefinedWebModel"})
_DUAL_ENCODERS = frozenset({"clip", "chinese_clip", "siglip", "siglip2", "altclip", "clipseg", "owlvit", "clap"})
_OWN_HEAD_DIM = ("gemma", "qwen3", "gpt_oss", "glm4", "t5", "mt5", "umt5", "jamba", "mamba", "nemotron_h", "seed_oss")
"""Model types (by their beginning) whose head_dim is not hidden_size / num_attention_heads by default."""


def text_part(config: object) -> tuple[Path, Mapping[str, object]]:
    """The language model's own config and the way to it; ((), config) where there is none."""
    for path in TEXT_PARTS:
        part = at(config, *path)
        if isinstance(part, Mapping) and part:
            return path, part
    return (), mapping(config)


def pointer(*path: str) -> str:
    """The source of a value in config.json."""
    return f"{CONFIG}#/{'/'.join(path)}"


def levels(config: object) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Where a value may stand: the text part, which states its own, then the whole config."""
    path, part = text_part(config)
    yield path, part
    if path:
        yield (), mapping(config)


def look_up(config: object, field: str, least: int = 1) -> Reading | None:
    """The integer that a config states for `field` under any of its names, with its source."""
    for path, part in levels(config):
        for alias in ALIASES[field]:
            way = tuple(alias.split("/"))
            value = integer(at(part, *way), least)
            if value is not None:
                return value, pointer(*path, *way)
    return None


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
        **values,
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
    model_type = part.get("model_type")
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
        return (heads[0], pointer(*path, "multi_query")) if heads and part.get("multi_query") is False else None
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
    path, part = text_part(config)
    stated = look_up(config, "head_dim")
    if stated:
        for_global = integer(part.get("global_head_dim"), 1)
        if for_global and for_global != stated[0]:
            notes.warn(
                f"head_dim differs by layer type: {for_global} in layers of full attention, {stated[0]} in the others"
            )
            return None
        return stated
    hidden, heads = readings["hidden_size"], readings["num_attention_heads"]
    kinds = (str(part.get("model_type")), str(at(config, "model_type")))
    if hidden is None or heads is None or hidden[0] % heads[0]:
        return None
    if integer(part.get("kv_lora_rank"), 1) or any(kind.startswith(_OWN_HEAD_DIM) for kind in kinds):
        return None
    if readings["num_hidden_layers"] is None or (path and not isinstance(part.get("num_attention_heads"), int)):
        return None
    return hidden[0] // heads[0], "derived: hidden_size / num_attention_heads"


def _tied(config: object, notes: Notes) -> bool | None:
    path, part = text_part(config)
    places: list[tuple[Path, object]] = [((), config)]
    if path and at(config, "model_type") not in _DUAL_ENCODERS:
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
