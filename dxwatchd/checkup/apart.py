"""Looking at what may hang, without hanging: a process of its own looks, and is left behind where it hangs.

A thread would not do: a process whose thread waits for a file system that never answers cannot end, and
whoever reads its output waits with it.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

T = TypeVar("T")

WITHIN = 5.0
"""Seconds that a look gets."""

_PART = 65_536


class Late(Exception):  # noqa: N818 - a state of affairs, and one of those that are looked for
    """What was looked at does not answer."""


class Failed(Exception):  # noqa: N818 - as above
    """The look ended in a way that nobody foresaw. The message says how."""


def apart(look: Callable[[], T], within: float = WITHIN) -> T:
    """What `look` gives, which must be plain data. Raises Late where that takes longer, and Failed.

    The processes that look have nothing of ours open but the one pipe for their answer.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(look, writing)
    os.close(writing)
    try:
        data = _read(reading, time.monotonic() + within)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _forget(child)
    if not data:
        raise Failed("the process that looked has died")
    right, told = pickle.loads(data)  # noqa: S301 - written by ourselves, a moment ago
    if not right:
        raise Failed(told)
    return cast("T", told)


def _answer(look: Callable[[], T], writing: int) -> None:
    """The child's side: look, answer, end."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.closerange(3, writing)
        os.closerange(writing + 1, 4096)
        try:
            data = pickle.dumps((True, look()))
        except Exception as error:  # noqa: BLE001 - one look that fails must not end the others
            data = pickle.dumps((False, f"{type(error).__name__}: {error}"))
        with open(writing, "wb") as answer:
            answer.write(data)
    finally:
        os._exit(0)


def _read(reading: int, until: float) -> bytes:
    """All that is written into a pipe. Raises Late."""
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise Late
        part = os.read(reading, _PART)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _forget(child: int) -> None:
    """Take note of its end, if that comes at once; else it ends when its file system answers."""
    for _ in range(20):
        with suppress(ChildProcessError):
            if os.waitpid(child, os.WNOHANG)[0] == 0:
                time.sleep(0.005)
                continue
        return
