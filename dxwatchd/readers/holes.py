"""Ranges of a file that nothing was ever written to, as far as the file system tells.

Source: lseek(2), SEEK_HOLE and SEEK_DATA.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

HOLLOW = 64 * 1024  # bytes at the start of a file of which nothing else was written


@contextlib.contextmanager
def _position_kept(descriptor: int) -> Iterator[None]:
    """Put the descriptor's position back: the stream above it relies on that."""
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        yield
    finally:
        os.lseek(descriptor, position, os.SEEK_SET)


def has_hole(descriptor: int, size: int) -> bool:
    """Whether the file system keeps no data for some range. False where it cannot tell."""
    try:
        with _position_kept(descriptor):
            return os.lseek(descriptor, 0, os.SEEK_HOLE) < size
    except OSError:
        return False


def is_hollow(descriptor: int, size: int) -> bool:
    """Whether only the first bytes of a file with holes were ever written. False where nothing can tell."""
    try:
        with _position_kept(descriptor):
            hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
            if hole < size and hole <= HOLLOW:
                os.lseek(descriptor, hole, os.SEEK_DATA)
    except OSError as error:
        return error.errno == errno.ENXIO  # no data from there to the end
    return False


def forget_pages(descriptor: int) -> None:
    """Have the kernel drop what it keeps of the file in memory.

    Ranges that were allocated and never written are holes only as long as nobody has read them: once in the
    page cache, ext4 counts them as data, and the next look would find the file whole.
    """
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
