"""Where an ONNX model ends, and how large the files beside it that hold its tensors must be.

An ONNX file is one protobuf message, `ModelProto`: fields one after another, each with its own length, and
nothing that tells the number of them or the length of all. Tensors too large for it stand in other files.
Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (the messages),
https://github.com/onnx/onnx/blob/main/docs/ExternalData.md (the other files),
https://protobuf.dev/programming-guides/encoding/ (the bytes)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.reading import read_up_to, seek_to

MAX_FIELDS: Final = 5_000_000
MAX_DEPTH: Final = 16  # graphs within graphs, as the branches of an If are
MAX_FILES: Final = 10_000
MAX_NAMES: Final = 1024 * 1024  # bytes of all names of files
MAX_NAME: Final = 4096  # bytes; the longest path of Linux
MAX_PART: Final = 255  # bytes; the longest name in a folder
MAX_READ: Final = 1024 * 1024 * 1024  # bytes; half of what a protobuf message can have, payloads included
MAX_POSITION: Final = 2**63  # bytes; no file is larger

_SMALL_READ: Final = 4096  # bytes; after a jump over a payload
_LARGE_READ: Final = 256 * 1024  # bytes
_JUMP: Final = 64 * 1024  # bytes
_SEARCHED: Final = 16 * 1024  # bytes of a node that is searched rather than walked
_LONGEST_VARINT: Final = 10  # bytes

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # wire types
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}  # bytes

_GRAPH_FIELD, _OPSET_FIELD = 7, 8
_WIRE_TYPES: Final[Mapping[int, int]] = {  # of the fields of ModelProto: by these another file is known
    1: _VARINT,  # ir_version
    5: _VARINT,  # model_version
    **dict.fromkeys((2, 3, 4, 6, _GRAPH_FIELD, _OPSET_FIELD, 14, 20, 25, 26), _LENGTH),
}
_INNER: Final[Mapping[str, Mapping[int, str]]] = {  # the fields that lead to tensors
    "ModelProto": {_GRAPH_FIELD: "GraphProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        **dict.fromkeys((5, 10), "TensorProto"),
        **dict.fromkeys((6, 11), "GraphProto"),
        **dict.fromkeys((22, 23), "SparseTensorProto"),
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of TensorProto
_EXTERNAL: Final = 1  # a value of data_location
_KEY, _VALUE = 1, 2  # fields of StringStringEntryProto

# A tensor that stands elsewhere has the key "location". What stands before the word is the last byte of its
# length, 8, in however many bytes it is written. The other alternative is data_location itself.
_ELSEWHERE: Final = re.compile(rb"[\x00\x08]location|\x70\x01")
_NUMBER: Final = re.compile(rb"[0-9]{1,19}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ExternalData(NamedTuple):
    """A file of tensors beside the model.

    location: its path relative to the model's folder, "/" between the parts; size: the least size in bytes
    that holds all tensors in it, 0 where the model does not tell.
    """

    location: str
    size: int


class OnnxModel(NamedTuple):
    """promised_size: in bytes, more than there are where the last field is cut; external: the files beside
    the model, in order of their locations; of a cut model only those that were met before the cut.
    """

    promised_size: int
    external: tuple[ExternalData, ...]


def read_model(stream: BinaryIO, size: int) -> OnnxModel:
    """Walks over the fields of a file of `size` bytes. No tensor's data is read.

    Raises ReaderError: EMPTY; TRUNCATED where the file ends, or is not written yet, where a field should
    begin or the two fields that every model has are missing; MALFORMED where it is no such message, or
    names what cannot be a file below its folder; TOO_LARGE; UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    walk = _Walk(_Window(stream, size))
    return OnnxModel(walk.model(size), walk.external())


