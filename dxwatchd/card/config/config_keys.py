"""Where a config.json keeps a value: the names it may have, and the part of the config it may stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dxwatchd.card.config.class_defaults import ConfigClass, config_class
from dxwatchd.card.values import at, integer, mapping, text

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
    "hidden_size": ("hidden_size", "n_embd", "n_embed", "d_model", "dim", "model_dim"),
    "intermediate_size": (
        "intermediate_size",
        "n_inner",
        "d_ff",
        "ffn_dim",
        "ffn_hidden_size",
        "inner_hidden_size",
        "ff_intermediate_size",
        "ffn_config/ffn_hidden_size",
    ),
    "num_hidden_layers": (
        "num_hidden_layers",
        "n_layer",
        "n_layers",
        "num_layers",
        "encoder_layers",
        "num_encoder_layers",
        "num_decoder_layers",
        "decoder_layers",
        "num_transformer_layers",
    ),
    "num_attention_heads": (
        "num_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "encoder_attention_heads",
        "num_encoder_attention_heads",
        "decoder_attention_heads",
        "attention_heads",
    ),
    "num_key_value_heads": (
        "num_key_value_heads",
        "n_head_kv",
        "n_kv_heads",
        "num_kv_heads",
        "attn_config/kv_n_heads",
        "num_multi_query_heads",
        "num_query_groups",
    ),
    "head_dim": ("head_dim", "d_kv", "kv_channels", "attention_head_dim"),
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
        "moe_topk",
        "moe_k",
        "top_k_experts",
        "num_selected_experts",
        "ffn_config/moe_top_k",
    ),
    "num_shared_experts": (
        "n_shared_experts",
        "num_shared_experts",
        "num_shared_expert",
        "moe_num_shared_experts",
    ),
    "moe_intermediate_size": ("moe_intermediate_size", "expert_ffn_hidden_size"),
}
"""The names that configs use for one thing, first the one that prevails; "/" leads into an object."""
_BY_LAYER = frozenset(
    {"intermediate_size", "num_experts", "num_experts_per_tok", "num_shared_experts", "moe_intermediate_size"}
)
"""Fields that some configs give as a list with a number for each layer (Gemma-3n, Hunyuan-A13B)."""


def text_part(config: object) -> tuple[Path, Mapping[str, object]]:
    """The language model's own config and the way to it; ((), config) where there is none."""
    for path in TEXT_PARTS:
        part = at(config, *path)
        if isinstance(part, Mapping) and part:
            return path, part
    return (), mapping(config)


def text_type(config: object) -> str | None:
    """The model type that the text part, or a config of one part, states."""
    return text(text_part(config)[1].get("model_type"))


def pointer(*path: str) -> str:
    """The source of a value in config.json."""
    return f"{CONFIG}#/{'/'.join(path)}"


def levels(config: object) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Where a value may stand: the text part, which states its own, then the whole config."""
    path, part = text_part(config)
    yield path, part
    if path:
        yield (), mapping(config)


def text_class(config: object) -> ConfigClass | None:
    """The class of the text part in transformers: by its model type, else by what its parent gives it."""
    path, part = text_part(config)
    if part.get("model_type") == "glm" and "block_position_encoding" in part:
        return None  # GLM-10B of 2022, whose own code has the name that transformers gave to GLM-4
    return config_class(text(part.get("model_type"), 64) or _given_type(config, path))


def _given_type(config: object, path: Path) -> str | None:
    """The model type that the classes above give the part at `path`."""
    kind = None
    for depth, key in enumerate(path):
        parent = text(at(config, *path[:depth], "model_type"), 64) or kind
        above = config_class(parent)
        kind = above.parts.get(key) if above else None
    return kind


def look_up(config: object, field: str, least: int = 1) -> Reading | None:
    """The integer that a config states for `field` under any of its names, else its class's default."""
    return stated(config, field, least) or defaulted(config, field, least)


def stated(config: object, field: str, least: int = 1) -> Reading | None:
    """The integer that a config states for `field` under any of its names, with its source."""
    for path, part in levels(config):
        for alias in names(config, field):
            way = tuple(alias.split("/"))
            found = at(part, *way)
            value = integer(_for_each_layer(config, found) if field in _BY_LAYER else found, least)
            if value is not None:
                return value, pointer(*path, *way)
    return None


def _for_each_layer(config: object, value: object) -> object:
    """A list that gives it for each layer as its one item, None where layers differ; else `value` itself."""
    if not isinstance(value, list):
        return value
    layers = stated(config, "num_hidden_layers")
    alike = layers is not None and len(value) == layers[0] and all(item == value[0] for item in value)
    return value[0] if alike else None


def names(config: object, field: str) -> tuple[str, ...]:
    """The keys that a config may have for `field`: the general ones, then its class's own."""
    known = text_class(config)
    own = known.names.get(field) if known else None
    return ALIASES[field] if own is None or own in ALIASES[field] else (*ALIASES[field], own)


def defaulted(config: object, field: str, least: int = 1) -> Reading | None:
    """The class's default for `field`; None where the config has the field at all, if only as null."""
    known = text_class(config)
    aliases = names(config, field)
    if known is None or mentions(config, *aliases):
        return None
    for alias in aliases:
        value = integer(known.defaults.get(alias), least)
        if value is not None:
            return value, known.source
    return None


def mentions(config: object, *keys: str) -> bool:
    """Whether the text part or the whole config has one of `keys`, whatever its value."""
    return any(
        way[-1] in mapping(at(part, *way[:-1]))
        for _, part in levels(config)
        for way in (key.split("/") for key in keys)
    )


def find(config: object, key: str) -> tuple[object, str] | None:
    """What the text part, else the whole config states for `key`, of whatever type, else its class's default.

    With its source. What is stated as null has no default.
    """
    for path, part in levels(config):
        if part.get(key) is not None:
            return part[key], pointer(*path, key)
    known = text_class(config)
    if known is None or mentions(config, key):
        return None
    if key in known.patterns:
        return list(known.patterns[key]), known.source
    value = known.defaults.get(key)
    return None if value is None else (value, known.source)


def positive(config: object, *keys: str) -> Reading | None:
    """The first positive integer that `find` gives for one of `keys`, with its source."""
    for key in keys:
        found = find(config, key)
        value = integer(found[0], 1) if found else None
        if found and value is not None:
            return value, found[1]
    return None


def whole(config: object, *keys: str) -> int | None:
    """The same without its source."""
    found = positive(config, *keys)
    return found[0] if found else None


def is_mla(config: object) -> bool:
    """Whether attention keeps one compressed vector for all heads (multi-head latent attention)."""
    return bool(whole(config, "kv_lora_rank")) and text_part(config)[1].get("use_mla") is not False
