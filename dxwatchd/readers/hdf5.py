"""Where an HDF5 file ends, as its superblock says. Nothing else of it is read.

Source: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html (II.A, Format Signature and
Superblock); for addresses https://github.com/HDFGroup/hdf5/blob/develop/src/H5Fsuper.c, by which the end is
counted from the start of the file, whereas the text says it is counted from the base address.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_up_to, seek_to

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
PLACES: Final = (0, *(512 << power for power in range(7)))  # bytes; a block of the user's may come before

_FIRST_ADDRESS: Final = {0: 24, 1: 28, 2: 12, 3: 12}  # in bytes of the superblock, by its version
_WIDTHS_AT: Final = {0: 13, 1: 13, 2: 9, 3: 9}  # of addresses and of lengths, one byte each
_ADDRESSES: Final = 4  # the base, another, the end of the file, another
_FORMS: Final = {2: "H", 4: "I", 8: "Q"}  # by an address's width in bytes
_LARGEST: Final = 28 + _ADDRESSES * 8 + 4  # bytes
_FLAGS_AT: Final = 11
_OPEN_FOR_WRITING: Final = 1


class Hdf5File(NamedTuple):
    """promised_size: in bytes; a file may have more, kept for what is to come."""

    promised_size: int


def read_superblock(stream: BinaryIO, size: int) -> Hdf5File:
    """Looks for the superblock of a file of `size` bytes, at no more than eight places.

    Raises ReaderError: EMPTY; TRUNCATED where the file ends before its superblock does, or its writer has
    not closed it; MALFORMED where there is none, or none that holds together; UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    for place in PLACES:
        if place < size:
            seek_to(stream, place)
            block = read_up_to(stream, min(_LARGEST, size - place))
            if block.startswith(SIGNATURE):
                return Hdf5File(_end(block, place))
            if place == 0 and SIGNATURE.startswith(block):
                raise _truncated()
    raise _malformed("it has no HDF5 signature")


def _end(block: bytes, place: int) -> int:
    """Where the file ends, in bytes, by the superblock at `place`."""
    if len(block) <= len(SIGNATURE):
        raise _truncated()
    version = block[len(SIGNATURE)]
    if version not in _FIRST_ADDRESS:
        raise _malformed(f"its superblock is of the unknown version {version}")
    first = _FIRST_ADDRESS[version]
    if len(block) < first:
        raise _truncated()
    width, length_width = block[_WIDTHS_AT[version]], block[_WIDTHS_AT[version] + 1]
    if width not in _FORMS or length_width not in _FORMS:
        raise _malformed(f"its addresses have {width} bytes and its lengths {length_width}")
    last = first + _ADDRESSES * width
    if len(block) < last + (4 if version >= 2 else 0):
        raise _truncated()
    if version >= 2:
        _check(block, version, last)
    base, _, end, _ = struct.unpack_from(f"<{_ADDRESSES}{_FORMS[width]}", block, first)
    if end >= 2 ** (8 * width) - 1 or end - base < last:
        raise _malformed(f"it is said to end at {end}")
    return int(end - base + place)  # a block put in front of a finished file moves it, and changes no address


def _check(block: bytes, version: int, last: int) -> None:
    """What the superblocks since version 2 have beside their addresses; these end at `last`."""
    if lookup3(block[:last]) != int.from_bytes(block[last : last + 4], "little"):
        raise _malformed("its superblock does not have the checksum that it should")
    if version >= 3 and block[_FLAGS_AT] & _OPEN_FOR_WRITING:
        raise ReaderError(Fault.TRUNCATED, "The file was not closed by the program that writes it.")


def lookup3(data: bytes) -> int:
    """Bob Jenkins's hash, 32 bits, by which HDF5 checks its metadata.

    Source: https://www.burtleburtle.net/bob/c/lookup3.c (hashlittle, from 0)
    """
    a = b = c = (0xDEADBEEF + len(data)) & 0xFFFFFFFF
    at = 0
    while len(data) - at > 12:
        x, y, z = _words(data[at : at + 12])
        a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
        for shift in (4, 6, 8, 16, 19, 4):
            a = (a - c) & 0xFFFFFFFF ^ _turned(c, shift)
            c = (c + b) & 0xFFFFFFFF
            a, b, c = b, c, a
        at += 12
    if at == len(data):
        return c
    x, y, z = _words(data[at:].ljust(12, b"\0"))
    a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
    for shift in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _turned(b, shift)) & 0xFFFFFFFF
        a, b, c = b, c, a
    # Seven steps of a cycle of three: the value mixed last stands second.
    return b


def _words(data: bytes) -> tuple[int, int, int]:
    x, y, z = struct.unpack("<3I", data)
    return x, y, z


def _turned(value: int, shift: int) -> int:
    """32 bits turned to the left."""
    return (value << shift | value >> 32 - shift) & 0xFFFFFFFF


def _truncated() -> ReaderError:
    return ReaderError(Fault.TRUNCATED, "The file ends before its superblock does.")


def _malformed(why: str) -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"This is not an HDF5 file: {why}.")
