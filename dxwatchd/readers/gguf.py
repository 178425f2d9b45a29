"""The header of a GGUF file: metadata and the table of tensors.

Layout: "GGUF", version, tensor count, metadata count, metadata, tensor table, padding, the tensors' bytes.
Versions 2 and 3 are read, in both byte orders. Long arrays (vocabularies) are passed over, not kept.
Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import BinaryIO, NamedTuple, TypeAlias

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.gguf_cursor import Cursor
from dxwatchd.readers.gguf_types import ARRAY, SCALAR_TYPES, STRING, TENSOR_TYPES, ScalarType

Scalar: TypeAlias = "int | float | bool | str"

MAX_KEYS = 65_536  # real files have less than 100
MAX_TENSORS = 1_000_000  # real files have less than 5,000
MAX_NAME = 65_535  # bytes; the format's bound of a key
MAX_STRING = 1024 * 1024  # bytes; a longer value is passed over: the longest real ones are chat templates
MAX_KEPT = 32 * 1024 * 1024  # bytes of all names and strings kept
MAX_STRINGS = 16_000_000  # of arrays, in all: passed over one by one, in about a second
MAX_INNER = 65_536  # arrays in arrays, in all: legal, but no known file has one
MAX_DIMENSIONS = 8  # the format has 4
MAX_EXTENT = 2**63 - 1  # of a dimension and of the file
MAX_NESTING = 4  # arrays in arrays
MAX_ALIGNMENT = 1024 * 1024
KEEP_NUMBERS = 64
KEEP_STRINGS = 64  # tags, languages and data sets; vocabularies are longer
SHORT_STRING = 1024  # bytes


class GgufArray(NamedTuple):
    """An array of the metadata.

    type_name: of its elements ("string", "array", "int32", ...); values: kept only of up to `KEEP_NUMBERS`
    numbers or booleans or `KEEP_STRINGS` short strings, else None.
    """

    type_name: str
    length: int
    values: tuple[Scalar, ...] | None


class GgufTensor(NamedTuple):
    """One tensor.

    shape: in the file's order, the innermost dimension first; offset: bytes from the start of the data.
    """

    name: str
    shape: tuple[int, ...]
    type_name: str
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a header says.

    metadata: the scalars by key, without strings longer than `MAX_STRING` and without NaN and infinite
    numbers; arrays: by key; header_length: bytes up to the end of the tensor table; promised_size: bytes
    up to the end of the furthest tensor's data.
    """

    version: int
    metadata: Mapping[str, Scalar]
    arrays: Mapping[str, GgufArray]
    tensors: tuple[GgufTensor, ...]
    alignment: int
    header_length: int
    promised_size: int


def read_header(stream: BinaryIO, size: int) -> GgufHeader:
    """Reads the header of a file of `size` bytes.

    A file shorter or longer than `promised_size` is not refused: judging that is not reading.

    Raises ReaderError: TRUNCATED where the header itself is not complete; MALFORMED where it breaks the
    format's rules or has a type that is not known; TOO_LARGE beyond this module's bounds; UNREADABLE.
    """
    return _Reader(Cursor(stream, size)).header()


