"""One file of a models root to facts: which reader it gets, and the reader's errors as values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

from dxwatchd.core import facts
from dxwatchd.core.facts import Facts, Fault, Unusable
from dxwatchd.core.snapshot import Stat
from dxwatchd.readers import identity, json_facts, weight_facts
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.json_document import LIMIT, JsonDocument, read_json
from dxwatchd.readers.opening import open_inside, stat_of
from dxwatchd.readers.reading import read_up_to, refused, seek_to
from dxwatchd.readers.weight_facts import has_hole, refuse_zeros

POINTER_MARK = b"version https://git-lfs.github.com/spec/v1"
POINTER_SIZE = 1024  # bytes; the format's own bound

# Any JSON that is parsed and any tokenizer are hashed whole: one token changed in the middle counts.
WHOLE = LIMIT

_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_POINTER_SIZE = re.compile(rb"^size ([0-9]{1,19})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Probe:
    """facts: None for a file that nobody reads; hole: a weight file that has unwritten ranges."""

    facts: Facts | None
    hole: bool = False


Read: TypeAlias = Callable[[BinaryIO, int], Facts]


class Reading(NamedTuple):
    """How a file is read. weights: it holds tensors, so it may be large, and half written."""

    read: Read
    weights: bool = False


def is_probed(name: str) -> bool:
    """Whether a file of this name (without folders) is read at all."""
    return _reading_of(name) is not None


def probe(root: Path, relative: str, seen: Stat) -> Probe:
    """What the file at `relative` below `root`, which the listing `seen`, holds. Raises nothing.

    A file that changed meanwhile, cannot be opened or cannot be read gives `Unusable`.
    """
    reading = _reading_of(relative.rpartition("/")[2])
    if reading is None:
        return Probe(None)
    try:
        with open_inside(root, relative, seen) as stream:
            return _probed(stream, reading, seen)
    except ReaderError as error:
        return Probe(Unusable(error.fault, error.message, error.line))
    except OSError as error:
        return Probe(Unusable(Fault.UNREADABLE, refused(error).message))


def _probed(stream: BinaryIO, reading: Reading, seen: Stat) -> Probe:
    """The open file's facts, or what is wrong with it. Raises ReaderError, OSError."""
    hole = reading.weights and has_hole(stream.fileno(), seen.size)
    found: Facts
    try:
        found = _pointer(stream, seen.size) or _content(stream, reading, seen.size)
    except ReaderError as error:
        found = Unusable(error.fault, error.message, error.line, _digest_or_none(stream, seen.size))
    except (MemoryError, RecursionError):
        found = Unusable(Fault.TOO_LARGE, "The file takes more memory to read than there is.")
    if stat_of(os.fstat(stream.fileno())) != seen:
        found = Unusable(Fault.CHANGED, "The file changed while it was read.")
    return Probe(found, hole)


def _content(stream: BinaryIO, reading: Reading, size: int) -> Facts:
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    seek_to(stream, 0)
    return reading.read(stream, size)


def _digest_or_none(stream: BinaryIO, size: int) -> str:
    """Even unusable content has an identity, so that it is not reported anew at every pass."""
    try:
        return identity.content_digest(stream, size)
    except ReaderError:
        return ""


def _pointer(stream: BinaryIO, size: int) -> facts.Pointer | None:
    """A git-LFS pointer, whatever the file is called. Raises ReaderError: MALFORMED."""
    if not len(POINTER_MARK) <= size <= POINTER_SIZE:
        return None
    text = read_up_to(stream, size)
    if not text.startswith(POINTER_MARK):
        return None
    oid, length = _OID.search(text), _POINTER_SIZE.search(text)
    if oid is None or length is None:
        raise ReaderError(Fault.MALFORMED, "This git-LFS pointer names no object or no size.")
    return facts.Pointer(oid[1].decode(), int(length[1]), identity.content_digest(stream, size))


def _json(read: Callable[[JsonDocument, str], Facts], stream: BinaryIO, size: int) -> Facts:
    document = read_json(stream)
    return read(document, identity.content_digest(stream, size, whole=WHOLE))


def _plain(stream: BinaryIO, size: int) -> Facts:
    refuse_zeros(stream, 0)  # no vocabulary, template or code begins with a page of them
    return facts.Content(identity.content_digest(stream, size, whole=WHOLE))


_CONTENT = Reading(_plain)
_WEIGHT_INDEX = Reading(partial(_json, json_facts.weight_index))
_TORCH = Reading(weight_facts.torch_facts, weights=True)
_TORCH_OR_OTHER = Reading(weight_facts.torch_or_other_facts, weights=True)
_OPAQUE = Reading(weight_facts.opaque_facts, weights=True)

NAMES: Mapping[str, Reading] = {
    "config.json": Reading(partial(_json, json_facts.config)),
    "adapter_config.json": Reading(partial(_json, json_facts.adapter_config)),
    "modules.json": Reading(partial(_json, json_facts.modules)),
    "model_index.json": Reading(partial(_json, json_facts.pipeline_index)),
    "adapter_model.bin": _TORCH,
    **dict.fromkeys(
        (
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "vocab.txt",
            "merges.txt",
            "tekken.json",
            "chat_template.jinja",
            "chat_template.json",
            "generation_config.json",
            "preprocessor_config.json",
            "processor_config.json",
            "config_sentence_transformers.json",
            "sentence_bert_config.json",
            "quantize_config.json",
            "quant_config.json",
            "hf_quant_config.json",
            "params.json",
        ),
        _CONTENT,
    ),
}
"""By exact name."""

PATTERNS: tuple[tuple[re.Pattern[str], Reading], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), reading)
    for pattern, reading in (
        # diffusers puts the variant behind: diffusion_pytorch_model.safetensors.index.fp16.json
        (r".*\.(safetensors|bin)\.index(\.[^.]+)?\.json", _WEIGHT_INDEX),
        (r".*\.safetensors", Reading(weight_facts.safetensors_facts, weights=True)),
        (r".*\.gguf", Reading(weight_facts.gguf_facts, weights=True)),
        (r".*pytorch_model.*\.bin|.*\.(pt|pth|ckpt)", _TORCH),
        (r".*\.bin", _TORCH_OR_OTHER),
        (r".*\.(h5|msgpack)", _OPAQUE),
        # Code that comes with a model is loaded with it, so it is part of what was approved.
        (r".*\.(model|tiktoken|py)", _CONTENT),
    )
)
"""By the whole name, the first that fits."""


def _reading_of(name: str) -> Reading | None:
    exact = NAMES.get(name)
    if exact is not None:
        return exact
    return next((reading for pattern, reading in PATTERNS if pattern.fullmatch(name)), None)
