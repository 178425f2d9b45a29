"""Is somebody else at a file? Asked of the kernel by way of leases."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path


def ignore_lease_breaks() -> None:
    """A lease that is broken in the microseconds we hold it sends SIGIO, which would end the process."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)


def has_writer(path: Path) -> bool | None:
    """Whether some process has `path` open for writing, or mapped so; None where the kernel does not tell.

    A read lease is only given while nobody writes (fcntl(2), F_SETLEASE): it is taken and given back at once.
    It takes ownership of the file or CAP_LEASE, and a local file system.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except BlockingIOError:
        return True  # somebody holds it alone, to write
    except OSError:
        return None
    try:
        return is_written(descriptor)
    finally:
        os.close(descriptor)


def is_written(descriptor: int) -> bool | None:
    """As `has_writer`, of a file that is open for reading only."""
    try:
        _lease(descriptor, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False


@contextlib.contextmanager
def held_alone(descriptor: int) -> Iterator[bool | None]:
    """Keep everybody else from opening a file that is open for writing here: they wait until this ends.

    Gives True where nobody else has it open, False where somebody has and nothing is held, and None where the
    kernel does not tell (see `has_writer`). Only for moments: who opens the file stands still meanwhile.
    """
    alone: bool | None = True
    try:
        _lease(descriptor, fcntl.F_WRLCK)
    except OSError as error:
        alone = False if error.errno == errno.EAGAIN else None
    try:
        yield alone
    finally:
        if alone:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _lease(descriptor: int, kind: int) -> None:
    # who opens the file in the microseconds that we hold the lease makes the kernel send a signal: one that
    # is ignored unless asked for, where SIGIO would end the process
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, kind)
