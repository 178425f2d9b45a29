"""What reading costs, told without a clock on the wall: bytes that were read, and how work grows."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GROWTH = 8
"""How many times larger the larger of the two sizes is that `growth` compares."""

LINEAR = 40
"""What `growth` stays below for work in proportion to its size, also beyond the processor's caches."""


class Metered(io.FileIO):
    """A file that counts the bytes which are read of it. Wrapped by `metered`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self.count = 0

    def readinto(self, buffer: Any, /) -> int:
        """Read into the buffer, and count."""
        length = super().readinto(buffer) or 0
        self.count += length
        return length


def metered(path: Path) -> tuple[io.BufferedReader, Metered]:
    """A file opened as readers get it, and its meter, which counts what buffering reads ahead, too."""
    meter = Metered(path)
    return io.BufferedReader(meter), meter


def growth(work: Callable[[int], object], size: int) -> float:
    """How many times the processor time of `work(GROWTH * size)` is that of `work(size)`.

    Around `GROWTH` where it grows with the size, around its square where it grows with that. The least of
    three tries each: other processes only ever add to a measurement.
    """
    small, large = (min(_seconds(work, each) for _ in range(3)) for each in (size, GROWTH * size))
    return large / small


def _seconds(work: Callable[[int], object], size: int) -> float:
    began = time.process_time()
    work(size)
    return time.process_time() - began