class _Window:
    """A position in the file that only moves forward, and the bytes around it."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._buffer = b""
        self._start = 0  # where in the file the buffer begins
        self._safe = 0  # up to here in the buffer every varint is there, or the file ends
        self._chunk = _SMALL_READ // 2
        self._read = 0
        self._fields = 0
        self.position = 0

    def _fill(self, length: int) -> None:
        """Makes the next `length` bytes be in the buffer, as far as the file has them."""
        jump = self.position - self._start - len(self._buffer) > _JUMP
        self._chunk = _SMALL_READ if jump else min(2 * self._chunk, _LARGE_READ)
        asked = min(max(self._chunk, length), self._size - self.position)
        self._read += asked
        if self._read > MAX_READ:
            raise ReaderError(
                Fault.TOO_LARGE, f"The model has more than {MAX_READ} bytes beside its tensors."
            )
        seek_to(self._stream, self.position)
        self._buffer = read_up_to(self._stream, asked)
        self._start = self.position
        last = self._start + len(self._buffer) >= self._size
        self._safe = len(self._buffer) if last else len(self._buffer) - _LONGEST_VARINT

    def _varint(self) -> int:
        at = self.position - self._start
        if at >= self._safe:
            self._fill(_LONGEST_VARINT)
            at = 0
        try:
            value = self._buffer[at]
            if value >= 0x80:
                return self._long_varint(at)
        except IndexError:
            raise ReaderError(Fault.TRUNCATED, "The file ends within a field.") from None
        self.position += 1
        return value

    def _long_varint(self, at: int) -> int:
        value = 0
        for count in range(_LONGEST_VARINT):
            byte = self._buffer[at + count]
            value |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                self.position += count + 1
                return value
        raise _malformed("a number has too many bytes")

    def fields(self, end: int, outermost: bool = False) -> Iterator[tuple[int, int, int]]:
        """The fields from here to `end`: number, wire type, and a varint's value, or else the field's end.

        Whatever of a field is not passed over before the next is asked for is passed over then. Only in the
        outermost message may a field's end be beyond `end`: nothing follows it then.
        """
        while self.position < end:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise ReaderError(Fault.TOO_LARGE, f"The model has more than {MAX_FIELDS} fields.")
            number, wire = _tag(self._varint())
            value = self._varint() if wire in (_VARINT, _LENGTH) else _FIXED[wire]
            if wire == _VARINT:
                yield number, wire, value
                continue
            stop = self.position + value
            if stop > end and (not outermost or stop >= MAX_POSITION):
                raise _malformed("a field is longer than what it is in")
            yield number, wire, stop
            self.position = stop
        if self.position > end and not outermost:
            raise _malformed("a field is longer than what it is in")

    def rules_out(self, pattern: re.Pattern[bytes], end: int) -> bool:
        """Whether nothing from here to `end` matches; False where that is too far to be searched."""
        length = end - self.position
        if length > _SEARCHED:
            return False
        if self.position + length > self._start + len(self._buffer):
            self._fill(length)
        at = self.position - self._start
        return pattern.search(self._buffer, at, at + length) is None

    def take(self, length: int) -> bytes:
        """The next `length` bytes, without moving. Raises ReaderError: TRUNCATED, UNREADABLE."""
        if self.position + length > self._start + len(self._buffer):
            self._fill(length)
        at = self.position - self._start
        data = self._buffer[at : at + length]
        if len(data) < length:
            raise ReaderError(Fault.TRUNCATED, "The file ends within a field.")
        return data


class _Walk:
    """A walk over a model's messages, and the files that were met."""

    def __init__(self, window: _Window) -> None:
        self._window = window
        self._sizes: dict[str, int] = {}
        self._names = 0  # bytes

    def external(self) -> tuple[ExternalData, ...]:
        """The files that were met."""
        return tuple(ExternalData(*item) for item in sorted(self._sizes.items()))

    def model(self, size: int) -> int:
        """Walks over the outermost message; where it ends, in bytes."""
        met = set()
        inner = _INNER["ModelProto"]
        for number, wire, stop in self._window.fields(size, outermost=True):
            if _WIRE_TYPES.get(number, wire) != wire:
                raise _malformed(f"its field {number} is of another type")
            if not met and number not in _WIRE_TYPES:
                raise _malformed(f"its first field, {number}, is none of a model's")
            if wire != _VARINT and stop > size:
                return stop
            met.add(number)
            if number in inner:
                self._message(inner[number], stop, 1)
        if not met >= {_GRAPH_FIELD, _OPSET_FIELD}:
            raise ReaderError(Fault.TRUNCATED, "The file ends before its graph and its operator sets do.")
        return size

    def _message(self, kind: str, end: int, depth: int) -> None:
        if kind == "TensorProto":
            self._tensor(end)
            return
        # Most of a model's fields are its nodes', and hardly a node has a tensor that stands elsewhere.
        if kind == "NodeProto" and self._window.rules_out(_ELSEWHERE, end):
            return
        if depth > MAX_DEPTH:
            raise ReaderError(Fault.TOO_LARGE, f"The model has more than {MAX_DEPTH} graphs in each other.")
        inner = _INNER[kind]
        for number, wire, stop in self._window.fields(end):
            child = inner.get(number)
            if child is not None and wire == _LENGTH:
                self._message(child, stop, depth + (child == "GraphProto"))

    def _tensor(self, end: int) -> None:
        entries: dict[bytes, bytes] = {}
        elsewhere = False
        for number, wire, value in self._window.fields(end):
            if number == _DATA_LOCATION and wire == _VARINT:
                elsewhere = value == _EXTERNAL
            elif number == _EXTERNAL_DATA and wire == _LENGTH:
                self._entry(value, entries)
        if elsewhere:
            self._note(entries)

    def _entry(self, end: int, entries: dict[bytes, bytes]) -> None:
        """Keeps the one key and value until `end` where the key is one that matters."""
        texts = {_KEY: b"", _VALUE: b""}
        for number, wire, stop in self._window.fields(end):
            if number in texts and wire == _LENGTH:
                # One byte more than any that is accepted shows that it is too long.
                texts[number] = self._window.take(min(stop - self._window.position, MAX_NAME + 1))
        if texts[_KEY] in (b"location", b"offset", b"length"):
            entries[texts[_KEY]] = texts[_VALUE]

    def _note(self, entries: Mapping[bytes, bytes]) -> None:
        name = _plain_name(entries.get(b"location", b""))
        reach = _number(entries.get(b"offset", b"0")) + _number(entries.get(b"length", b"0"))
        if name not in self._sizes:
            self._names += len(name.encode())
            if len(self._sizes) == MAX_FILES or self._names > MAX_NAMES:
                message = (
                    f"The model's tensors are in more than {MAX_FILES} files, or their names are too long."
                )
                raise ReaderError(Fault.TOO_LARGE, message)
        self._sizes[name] = max(reach, self._sizes.get(name, 0))


