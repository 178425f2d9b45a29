"""Two files that change places in one step, and how the one that had to make room comes back.

While ours lies in the place of the manifest, somebody may save over it in any way: by a rename, or by writing
into it. Whatever comes there is newer than what was replaced, and must not be lost when that comes back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import time
from pathlib import Path

from dxwatchd.leases import has_writer
from dxwatchd.stores.manifest_file import GAP, PAUSE, TRIES, Changed, all_of, opened

_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100  # fcntl.h
_libc = ctypes.CDLL(None, use_errno=True)


LINGER = 0.05
"""Seconds until the second look at what was replaced: an editor may have been in the middle of opening it."""

LINGER_BLIND = 0.5
"""The same where the kernel does not tell who has the file open."""


def linger(writer: bool | None) -> float:
    """Seconds until the second look. writer: as `has_writer` told it."""
    return LINGER_BLIND if writer is None else LINGER


def swapped(one: Path, other: Path) -> bool:
    """Swap two names in one step (renameat2(2)); False where the file system cannot. Raises OSError."""
    if _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), str(other))


def content_of(path: Path) -> bytes:
    """What is in a file. Raises Changed where somebody is appending to it, and OSError."""
    with opened(path, os.O_RDONLY) as descriptor:
        return all_of(descriptor)


def give_back(aside: Path, target: Path, ours: int, after: bytes) -> None:
    """Put what was replaced back in its place, or what somebody saved there meanwhile: never ours.

    ours, after: the inode and the content of our file, which the caller holds open. Every other file that was
    seen is held too: an editor's next file could have the inode of one that is gone, and be taken for it.
    What lies aside afterwards is nobody's any more. Raises Changed, with it there, where somebody goes on
    writing to it.
    """
    known = {ours: after}
    turned = False
    with contextlib.ExitStack() as held:
        for _ in range(10 * TRIES):
            try:
                if not turned and target.stat().st_ino != ours:
                    return  # somebody has saved over ours: that is newer than what was replaced
                seen = os.open(aside, os.O_PATH | os.O_CLOEXEC)
                held.callback(os.close, seen)
                known.setdefault(os.fstat(seen).st_ino, content_of(aside))
                turned = swapped(aside, target)
            except FileNotFoundError:
                _fill_gap(aside, target)
                continue
            except Changed:  # a lease, for the moment of an append: what is appended goes back as well
                time.sleep(PAUSE)
                continue
            there = aside.stat().st_ino
            if there not in known:
                continue  # somebody saved between look and exchange: that is the newest, and goes back
            now = _written(aside)
            if now == known[there]:
                # who looked up its name while it was in the other's place may come to open it only now
                time.sleep(linger(has_writer(aside)))
                now = _written(aside)
            if now == known[there]:
                return  # what lay there is ours, or was superseded by what lies there now
            if now.startswith(known[there]):  # by `>>`: it belongs behind whatever is there
                _add(target, now.removeprefix(known[there]))
                return
            known[there] = now  # somebody saved into it: that is the newest, and goes back
    raise Changed


def _written(path: Path) -> bytes:
    """The content of a file that lies aside, once whoever opened it in its place has written to it."""
    for _ in range(10 * TRIES):
        if not has_writer(path):
            return content_of(path)
        time.sleep(PAUSE)
    raise Changed


def _add(path: Path, data: bytes) -> None:
    glue = b"" if content_of(path).endswith(b"\n") else b"\n"
    with opened(path, os.O_WRONLY | os.O_APPEND) as descriptor:
        os.write(descriptor, glue + data)
        os.fsync(descriptor)


def _fill_gap(aside: Path, target: Path) -> None:
    """An editor has renamed ours away and is about to write; if it does not, what was replaced goes there."""
    time.sleep(GAP)
    with contextlib.suppress(FileExistsError):
        os.link(aside, target)
