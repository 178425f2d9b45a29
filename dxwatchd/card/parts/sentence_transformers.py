"""What makes a vector of a text."""

from __future__ import annotations

from pydantic import Field

from dxwatchd.card.parts.common import Part, Size


class SentenceTransformers(Part):
    """What sentence-transformers makes of the network's output.

    pooling_mode: "mean", "cls", ..., several joined by "+"; embedding_dimension: of the final vector;
    max_seq_length: in tokens; normalize: whether vectors are scaled to length 1; include_prompt: whether a
    prompt's tokens are pooled too; similarity_fn_name: "cosine", "dot", ...; prompts: what is put before a
    text, by name; default_prompt_name: the one used unless told otherwise; modules: their classes, in order.
    """

    pooling_mode: str | None = None
    embedding_dimension: Size | None = None
    max_seq_length: Size | None = None
    normalize: bool | None = None
    include_prompt: bool | None = None
    similarity_fn_name: str | None = None
    prompts: dict[str, str] = Field(default_factory=dict)
    default_prompt_name: str | None = None
    modules: tuple[str, ...] = ()
