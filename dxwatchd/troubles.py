"""Why something cannot be written, in words that say where, how much room there is, and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dxwatchd.core.text import printable
from dxwatchd.mounts import MOUNTINFO, mount_of, read_mounts

GOES_ON = "; dxwatchd goes on by itself then"
"""What the daemon promises of a full disk."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEDIES = {
    errno.EROFS: "mount it writable",
    errno.EACCES: "give dxwatchd's user the right to write there",
    errno.EPERM: "give dxwatchd's user the right to write there, and look for attributes with `lsattr`",
    errno.EIO: "look at `dmesg`: the disk may be failing",
    errno.EISDIR: "remove the folder of that name",
    errno.ENOENT: "bring its folder back, or restart dxwatchd",
}


class Troubles:
    """What one state directory's writes failed with. text: of this pass, "" where all went well.

    The same trouble keeps its words from pass to pass, though another file is the first to meet it and the
    figures change: so it is said once.
    """

    def __init__(self, state_dir: Path) -> None:
        self.text = ""
        self._state_dir = state_dir
        self._last: tuple[tuple[object, ...], str] = ((), "")

    def begin(self) -> None:
        """A new pass begins."""
        self.text = ""

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Take an OSError of the block as trouble; the first one of a pass is what is told."""
        try:
            yield
        except OSError as error:
            if not self.text:
                key = (error.errno, _device(Path(error.filename or self._state_dir)))
                if key != self._last[0]:
                    self._last = (key, describe(error, self._state_dir))
                self.text = self._last[1]

    def end(self) -> None:
        """The pass has ended; a trouble that comes back later is told anew."""
        if not self.text:
            self._last = ((), "")


def hindrance(path: Path) -> str:
    """Why the file at `path` could not be written anew now, by a look at its file system; "" for all well.

    For those who did not try: what could not be written says nothing of it.
    """
    try:
        room = os.statvfs(path.parent)
        needed = path.stat().st_size if path.exists() else 0
    except OSError:
        return ""
    if room.f_flag & os.ST_RDONLY or _has_failed(path):
        return describe(OSError(errno.EROFS, os.strerror(errno.EROFS), str(path)), path.parent)
    full = room.f_blocks and room.f_bavail * room.f_frsize <= needed
    if full or (room.f_files and not room.f_favail):
        return describe(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)), path.parent)
    return ""


def _has_failed(path: Path) -> bool:
    """Whether the file system takes no more writes after an error, which statvfs(2) does not tell."""
    mount = mount_of(os.path.realpath(path.parent), read_mounts())
    if mount is None:
        return False
    with suppress(OSError):
        for line in MOUNTINFO.read_text(errors="surrogateescape").split("\n"):
            if line.startswith(f"{mount.identity} "):
                options = line.rpartition(" - ")[2].rpartition(" ")[2].split(",")
                return bool({"ro", "emergency_ro", "shutdown"} & set(options))
    return False


def describe(error: OSError, state_dir: Path) -> str:
    """One sentence: which file, why, how much room there is, and the remedy."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else state_dir
    shown = printable(str(path), 300)
    if error.errno in _FULL:
        return f"{shown} cannot be written: {_room(path, error)}{GOES_ON}"
    if error.errno in (errno.EEXIST, errno.ENOTDIR) and (file := in_the_way(path)) is not None:
        shown = printable(str(file), 300)
        return f"{shown} is a file where a folder belongs; move it away, or name another folder"
    remedy = _REMEDIES.get(error.errno or 0, "")
    return f"{shown}: {error.strerror or error}" + (f"; {remedy}" if remedy else "")


def in_the_way(path: Path) -> Path | None:
    """What is no folder though `path` is to be one, or to lie below it; None where there is no such thing."""
    found = next((one for one in (path, *path.parents) if os.path.lexists(one)), None)
    return found if found is not None and not found.is_dir() else None


def _room(path: Path, error: OSError) -> str:
    place = existing(path)
    mount = mount_of(os.path.realpath(place), read_mounts())
    where = f"the file system at {printable(mount.point, 300)} ({mount.kind})" if mount else "the file system"
    if error.errno == errno.EDQUOT:
        return f"the quota on {where} is used up; remove something there, or raise the quota"
    with suppress(OSError):
        room = os.statvfs(place)
        if room.f_files and not room.f_favail:
            return f"{where} has no inodes left of {room.f_files:,}; remove files there"
        free, size = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
        return f"{where} is full, {_size(free)} of {_size(size)} are free; make room there"
    return f"{where} is full; make room there"


def existing(path: Path) -> Path:
    """The nearest to `path` that is there: itself, or a folder above it."""
    return next((one for one in (path, *path.parents) if one.exists()), Path("/"))


def _device(path: Path) -> int:
    try:
        return existing(path).stat().st_dev
    except OSError:
        return 0


def _size(size: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:,} {unit}"
        size //= 1024
    return f"{size:,} TiB"
