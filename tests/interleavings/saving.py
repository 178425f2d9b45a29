"""The ways in which editors and shells save a file, system call by system call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

CREATE: Final = os.O_WRONLY | os.O_CREAT
Save = Callable[[Path, bytes, Random], None]


def opened(path: Path, flags: int) -> int:
    """Open as open(2) does: it waits while somebody holds a lease."""
    while True:
        try:
            return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        except BlockingIOError:
            time.sleep(0)


def _write(descriptor: int, data: bytes, random: Random) -> None:
    _fall_asleep(random)
    while data:
        part = random.randint(1, len(data)) if random.random() < 0.7 else len(data)
        os.write(descriptor, data[:part])
        data = data[part:]


def _fall_asleep(random: Random) -> None:
    """Now and then for longer than anybody waits, with the file open and nothing written yet."""
    if random.random() < 0.15:
        time.sleep(random.choice((0.02, 0.2, 0.7)))


def _written(path: Path, flags: int, data: bytes, random: Random) -> None:
    descriptor = opened(path, flags)
    try:
        _write(descriptor, data, random)
    finally:
        os.close(descriptor)


def in_place(path: Path, data: bytes, random: Random) -> None:
    """Truncate and write: nano, `cp`, `>`, most of what scripts do."""
    _written(path, CREATE | os.O_TRUNC, data, random)


def over_it(path: Path, data: bytes, random: Random) -> None:
    """Write over what is there and cut off the rest."""
    descriptor = opened(path, os.O_RDWR | os.O_CREAT)
    try:
        _write(descriptor, data, random)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)


def by_rename(path: Path, data: bytes, random: Random) -> None:
    """Write beside and rename over it: gedit, VS Code's atomic save, `sed -i`."""
    aside = path.with_name("editor.tmp")
    _written(aside, CREATE | os.O_TRUNC, data, random)
    os.rename(aside, path)


def by_backup(path: Path, data: bytes, random: Random) -> None:
    """Rename the old one away and write a new one: vim with backupcopy=no, emacs."""
    backup = path.with_name(path.name + "~")
    with suppress(FileNotFoundError):
        os.rename(path, backup)
    _written(path, CREATE | os.O_TRUNC, data, random)
    backup.unlink(missing_ok=True)


def by_copy(path: Path, data: bytes, random: Random) -> None:
    """Copy the old one away, then in place: vim with backupcopy=yes, nano with backups."""
    backup = path.with_name(path.name + "~")
    try:
        descriptor = opened(path, os.O_RDONLY)
    except FileNotFoundError:
        pass
    else:
        try:
            old = os.read(descriptor, 2**20)
        finally:
            os.close(descriptor)
        _written(backup, CREATE | os.O_TRUNC, old, random)
    in_place(path, data, random)
    backup.unlink(missing_ok=True)


def by_removal(path: Path, data: bytes, random: Random) -> None:
    """Remove it and write a new one."""
    path.unlink(missing_ok=True)
    _written(path, CREATE | os.O_TRUNC, data, random)


def appended(path: Path, data: bytes, random: Random) -> None:
    """`>>`: one write at the end."""
    descriptor = opened(path, CREATE | os.O_APPEND)
    try:
        _fall_asleep(random)
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


RENAMING: Final = (by_rename,)
"""Those that never write to a file that others may have seen."""

WAYS: Final = (in_place, over_it, by_rename, by_backup, by_copy, by_removal)
"""All that save a whole file."""
