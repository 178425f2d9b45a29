"""Writing a file so that a reader sees the whole old one or the whole new one, also after a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY_PREFIX = ".writing-"
TEMPORARY_SUFFIX = ".new"
"""So that nobody who takes all `*.json` of a folder takes half a card."""

OF_ONE_FILE = frozenset({errno.EISDIR, errno.EPERM, errno.EACCES})
"""Why one file may be neither replaced nor removed while its neighbours may: a folder of its name, an
attribute, another owner in a sticky folder. On a disk that is full or read-only all fail alike."""


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by a file with `data`: write aside, fsync, rename, fsync of the folder.

    mode: of the new file, before the umask. For one writer at a time. Raises OSError where the disk is full
    or the folder not writable; then the old file is untouched and nothing is left behind.
    """
    _replace(path, data, mode, durable=True)


def replace_quickly(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by a file with `data` for readers; a power cut may lose it: it is made anew soon.

    mode: of the new file, before the umask. For one writer at a time. Raises OSError; the old one stays then.
    """
    _replace(path, data, mode, durable=False)


def _replace(path: Path, data: bytes, mode: int, *, durable: bool) -> None:
    aside = path.with_name(f"{TEMPORARY_PREFIX}{path.name}{TEMPORARY_SUFFIX}")
    with naming(path):
        aside.unlink(missing_ok=True)  # of a killed writer; with O_EXCL no link is ever written through
        try:
            write_new(aside, data, mode=mode, durable=durable)
            os.rename(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have every OSError raised in the block name the file that was to be written."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def write_new(path: Path, data: bytes, *, mode: int, durable: bool = True) -> None:
    """Make a file that was not there. durable: have its content on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; the kernel takes only a part where the disk becomes full. Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut (fsync(2) of a file does not cover its name)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed writer left aside. Only the one writer of this folder may call it.

    What cannot be removed does no harm: the next write of that file says so, or does it.
    """
    for left in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(OSError):
            left.unlink(missing_ok=True)
