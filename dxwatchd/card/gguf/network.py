"""A GGUF header's metadata → the same parts that a config.json gives.

Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.attention_type import attention_type
from dxwatchd.card.loading.chat_templates import chat_template
from dxwatchd.card.parts import Architecture, Attention, ChatTemplate, Context, Moe, Tokenizer
from dxwatchd.card.sources import GgufMetadata
from dxwatchd.card.values import Notes, boolean, integer, text

_FIELDS = {
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "vocab_size": "vocab_size",
}
_EXPERTS = {
    "num_experts": "expert_count",
    "num_experts_per_tok": "expert_used_count",
    "num_shared_experts": "expert_shared_count",
    "moe_intermediate_size": "expert_feed_forward_length",
}


def gguf_architecture(
    metadata: GgufMetadata, arrays: Mapping[str, int], file: str, notes: Notes
) -> Architecture:
    """The architecture that the header of `file` states. Values that differ by layer (arrays) stay None."""
    name = text(metadata.get("general.architecture"))
    if name is None:
        return Architecture()
    notes.source("architecture.model_type", _key(file, "general.architecture"))
    values: dict[str, int | None] = {}
    mla = integer(metadata.get(f"{name}.attention.kv_lora_rank"), 1)
    for field, key in _FIELDS.items():
        if mla and field in ("num_key_value_heads", "head_dim"):
            values[field] = None  # the header's are those of the compressed form
            continue
        values[field] = integer(metadata.get(f"{name}.{key}"), 1)
        if values[field] is not None:
            notes.source(f"architecture.{field}", _key(file, f"{name}.{key}"))
        elif f"{name}.{key}" in arrays:
            notes.warn(f"{field} differs by layer: {name}.{key} is a list")
    if values["vocab_size"] is None and (listed := integer(arrays.get("tokenizer.ggml.tokens"), 1)):
        values["vocab_size"] = listed
        notes.source("architecture.vocab_size", _key(file, "tokenizer.ggml.tokens"))
    _derive_head_dim(values, mla, notes)
    return Architecture(
        model_type=name,
        attention=_attention(name, metadata, values, mla, file, notes),
        moe=_moe(name, metadata, file, notes),
        hidden_size=values["hidden_size"],
        intermediate_size=values["intermediate_size"],
        num_hidden_layers=values["num_hidden_layers"],
        num_attention_heads=values["num_attention_heads"],
        num_key_value_heads=values["num_key_value_heads"],
        head_dim=values["head_dim"],
        vocab_size=values["vocab_size"],
    )


def gguf_context(metadata: GgufMetadata, file: str, notes: Notes) -> Context:
    """What the model serves (`context_length`), and what it was trained on before positions were scaled."""
    name = metadata.get("general.architecture")
    declared = integer(metadata.get(f"{name}.context_length"), 1)
    if declared is None:
        return Context()
    original = integer(metadata.get(f"{name}.rope.scaling.original_context_length"), 1)
    for field in ("declared", "native", "effective"):
        notes.source(f"context.{field}", _key(file, f"{name}.context_length"))
    if original and original != declared:
        notes.source("context.native", _key(file, f"{name}.rope.scaling.original_context_length"))
    return Context(declared=declared, native=original or declared, effective=declared, rule="declared")


def gguf_tokenizer(metadata: GgufMetadata, file: str, notes: Notes) -> Tokenizer:
    """The kind of tokenizer and the template; the special tokens' texts stand in a list that nobody reads."""
    kind = text(metadata.get("tokenizer.ggml.model"))
    if kind:
        notes.source("tokenizer.tokenizer_class", _key(file, "tokenizer.ggml.model"))
    templates: list[ChatTemplate] = []
    for key in sorted(metadata):
        body = metadata[key]
        if key.startswith("tokenizer.chat_template") and isinstance(body, str) and len(templates) < 16:
            name = key.removeprefix("tokenizer.chat_template").removeprefix(".") or "default"
            templates.append(chat_template(name, _key(file, key), body))
    if templates:
        notes.source("tokenizer.chat_templates", templates[0].source)
    adds = {}
    for name in ("add_bos_token", "add_eos_token"):
        adds[name] = boolean(metadata.get(f"tokenizer.ggml.{name}"))
        if adds[name] is not None:
            notes.source(f"tokenizer.{name}", _key(file, f"tokenizer.ggml.{name}"))
    return Tokenizer(
        tokenizer_class=kind,
        chat_templates=tuple(templates),
        add_bos_token=adds["add_bos_token"],
        add_eos_token=adds["add_eos_token"],
    )


def _derive_head_dim(values: dict[str, int | None], mla: int | None, notes: Notes) -> None:
    """head_dim where no key length is stated: the format's own rule is n_embd / n_head."""
    hidden, heads = values["hidden_size"], values["num_attention_heads"]
    if values["head_dim"] is None and hidden and heads and not mla and hidden % heads == 0:
        values["head_dim"] = hidden // heads
        notes.source("architecture.head_dim", "derived: embedding_length / attention.head_count")


def _attention(
    name: str,
    metadata: GgufMetadata,
    values: Mapping[str, int | None],
    mla: int | None,
    file: str,
    notes: Notes,
) -> Attention:
    heads, shared = values["num_attention_heads"], values["num_key_value_heads"]
    kind = "mla" if mla else None
    if heads and shared and heads >= shared:
        kind = attention_type(heads, shared)
    if kind:
        notes.source("architecture.attention.type", "derived: attention.head_count, attention.head_count_kv")
    window = integer(metadata.get(f"{name}.attention.sliding_window"), 1)
    if window:
        notes.source("architecture.attention.sliding_window", _key(file, f"{name}.attention.sliding_window"))
    return Attention(type=kind, sliding_window=window)


def _moe(name: str, metadata: GgufMetadata, file: str, notes: Notes) -> Moe | None:
    values = {field: integer(metadata.get(f"{name}.{key}"), 1) for field, key in _EXPERTS.items()}
    if not values["num_experts"]:
        return None
    for field, value in values.items():
        if value is not None:
            notes.source(f"architecture.moe.{field}", _key(file, f"{name}.{_EXPERTS[field]}"))
    return Moe(**values)


def _key(file: str, key: str) -> str:
    return f"{file}#{key}"
