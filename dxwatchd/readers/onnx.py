"""Where an ONNX model ends, and how large the files beside it that hold its tensors must be.

An ONNX file is one protobuf message, `ModelProto`: fields one after another, each with its own length, and
nothing that tells the number of them or the length of all. Tensors too large for it stand in other files.
Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (the messages),
https://github.com/onnx/onnx/blob/main/docs/ExternalData.md (the other files),
https://protobuf.dev/programming-guides/encoding/ (the bytes)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO, Final, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.file_names import is_plain
from dxwatchd.readers.protobuf import LENGTH, MAX_POSITION, VARINT, Window

MAX_DEPTH: Final = 16  # graphs within graphs, as the branches of an If are
MAX_FILES: Final = 10_000
MAX_NAMES: Final = 1024 * 1024  # bytes of all names of files
MAX_NAME: Final = 4096  # bytes; the longest path of Linux


_GRAPH_FIELD, _OPSET_FIELD = 7, 8
_WIRE_TYPES: Final[Mapping[int, int]] = {  # of the fields of ModelProto: by these another file is known
    1: VARINT,  # ir_version
    5: VARINT,  # model_version
    **dict.fromkeys((2, 3, 4, 6, _GRAPH_FIELD, _OPSET_FIELD, 14, 20, 25, 26), LENGTH),
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
    walk = _Walk(Window(stream, size))
    return OnnxModel(walk.model(size), walk.external())


class _Walk:
    """A walk over a model's messages, and the files that were met."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._sizes: dict[str, int] = {}
        self._names = 0  # bytes

    def external(self) -> tuple[ExternalData, ...]:
        """The files that were met."""
        return tuple(ExternalData(*item) for item in sorted(self._sizes.items()))

    def model(self, size: int) -> int:
        """Walks over the outermost message; where it ends, in bytes."""
        met: set[int] = set()
        inner = _INNER["ModelProto"]
        for number, wire, stop in self._window.fields(size, outermost=True):
            if _WIRE_TYPES.get(number, wire) != wire:
                raise _malformed(f"its field {number} is of another type")
            if not met and number not in _WIRE_TYPES:
                raise _malformed(f"its first field, {number}, is none of a model's")
            if wire != VARINT and stop > size:
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
            if child is not None and wire == LENGTH:
                self._message(child, stop, depth + (child == "GraphProto"))

    def _tensor(self, end: int) -> None:
        entries: dict[bytes, bytes] = {}
        elsewhere = False
        for number, wire, value in self._window.fields(end):
            if number == _DATA_LOCATION and wire == VARINT:
                elsewhere = value == _EXTERNAL
            elif number == _EXTERNAL_DATA and wire == LENGTH:
                self._entry(value, entries)
        if elsewhere:
            self._note(entries)

    def _entry(self, end: int, entries: dict[bytes, bytes]) -> None:
        """Keeps the one key and value until `end` where the key is one that matters."""
        texts = {_KEY: b"", _VALUE: b""}
        for number, wire, stop in self._window.fields(end):
            if number in texts and wire == LENGTH:
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


def _plain_name(raw: bytes) -> str:
    """A path that stays in the model's folder, without the parts that mean "here"."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise _malformed("the name of a file is not UTF-8") from None
    plain = "/".join(part for part in name.split("/") if part != ".")
    if len(raw) > MAX_NAME or _CONTROL.search(name) is not None or not is_plain(plain):
        raise _malformed(f"a tensor is said to be in {quoted(name)}, no file below the model's folder")
    return plain


def _number(raw: bytes) -> int:
    if _NUMBER.fullmatch(raw) is None or int(raw) >= MAX_POSITION:
        raise _malformed(f"{quoted(raw.decode(errors='replace'))} is no place in a file")
    return int(raw)


def _malformed(why: str) -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"This is not an ONNX model: {why}.")
