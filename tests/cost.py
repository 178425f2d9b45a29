"""How work grows with the size of what it is done on, told without a clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable

GROWTH = 16
"""How many times larger the larger of the two sizes is that `growth` compares."""

LINEAR = 128
"""What `growth` stays below for work in proportion to its size, also beyond the processor's caches."""


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
