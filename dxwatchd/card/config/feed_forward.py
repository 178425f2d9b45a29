"""How wide a feed-forward layer is, dense or of one expert."""

from __future__ import annotations

from dxwatchd.card.config.class_defaults import FOUR_TIMES_HIDDEN
from dxwatchd.card.config.config_keys import (
    Reading,
    defaulted,
    levels,
    look_up,
    pointer,
    stated,
    text_class,
    text_part,
    text_type,
)
from dxwatchd.card.values import integer

_KEYS = {"distilbert": "hidden_dim", "ctrl": "dff", "xlnet": "d_inner"}
"""Model type → its key for it, which elsewhere may mean something else."""
_FOUR_TIMES = frozenset(
    {
        *("bloom", "openai-gpt", "xlm"),  # always
        *("gpt2", "gptj", "gpt_neo", "gpt_bigcode", "codegen", "imagegpt"),  # where none is stated
        *("RefinedWeb", "RefinedWebModel", "phi-msft", "mixformer-sequential"),  # remote code
    }
)
"""Model types whose layer is four times as wide as the state.

Source: transformers' modeling files (`BloomMLP`, `GPT2Block`, `CodeGenBlock`, ...); modelling_RW of
Falcon-40B; modeling_phi of Phi-2's first revisions.
"""
_OF_EXPERTS = frozenset(
    {
        *("mixtral", "phimoe", "olmoe", "flex_olmo", "gpt_oss", "llama4_text", "jetmoe", "dbrx", "jamba"),
        *("granitemoe", "granitemoeshared", "granitemoehybrid", "minimax", "minimax_m2"),
        *("minimax_text_01", "minimax_m1", "arctic", "grok-1", "hunyuan"),  # remote code
    }
)
"""Model types whose `intermediate_size` is the width of one expert."""


def intermediate_size(config: object, hidden: Reading | None) -> Reading | None:
    """The width of a dense layer: as stated, else by the rule or the default of its class."""
    path, part = text_part(config)
    kind = text_type(config) or ""
    own = _KEYS.get(kind, "")
    width = integer(part.get(own), 1)
    found = stated(config, "intermediate_size") or _of_both_halves(config)
    if found or width:
        return found or (width and (width, pointer(*path, own))) or None
    known = text_class(config)
    if hidden and known and known.rules.get("intermediate_size") == FOUR_TIMES_HIDDEN:
        return 4 * hidden[0], f"derived: 4 * hidden_size, as transformers {known.name}"
    if hidden and kind in _FOUR_TIMES:
        return 4 * hidden[0], f"derived: 4 * hidden_size, as the code of {kind}"
    ratio = integer(part.get("expansion_ratio"), 1)
    if hidden and kind == "mpt" and ratio and ratio < 1024:
        return ratio * hidden[0], pointer(*path, "expansion_ratio")
    return defaulted(config, "intermediate_size")


def _of_both_halves(config: object) -> Reading | None:
    """Of encoder and decoder, where they are alike; of a decoder that has no other half."""
    known = text_class(config)
    for path, part in levels(config):
        sides = (integer(part.get("encoder_ffn_dim"), 1), integer(part.get("decoder_ffn_dim"), 1))
        if sides[0] is not None and sides[0] == sides[1]:
            return sides[0], pointer(*path, "encoder_ffn_dim")
        if sides[1] and "encoder_ffn_dim" not in part and known and "encoder_ffn_dim" not in known.defaults:
            return sides[1], pointer(*path, "decoder_ffn_dim")
    return None


def expert_size(config: object) -> Reading | None:
    """The width of one expert: by its own key, or by the general one where that is the experts'."""
    kind = text_type(config)
    found = look_up(config, "moe_intermediate_size")
    return found or (stated(config, "intermediate_size") if kind in _OF_EXPERTS else None)
