"""One word for each decoder layer: the rules by which the keys of a config tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from dxwatchd.card.config.config_keys import Reading, find, positive, text_type
from dxwatchd.card.values import integer

MOST_LAYERS = 1024
DEFAULT = "default:"
"""What the source of a class default begins with."""


class LayerType(StrEnum):
    """The state that one layer keeps of the tokens before. The words are transformers' `layer_types`."""

    FULL = "full_attention"
    SLIDING = "sliding_attention"
    CHUNKED = "chunked_attention"
    LINEAR = "linear_attention"
    MAMBA = "mamba"
    CONV = "conv"
    HYBRID = "hybrid"  # attention and mamba side by side
    CROSS = "cross_attention"
    NONE = "none"


Layers = tuple[tuple[LayerType, ...], str]
"""One type for each layer, and the source."""

_WORDS: Mapping[str, LayerType] = {
    **{kind.value: kind for kind in LayerType},
    "attention": LayerType.FULL,
    "global": LayerType.FULL,
    "indexed_attention": LayerType.FULL,  # it looks at few tokens, and keeps all
    "deepseek_sparse_attention": LayerType.FULL,  # the same
    "local": LayerType.SLIDING,
    "mlp": LayerType.NONE,
    "moe": LayerType.NONE,
}
NEMOTRON_H = {"M": "mamba", "*": "full_attention", "-": "mlp", "E": "moe"}
"""The letters of `hybrid_override_pattern`."""

_ODD = (
    "block_types", "compress_ratios", "compress_ratio", "conv1d_width", "lru_width", "rescale_every",
    "ssm_cfg", "time_step_rank", "use_cla", "state_size", "mamba_d_state", "ssm_state_size",
    "linear_num_value_heads", "mamba_num_heads", "rwkv_version", "slstm_at", "retention_heads",
    "linear_attn_config", "attention_window_size", "block_configs",
)  # fmt: skip
"""Keys of networks whose layers remember in another way than a rule of this module knows."""

_ALL_SLIDING = frozenset(
    {
        "mistral",
        "mixtral",
        "ministral",
        "starcoder2",
        "phi3",
        "phi3_v",
        "phi3small",
        "phimoe",
        "phi4_multimodal",
        "phi4mm",
    }
)
"""Model types in which a stated window is that of every layer."""


def window(config: object) -> Reading | None:
    """The tokens that a sliding layer looks back to, with the source."""
    return positive(config, "sliding_window", "sliding_window_size", "attention_window_size")


def _stated_list(config: object, layers: int) -> Layers | None:
    """`layer_types`, or the older list of the same words."""
    found = _list(config)
    if found is None or found[1].startswith(DEFAULT):
        return None
    words, source = found
    return (_read(words[:layers], _WORDS), source) if len(words) >= layers else ((), source)


def _default_list(config: object, layers: int) -> Layers | None:
    """What the class does by default: its pattern, repeated."""
    found = _list(config)
    if found is None:
        return None
    words, source = found
    return _read([words[index % len(words)] for index in range(layers)], _WORDS), source


def _list(config: object) -> tuple[list[object], str] | None:
    for key in ("layer_types", "layers_block_type"):
        found = find(config, key)
        if found is not None and isinstance(found[0], list) and found[0]:
            return found[0][:MOST_LAYERS], found[1]
    return None


def _read(words: Sequence[object], known: Mapping[str, LayerType]) -> tuple[LayerType, ...]:
    """The words' types; () where one is not known, which makes the whole unknown."""
    types = [known.get(word) if isinstance(word, str) else None for word in words]
    return tuple(one for one in types if one is not None) if None not in types else ()


def _nemotron_h(config: object, layers: int) -> Layers | None:
    found = find(config, "hybrid_override_pattern")
    if found is None or not isinstance(found[0], str):
        return None
    if len(found[0]) != layers:
        return (), found[1]
    return _read([NEMOTRON_H.get(letter) for letter in found[0]], _WORDS), found[1]


def _every(config: object, layers: int) -> Layers | None:
    """Every n-th layer looks at everything, the others are of a cheaper kind."""
    for key, other in (
        ("full_attention_interval", LayerType.LINEAR),
        ("sliding_window_pattern", LayerType.SLIDING),
        ("_sliding_window_pattern", LayerType.SLIDING),
        ("global_attn_every_n_layers", LayerType.SLIDING),
    ):
        found = find(config, key)
        if found is None or found[0] == "":
            continue
        if isinstance(found[0], str):  # EXAONE 4: "LLLG", repeated
            letters = {"L": LayerType.SLIDING, "G": LayerType.FULL}
            return _read([found[0][index % len(found[0])] for index in range(layers)], letters), found[1]
        step = integer(found[0], 1)
        if step:
            shift = 0 if key == "global_attn_every_n_layers" else 1  # ModernBERT's first layer is one of them
            types = (LayerType.FULL if (index + shift) % step == 0 else other for index in range(layers))
            return tuple(types), found[1]
    return None


