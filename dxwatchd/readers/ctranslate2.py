"""Whether a CTranslate2 `model.bin` is whole: every variable in it says how many bytes it takes.

Layout, little endian: binary version; since version 2 the name and the revision of the specification; the
variables, each with its name, its dimensions, its type and its bytes; since version 3 the aliases.
Source: https://github.com/OpenNMT/CTranslate2/blob/master/python/ctranslate2/specs/model_spec.py (writes),
https://github.com/OpenNMT/CTranslate2/blob/master/src/models/model.cc (reads all versions)

The last bytes of the last variable are not looked at: zeros in their place are not told from weights.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from math import prod
from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_exactly, seek_to

MAX_VARIABLES = 1_000_000  # and as many aliases; a model of 100 layers has some thousand
MAX_NAME = 4096  # bytes of a name with its NUL
MAX_STRUCTURE = 64 * 1024 * 1024  # bytes of all that is not a variable's content
LAST_VERSION = 6
_NAME = re.compile(rb"[!-~]+")  # paths of Python attributes, as "decoder/layer_0/ffn/linear_0/weight"
_ITEM_SIZES: Mapping[int, int] = {0: 4, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2}
"""Bytes of an item by type: float32, int8, int16, int32, float16, bfloat16."""


class Ctranslate2Model(NamedTuple):
    """What the file says of itself.

    spec: name of the specification, "" before version 2; promised_size: the exact size of a whole file in
    bytes, or where this file ends early the least that it must have; variables: how many it announces.
    """

    spec: str
    promised_size: int
    variables: int


class _CutOffError(Exception):
    """The file ends before `needed` bytes."""

    def __init__(self, needed: int) -> None:
        super().__init__(needed)
        self.needed = needed


class _Walk:
    """A position in the file.

    Every method raises _CutOffError where the file ends before what it should pass, and ReaderError.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._taken = 0  # bytes
        self._position = 0
        self.unwritten = Fault.MALFORMED  # what zeros mean where something must stand

    @property
    def position(self) -> int:
        """In bytes from the start of the file."""
        return self._position

    def skip(self, length: int) -> None:
        """Passes over `length` bytes."""
        self._position += length
        if self._position > self._size:
            raise _CutOffError(self._position)

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        self._taken += length
        if self._taken > MAX_STRUCTURE:
            raise ReaderError(Fault.TOO_LARGE, f"The names and shapes take more than {MAX_STRUCTURE} bytes.")
        start = self._position
        self.skip(length)
        seek_to(self._stream, start)
        return read_exactly(self._stream, length)

    def number(self, code: str) -> int:
        """The next number, by `struct` code."""
        number: int = struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]
        return number

    def count(self, what: str) -> int:
        """The next number of things. Raises TOO_LARGE as well."""
        count = self.number("I")
        if count > MAX_VARIABLES:
            # With no name before it, this may be any file that begins with a small number.
            fault = Fault.MALFORMED if self.unwritten is Fault.MALFORMED else Fault.TOO_LARGE
            raise ReaderError(fault, f"{count} {what} are more than {MAX_VARIABLES}.")
        return count

    def text(self) -> str:
        """The next string, without its NUL."""
        length = self.number("H")
        if length == 0:
            raise self.hole("a name")
        if length > MAX_NAME:
            raise ReaderError(Fault.MALFORMED, f"A name of {length} bytes is no variable's.")
        left = self._size - self._position
        raw = self.take(min(length, left))
        text = raw[: length - 1]
        if text and not _NAME.fullmatch(text):
            if text.endswith(b"\0"):
                raise self.hole("the end of a name")
            raise ReaderError(Fault.MALFORMED, "A name has bytes that are not printable.")
        if length > left:
            raise _CutOffError(self._position + length - left)
        if not text or raw[-1] != 0:
            raise ReaderError(Fault.MALFORMED, "A name is empty or does not end in NUL.")
        return text.decode("ascii")

    def hole(self, what: str) -> ReaderError:
        """The error for zeros in the place of `what`."""
        return ReaderError(self.unwritten, f"The file is filled with zeros where {what} must stand.")


def read_model(stream: BinaryIO, size: int) -> Ctranslate2Model:
    """Walks a file of `size` bytes from variable to variable, over their content.

    Raises ReaderError: EMPTY; TRUNCATED with too few bytes to tell or with zeros where a variable must
    begin; MALFORMED where it is not such a file; TOO_LARGE beyond `MAX_VARIABLES` or `MAX_STRUCTURE`;
    UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    walk = _Walk(stream, size)
    spec, variables = "", 0
    try:
        version = _version(walk)
        if version >= 2:
            spec = _spec(walk)
            walk.skip(4)  # its revision
        variables = walk.count("variables")
        if variables == 0:
            raise walk.hole("the number of variables")
        for _ in range(variables):
            _pass_variable(walk, version)
        if version >= 3:
            _pass_aliases(walk)
    except _CutOffError as cut:
        return Ctranslate2Model(spec, cut.needed, variables)
    return Ctranslate2Model(spec, walk.position, variables)


def _version(walk: _Walk) -> int:
    try:
        version = walk.number("I")
    except _CutOffError as cut:
        raise ReaderError(Fault.TRUNCATED, "The file has too few bytes to tell what it is.") from cut
    if not 1 <= version <= LAST_VERSION:
        raise ReaderError(
            Fault.MALFORMED, "This is not a CTranslate2 model: it begins with no known version."
        )
    return version


def _spec(walk: _Walk) -> str:
    spec = walk.text()
    if not spec.isidentifier():
        raise ReaderError(Fault.MALFORMED, "This is not a CTranslate2 model: it names no specification.")
    walk.unwritten = (
        Fault.TRUNCATED
    )  # no other format begins so: from here on zeros are what is not copied yet
    return spec


def _pass_variable(walk: _Walk, version: int) -> None:
    walk.text()
    rank = walk.number("B")
    dimensions = struct.unpack(f"<{rank}I", walk.take(4 * rank))
    kind, length = struct.unpack("<BI", walk.take(5))
    if version >= 4:
        item = _ITEM_SIZES.get(kind)  # a type that is not known may be of a later release
    else:
        item = kind
        if item == 0:
            raise walk.hole("the size of a variable's items")
        if item not in {1, 2, 4}:
            raise ReaderError(Fault.MALFORMED, f"A variable has items of {item} bytes.")
        length *= item
    # A scalar has no dimensions and one item, as the empty product says.
    if item is not None and length != prod(dimensions) * item:
        if length == 0:
            raise walk.hole("a variable's length")
        raise ReaderError(Fault.MALFORMED, "A variable's length is not what its dimensions ask for.")
    walk.skip(length)


def _pass_aliases(walk: _Walk) -> None:
    for _ in range(walk.count("aliases")):
        walk.text()
        walk.text()
