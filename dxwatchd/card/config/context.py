"""How many tokens a model takes: declared, native and effective."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.config_keys import levels, mentions, pointer, text_class, text_part
from dxwatchd.card.config.context_extensions import extension
from dxwatchd.card.parts import Context
from dxwatchd.card.values import INTEGER_LIMIT, Notes, at, integer, mapping, number, text

CANDIDATES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_context_length",
    "max_encoder_position_embeddings",
)
"""Keys of config.json that state the context, first the one that prevails."""

UNSET = 10**9
"""A tokenizer's model_max_length from here on is a placeholder for "not set"."""

_RELATIVE = frozenset({"t5", "mt5", "umt5", "longt5", "switch_transformers", "byt5"})
"""Model types with relative positions only: their n_positions bounds nothing."""
_SHIFTED = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "layoutlmv3"}
)
"""Model types whose positions start behind the padding token's number."""


def declared_context(config: object) -> tuple[int, str] | None:
    """What a config states, with its source."""
    if text(at(config, "model_type")) in _RELATIVE:
        return None
    for path, part in levels(config):
        for key in CANDIDATES:
            value = integer(part.get(key), 1)
            if value is not None and value < UNSET:
                return value, pointer(*path, key)
    known = text_class(config)
    if known is None:
        return None
    own = known.names.get("max_position_embeddings", "")
    value = integer(text_part(config)[1].get(own), 1)
    if value is not None:
        return value, pointer(*text_part(config)[0], own)
    if mentions(config, *CANDIDATES, own):
        return None
    for key in (*CANDIDATES, own):
        value = integer(known.defaults.get(key), 1)
        if value is not None:
            return value, known.source
    return None


def rope(config: object) -> tuple[tuple[str, ...], Mapping[str, object]]:
    """The way to the scaling of rotary positions, and it; of several by layer type that of full attention."""
    for path, part in levels(config):
        for key in ("rope_scaling", "rope_parameters"):
            found = mapping(part.get(key))
            nested = mapping(found.get("full_attention"))
            if nested:
                return (*path, key, "full_attention"), nested
            if found:
                return (*path, key), found
    return (), {}


def context(config: object, tokenizer_limit: int | None, max_seq_length: int | None, notes: Notes) -> Context:
    """The context of a model with a config.json.

    YaRN: effective = original * factor. LongRoPE: a server offers the original unless told otherwise.
    Llama-3 scaling: what is declared is scaled already. Linear and dynamic: the declared value is kept, as
    configs differ in whether it is scaled. Then the tokenizer's model_max_length and sentence-transformers'
    max_seq_length bound it. Source of the first three: transformers' modeling_rope_utils, vLLM's config.
    """
    found = declared_context(config)
    if found is None:
        rule = None
        if max_seq_length:
            rule = "max_seq_length of sentence_bert_config.json"
            notes.source("context.effective", "sentence_bert_config.json#/max_seq_length")
        return Context(effective=max_seq_length, rule=rule)
    declared, source = found
    original = _original(config)
    native, effective, rule, scaled = _scaled(config, declared, original[0] if original else None)
    own = extension(config, declared)
    if own:
        original, effective, rule, scaled = own
        native = own.native[0]
    shifted = _shifted(config, effective)
    if shifted != effective:
        effective, rule = shifted, "declared, less the positions up to the padding token's"
    if tokenizer_limit is not None and tokenizer_limit < effective and not scaled:
        effective, rule = tokenizer_limit, f"model_max_length of tokenizer_config.json; without it: {rule}"
    if max_seq_length is not None and max_seq_length < effective:
        effective, rule = max_seq_length, "max_seq_length of sentence_bert_config.json"
    notes.source("context.declared", source)
    notes.source("context.native", original[1] if original and native == original[0] else source)
    notes.source("context.effective", f"derived: {rule}")
    return Context(declared=declared, native=native, effective=effective, rule=rule)


def _original(config: object) -> tuple[int, str] | None:
    """The context before scaling, and its source."""
    way, scaling = rope(config)
    path, part = text_part(config)
    for place, values in ((way, scaling), (path, part)):
        value = integer(values.get("original_max_position_embeddings"), 1)
        if value is not None:
            return value, pointer(*place, "original_max_position_embeddings")
    return None


def _scaled(config: object, declared: int, original: int | None) -> tuple[int, int, str, bool]:
    """(native, effective, rule, whether the effective one is longer by a stated scaling)."""
    _, scaling = rope(config)
    kind = scaling.get("rope_type", scaling.get("type"))
    factor = number(scaling.get("factor"))
    if kind == "yarn" and original and factor and 1 <= original * factor < INTEGER_LIMIT:
        return original, int(original * factor), "yarn: original * factor", True
    if kind in ("longrope", "su") and original:
        return original, original, "longrope: the original is served by default", False
    if kind == "llama3" and original:
        return original, declared, "llama3: declared, which is scaled already", False
    if kind in ("linear", "dynamic") and factor:
        return declared, declared, f"declared; {kind} scaling by {factor:g} is stated beside it", False
    return declared, declared, "declared", False


def _shifted(config: object, positions: int) -> int:
    if text(at(config, "model_type")) not in _SHIFTED:
        return positions
    padding = integer(at(config, "pad_token_id"))
    return positions - padding - 1 if padding is not None and padding + 1 < positions else positions
