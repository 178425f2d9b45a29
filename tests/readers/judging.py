"""What the tests of all binary readers ask of them, whatever the format."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from typing import BinaryIO, Protocol, TypeVar

import pytest

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError


class Sized(Protocol):
    """What a reader says of a file's end."""

    @property
    def promised_size(self) -> int | None:
        """In bytes; None where it cannot be told."""


Told = TypeVar("Told")


def from_anywhere(read: Callable[[BinaryIO, int], Told]) -> Callable[[bytes], Told]:
    """What a reader says of a file, wherever the stream stands."""

    def told(data: bytes) -> Told:
        stream = io.BytesIO(data)
        stream.seek(len(data) // 2)
        return read(stream, len(data))

    return told


def faults_of(read: Callable[[bytes], object]) -> Callable[[bytes], Fault]:
    """The fault that a file raises; its message is short, whatever the file holds."""

    def fault(data: bytes) -> Fault:
        with pytest.raises(ReaderError) as caught:
            read(data)
        assert len(caught.value.message) < 600
        return caught.value.fault

    return fault


def wholeness(read: Callable[[bytes], Sized]) -> Callable[[bytes], bool]:
    """Whether a file is judged whole; where it raises it is not."""

    def is_whole(data: bytes) -> bool:
        try:
            return read(data).promised_size == len(data)
        except ReaderError:
            return False

    return is_whole


def never_whole(promised: Callable[[bytes], int], data: bytes, cuts: Iterable[int]) -> None:
    """Asserts that the file cut to any of these sizes raises or promises more than there is."""
    for cut in cuts:
        with contextlib.suppress(ReaderError):
            assert promised(data[:cut]) > cut, cut


class Counting(io.FileIO):
    """A file that counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self.count += len(data)
        return data
