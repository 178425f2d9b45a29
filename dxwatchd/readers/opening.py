"""Opens files below the models root, and nothing else.

A models root is filled by many hands: names lead out of it, a FIFO waits for ever, a link is exchanged
between the look and the open. So the path is resolved first, must lie inside the root, and is then walked
part by part without following any link.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePath
from typing import BinaryIO

from dxwatchd.core.facts import Fault
from dxwatchd.core.snapshot import Stat
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import refused

# O_PATH asks for no more than the right to pass through a folder; where it is unknown, reading must do.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: the open of a FIFO or of a leased file must not wait. O_NOCTTY: a terminal is not taken over.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def stat_of(result: os.stat_result) -> Stat:
    """The part of a stat that tells whether a file changed."""
    return Stat(
        size=result.st_size,
        mtime_ns=result.st_mtime_ns,
        ctime_ns=result.st_ctime_ns,
        inode=result.st_ino,
        device=result.st_dev,
    )


def open_inside(root: Path, relative: str, seen: Stat | None = None) -> BinaryIO:
    """A regular file below `root`, open for reading at its start.

    relative: parts joined by "/", as the listing gave them (surrogate escapes allowed); links are followed
    as long as they end inside the root. seen: what the listing saw; it must still be that file, unchanged.

    Raises ReaderError: UNREADABLE where the name leads out of the root, is not a regular file's or is
    refused by the operating system; CHANGED where it is not what was `seen`.
    """
    if not relative or relative.startswith("/") or "\0" in relative or ".." in relative.split("/"):
        raise ReaderError(Fault.UNREADABLE, "The name is not one of a file below the models root.")
    try:
        top = os.path.realpath(root, strict=True)
        real = os.path.realpath(f"{top}/{relative}", strict=True)
        parts = PurePath(os.path.relpath(real, top)).parts
        if not parts or parts[0] == os.pardir:
            raise ReaderError(Fault.UNREADABLE, "The link leads out of the models root.")
        descriptor = _walk_to(top, parts)
    except (FileNotFoundError, NotADirectoryError) as error:
        if seen is not None:
            raise ReaderError(Fault.CHANGED, "The file is gone since it was listed.") from error
        raise refused(error) from error
    except OSError as error:
        raise refused(error) from error
    except ValueError as error:  # a lone surrogate that stands for no byte
        raise ReaderError(Fault.UNREADABLE, "The name cannot be one of a file.") from error
    try:
        _check(os.fstat(descriptor), seen)
        return os.fdopen(descriptor, "rb")
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError):
            raise refused(error) from error
        raise


def _walk_to(top: str, parts: tuple[str, ...]) -> int:
    """Descriptor of the file at `parts` below `top`, no link followed on the way. Raises OSError."""
    folder = os.open(top, _FOLDER)
    try:
        for part in parts[:-1]:
            deeper = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = deeper
        return os.open(parts[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _check(result: os.stat_result, seen: Stat | None) -> None:
    """Raises ReaderError unless this is a regular file and the one that was seen."""
    if not stat.S_ISREG(result.st_mode):
        raise ReaderError(Fault.UNREADABLE, "This is not a regular file.")
    if seen is not None and stat_of(result) != seen:
        raise ReaderError(Fault.CHANGED, "The file has changed since it was listed.")
