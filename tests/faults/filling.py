"""Using up the room, or the inodes, of a small file system."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

PAGE: Final = 4096


class Filler:
    """Fills one file system, and makes room again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "filler"
        self._folder.mkdir()
        self._file = self._folder / "ballast"

    def fill(self, *, leave: int = 0) -> None:
        """Take all room but `leave` pages. Only files that belong to this are written."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (2**16, PAGE, 1):
                while _written(descriptor, size):
                    pass
            os.fsync(descriptor)
            if leave:
                size = os.fstat(descriptor).st_size // PAGE * PAGE
                os.ftruncate(descriptor, size - (leave - 1) * PAGE)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def take_inodes(self, *, leave: int = 0) -> None:
        """Take all inodes but `leave`."""
        number = 0
        while True:
            try:
                (self._folder / f"inode{number}").touch()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                break
            number += 1
        for taken in range(number - leave, number):
            (self._folder / f"inode{taken}").unlink()

    def free(self) -> None:
        """Give everything back."""
        for path in self._folder.iterdir():
            path.unlink()
        os.sync()


def _written(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, b"\0" * size) == size
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
