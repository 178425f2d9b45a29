"""Ways in which single families say that they take more or fewer tokens than the length that they declare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dxwatchd.card.config.config_keys import Reading, levels, pointer, text_part, text_type
from dxwatchd.card.values import at, integer, mapping, number


class Extension(NamedTuple):
    """native: with its source; longer: whether the effective length comes from a stated extension."""

    native: Reading
    effective: int
    rule: str
    longer: bool


def extension(config: object, declared: int) -> Extension | None:
    """What a family's own key makes of the declared length; None where no such key stands in the config."""
    found = (rule(config, declared) for rule in _RULES)
    return next((each for each in found if each), None)


def _served_longer(config: object, _: int) -> Extension | None:
    """Command R: `model_max_length`; `max_position_embeddings` only sizes a buffer of older code.

    Source: vLLM's config (`_get_and_verify_max_len`), which takes it for these types.
    """
    path, part = text_part(config)
    length = integer(part.get("model_max_length"), 1)
    if length is None or text_type(config) not in ("cohere", "cohere2"):
        return None
    return Extension(
        (length, pointer(*path, "model_max_length")), length, "model_max_length of config.json", False
    )


def _dynamic_ntk_of_qwen(config: object, declared: int) -> Extension | None:
    """The first Qwen: trained on `seq_length`, from where on its own code scales; servers offer `seq_length`.

    Source: modeling_qwen of Qwen-7B (`get_ntk_alpha`); vLLM's config, which takes the least of the lengths.
    """
    path, part = text_part(config)
    trained = integer(part.get("seq_length"), 1)
    if text_type(config) != "qwen" or part.get("use_dynamic_ntk") is not True:
        return None
    if trained is None or trained >= declared:
        return None
    rule = "seq_length; dynamic NTK scaling reaches what is declared"
    return Extension((trained, pointer(*path, "seq_length")), trained, rule, False)


def _dual_chunks(config: object, declared: int) -> Extension | None:
    """Qwen2.5-1M: what is declared is reached by dual chunk attention, trained is its original length."""
    path, part = text_part(config)
    way = ("dual_chunk_attention_config", "original_max_position_embeddings")
    trained = integer(at(part, *way), 1)
    if trained is None or trained > declared:
        return None
    return Extension((trained, pointer(*path, *way)), declared, "declared, by dual chunk attention", True)


def _trained_positions(config: object, declared: int) -> Extension | None:
    """Nomic's BERT declares what it reaches by scaling beyond `max_trained_positions`."""
    path, part = text_part(config)
    trained = integer(part.get("max_trained_positions"), 1)
    if trained is None or trained >= declared:
        return None
    rule = "declared, beyond the positions that it was trained on"
    return Extension((trained, pointer(*path, "max_trained_positions")), declared, rule, False)


def _scaled_as_stated_twice(config: object, declared: int) -> Extension | None:
    """Linear scaling where `max_sequence_length` states the product (Vicuna-16k): that is what is reached."""
    for path, part in levels(config):
        scaling = mapping(part.get("rope_scaling"))
        factor, length = number(scaling.get("factor")), integer(part.get("max_sequence_length"), 1)
        source = pointer(*path, "max_position_embeddings")
        linear = scaling.get("rope_type", scaling.get("type")) == "linear"
        if (
            linear
            and factor
            and factor > 1
            and length == declared * factor
            and "max_position_embeddings" in part
        ):
            return Extension((declared, source), length, "max_sequence_length: declared * factor", True)
    return None


_RULES: Sequence[Callable[[object, int], Extension | None]] = (
    _served_longer,
    _dynamic_ntk_of_qwen,
    _dual_chunks,
    _trained_positions,
    _scaled_as_stated_twice,
)
