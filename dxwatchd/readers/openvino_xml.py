"""Whether the XML of an OpenVINO model is whole, and how large the file of its weights must be.

The weights of `model.xml` are in `model.bin`, which has no header: each constant says in the XML where its
bytes are. The XML is searched, not parsed: it has no document type, so no entities are ever followed.
Source: https://docs.openvino.ai/2025/documentation/openvino-ir-format/operation-sets.html,
https://github.com/openvinotoolkit/openvino/blob/master/src/core/src/pass/serialize.cpp (writes),
https://www.w3.org/TR/xml/ (2.4 to 3.1: no "<" in an attribute's value)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_exactly, seek_to

MAX_SIZE: Final = 512 * 1024 * 1024  # bytes; the XML of a model with 50 thousand layers has 40 MB
MAX_TAG: Final = 2 * 1024 * 1024  # bytes from one "<" to the next
MAX_ELEMENTS: Final = 2_000_000
MAX_POSITION: Final = 2**63  # bytes; no file is larger

_CHUNK: Final = 1024 * 1024  # bytes
_HEAD: Final = 64 * 1024  # bytes in which the root element must begin
_TAIL: Final = 4096  # bytes in which the root element must end
_SPACE: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
_BEFORE_ROOT: Final = ((b"<?xml", b"?>"), (b"<!--", b"-->"))
_ROOT: Final = b"<net"

_TAG: Final = re.compile(rb"<(layer|data)(?=[\s/>])")
_ATTRIBUTES: Final = re.compile(
    rb"""((?:\s++[\w:.-]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'))*+)\s*+/?+>""",
)
_ATTRIBUTE: Final = re.compile(rb"""([\w:.-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_USED: Final = frozenset((b"type", b"offset", b"size"))
_NUMBER: Final = re.compile(rb"[0-9]{1,19}")


class OpenVinoModel(NamedTuple):
    """data_size: the least size, in bytes, of the `.bin` of the same stem; 0 where nothing is in it."""

    data_size: int


def read_ir(stream: BinaryIO, size: int) -> OpenVinoModel:
    """Searches an XML file of `size` bytes for the places of its constants.

    Raises ReaderError: EMPTY; TRUNCATED where the root element does not end, or part of the file is not
    written yet; MALFORMED where it is no OpenVINO model, or a constant's place is none; TOO_LARGE;
    UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    _check_begin(stream, size)
    if size > MAX_SIZE:
        raise ReaderError(Fault.TOO_LARGE, f"The file has more than {MAX_SIZE} bytes.")
    _check_end(stream, size)
    return OpenVinoModel(_data_size(stream, size))


def _check_begin(stream: BinaryIO, size: int) -> None:
    """Raises ReaderError unless the root element is `net`, after no more than a declaration and comments."""
    seek_to(stream, 0)
    rest = read_exactly(stream, min(_HEAD, size)).removeprefix(_BOM).lstrip(_SPACE)
    while not rest.startswith(_ROOT):
        for opening, closing in _BEFORE_ROOT:
            if rest.startswith(opening):
                _, found, rest = rest.partition(closing)
                break
        else:
            found = b""
        if not found:
            raise _no_root(rest, size)
        rest = rest.lstrip(_SPACE)
    if rest[len(_ROOT) : len(_ROOT) + 1] not in (b" ", b"\t", b"\r", b"\n", b">", b""):
        raise _malformed("its root element is not net")


def _no_root(rest: bytes, size: int) -> ReaderError:
    """What it means that the root element does not begin where `rest` does."""
    openings = (_ROOT, *(opening for opening, _ in _BEFORE_ROOT))
    if size <= _HEAD and any(opening.startswith(rest) for opening in (*openings, _BOM)):
        return ReaderError(Fault.TRUNCATED, "The file ends before its root element begins.")
    return _malformed("its root element is not net")


def _check_end(stream: BinaryIO, size: int) -> None:
    seek_to(stream, max(0, size - _TAIL))
    if not read_exactly(stream, min(_TAIL, size)).rstrip(_SPACE).endswith(b"</net>"):
        raise ReaderError(Fault.TRUNCATED, "The file ends before its root element does.")


def _data_size(stream: BinaryIO, size: int) -> int:
    largest = 0
    constant = False
    for name, attributes in _tags(stream, size):
        if name == b"layer":
            constant = attributes.get(b"type") == b"Const"
        elif constant and b"offset" in attributes and b"size" in attributes:
            largest = max(largest, _number(attributes[b"offset"]) + _number(attributes[b"size"]))
    return largest


def _tags(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """The names and the attributes that are used of all `layer` and `data`, in the file's order."""
    count = 0
    for text, end in _pieces(stream, size):
        for tag in _TAG.finditer(text, 0, end):
            attributes = _ATTRIBUTES.match(text, tag.end(), end)
            if attributes is None:
                raise _malformed("the attributes of an element are not as XML demands")
            count += 1
            if count > MAX_ELEMENTS:
                raise ReaderError(Fault.TOO_LARGE, f"The model has more than {MAX_ELEMENTS} layers and data.")
            found = (attribute.groups() for attribute in _ATTRIBUTE.finditer(attributes[1]))
            yield tag[1], {name: double or single or b"" for name, double, single in found if name in _USED}


def _pieces(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """The file's text in pieces, and up to where in a piece there are whole tags only."""
    seek_to(stream, 0)
    left, carried = size, b""
    while left:
        chunk = read_exactly(stream, min(_CHUNK, left))
        if b"\0" in chunk:  # no character of XML
            raise ReaderError(Fault.TRUNCATED, "There are zeros in the text: allocated, but not yet written.")
        left -= len(chunk)
        text = carried + chunk
        # No value of an attribute has a "<", so only the last of them may begin a tag that is cut.
        end = max(0, text.rfind(b"<")) if left else len(text)
        yield text, end
        carried = text[end:]
        if len(carried) > MAX_TAG:
            raise ReaderError(Fault.TOO_LARGE, f"A tag has more than {MAX_TAG} bytes.")


def _number(text: bytes) -> int:
    if _NUMBER.fullmatch(text) is None or int(text) >= MAX_POSITION:
        raise _malformed("the place of a constant is not a number of bytes")
    return int(text)


def _malformed(why: str) -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"This is not an OpenVINO model: {why}.")
