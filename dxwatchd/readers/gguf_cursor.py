"""Steps through a GGUF header in large reads, over what nobody needs without keeping it.

Not a memory map: if a writer cuts the file while it is mapped, the process dies of SIGBUS; a read ends.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_up_to, seek_to

MAX_HEADER = 256 * 1024 * 1024  # bytes; a vocabulary of 256 thousand tokens with its merges takes 12 MB
CHUNK = 1024 * 1024  # bytes of one read


class Cursor:
    """A position in a header, and the bytes around it.

    Every method raises ReaderError: TRUNCATED where the file ends first, TOO_LARGE where the header goes
    on beyond `MAX_HEADER` bytes, UNREADABLE.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._buffer = b""
        self._start = 0  # where in the file the buffer begins
        self._at = 0  # in the buffer; beyond its end after a skip
        self.order = "<"  # struct's sign of the byte order

    @property
    def position(self) -> int:
        """In bytes from the start of the file."""
        return self._start + self._at

    def left(self) -> int:
        """Bytes between here and the end of the file."""
        return self._size - self.position

    def _fill(self, length: int) -> None:
        """Makes the next `length` bytes be in the buffer."""
        if self._at + length <= len(self._buffer):
            return
        position = self.position
        self._demand(length)
        seek_to(self._stream, position)
        self._buffer = read_up_to(self._stream, min(max(CHUNK, length), self._size - position))
        self._start, self._at = position, 0
        if len(self._buffer) < length:
            raise _ended()

    def _demand(self, length: int) -> None:
        if length > self.left():
            raise _ended()
        if self.position + length > MAX_HEADER:
            raise ReaderError(Fault.TOO_LARGE, f"The header has more than {MAX_HEADER} bytes.")

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        self._fill(length)
        self._at += length
        return self._buffer[self._at - length : self._at]

    def skip(self, length: int) -> None:
        """Passes over `length` bytes, which must be in the file."""
        self._demand(length)
        self._at += length

    def unpack(self, codes: str) -> tuple[Any, ...]:
        """The values that `struct` codes stand for, in the file's byte order."""
        form = self.order + codes
        length = struct.calcsize(form)
        self._fill(length)
        values = struct.unpack_from(form, self._buffer, self._at)
        self._at += length
        return values

    def skip_strings(self, count: int) -> None:
        """Passes over `count` strings, each a 64-bit length and its bytes. The caller bounds the count."""
        if count * 8 > self.left():
            raise _ended()
        unpack = struct.Struct(self.order + "Q").unpack_from
        while count:
            self._fill(8)
            buffer, at = self._buffer, self._at
            last = len(buffer) - 8
            while count and at <= last:  # the hot loop: vocabularies have 150 thousand strings and more
                at += 8 + unpack(buffer, at)[0]
                count -= 1
            self._at = at
            self._demand(0)


def _ended() -> ReaderError:
    return ReaderError(Fault.TRUNCATED, "The file ends before its header does.")
