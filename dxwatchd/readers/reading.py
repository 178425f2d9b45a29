"""Reads of a known length, with the operating system's errors turned into `ReaderError`."""

from __future__ import annotations

import os
from typing import BinaryIO

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError


def read_up_to(stream: BinaryIO, length: int) -> bytes:
    """The next `length` bytes, fewer only at the end of the file.

    Raises ReaderError: UNREADABLE where the operating system refuses.
    """
    try:
        data = stream.read(length)
        while len(data) < length:  # an unbuffered stream may give less than was asked for
            more = stream.read(length - len(data))
            if not more:
                break
            data += more
    except OSError as error:
        raise refused(error) from error
    return data


def read_exactly(stream: BinaryIO, length: int) -> bytes:
    """The next `length` bytes. Raises ReaderError: TRUNCATED where the file ends before, UNREADABLE."""
    data = read_up_to(stream, length)
    if len(data) < length:
        raise ReaderError(Fault.TRUNCATED, "The file ends before its header does.")
    return data


def seek_to(stream: BinaryIO, position: int) -> None:
    """Moves to `position`, in bytes from the start. Raises ReaderError: UNREADABLE, MALFORMED.

    A position beyond what the operating system can address can only come from a false header.
    """
    try:
        stream.seek(position)
    except OSError as error:
        raise refused(error) from error
    except (OverflowError, ValueError) as error:
        raise ReaderError(Fault.MALFORMED, f"Position {position} cannot be in a file.") from error


def bytes_left(stream: BinaryIO) -> int:
    """How many bytes there are from where the stream stands to its end. Raises ReaderError: UNREADABLE.

    A read that asks for no more than these takes no more memory; one that asks for a bound takes the bound.
    """
    try:
        here = stream.tell()
        end = stream.seek(0, os.SEEK_END)
        stream.seek(here)
    except OSError as error:
        raise refused(error) from error
    return max(end - here, 0)


def refused(error: OSError) -> ReaderError:
    """The operating system's refusal as a ReaderError, without the path, which the caller knows."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ReaderError(Fault.UNREADABLE, f"The file cannot be read: {reason}.")
