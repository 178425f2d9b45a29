"""Multi-head, grouped-query and multi-query attention, told from the numbers of heads."""

from __future__ import annotations


def attention_type(heads: int, key_value_heads: int) -> str:
    """How heads share keys and values: each has its own ("mha"), all share ("mqa"), or groups do ("gqa").

    Source: Ainslie et al. 2023, "GQA" (arXiv:2305.13245), section 2.
    """
    if key_value_heads == heads:
        return "mha"
    return "mqa" if key_value_heads == 1 else "gqa"
