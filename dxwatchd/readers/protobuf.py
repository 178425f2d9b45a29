"""Walks over a protobuf message without its definition: fields one after another, each with its own length.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_up_to, seek_to

MAX_FIELDS: Final = 5_000_000
MAX_READ: Final = 1024 * 1024 * 1024  # bytes; half of what a protobuf message can have, payloads included
MAX_POSITION: Final = 2**63  # bytes; no file is larger

_SMALL_READ: Final = 4096  # bytes; after a jump over a payload
_LARGE_READ: Final = 256 * 1024  # bytes
_JUMP: Final = 64 * 1024  # bytes
_SEARCHED: Final = 16 * 1024  # bytes of a node that is searched rather than walked
_LONGEST_VARINT: Final = 10  # bytes

VARINT, _FIXED64, LENGTH, _FIXED32 = 0, 1, 2, 5  # wire types
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}  # bytes


class Window:
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
                Fault.TOO_LARGE, f"The message has more than {MAX_READ} bytes beside what is passed over."
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
                raise ReaderError(Fault.TOO_LARGE, f"The message has more than {MAX_FIELDS} fields.")
            number, wire = _tag(self._varint())
            value = self._varint() if wire in (VARINT, LENGTH) else _FIXED[wire]
            if wire == VARINT:
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


def _tag(tag: int) -> tuple[int, int]:
    """A field's number and wire type."""
    if tag == 0:
        message = "Zeros stand where a field should begin: allocated, but not yet written."
        raise ReaderError(Fault.TRUNCATED, message)
    number, wire = tag >> 3, tag & 7
    if not 0 < number < 2**29 or wire not in (VARINT, _FIXED64, LENGTH, _FIXED32):
        raise _malformed("what stands where a field should begin is none")
    return number, wire


def _malformed(why: str) -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"This is no protobuf message: {why}.")
