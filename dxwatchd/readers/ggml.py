"""Whether a legacy GGML file of whisper.cpp (`ggml-*.bin`) is whole.

Layout, little endian: magic, 11 hyperparameters, the mel filters, the vocabulary, the tensors up to the end
of the file. Each part says how long it is, and the numbers of layers say how many tensors there must be:
whisper.cpp loads no other number but none, which its own test files have.
Source: https://github.com/ggml-org/whisper.cpp/blob/master/models/convert-pt-to-ggml.py (writes),
https://github.com/ggml-org/whisper.cpp/blob/master/src/whisper.cpp (`whisper_model_load` reads)

Other programs wrote other layouts behind the same magic or its siblings. Where these end is not told.
"""

from __future__ import annotations

import struct
from math import prod
from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.gguf_types import TENSOR_TYPES
from dxwatchd.readers.reading import read_exactly, seek_to

MAX_VOCABULARY = 1_000_000  # tokens; Whisper has 51,866
MAX_TOKEN = 65_536  # bytes
MAX_NAME = 4096  # bytes of a tensor's name
_MAX_WIDTH = 65_536  # of what is counted in channels, positions and frequencies
_MAX_LAYERS = 1024
_MAX_EXTENT = 2**63 - 1  # bytes of one tensor
_MAGIC = b"lmgg"
_SIBLINGS = frozenset({b"fmgg", b"tjgg", b"algg"})  # ggmf, ggjt, ggla
_HEADER = struct.Struct("<13i")
_TENSOR = struct.Struct("<3i")
_LEAST_TENSOR = _TENSOR.size + 4 + 1 + 1  # bytes: one dimension, a name and content of one byte
_QUANTIZATION_VERSION = 2  # the one that the sizes of `TENSOR_TYPES` are of


class GgmlModel(NamedTuple):
    """What the file says of itself.

    promised_size: the exact size of a whole file in bytes, or where this file ends early the least that it
    must have; None where it cannot be told. tensors: how many of them are there.
    """

    promised_size: int | None
    tensors: int


class _Header(NamedTuple):
    """The hyperparameters, and the extent of the mel filters behind them (n_mel, n_fft)."""

    n_vocab: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int
    n_mels: int
    ftype: int
    n_mel: int
    n_fft: int

    def is_whisper(self) -> bool:
        """Whether these numbers can be a Whisper model's."""
        widths = (
            self.n_audio_ctx,
            self.n_audio_state,
            self.n_audio_head,
            self.n_text_ctx,
            self.n_text_head,
            self.n_mels,
            self.n_fft,
        )
        return (
            1 <= self.n_vocab <= MAX_VOCABULARY
            and all(1 <= width <= _MAX_WIDTH for width in widths)
            and all(1 <= layers <= _MAX_LAYERS for layers in (self.n_audio_layer, self.n_text_layer))
            and self.n_text_state == self.n_audio_state
            and 0 <= self.ftype <= _MAX_WIDTH
            and self.n_mel == self.n_mels
        )

    def tensors(self) -> int:
        """How many tensors a model of these numbers of layers has."""
        return 11 + 15 * self.n_audio_layer + 24 * self.n_text_layer

    def has_known_blocks(self) -> bool:
        """Whether quantized tensors are of the sizes that they have today."""
        return self.ftype // 1000 == _QUANTIZATION_VERSION


def read_model(stream: BinaryIO, size: int) -> GgmlModel:
    """Walks a file of `size` bytes from tensor to tensor, over their content.

    Raises ReaderError: EMPTY; TRUNCATED with too few bytes to tell or with zeros where a tensor must begin;
    MALFORMED where it is not such a file; UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    seek_to(stream, 0)
    magic = read_exactly(stream, len(_MAGIC))
    if magic in _SIBLINGS:
        return GgmlModel(None, 0)
    if magic != _MAGIC:
        raise ReaderError(Fault.MALFORMED, "This is not a GGML file: it begins with another magic number.")
    header = _Header._make(_HEADER.unpack(read_exactly(stream, _HEADER.size)))
    if not header.is_whisper():
        return GgmlModel(None, 0)
    start = len(_MAGIC) + _HEADER.size + 4 * header.n_mel * header.n_fft
    position = _after_vocabulary(stream, size, start)
    if position > size:
        return GgmlModel(position, 0)
    return _after_tensors(stream, size, position, header)


def _after_vocabulary(stream: BinaryIO, size: int, position: int) -> int:
    """Where the vocabulary that begins at `position` ends; beyond `size`, at least there."""
    start = position + 4
    if start > size:
        return start
    seek_to(stream, position)
    count = int.from_bytes(read_exactly(stream, 4), "little", signed=True)
    if not 0 <= count <= MAX_VOCABULARY:
        raise ReaderError(Fault.MALFORMED, f"The vocabulary cannot have {count} tokens.")
    position = start
    for left in range(count, 0, -1):
        if position + 4 * left > size:  # every token that is left has its length at least
            return position + 4 * left
        seek_to(stream, position)
        length = int.from_bytes(read_exactly(stream, 4), "little")
        if length > MAX_TOKEN:
            raise ReaderError(Fault.MALFORMED, f"A token cannot have {length} bytes.")
        position += 4 + length
    return position


def _after_tensors(stream: BinaryIO, size: int, position: int, header: _Header) -> GgmlModel:
    """The verdict on a file whose tensors begin at `position`."""
    if position == size:
        return GgmlModel(size, 0)  # a vocabulary for tests
    expected = header.tensors()
    for count in range(expected):
        least = position + _LEAST_TENSOR * (expected - count)
        if least > size:
            return GgmlModel(least, count)
        end = _tensor_end(stream, size, position, header)
        if end is None:
            return GgmlModel(None, count)
        if end > size:
            return GgmlModel(end + _LEAST_TENSOR * (expected - count - 1), count)
        position = end
    return GgmlModel(position, expected)


def _tensor_end(stream: BinaryIO, size: int, position: int, header: _Header) -> int | None:
    """Where the tensor that begins at `position` ends; beyond `size`, at least there; None: unknown."""
    seek_to(stream, position)
    raw = read_exactly(stream, _TENSOR.size)
    if not any(raw):
        raise _hole()
    n_dims, name_length, number = _TENSOR.unpack(raw)
    if not 1 <= n_dims <= 4 or not 1 <= name_length <= MAX_NAME or not 0 <= number <= 255:
        raise ReaderError(Fault.MALFORMED, "There is no tensor where one must begin.")
    content: int = position + _TENSOR.size + 4 * n_dims + name_length
    if content > size:
        return content
    dims = struct.unpack(f"<{n_dims}i", read_exactly(stream, 4 * n_dims))
    if b"\0" in read_exactly(stream, name_length):
        raise _hole()
    kind = TENSOR_TYPES.get(number)
    # A type of a later ggml, or a block of a time when blocks had other sizes.
    if kind is None or (kind.block > 1 and not header.has_known_blocks()):
        return None
    if min(dims) < 1 or dims[0] % kind.block:
        raise ReaderError(Fault.MALFORMED, f"A tensor of {kind.name} cannot have the shape {list(dims)}.")
    length: int = prod(dims) // kind.block * kind.nbytes
    if length > _MAX_EXTENT:
        raise ReaderError(Fault.MALFORMED, f"A tensor cannot have {length} bytes.")
    return content + length


def _hole() -> ReaderError:
    return ReaderError(Fault.TRUNCATED, "The file is filled with zeros where a tensor must begin.")
