"""The operations of a pickle one after another, none of them done.

What an operation carries is read only where it may be a name; other payloads are skipped by position, so
that a pickle with gigabytes of numbers in it costs a few bytes. `pickletools.genops` reads them all.
Source: https://github.com/python/cpython/blob/main/Lib/pickletools.py (the table of opcodes)
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_exactly, refused, seek_to

MAX_NAME = 500
"""Bytes of a module's or an attribute's name, quotes and escapes included; a longer one is not followed."""

_STEP_BYTES = 64
_PIECE = 64 * 2**10
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_TWO_LINES = frozenset({"GLOBAL", "INST"})
_LENGTH_SIZE = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


@dataclass(slots=True)
class Steps:
    """How much work may still be done: one step for an operation, and one for each 64 bytes that are read."""

    left: int

    def pay(self, length: int) -> None:
        """Take the steps for one operation that reads so many bytes. Raises OutOfStepsError."""
        self.left -= 1 + length // _STEP_BYTES
        if self.left < 0:
            raise OutOfStepsError


class Operation(NamedTuple):
    """argument: its bytes without the length or the newline, those of GLOBAL and INST with the newline
    between the two; None where there is none, or one of more than `MAX_NAME` bytes; end: the position in
    the file behind it.
    """

    opcode: pickletools.OpcodeInfo
    argument: bytes | None
    end: int


class OutOfStepsError(Exception):
    """More work than was allowed."""


def operations(stream: BinaryIO, start: int, end: int, steps: Steps) -> Iterator[Operation]:
    """The operations between two positions of a file, until its end.

    Raises ReaderError: MALFORMED where a byte is no opcode, TRUNCATED where an operation goes beyond `end`,
    UNREADABLE; OutOfStepsError.
    """
    source = _Source(stream, start, end, steps)
    while source.position < end:
        code = source.read(1)[0]
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise ReaderError(Fault.MALFORMED, f"There is no pickle opcode {code:#04x}.")
        yield Operation(opcode, _argument(source, opcode), source.position)


def _argument(source: _Source, opcode: pickletools.OpcodeInfo) -> bytes | None:
    if opcode.arg is None:
        return None
    size = opcode.arg.n
    if size >= 0:
        return source.read(size)
    if size == pickletools.UP_TO_NEWLINE:
        if opcode.name not in _TWO_LINES:
            return source.line()
        first, second = source.line(name=True), source.line(name=True)
        return None if first is None or second is None else first + b"\n" + second
    signed = size == pickletools.TAKEN_FROM_ARGUMENT4
    length = int.from_bytes(source.read(_LENGTH_SIZE[size]), "little", signed=signed)
    if length < 0:
        raise ReaderError(Fault.MALFORMED, f"The pickle's {opcode.name} has a negative length.")
    if length <= MAX_NAME:
        return source.read(length)
    source.skip(length)
    return None


class _Source:
    """The bytes of a file from `position` to `end`, forward only."""

    def __init__(self, stream: BinaryIO, start: int, end: int, steps: Steps) -> None:
        self.position = start
        self._stream = stream
        self._end = end
        self._steps = steps
        seek_to(stream, start)

    def read(self, length: int) -> bytes:
        self._steps.pay(length)
        if self.position + length > self._end:
            raise _cut_off()
        self.position += length
        return read_exactly(self._stream, length)

    def skip(self, length: int) -> None:
        if self.position + length > self._end:
            raise _cut_off()
        self.position += length
        seek_to(self._stream, self.position)

    def line(self, *, name: bool = False) -> bytes | None:
        """The bytes up to the next newline, which is read too; None where they are more than a name's.

        name: they are one, so what no name can have ends the reading at once.
        """
        kept: bytes | None = b""
        while True:
            piece = self._piece()
            if name and b"\0" in piece:
                raise ReaderError(Fault.MALFORMED, "The pickle names what nothing can be called.")
            kept = None if kept is None or len(kept) + len(piece) > MAX_NAME + 1 else kept + piece
            if piece.endswith(b"\n"):
                return None if kept is None else kept[:-1]

    def _piece(self) -> bytes:
        """Bytes of a line, at least one."""
        try:
            data = self._stream.readline(min(_PIECE, self._end - self.position))
        except OSError as error:
            raise refused(error) from error
        if not data:
            raise _cut_off()
        self.position += len(data)
        self._steps.pay(len(data))
        return data


def _cut_off() -> ReaderError:
    return ReaderError(Fault.TRUNCATED, "The file ends before its pickle does.")
