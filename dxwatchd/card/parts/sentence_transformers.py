"""What makes a vector of a text."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part, Size


class SentenceTransformers(Part):
    """What sentence-transformers makes of the network's output.

    pooling_mode: "mean", "cls", ..., several joined by "+"; embedding_dimension: of the final vector;
    max_seq_length: in tokens; normalize: whether vectors are scaled to length 1.
    """

    pooling_mode: str | None = None
    embedding_dimension: Size | None = None
    max_seq_length: Size | None = None
    normalize: bool | None = None
    modules: tuple[str, ...] = ()
