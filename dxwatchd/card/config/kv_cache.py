"""config.json → what a sequence keeps in memory while it is served. The formulas are in `kv_sizes`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dxwatchd.card.config.config_keys import find, look_up, text_part, whole
from dxwatchd.card.config.generative import is_encoder, is_encoder_decoder, is_generative
from dxwatchd.card.config.head_sizes import head_sizes
from dxwatchd.card.config.kv_sizes import attention_bytes, mla_bytes, window_bytes
from dxwatchd.card.config.layer_rules import LayerType, window
from dxwatchd.card.config.layers import deci_groups, keeping, layer_types
from dxwatchd.card.config.per_layer import own_sizes, with_sizes
from dxwatchd.card.config.recurrent import recurrent_bytes
from dxwatchd.card.config.remote_heads import heads_by_layer
from dxwatchd.card.parts import Architecture, Context, KvCache, KvLayers, Quantization
from dxwatchd.card.values import INTEGER_LIMIT, Notes, at, integer

ITEMSIZES = {"float32": 4, "bfloat16": 2, "float16": 2, "float8_e4m3fn": 1}
_FP8 = "float8_e4m3fn"
_ATTENDING = (LayerType.FULL, LayerType.SLIDING, LayerType.CHUNKED, LayerType.HYBRID)


def kv_cache(
    config: object,
    shape: Architecture,
    length: Context,
    dtype: str | None,
    packing: Quantization | None,
    notes: Notes,
) -> KvCache:
    """The cache of a model with a config.json, as inference servers keep it by default.

    Elements have the model's own dtype, or 8 bits where the quantiser says so; multi-token-prediction layers,
    which only speculative decoding uses, keep nothing here. Everything is None where the config does not
    tell all of it.
    """
    kept = cache_dtype(dtype, packing)
    if is_encoder(config, shape):
        notes.source("kv_cache", f"derived: model_type {shape.model_type} is an encoder, which keeps nothing")
        return KvCache(bytes_per_token=0, constant_bytes=0)
    if kept is None or shape.num_hidden_layers is None:
        return KvCache()
    if is_encoder_decoder(config):
        return _encoder_decoder(config, kept, notes)
    if not is_generative(config, shape):
        return KvCache()
    if (uneven := _uneven(config, shape, kept, notes)) is not None:
        return uneven
    found = layer_types(config, shape.num_hidden_layers, length.effective)
    if found is None:
        notes.warn("the key-value cache is not computed: the config's kinds of layers are not known")
        return KvCache()
    types, source = found
    groups = _groups(config, shape, keeping(config, types), (ITEMSIZES[kept], ITEMSIZES.get(dtype or "", 0)))
    if groups is None:
        notes.warn("the key-value cache is not computed: the config does not tell the sizes of its layers")
        return KvCache()
    if LayerType.CROSS in types:
        notes.warn("layers of cross-attention keep keys and values of the images besides the key-value cache")
    if find(config, "index_head_dim"):
        notes.warn("the keys of the sparse attention's indexer are not counted in the key-value cache")
    return summed(groups, kept, f"derived: layers by {source}", notes)


def cache_dtype(dtype: str | None, packing: Quantization | None) -> str | None:
    """The dtype of the cache's elements, in torch's spelling."""
    if packing is not None and (packing.kv_cache_quant or "").upper() == "FP8":
        return _FP8
    return dtype if dtype in ITEMSIZES else None


def summed(groups: Iterable[KvLayers], dtype: str, source: str, notes: Notes) -> KvCache:
    """All layers together; nothing where the sum is absurd."""
    layers = tuple(groups)
    growing = sum(one.bytes_per_token for one in layers if one.layer_type != LayerType.CROSS)
    constant = sum(one.constant_bytes for one in layers)
    if max(growing, constant) >= INTEGER_LIMIT:
        notes.warn("the key-value cache is not computed: absurd sizes")
        return KvCache()
    notes.source("kv_cache", source)
    return KvCache(bytes_per_token=growing, constant_bytes=constant, dtype=dtype, layers=layers)


def _groups(
    config: object, shape: Architecture, types: tuple[LayerType, ...], itemsizes: tuple[int, int]
) -> list[KvLayers] | None:
    """The layers by type, in the order of their first appearance; None where a size is not told.

    itemsizes: of an element that is kept for every token, and of one of a state of fixed size, which has the
    model's own dtype even where a quantiser provides for a cache of 8 bits; 0 where that is not known.
    """
    groups: list[KvLayers] = []
    own = own_sizes(config)
    alike = Counter((kind, own.get(number, ())) for number, kind in enumerate(types))
    for (kind, sizes), layers in alike.items():
        if kind in (LayerType.NONE, LayerType.CROSS):
            continue
        group = _group(with_sizes(config, sizes), shape, types, kind, itemsizes, layers)
        if group is None or (kind is LayerType.FULL and "sliding_window" in dict(sizes)):
            return None
        groups.append(group)
    return groups


def _group(
    config: object,
    shape: Architecture,
    types: tuple[LayerType, ...],
    kind: LayerType,
    itemsizes: tuple[int, int],
    layers: int,
) -> KvLayers | None:
    """`layers` layers of one type and of the same sizes."""
    token = _token_bytes(config, shape, types, kind, itemsizes[0]) if kind in _ATTENDING else 0
    state = recurrent_bytes(config, kind, itemsizes[1])
    limit = _limit(config, kind)
    if token is None or state is None or limit == 0 or (state and not itemsizes[1]):
        return None
    constant = window_bytes(token, limit) if limit else 0
    growing = 0 if limit else token
    total = (growing * layers, (constant + state) * layers)
    if max(total) >= INTEGER_LIMIT:
        return None
    return KvLayers(layer_type=kind.value, layers=layers, bytes_per_token=total[0], constant_bytes=total[1])


def _limit(config: object, kind: LayerType) -> int | None:
    """The tokens that layers of this kind keep at most; None: all, 0: the config does not tell."""
    if kind is LayerType.SLIDING:
        size = window(config)
        return size[0] if size else 0
    if kind is LayerType.CHUNKED:
        return whole(config, "attention_chunk_size") or 0
    return None


def _token_bytes(
    config: object, shape: Architecture, types: tuple[LayerType, ...], kind: LayerType, itemsize: int
) -> int | None:
    """One token in one layer of this kind."""
    if shape.attention.type == "mla":
        rank, rope = whole(config, "kv_lora_rank"), whole(config, "qk_rope_head_dim")
        return mla_bytes(rank, rope, itemsize) if rank and rope else None
    sizes = head_sizes(config, shape.num_key_value_heads, shape.head_dim, types, kind)
    return attention_bytes(*sizes, itemsize) if sizes else None


def _uneven(config: object, shape: Architecture, dtype: str, notes: Notes) -> KvCache | None:
    """Where every layer has its own number of key-value heads; None where the config has no such list."""
    listed = heads_by_layer(config, shape.num_hidden_layers or 0)
    if listed:
        return _by_heads(*listed, shape.head_dim, dtype, notes)
    blocks, heads = deci_groups(config), shape.num_attention_heads
    if blocks is None:
        return None
    groups = [group for group in blocks if group]
    if heads is None or not groups or any(heads % group for group in groups):
        return KvCache()
    counts = tuple(heads // group for group in groups)
    return _by_heads(counts, "config.json#/block_configs", shape.head_dim, dtype, notes)


def _by_heads(counts: tuple[int, ...], source: str, width: int | None, dtype: str, notes: Notes) -> KvCache:
    """Layers of full attention with different numbers of key-value heads, all of one width."""
    if width is None:
        return KvCache()
    token = sum(attention_bytes(count, width, width, ITEMSIZES[dtype]) for count in counts)
    if token >= INTEGER_LIMIT:
        return KvCache()
    listed = KvLayers(layer_type=LayerType.FULL.value, layers=len(counts), bytes_per_token=token)
    return summed((listed,), dtype, f"derived: {source}", notes)


def _encoder_decoder(config: object, dtype: str, notes: Notes) -> KvCache:
    """A decoder keeps its own tokens, and besides those of the encoder's output, for cross-attention."""
    layers = whole(
        config, "decoder_layers", "num_decoder_layers", "num_layers", "num_hidden_layers", "n_layer"
    )
    heads = whole(config, "decoder_attention_heads", "num_heads", "num_attention_heads", "n_head")
    hidden = look_up(config, "hidden_size")
    width = whole(config, "d_kv")
    if width is None and hidden and heads and hidden[0] % heads == 0:
        width = hidden[0] // heads
    if not (layers and heads and width) or layers > INTEGER_LIMIT // 2**20:
        return KvCache()
    token = attention_bytes(heads, width, width, ITEMSIZES[dtype]) * layers
    source = integer(at(text_part(config)[1], "max_source_positions"), 1)
    fixed = source if at(config, "model_type") == "whisper" else None  # it always sees 30 seconds
    if token * (fixed or 1) >= INTEGER_LIMIT:
        return KvCache()
    if not fixed:
        notes.warn("cross-attention keeps as much as the key-value cache again, for every token of the input")
    cross = KvLayers(
        layer_type=LayerType.CROSS.value,
        layers=layers,
        bytes_per_token=0 if fixed else token,
        constant_bytes=token * fixed if fixed else 0,
    )
    own = KvLayers(layer_type=LayerType.FULL.value, layers=layers, bytes_per_token=token)
    return summed((own, cross), dtype, "derived: the decoder's layers", notes)
