"""The manifest as a file that people edit while the daemon runs: reading it, and making the first one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dxwatchd.core.proposals import HEADER
from dxwatchd.core.text import printable
from dxwatchd.core.withdrawal import CONFIRM
from dxwatchd.leases import has_writer
from dxwatchd.stores.atomic import TEMPORARY_PREFIX, sync_folder, write_new

T = TypeVar("T")

MAX_SIZE = 64 * 2**20
"""Bytes; ten thousand entries take three million."""

BOM = b"\xef\xbb\xbf"
"""What Windows editors begin a UTF-8 file with. TOML's authors mean it to be allowed; tomllib refuses it."""

_OF_A_GROUP = stat.S_ISGID | stat.S_IWGRP
"""Of a folder in which the members of a group work together: what is made there is the group's."""

TRIES = 50
PAUSE = 0.02
"""Seconds between tries: whoever saves the file is at it for a moment."""

GAP = 0.1
"""Seconds for which a file that an editor replaces may not be there: vim renames it before it writes."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Tells whether a file is still the one that was read."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Stamp:
        """The stamp in a `stat` result."""
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def is_same_file(self, other: Stamp) -> bool:
        """Whether both are of one file, whatever was written to it."""
        return (self.device, self.inode) == (other.device, other.inode)


@dataclass(frozen=True, slots=True)
class Read:
    """A manifest as it was read: its bytes, its text without a byte order mark, and its stamp."""

    data: bytes
    text: str
    stamp: Stamp

    @property
    def mark(self) -> bytes:
        """The byte order mark that it begins with, if any."""
        return BOM if self.data.startswith(BOM) else b""

    @property
    def line_end(self) -> str:
        """How most of its lines end."""
        return "\r\n" if self.text.count("\r\n") * 2 > self.text.count("\n") else "\n"


class ManifestError(Exception):
    """The manifest cannot be used as a file. The message says why, `remedy` what to do.

    line, column: 1-based, 0 where there is none to tell; text: what can be read of it all the same.
    """

    def __init__(self, message: str, remedy: str, line: int = 0, column: int = 0, text: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.line = line
        self.column = column
        self.text = text


class Gone(ManifestError):  # noqa: N818 - said as people say it, as Changed is
    """There is no file; for a moment that is usual while an editor saves."""


class Changed(Exception):  # noqa: N818 - not an error: someone else was faster, and one tries again
    """The file is not the one any more that was read, or somebody is about to write to it."""


def read(path: Path) -> Read:
    """Read the manifest.

    Raises ManifestError where it cannot be read, is no file, is too large or is not UTF-8, and Changed where
    it was written to meanwhile.
    """
    with _for_reading(path) as descriptor:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
            raise ManifestError(f"it is {kind}, not a file", "put the file there, or name another manifest")
        before = Stamp.of(found)
        if before.size > MAX_SIZE:
            raise ManifestError(
                f"it has {before.size:,} bytes", "no manifest is that large: look what was saved there"
            )
        data = all_of(descriptor)
        after = Stamp.of(os.fstat(descriptor))
    if before != after or len(data) != after.size:
        raise Changed
    return Read(data, _text(data), after)


def read_whole(path: Path) -> Read:
    """Read the manifest as `read` does, and raise Changed too where somebody is in the middle of a save."""
    seen = read(path)
    if has_writer(Path(os.path.realpath(path))):
        raise Changed
    try:
        now = Stamp.of(os.stat(path))
    except FileNotFoundError:
        raise Changed from None
    if now != seen.stamp:  # who had it open during the read has written and closed it since
        raise Changed
    return seen


def patiently(step: Callable[[], T]) -> T:
    """Do something that needs a moment in which nobody is saving the manifest, and try again until it is.

    Raises ManifestError where others keep saving it, or where it stays gone.
    """
    gone = 0.0
    for _ in range(TRIES):
        try:
            return step()
        except Gone:
            if gone >= GAP:
                raise
            gone += PAUSE
        except Changed:
            pass
        time.sleep(PAUSE)
    raise ManifestError(
        "others keep saving it, or have it open for writing", "try again when they have closed it"
    )


def create(path: Path) -> bool:
    """Make a manifest that explains itself, unless one is there. True where it was made. Raises OSError.

    What somebody else puts there at the same moment stays, and so does a link that leads nowhere.
    """
    if os.path.lexists(path):
        return False
    time.sleep(GAP)
    if os.path.lexists(path):  # an editor was between renaming the old one and writing the new one
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}-{path.name}")
    try:
        write_new(aside, HEADER.encode(), mode=0o664)
        if path.parent.stat().st_mode & _OF_A_GROUP == _OF_A_GROUP:
            aside.chmod(0o660)  # who may replace the file may write to it, whatever the umask
        try:
            os.link(aside, path)  # unlike a rename it replaces nothing
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            write_new(path, HEADER.encode(), mode=0o664)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


@contextmanager
def opened(path: Path, flags: int, mode: int = 0) -> Iterator[int]:
    """Open a file without waiting for the other end of a pipe that lies there, and close it.

    Raises Changed where somebody holds a lease for the moment of an append, and OSError.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except BlockingIOError:
        raise Changed from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _for_reading(path: Path) -> Iterator[int]:
    try:
        with opened(path, os.O_RDONLY) as descriptor:
            yield descriptor
    except FileNotFoundError:
        if path.is_symlink():
            where = printable(os.readlink(path), 200)
            remedy = "bring that back or mount it: a link is never replaced by a file"
            raise Gone(f"it is a link to {where}, which is not there", remedy) from None
        raise Gone("the file is gone", f"bring it back, or {CONFIRM}; until then every card stays") from None
    except OSError as error:
        raise _unreadable(error) from None


def all_of(descriptor: int) -> bytes:
    """What a file holds from here on; of more than the largest manifest one byte more. Raises OSError."""
    parts = []
    left = MAX_SIZE + 1
    while left and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


_REMEDIES = {
    errno.EACCES: "give dxwatchd's user the right to read it",
    errno.EPERM: "give dxwatchd's user the right to read it",
    errno.ELOOP: "let the link lead to a file: it leads to itself",
    errno.ENOTDIR: "a folder of its path is a file: move that away, or name another manifest",
    errno.ENXIO: "put the file there, or name another manifest: what lies there is no file",
}


def _unreadable(error: OSError) -> ManifestError:
    remedy = _REMEDIES.get(error.errno or 0, "look at its disk; the last good manifest stays in force")
    return ManifestError(f"it cannot be read: {error.strerror}", remedy)


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ManifestError("it is UTF-16, not UTF-8", 'save it as UTF-8 (in Notepad: "Encoding: UTF-8")')
    try:
        return data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        before, text = error.object[: error.start].decode(), error.object.decode(errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ManifestError(f"line {line} is not UTF-8", "save it as UTF-8", line, column, text) from None
