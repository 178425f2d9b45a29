"""Whether the output layer is the embedding, where the classes of a model and of its text part disagree.

Up to its version 4 transformers asked the text part, from version 5 on the whole; a folder that states
nothing for either then means the one or the other, and its weights tell which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dxwatchd.card.config.class_defaults import config_class
from dxwatchd.card.config.config_keys import text_class, text_part
from dxwatchd.card.parts import Architecture
from dxwatchd.card.sources import TensorInfo
from dxwatchd.card.values import Notes, at, boolean, text

_FIELD = "architecture.tie_word_embeddings"
_TABLE = ".embed_tokens.weight"
_HEAD = ".lm_head.weight"


def settled(
    config: object, shape: Architecture, tensors: Mapping[str, Sequence[TensorInfo]], notes: Notes
) -> Architecture:
    """`shape`, its default of the one class replaced by what the weights tell; by None where they are silent.

    transformers does not tie what a checkpoint holds twice with different values (`tie_weights`), and what is
    tied it does not write twice into a safetensors file.
    """
    if not notes.sources.get(_FIELD, "").startswith("default:") or not _disagree(config):
        return shape
    names = [f".{tensor.name}" for file in tensors.values() for tensor in file]
    tied: bool | None = None
    if any(name.endswith(_TABLE) for name in names):
        tied = not any(name.endswith(_HEAD) for name in names)
    elif _version(config) >= 5:
        return shape
    del notes.sources[_FIELD]
    if tied is not None:
        notes.source(_FIELD, f"derived: the weights hold {'no' if tied else 'an'} lm_head of their own")
    return shape.model_copy(update={"tie_word_embeddings": tied})


def _disagree(config: object) -> bool:
    """Whether a class for the whole and the one for its text part have different defaults."""
    whole, part = config_class(text(at(config, "model_type"))), text_class(config)
    if not text_part(config)[0] or not (whole and part):
        return False
    defaults = [boolean(known.defaults.get("tie_word_embeddings")) for known in (whole, part)]
    return None not in defaults and defaults[0] is not defaults[1]


def _version(config: object) -> int:
    """The first number of the writer's version; 0 where none is stated."""
    first = (text(at(config, "transformers_version")) or "").partition(".")[0]
    return int(first) if first.isdecimal() and len(first) < 4 else 0
