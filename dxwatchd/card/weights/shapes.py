"""What the tensors' shapes tell of the architecture where the config is silent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dxwatchd.card.config.config_keys import Reading
from dxwatchd.card.parts import Architecture
from dxwatchd.card.sources import TensorInfo
from dxwatchd.card.values import Notes, clean
from dxwatchd.card.weights.logical_weights import FLOATS
from dxwatchd.card.weights.parameters import EMBEDDINGS

Tensors = Mapping[str, Sequence[TensorInfo]]

_EMBEDDINGS = (*EMBEDDINGS, ".tok_embeddings.weight", ".embeddings.weight")
"""Ends of the names of a text model's table of tokens, of shape (vocab_size, hidden_size)."""


def embedding_sizes(tensors: Tensors) -> dict[str, Reading]:
    """`vocab_size` and `hidden_size` by the shape of the table of tokens; {} where there is not just one.

    Rows may be more than the tokens in use: tables are padded. Where tensors of several such names disagree,
    as in models of several parts, nothing is concluded.
    """
    found = list(_embeddings(tensors))
    shapes = {tensor.shape for _, tensor in found}
    if len(shapes) != 1:
        return {}
    file, tensor = found[0]
    source = f"{clean(file)}#{clean(tensor.name)}"
    rows, width = tensor.shape
    return {"vocab_size": (rows, source), "hidden_size": (width, source)}


def note_conflicts(shape: Architecture, by_shape: Mapping[str, Reading], notes: Notes) -> None:
    """A vocabulary of more tokens than the table has rows: some have no embedding."""
    found = by_shape.get("vocab_size")
    stated = notes.sources.get("architecture.vocab_size", "")
    if found and shape.vocab_size and shape.vocab_size > found[0]:
        notes.conflict("architecture.vocab_size", (stated, shape.vocab_size), (found[1], found[0]))


def _embeddings(tensors: Tensors) -> Iterator[tuple[str, TensorInfo]]:
    for file, listed in tensors.items():
        for tensor in listed:
            if f".{tensor.name}".endswith(_EMBEDDINGS) and _is_table(tensor):
                yield file, tensor


def _is_table(tensor: TensorInfo) -> bool:
    return len(tensor.shape) == 2 and min(tensor.shape) > 0 and tensor.dtype in FLOATS
