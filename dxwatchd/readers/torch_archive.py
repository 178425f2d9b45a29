"""Whether a file that `torch.save` wrote is whole. Nothing in it is ever unpickled.

Since PyTorch 1.6 it is a zip archive, whose directory stands at the end: a copy that was cut off has none.
Before, it was a bare pickle, in which nothing tells its size.
Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.12 to 4.3.16)
"""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_up_to, seek_to

LOCAL_ENTRY = b"PK\x03\x04"
DIRECTORY_ENTRY = b"PK\x01\x02"
_END = struct.Struct("<4s4H2IH")  # end of central directory record
_LOCATOR = struct.Struct("<4sIQI")  # zip64: where the large end record is
_END64 = struct.Struct("<4sQ2H2I4Q")  # zip64 end of central directory record
_MAX_COMMENT = 65_535  # bytes; the format's bound
LAST_PICKLE_PROTOCOL = 5


class Archive(NamedTuple):
    """container: "zip" or "pickle"; complete: see `core.facts.TorchArchive`."""

    container: str
    complete: bool


class Directory(NamedTuple):
    """Where a zip archive's central directory stands, in bytes of the file, and how many entries it has.

    alone: nothing behind it looks like another archive's end, which another reader might take for this one's.
    """

    offset: int
    length: int
    entries: int
    alone: bool


def read_archive(stream: BinaryIO, size: int) -> Archive:
    """Looks at both ends of a file of `size` bytes.

    Raises ReaderError: MALFORMED where it is neither a zip archive nor a pickle; TRUNCATED with too few
    bytes to tell; UNREADABLE.
    """
    seek_to(stream, 0)
    start = read_up_to(stream, 4)
    if len(start) < 4:
        raise ReaderError(Fault.TRUNCATED, f"The file has {len(start)} bytes, too few to tell what it is.")
    if start == LOCAL_ENTRY:
        return Archive("zip", complete=find_directory(stream, size) is not None)
    if start[0] == 0x80 and 2 <= start[1] <= LAST_PICKLE_PROTOCOL:
        return Archive("pickle", complete=True)
    raise ReaderError(Fault.MALFORMED, "This is not a PyTorch file: neither a zip archive nor a pickle.")


def find_directory(stream: BinaryIO, size: int) -> Directory | None:
    """The central directory that some end record has right before it; None where there is none.

    Raises ReaderError: UNREADABLE.
    """
    base = max(0, size - _MAX_COMMENT - _END.size - _LOCATOR.size)
    seek_to(stream, base)
    tail = read_up_to(stream, size - base)
    if base + len(tail) != size:
        return None
    last = at = len(tail)
    while (at := tail.rfind(b"PK\x05\x06", 0, at + 3)) >= 0:
        last = at if last == len(tail) else last
        found = _ended_by(stream, tail, at, base)
        if found is not None:
            return found._replace(alone=at == last)
    return None


def _ended_by(stream: BinaryIO, tail: bytes, at: int, base: int) -> Directory | None:
    """The directory before an end record at `at` of the tail, which begins at `base` of the file."""
    if at + _END.size > len(tail):
        return None
    _, _, _, _, entries, length, offset, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        return None
    before = base + at
    if at >= _LOCATOR.size and tail.startswith(b"PK\x06\x07", at - _LOCATOR.size):
        _, _, before, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
        record = _bytes_at(stream, before, _END64.size, base + at)
        if len(record) < _END64.size or not record.startswith(b"PK\x06\x06"):
            return None
        *_, entries, length, offset = _END64.unpack(record)
    if offset + length != before or entries == 0:
        return None
    found = Directory(offset, length, entries, alone=True)
    return found if _bytes_at(stream, offset, 4, before) == DIRECTORY_ENTRY else None


def _bytes_at(stream: BinaryIO, position: int, length: int, end: int) -> bytes:
    """Bytes of the file, nothing where they would not all lie before `end`."""
    if position + length > end:
        return b""
    seek_to(stream, position)
    return read_up_to(stream, length)
