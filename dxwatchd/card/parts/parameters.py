"""How many weights a model has."""

from __future__ import annotations

from pydantic import Field

from dxwatchd.card.parts.common import Count, Part


class Parameters(Part):
    """Counted over the primary weight set.

    total: logical weights (packed ones unfolded, tied ones once, without scales and buffers); active: of
    these, those that work on one token; trainable: of an adapter; multi_token_prediction: of the total, those
    of layers that only guess further tokens, for speculative decoding; by_dtype: logical weights by the
    stored dtype; stored_elements: elements of all tensors as they are stored; bytes: of all tensors' data;
    exact: whether every tensor was understood (else total and active are None).
    """

    total: Count | None = None
    active: Count | None = None
    trainable: Count | None = None
    multi_token_prediction: Count | None = None
    by_dtype: dict[str, Count] = Field(default_factory=dict)
    stored_elements: Count | None = None
    bytes: Count | None = None
    exact: bool = False
