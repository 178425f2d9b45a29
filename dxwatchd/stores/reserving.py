"""Having the room for a write before it is made: then a full disk refuses it whole instead of tearing it."""

from __future__ import annotations

import ctypes
import errno
import os

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE in linux/falloc.h
_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = getattr(_libc, "fallocate64", _libc.fallocate)
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


_SPARE = 4
"""Blocks that a file system may need for its own books when a file grows."""


def reserve(descriptor: int, length: int) -> None:
    """Have blocks for `length` more bytes at the end of a file, whose size and content stay (fallocate(2)).

    Raises OSError where there is no room; mostly without touching the file, whose times a try would change. A
    file system that cannot reserve any is left to the write itself.
    """
    room = os.fstatvfs(descriptor)
    if room.f_blocks and room.f_bavail < length // room.f_frsize + 1 + _SPARE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    size = os.fstat(descriptor).st_size
    if _fallocate(descriptor, _KEEP_SIZE, size, length) != 0:
        code = ctypes.get_errno()
        if code in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(code, os.strerror(code))
