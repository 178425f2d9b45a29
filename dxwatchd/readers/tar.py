"""Whether a tar archive is whole, as NVIDIA NeMo's `.nemo` files are one, plain or compressed with gzip.

Blocks of 512 bytes: each member is a header with its size and a checksum, and its content filled up to a
block; two blocks of zeros end the archive, and more zeros may fill up a record. Nothing is extracted.
Source: https://www.gnu.org/software/tar/manual/html_node/Standard.html (blocks, GNU's extensions),
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13 (extended headers)

What gzip compressed is not looked at: only unpacking all of it would tell.
"""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_exactly, read_up_to, seek_to

MAX_MEMBERS = 1_000_000
MAX_PADDING = 1024 * 1024  # bytes of zeros behind the end; tar's own default fills up to 10,240
MAX_EXTENDED = 1024 * 1024  # bytes of one extended header
MAX_ALL_EXTENDED = 64 * 1024 * 1024  # bytes of all of them together
_BLOCK = 512
_GZIP = b"\x1f\x8b"
_CHECKSUM = slice(148, 156)
_SIZE = slice(124, 136)
_MAX_SIZE = 2**63 - 1  # bytes of one member
_WITHOUT_CONTENT = frozenset(b"123456")  # links, devices, directories and FIFOs, whatever size they say
_EXTENDED = frozenset(b"xX")  # for the next member; X is what Solaris wrote before there was a standard
_OF_OTHERS = _EXTENDED | frozenset(b"gLK")  # headers that say something of members: global, long names
_SPARSE = ord("S")
_RECORD = re.compile(rb"([0-9]{1,8}) ")


class TarArchive(NamedTuple):
    """What the archive says of itself.

    compressed: with gzip; promised_size: the exact size of a whole file in bytes, or where this file ends
    early the least that it must have, None where it cannot be told; members: as `tar --list` counts them.
    """

    compressed: bool
    promised_size: int | None
    members: int


class _Header(NamedTuple):
    """kind: the type's character; size: bytes of content, without what fills up the last block."""

    kind: int
    size: int
    goes_on: bool  # a GNU map of holes continues in further blocks


def read_archive(stream: BinaryIO, size: int) -> TarArchive:
    """Walks a file of `size` bytes from header to header, over the members' content.

    Zeros after the two blocks that end the archive are a part of it up to `MAX_PADDING` bytes, so that a
    file that was cut off within them is taken as whole: all its members are.

    Raises ReaderError: EMPTY; TRUNCATED with too few bytes to tell or with zeros in place of the first
    member; MALFORMED where it is not such a file; TOO_LARGE beyond `MAX_MEMBERS` or the bounds of
    extended headers; UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    seek_to(stream, 0)
    if read_up_to(stream, len(_GZIP)) == _GZIP:
        return TarArchive(compressed=True, promised_size=None, members=0)
    if size < _BLOCK:
        raise ReaderError(Fault.TRUNCATED, f"The file has {size} bytes, too few to tell what it is.")
    return _walk(stream, size)


def _walk(stream: BinaryIO, size: int) -> TarArchive:
    position = members = extended = 0
    real_size: int | None = None  # of the next member, as an extended header says
    for _ in range(MAX_MEMBERS):
        if position + _BLOCK > size:
            return TarArchive(False, position + 2 * _BLOCK, members)
        block = _block(stream, position)
        if not any(block):
            return TarArchive(False, _archive_end(stream, size, position), members)
        header = _header(block)
        if header.goes_on:
            return TarArchive(False, None, members)
        content, length = position + _BLOCK, header.size
        if header.kind not in _OF_OTHERS:
            length, real_size = length if real_size is None else real_size, None
            members += 1
        position = content + _filled_up(0 if header.kind in _WITHOUT_CONTENT else length)
        if header.kind in _EXTENDED and position <= size:
            extended += length
            if length > MAX_EXTENDED or extended > MAX_ALL_EXTENDED:
                raise ReaderError(
                    Fault.TOO_LARGE, f"Extended headers take {extended} bytes, one of them {length}."
                )
            seek_to(stream, content)
            real_size = _size_in(read_exactly(stream, length))
    raise ReaderError(Fault.TOO_LARGE, f"The archive has more than {MAX_MEMBERS} members.")


def _block(stream: BinaryIO, position: int) -> bytes:
    seek_to(stream, position)
    return read_exactly(stream, _BLOCK)


def _filled_up(length: int) -> int:
    """Bytes of the blocks that `length` bytes take."""
    return -(-length // _BLOCK) * _BLOCK


def _archive_end(stream: BinaryIO, size: int, position: int) -> int:
    """The size of an archive whose first block of zeros is at `position`."""
    if position == 0:
        raise ReaderError(Fault.TRUNCATED, "The file begins with zeros: allocated, but not yet written.")
    end = position + 2 * _BLOCK
    if end > size:
        return end
    if any(_block(stream, position + _BLOCK)):
        raise ReaderError(Fault.MALFORMED, "One block of zeros stands between members.")
    padding = size - end
    # The last two blocks were just read: the stream stands behind them.
    if padding <= MAX_PADDING and not read_exactly(stream, padding).strip(b"\0"):
        return size
    return end


def _header(block: bytes) -> _Header:
    """What a header says. Raises MALFORMED where its checksum is false."""
    if not _is_checksum(_number(block[_CHECKSUM]), block):
        raise ReaderError(Fault.MALFORMED, "This is not a tar archive: a header's checksum is false.")
    size = _number(block[_SIZE])
    if size > _MAX_SIZE:
        raise ReaderError(Fault.MALFORMED, f"A member cannot have {size} bytes.")
    kind = block[156]
    return _Header(kind, size, goes_on=kind == _SPARSE and block[482] != 0)


def _is_checksum(number: int, block: bytes) -> bool:
    """Whether this is the sum of a header's bytes, its own eight of them counted as spaces."""
    rest = block[: _CHECKSUM.start] + block[_CHECKSUM.stop :]
    unsigned = sum(rest) + 8 * ord(" ")
    if number == unsigned:
        return True
    # Some old programs added the bytes up as signed ones.
    return number == unsigned - 256 * sum(byte >= 128 for byte in rest)


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or GNU's binary form, which the first byte tells."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise ReaderError(Fault.MALFORMED, "This is not a tar archive: a header's number is none.")
    return int(digits or b"0", 8)


def _size_in(records: bytes) -> int | None:
    """The `size` in an extended header's records ("length keyword=value" and a line feed), None without.

    Python's tarfile and others write it for members beyond the 8 GiB that a header can say.
    """
    size, at = None, 0
    while at < len(records) and records[at]:
        match = _RECORD.match(records, at)
        end = at + int(match[1]) if match else 0
        if not match or not match.end() < end <= len(records):
            raise ReaderError(Fault.MALFORMED, "An extended header's records are none.")
        keyword, _, value = records[match.end() : end - 1].partition(b"=")
        if keyword == b"size":
            if len(value) > 19 or not value.isdigit() or int(value) > _MAX_SIZE:
                raise ReaderError(Fault.MALFORMED, "An extended header's size is no number of bytes.")
            size = int(value)
        at = end
    return size