class _Reader:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._kept = 0  # bytes of text
        self._strings_met = 0
        self._inner_met = 0
        self._metadata: dict[str, Scalar] = {}
        self._arrays: dict[str, GgufArray] = {}

    def header(self) -> GgufHeader:
        version = self._version()
        tensor_count, key_count = self._cursor.unpack("QQ")
        self._check_count(tensor_count, MAX_TENSORS, 24, "tensors")
        self._check_count(key_count, MAX_KEYS, 13, "keys")
        for _ in range(key_count):
            self._read_pair()
        alignment = self._alignment()
        tensors = tuple(self._tensor(alignment) for _ in range(tensor_count))
        if len({tensor.name for tensor in tensors}) < len(tensors):
            raise _malformed("Two of its tensors have one name")
        end = self._cursor.position
        start = end + -end % alignment
        promised = max((start + tensor.offset + tensor.nbytes for tensor in tensors), default=end)
        if promised > MAX_EXTENT:
            raise _malformed("Its tensors lie beyond any file's end")
        return GgufHeader(version, self._metadata, self._arrays, tensors, alignment, end, promised)

    def _version(self) -> int:
        magic = self._cursor.take(4)
        if magic == bytes(4):
            raise ReaderError(Fault.TRUNCATED, "The file begins with zeros: its header is not yet written.")
        if magic != b"GGUF":
            raise ReaderError(Fault.MALFORMED, "This is not a GGUF file: it does not begin with 'GGUF'.")
        raw = self._cursor.take(4)
        number = int.from_bytes(raw, "little")
        if number & 0xFFFF == 0:  # no version is that high: the number is written the other way round
            self._cursor.order = ">"
            number = int.from_bytes(raw, "big")
        if number == 0:
            raise ReaderError(Fault.TRUNCATED, "The version is zero: the header is not yet written.")
        if number not in (2, 3):
            raise ReaderError(
                Fault.MALFORMED,
                f"GGUF version {number} is not supported, only 2 and 3 are: convert the model anew.",
            )
        return number

    def _check_count(self, count: int, most: int, least_bytes: int, what: str) -> None:
        """Before anything is read: a count that does not fit the file or the bound."""
        if count > most:
            raise ReaderError(Fault.TOO_LARGE, f"The header has {count} {what}, more than {most}.")
        if count * least_bytes > self._cursor.left():
            raise ReaderError(Fault.TRUNCATED, f"The file is too short for the header's {count} {what}.")

    def _text(self, most: int, errors: str) -> str | None:
        """The next string; None, and passed over, where it has more than `most` bytes."""
        (length,) = self._cursor.unpack("Q")
        if length > most:
            self._cursor.skip(length)
            return None
        self._kept += length
        if self._kept > MAX_KEPT:
            raise ReaderError(Fault.TOO_LARGE, f"The header has more than {MAX_KEPT} bytes of text.")
        try:
            return self._cursor.take(length).decode(errors=errors)
        except UnicodeDecodeError as error:
            raise _malformed("One of its names is not UTF-8 text") from error

    def _name(self) -> str:
        name = self._text(MAX_NAME, "strict")
        if name is None:
            raise _malformed(f"One of its names has more than {MAX_NAME} bytes")
        return name

    def _read_pair(self) -> None:
        key = self._name()
        if key in self._metadata or key in self._arrays:
            raise _malformed(f"The key {quoted(key)} stands there twice")
        (kind,) = self._cursor.unpack("I")
        if kind == ARRAY:
            self._arrays[key] = self._array(MAX_NESTING)
        elif kind == STRING:
            text = self._text(MAX_STRING, "replace")
            if text is not None:
                self._metadata[key] = text
        else:
            (value,) = self._numbers(_scalar_type(kind), 1)
            if isfinite(value):
                self._metadata[key] = value

    def _numbers(self, kind: ScalarType, count: int) -> tuple[int | float | bool, ...]:
        return self._cursor.unpack(f"{count}{kind.code}")

    def _array(self, nesting: int) -> GgufArray:
        kind, length = self._cursor.unpack("IQ")
        if kind == STRING:
            self._strings_met += length
            self._check_count(self._strings_met, MAX_STRINGS, 0, "strings")
            return GgufArray("string", length, self._strings(length))
        if kind == ARRAY:
            if nesting == 1:
                raise _malformed(f"Its arrays are nested more than {MAX_NESTING} levels deep")
            self._inner_met += length
            self._check_count(self._inner_met, MAX_INNER, 0, "arrays in arrays")
            for _ in range(length):
                self._array(nesting - 1)
            return GgufArray("array", length, None)
        scalar = _scalar_type(kind)
        if length > KEEP_NUMBERS:
            self._cursor.skip(length * scalar.nbytes)
            return GgufArray(scalar.name, length, None)
        values = self._numbers(scalar, length)
        return GgufArray(scalar.name, length, values if all(map(isfinite, values)) else None)

    def _strings(self, count: int) -> tuple[str, ...] | None:
        if count > KEEP_STRINGS:
            self._cursor.skip_strings(count)
            return None
        texts = [self._text(SHORT_STRING, "replace") for _ in range(count)]
        kept = tuple(text for text in texts if text is not None)
        return kept if len(kept) == count else None

    def _alignment(self) -> int:
        """`general.alignment`, 32 where it is absent."""
        value = self._metadata.get("general.alignment", 32)
        if type(value) is not int or not 1 <= value <= MAX_ALIGNMENT or value & (value - 1):
            raise _malformed(f"general.alignment is {quoted(str(value))} and not a power of two")
        return value

    def _tensor(self, alignment: int) -> GgufTensor:
        name = self._name()
        (dimensions,) = self._cursor.unpack("I")
        if dimensions > MAX_DIMENSIONS:
            raise _malformed(f"Tensor {quoted(name)} has {dimensions} dimensions")
        *shape, kind, offset = self._cursor.unpack(f"{dimensions}QIQ")
        element = TENSOR_TYPES.get(kind)
        if element is None:
            raise _malformed(f"Tensor {quoted(name)} has the type {kind}, which is not known")
        if any(extent > MAX_EXTENT for extent in shape) or (shape[0] if shape else 1) % element.block:
            raise _malformed(f"Tensor {quoted(name)} has a shape that its type {element.name} cannot have")
        if offset % alignment:
            raise _malformed(f"Tensor {quoted(name)} begins at {offset}, not a multiple of {alignment}")
        nbytes = prod(shape) // element.block * element.nbytes
        return GgufTensor(name, tuple(shape), element.name, offset, nbytes)


def _scalar_type(kind: int) -> ScalarType:
    scalar = SCALAR_TYPES.get(kind)
    if scalar is None:
        raise _malformed(f"A value has the type {kind}, which is not known")
    return scalar


def _malformed(what: str) -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"The GGUF header is not valid: {what}.")