def _tag(tag: int) -> tuple[int, int]:
    """A field's number and wire type."""
    if tag == 0:
        message = "Zeros stand where a field should begin: allocated, but not yet written."
        raise ReaderError(Fault.TRUNCATED, message)
    number, wire = tag >> 3, tag & 7
    if not 0 < number < 2**29 or wire not in (_VARINT, _FIXED64, _LENGTH, _FIXED32):
        raise _malformed("what stands where a field should begin is none")
    return number, wire


def _plain_name(raw: bytes) -> str:
    """A path that stays in the model's folder, without the parts that mean "here"."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise _malformed("the name of a file is not UTF-8") from None
    parts = [part for part in name.split("/") if part != "."]
    outside = len(raw) > MAX_NAME or "\\" in name or "://" in name or _CONTROL.search(name) is not None
    # An absolute name begins with an empty part.
    if outside or not parts or any(part in ("", "..") or len(part.encode()) > MAX_PART for part in parts):
        raise _malformed(f"a tensor is said to be in {quoted(name)}, no file below the model's folder")
    return "/".join(parts)


def _number(raw: bytes) -> int:
    if _NUMBER.fullmatch(raw) is None or int(raw) >= MAX_POSITION:
        raise _malformed(f"{quoted(raw.decode(errors='replace'))} is no place in a file")
    return int(raw)


def _malformed(why: str) -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"This is not an ONNX model: {why}.")
