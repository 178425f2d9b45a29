"""How weights are packed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dxwatchd.card.parts.common import Part, Size


class Quantization(Part):
    """How the weights are quantised.

    quant_method: "gptq", "awq", "fp8", "mlx", "gguf", ...; quant_type: the finer kind ("nf4", "Q4_K_M");
    group_size: weights that share a scale, -1 for a whole column; weight_block_size: rows and columns of a
    block of weights that share one.
    """

    quant_method: str | None = None
    quant_type: str | None = None
    bits: Size | None = None
    group_size: Annotated[int, Field(ge=-1, lt=2**63)] | None = None
    weight_block_size: tuple[Size, ...] = ()
    desc_act: bool | None = None
    sym: bool | None = None
    zero_point: bool | None = None
    kv_cache_quant: str | None = None