def _jamba(config: object, layers: int) -> Layers | None:
    period, offset = positive(config, "attn_layer_period"), find(config, "attn_layer_offset")
    shift = integer(offset[0]) if offset else None
    if period is None or shift is None:
        return None
    types = (LayerType.FULL if index % period[0] == shift else LayerType.MAMBA for index in range(layers))
    return tuple(types), period[1]


def _indexed(config: object, layers: int) -> Layers | None:
    """A list of the layers that are of the other kind than the rest."""
    for key, named, rest in (
        ("attn_layer_indices", LayerType.FULL, LayerType.MAMBA),
        ("full_attn_idxs", LayerType.FULL, LayerType.CONV),
        ("cross_attention_layers", LayerType.CROSS, LayerType.FULL),
    ):
        found = find(config, key)
        if found and isinstance(found[0], list) and found[0]:
            numbers = {integer(item) for item in found[0][:MOST_LAYERS]}
            return tuple(named if index in numbers else rest for index in range(layers)), found[1]
    return None


def _attention_type_list(config: object, layers: int) -> Layers | None:
    """MiniMax-01: 1 is full attention, 0 lightning attention."""
    found = find(config, "attn_type_list")
    if not found or not isinstance(found[0], list) or len(found[0]) < layers:
        return None
    kinds = {1: LayerType.FULL, 0: LayerType.LINEAR}
    types = tuple(kinds.get(integer(item, 0) or 0, LayerType.FULL) for item in found[0][:layers])
    return types, found[1]


def _llama4(config: object, layers: int) -> Layers | None:
    """Layers with rotary positions attend within chunks, each n-th one has none and sees everything."""
    chunk = positive(config, "attention_chunk_size")
    if chunk is None or text_type(config) not in ("llama4_text", "llama4"):
        return None
    stated = find(config, "no_rope_layers")
    if stated and isinstance(stated[0], list) and len(stated[0]) >= layers:
        chunked = [bool(item) for item in stated[0][:layers]]
        source = stated[1]
    else:
        interval = positive(config, "no_rope_layer_interval") or (4, "derived: every fourth layer")
        chunked = [(index + 1) % interval[0] != 0 for index in range(layers)]
        source = interval[1]
    return tuple(LayerType.CHUNKED if one else LayerType.FULL for one in chunked), source


def _falcon_h1(config: object, layers: int) -> Layers | None:
    if text_type(config) != "falcon_h1":
        return None
    return (LayerType.HYBRID,) * layers, "derived: model_type falcon_h1"


def _all_mamba(config: object, layers: int) -> Layers | None:
    kind = text_type(config)
    if kind not in ("mamba", "mamba2", "falcon_mamba"):
        return None
    return (LayerType.MAMBA,) * layers, f"derived: model_type {kind}"


def _qwen2(config: object, layers: int) -> Layers | None:
    """`use_sliding_window`: off, or on from layer `max_window_layers`."""
    found = find(config, "use_sliding_window")
    if found is None or not isinstance(found[0], bool):
        return None
    if found[0] is False:
        return ((LayerType.FULL,) * layers, found[1]) if _knows_only_attention(config) else None
    kind = text_type(config)
    if kind == "qwen3_moe":  # its class does not know `max_window_layers`
        return (LayerType.SLIDING,) * layers, found[1]
    full = find(config, "max_window_layers")
    first = integer(full[0]) if full else None
    if first is None:
        return (), found[1]
    if kind == "qwen2_moe":  # every other one of the first layers
        sliding = [index < first and index % 2 == 0 for index in range(layers)]
    else:
        sliding = [index >= first for index in range(layers)]
    return tuple(LayerType.SLIDING if one else LayerType.FULL for one in sliding), found[1]


def _plain(config: object, layers: int) -> Layers | None:
    """No word on the layers: all alike."""
    if not _knows_only_attention(config):
        return None
    size = window(config)
    if size and text_type(config) in _ALL_SLIDING:
        return (LayerType.SLIDING,) * layers, size[1]
    if size:
        return (), size[1]
    return (LayerType.FULL,) * layers, "derived: the config names no other kind of layer"


def _knows_only_attention(config: object) -> bool:
    found = (find(config, key) for key in _ODD)
    return not any(one and one[0] not in (None, False) for one in found)


RULES: Sequence[Callable[[object, int], Layers | None]] = (
    _falcon_h1,
    _all_mamba,
    _nemotron_h,
    _llama4,
    _attention_type_list,
    _jamba,
    _indexed,
    _stated_list,
    _every,
    _qwen2,
    _default_list,
    _plain,
)
"""Asked in this order: what is stated for every layer prevails over what is to be concluded."""
