"""Does the thread that makes the passes get on? Only then may the service manager hear that all is well.

A pass that takes long gets on all the while. One that waits for a file system which hangs is not helped by a
restart, which would hang as well. One that neither comes to anything nor waits for the kernel is stuck: in an
endless loop, or waiting for a lock that nobody gives back.
"""

from __future__ import annotations

import platform
from pathlib import Path

from dxwatchd.whereabouts import Whereabouts

STUCK_AFTER = 300.0
"""Seconds without a step: longer than any step of a hundred thousand models takes on a slow machine."""

_FUTEX = {"x86_64": 202, "aarch64": 98}
"""The call by which a thread waits for a lock, from the kernel's tables."""


class Vitality:
    """What was last seen of one thread's progress."""

    def __init__(self, stuck_after: float = STUCK_AFTER) -> None:
        self._stuck_after = stuck_after
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def gets_on(self, at: Whereabouts | None, thread: int | None, now: float) -> bool:
        """Whether a thread does, or waits for the kernel.

        at: where its pass is, None while it makes none; thread: the kernel's number of it; now: monotonic
        seconds.
        """
        seen = None if at is None else (id(at), at.steps)
        if seen is None or seen != self._seen:
            self._seen, self._since = seen, now
            return True
        if now - self._since < self._stuck_after:
            return True
        return thread is not None and waits_for_kernel(thread)


def waits_for_kernel(thread: int) -> bool:
    """Whether a thread of this process sleeps in a system call other than for a lock (proc(5))."""
    place = Path(f"/proc/self/task/{thread}")
    try:
        state = (place / "stat").read_text().rpartition(") ")[2][:1]
        call = (place / "syscall").read_text().split(maxsplit=1)[0]
    except (OSError, IndexError):
        return False
    return state in "SD" and call.isdigit() and int(call) != _FUTEX.get(platform.machine())
