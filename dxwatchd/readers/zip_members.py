"""The members of a zip archive, found by its directory and read in place. Nothing is extracted to a disk.

Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.7, 4.3.12, 4.5.3)
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_exactly, seek_to
from dxwatchd.readers.torch_archive import DIRECTORY_ENTRY, LOCAL_ENTRY, find_directory

MAX_DIRECTORY = 32 * 2**20
"""Bytes; a hundred thousand tensors make a directory of ten million."""
MAX_UNPACKED = 8 * 2**20
"""Bytes of one compressed member that are unpacked. torch.save compresses nothing."""
MAX_MEMBERS = 100
"""Members of one archive that are wanted."""

_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_EXTRA = struct.Struct("<2H")
_ZIP64 = 1
_IN_ZIP64 = 0xFFFF_FFFF
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1


class Member(NamedTuple):
    """One file of the archive. header: position of its local header; packed: its size there, in bytes;
    method: how it is packed; encrypted: whether it is.
    """

    header: int
    packed: int
    method: int
    encrypted: bool


class Content(NamedTuple):
    """Where a member's bytes stand: in the archive itself or, unpacked, in memory.

    whole: False where only its beginning was unpacked.
    """

    stream: BinaryIO
    start: int
    end: int
    whole: bool = True


def find_members(
    stream: BinaryIO, size: int, wanted: Callable[[bytes], bool], pay: Callable[[int], None]
) -> tuple[Member, ...]:
    """The members of an archive of `size` bytes whose name, as it is stored, is wanted.

    pay: told how many bytes are going to be read; what it raises ends the reading, as in `open_member`.
    Raises ReaderError: TRUNCATED where the archive has no directory, MALFORMED where that is not what its
    end says or other archives may be found in the file, TOO_LARGE, UNREADABLE.
    """
    directory = find_directory(stream, size)
    if directory is None:
        raise ReaderError(Fault.TRUNCATED, "The archive has no directory at its end.")
    if not directory.alone:
        raise ReaderError(Fault.MALFORMED, "The archive ends more than once.")
    if directory.length > MAX_DIRECTORY:
        raise ReaderError(Fault.TOO_LARGE, "The archive's directory is too large to be read.")
    pay(directory.length)
    found: list[Member] = []
    seek_to(stream, directory.offset)
    left = directory.length
    for _ in range(directory.entries):
        member, name, length = _entry(stream, left)
        left -= length
        if wanted(name):
            found.append(member)
            if len(found) > MAX_MEMBERS:
                raise ReaderError(Fault.TOO_LARGE, f"More than {MAX_MEMBERS} members are of interest.")
    if left:
        raise ReaderError(Fault.MALFORMED, "The archive's directory has more entries than its end says.")
    return tuple(found)


def _entry(stream: BinaryIO, left: int) -> tuple[Member, bytes, int]:
    """The entry of the directory that comes next: the member, its name, and the entry's size in bytes."""
    if left < _ENTRY.size:
        raise ReaderError(Fault.MALFORMED, "The archive's directory has fewer entries than its end says.")
    values = _ENTRY.unpack(read_exactly(stream, _ENTRY.size))
    mark, _, _, flags, method, _, _, _, packed, unpacked, names, extras, comments = values[:13]
    header = values[16]
    length = _ENTRY.size + names + extras + comments
    if mark != DIRECTORY_ENTRY or length > left:
        raise ReaderError(Fault.MALFORMED, "The archive's directory is damaged.")
    name = read_exactly(stream, names)
    extra = read_exactly(stream, extras)
    read_exactly(stream, comments)
    if _IN_ZIP64 in (packed, unpacked, header):
        packed, header = _large(extra, packed, unpacked, header)
    return Member(header, packed, method, bool(flags & _ENCRYPTED)), name, length


def _large(extra: bytes, packed: int, unpacked: int, header: int) -> tuple[int, int]:
    """The packed size and the position that do not fit into the entry itself."""
    at = 0
    while at + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size
        if kind == _ZIP64:
            field = extra[at : at + length]
            numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            try:
                _ = next(numbers) if unpacked == _IN_ZIP64 else 0
                packed = next(numbers) if packed == _IN_ZIP64 else packed
                header = next(numbers) if header == _IN_ZIP64 else header
            except StopIteration:
                break
            return packed, header
        at += length
    raise ReaderError(Fault.MALFORMED, "An entry of the archive lacks its size.")


def open_member(stream: BinaryIO, size: int, member: Member, pay: Callable[[int], None]) -> Content:
    """The bytes of a member of an archive of `size` bytes.

    Raises ReaderError: MALFORMED where there is no such member or it is not what the directory says,
    TRUNCATED, UNREADABLE.
    """
    seek_to(stream, member.header)
    values = _LOCAL.unpack(read_exactly(stream, _LOCAL.size))
    start = member.header + _LOCAL.size + values[9] + values[10]
    if values[0] != LOCAL_ENTRY or start + member.packed > size:
        raise ReaderError(Fault.MALFORMED, "A member is not where the archive's directory says.")
    if member.encrypted or member.method not in (_STORED, _DEFLATED):
        raise ReaderError(Fault.MALFORMED, "A member is encrypted, or packed in a way that is not read.")
    if member.method == _STORED:
        return Content(stream, start, start + member.packed)
    seek_to(stream, start)
    pay(MAX_UNPACKED)  # whatever it says of its size: a few bytes may unpack to all of it
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(read_exactly(stream, min(member.packed, MAX_UNPACKED)), MAX_UNPACKED)
    except zlib.error as error:
        raise ReaderError(Fault.MALFORMED, "A member cannot be unpacked.") from error
    return Content(io.BytesIO(data), 0, len(data), whole=unpacker.eof)
