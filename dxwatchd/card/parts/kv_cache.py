"""What a model keeps of the tokens that it has seen."""

from __future__ import annotations

from dxwatchd.card.parts.common import Count, Part, Size


class KvLayers(Part):
    """Layers that keep the same kind of state, for one sequence.

    layer_type: transformers' word ("full_attention", "sliding_attention", "chunked_attention",
    "linear_attention", "mamba", "conv", "hybrid"), or "cross_attention"; layers: how many; bytes_per_token:
    of all of them together, growing with every token (of cross-attention: with every token of the input);
    constant_bytes: of all of them together, however many tokens there are (of a window: once it is full).
    """

    layer_type: str
    layers: Size
    bytes_per_token: Count = 0
    constant_bytes: Count = 0


class KvCache(Part):
    """Sizes in bytes for one sequence, keys and values together.

    bytes_per_token: of all layers that grow with the context, but for cross-attention; constant_bytes: of
    those that do not; dtype: of the cache's elements, in torch's spelling (states of recurrent layers are
    kept in float32); layers: by type. All zero for a network that keeps nothing, such as an encoder.
    """

    bytes_per_token: Count | None = None
    constant_bytes: Count | None = None
    dtype: str | None = None
    layers: tuple[KvLayers, ...] = ()
