"""How many key-value heads a network has whose class is the publisher's own, or one that was changed.

Such configs use keys of their own, or none where every head has its own keys and values.
"""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.config_keys import ALIASES, Reading, pointer, text_class, text_part, text_type
from dxwatchd.card.values import at, integer

_MULTI_HEAD = frozenset(
    {
        *(
            "qwen",
            "baichuan",
            "internlm",
            "xverse",
            "telechat",
            "jais",
            "moss",
            "new",
            "mixformer-sequential",
        ),
        *("phi-msft", "florence2_language", "glm"),
    }
)
"""Model types whose modelling code knows of no shared heads, or only where a key for them says so.

Source: the publishers' modeling files: Qwen-7B (`QWenAttention`), Baichuan-13B (`W_pack` is three times as
wide as the layer), internlm-7b, XVERSE-7B, telechat-7B, jais-13b, moss-moon-003, gte-multilingual-base
(`NewAttention`), phi-1_5 (`MixFormer`), Florence-2 (BART's), GLM-10B.
"""


def shared_by_key(config: object, heads: Reading | None) -> Reading | None:
    """What a key of its own says of shared heads, whatever the class: it is asked before the class is.

    SantaCoder's `attention_head_type`, MPT's `attn_type`, ChatGLM's and OLMo's `multi_query_attention`.
    """
    path, part = text_part(config)
    if part.get("attention_head_type") == "multiquery":
        return 1, pointer(*path, "attention_head_type")
    if at(part, "attn_config", "attn_type") == "multiquery_attention":
        return 1, pointer(*path, "attn_config", "attn_type")
    shared, groups = part.get("multi_query_attention"), integer(part.get("multi_query_group_num"), 1)
    if shared is True and (groups or part.get("model_type") == "hf_olmo"):
        return groups or 1, pointer(*path, "multi_query_group_num" if groups else "multi_query_attention")
    if shared is False and heads and not _states(part):
        return heads[0], pointer(*path, "multi_query_attention")
    return None


def heads_of_remote_code(config: object, heads: Reading | None) -> Reading | None:
    """Where neither a key nor a class of transformers tells them."""
    path, part = text_part(config)
    if heads is None or text_class(config) is not None:
        return None
    kind = text_type(config)
    group = integer(part.get("n_shared_head"), 1)
    if kind == "plamo" and group and heads[0] % group == 0:
        return heads[0] // group, pointer(*path, "n_shared_head")
    if kind == "chatglm" and "inner_hidden_size" in part:  # the first of that name; later ones have groups
        return heads[0], "derived: num_attention_heads, as the first ChatGLM has no groups of heads"
    if kind in _MULTI_HEAD and not _states(part):
        return heads[0], f"derived: num_attention_heads, as {kind} shares none"
    return None


def heads_by_layer(config: object, layers: int) -> tuple[tuple[int, ...], str] | None:
    """A number of key-value heads for each layer: DeciLM-7B's and OpenELM's lists, with their source."""
    path, part = text_part(config)
    for key in ("num_key_value_heads_per_layer", "num_kv_heads"):
        listed = part.get(key)
        if isinstance(listed, list) and len(listed) == layers:
            numbers = tuple(number for item in listed if (number := integer(item, 1)))
            return (numbers, pointer(*path, key)) if len(numbers) == layers else None
    return None


def _states(part: Mapping[str, object]) -> bool:
    """Whether a number of key-value heads is given, if only one that is not understood."""
    return any(at(part, *key.split("/")) is not None for key in ALIASES["num_key_value_heads"])
