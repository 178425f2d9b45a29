"""A GGUF header's metadata → what a sequence keeps in memory under llama.cpp.

Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.kv_cache import summed
from dxwatchd.card.config.kv_sizes import attention_bytes, mla_bytes
from dxwatchd.card.config.layer_rules import LayerType
from dxwatchd.card.parts import Architecture, KvCache, KvLayers
from dxwatchd.card.sources import GgufMetadata
from dxwatchd.card.values import INTEGER_LIMIT, Notes, integer

DTYPE, ITEMSIZE = "float16", 2
"""llama.cpp's default for the cache (`--cache-type-k f16`, `--cache-type-v f16`)."""

_ENCODERS = frozenset(
    {"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "neo-bert", "clip"}
)
_OTHER_STATES = (
    "ssm.",
    "wkv.",
    "shortconv.",
    "kda.",
    "attention.shared_kv_layers",
    "full_attention_interval",
)
_WINDOWS = ("attention.sliding_window", "attention.chunk_size")


def gguf_kv_cache(
    metadata: GgufMetadata, arrays: Mapping[str, int], shape: Architecture, file: str, notes: Notes
) -> KvCache:
    """The cache of a model whose layers all keep every token.

    What looks back through windows, keeps states of another kind or has layers of several shapes stays None:
    there llama.cpp itself decides by the architecture's name which layer is which.
    """
    name, layers = shape.model_type, shape.num_hidden_layers
    if name in _ENCODERS:
        notes.source("kv_cache", f"derived: {file}#general.architecture is an encoder, which keeps nothing")
        return KvCache(bytes_per_token=0, constant_bytes=0)
    if name is None or layers is None or layers > INTEGER_LIMIT // 2**20:
        return KvCache()
    keys = [key.removeprefix(f"{name}.") for key in (*metadata, *arrays) if key.startswith(f"{name}.")]
    windows = [key for key in _WINDOWS if integer(metadata.get(f"{name}.{key}"), 1)]
    if windows or any(key.startswith(_OTHER_STATES) for key in keys):
        notes.warn("the key-value cache is not computed: the header does not tell which layer keeps what")
        return KvCache()
    token = _token_bytes(name, metadata, shape)
    if token is None or token * layers >= INTEGER_LIMIT:
        return KvCache()
    group = KvLayers(layer_type=LayerType.FULL.value, layers=layers, bytes_per_token=token * layers)
    return summed((group,), DTYPE, f"derived: {file}#{name}.attention", notes)


def _token_bytes(name: str, metadata: GgufMetadata, shape: Architecture) -> int | None:
    """One token in one layer."""
    rank = integer(metadata.get(f"{name}.attention.kv_lora_rank"), 1)
    key_dim = integer(metadata.get(f"{name}.attention.key_length"), 1) or shape.head_dim
    if rank:
        rope = integer(metadata.get(f"{name}.rope.dimension_count"), 1)
        compressed = integer(metadata.get(f"{name}.attention.key_length_mla"), 1)
        # Files from before llama.cpp kept the cache compressed lack key_length_mla; it then keeps all of it.
        return mla_bytes(rank, rope, ITEMSIZE) if rope and compressed else None
    value_dim = integer(metadata.get(f"{name}.attention.value_length"), 1) or key_dim
    heads = shape.num_key_value_heads
    return attention_bytes(heads, key_dim, value_dim, ITEMSIZE) if heads and key_dim and value_dim else None
