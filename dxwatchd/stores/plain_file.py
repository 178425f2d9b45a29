"""Reading a small file of ours, whatever somebody else put in its place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_SIZE = 64 * 2**20
"""Bytes; a card has some thousands, the index of ten thousand models some millions."""


def open_plain(path: Path) -> int:
    """A descriptor of a regular file. Raises OSError for anything else: a FIFO would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_plain(path: Path, most: int = MAX_SIZE) -> bytes:
    """The bytes of a regular file of at most `most`. Raises OSError."""
    with open(open_plain(path), "rb") as file:
        data = file.read(most + 1) if os.fstat(file.fileno()).st_size <= most else None
    if data is None or len(data) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data
