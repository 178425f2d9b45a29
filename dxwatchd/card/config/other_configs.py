"""Configs of other formats than config.json of transformers → the same parts of the card.

Only what they state: a field that another config has given stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.attention_type import attention_type
from dxwatchd.card.config.config_formats import Format, other_config
from dxwatchd.card.config.config_keys import Reading
from dxwatchd.card.parts import Architecture, Attention, Context, Moe
from dxwatchd.card.values import Notes, at, boolean, integer, text


def completed(
    documents: Mapping[str, object],
    by_shape: Mapping[str, Reading],
    shape: Architecture,
    length: Context,
    notes: Notes,
) -> tuple[Architecture, Context]:
    """`shape` and `length` with what another format's config states, where a folder has one.

    by_shape: what the tensors' shapes tell: LLaMA's params.json states a vocabulary of -1. A folder whose
    config.json tells its model type has all it needs: then nothing is added.
    """
    known = other_config(documents) if shape.model_type is None else None
    if known is None:
        return shape, length
    reader = _Reader(known, documents, notes)
    values: dict[str, object] = {
        name: reader.whole(f"architecture.{name}", key)
        for name, key in known.fields.items()
        if getattr(shape, name) is None
    }
    if known.name:
        values["model_type"] = reader.words("architecture.model_type", known.name)
    if known.architecture and not shape.architectures:
        name = reader.words("architecture.architectures", known.architecture)
        values["architectures"] = (name,) if name else ()
    if "vocab_size" in known.fields and not values.get("vocab_size") and shape.vocab_size is None:
        rows = by_shape.get("vocab_size")
        values["vocab_size"] = rows[0] if rows else None
        if rows:
            notes.source("architecture.vocab_size", rows[1])
    if known.file == "params.json" and not integer(reader.at("kv_lora_rank"), 1):
        _meta(reader, values, notes)
    experts = {name: reader.whole(f"architecture.moe.{name}", key) for name, key in known.experts.items()}
    if experts.get("num_experts"):
        values["moe"] = Moe(**experts)
    values["attention"] = _attention(reader, shape, values, notes)
    values["tie_word_embeddings"] = shape.tie_word_embeddings
    for key in ("tie_word_embeddings", "tied_embeddings"):
        tied = boolean(reader.at(key))
        if tied is not None:
            values["tie_word_embeddings"] = tied
            notes.source("architecture.tie_word_embeddings", reader.source(key))
    return shape.model_copy(update=values), _length(reader, length, notes)


class _Reader:
    """Reads one format's config and says where each value is from."""

    def __init__(self, known: Format, documents: Mapping[str, object], notes: Notes) -> None:
        self.known = known
        self._config = documents.get(known.file)
        self._notes = notes

    def _way(self, key: str) -> tuple[str, ...]:
        if key.startswith("../"):
            return (key.removeprefix("../"),)
        return tuple(part for part in (*self.known.within.split("/"), *key.split("/")) if part)

    def at(self, key: str) -> object:
        return at(self._config, *self._way(key))

    def source(self, key: str) -> str:
        return f"{self.known.file}#/{'/'.join(self._way(key))}"

    def whole(self, field_path: str, key: str) -> int | None:
        value = integer(self.at(key), 1)
        if value is not None:
            self._notes.source(field_path, self.source(key))
        return value

    def words(self, field_path: str, key: str) -> str | None:
        value = text(self.at(key))
        if value is not None:
            self._notes.source(field_path, self.source(key))
        return value


def _meta(reader: _Reader, values: dict[str, object], notes: Notes) -> None:
    """What Meta's code makes of a params.json that does not state it.

    Feed-forward: 2/3 of 4·dim, times `ffn_dim_multiplier`, up to the next multiple of `multiple_of`;
    key-value heads: as many as heads; head_dim: dim / n_heads. Source: llama/model.py of LLaMA 1 to 3.
    """
    dim, heads = values.get("hidden_size"), values.get("num_attention_heads")
    multiple = integer(reader.at("multiple_of"), 1)
    if values.get("intermediate_size") is None and multiple and isinstance(dim, int):
        factor = reader.at("ffn_dim_multiplier")
        width = int(2 * (4 * dim) / 3)
        if isinstance(factor, int | float) and not isinstance(factor, bool) and 0 < factor < 1000:
            width = int(factor * width)
        values["intermediate_size"] = integer(multiple * ((width + multiple - 1) // multiple), 1)
        if values["intermediate_size"] is not None:
            notes.source("architecture.intermediate_size", "derived: dim, multiple_of, ffn_dim_multiplier")
    if isinstance(heads, int) and values.get("num_key_value_heads") is None:
        values["num_key_value_heads"] = heads
        notes.source("architecture.num_key_value_heads", "derived: n_heads")
    if (
        isinstance(heads, int)
        and isinstance(dim, int)
        and values.get("head_dim") is None
        and dim % heads == 0
    ):
        values["head_dim"] = dim // heads
        notes.source("architecture.head_dim", "derived: dim / n_heads")


def _attention(reader: _Reader, shape: Architecture, values: Mapping[str, object], notes: Notes) -> Attention:
    """Multi-head latent attention by its rank; else by the numbers of heads. A window where one is stated."""
    heads = values.get("num_attention_heads") or shape.num_attention_heads
    shared = values.get("num_key_value_heads") or shape.num_key_value_heads
    kind = shape.attention.type
    if kind is None and integer(reader.at("kv_lora_rank"), 1):
        kind = "mla"
        notes.source("architecture.attention.type", reader.source("kv_lora_rank"))
    elif kind is None and isinstance(heads, int) and isinstance(shared, int):
        kind = attention_type(heads, shared)
        notes.source("architecture.attention.type", "derived: numbers of heads")
    window = reader.whole("architecture.attention.sliding_window", "sliding_window")
    return shape.attention.model_copy(
        update={"type": kind, "sliding_window": window or shape.attention.sliding_window}
    )


def _length(reader: _Reader, length: Context, notes: Notes) -> Context:
    """The first length that is stated; scaling, where there is any, is in it."""
    if length.declared is not None:
        return length
    for key in reader.known.length:
        declared = integer(reader.at(key), 1)
        if declared is not None:
            for name in ("declared", "native", "effective"):
                notes.source(f"context.{name}", reader.source(key))
            native = integer(reader.at(reader.known.native), 1) if reader.known.native else None
            if native and reader.known.native:
                notes.source("context.native", reader.source(reader.known.native))
            return Context(declared=declared, native=native or declared, effective=declared, rule="declared")
    return length
