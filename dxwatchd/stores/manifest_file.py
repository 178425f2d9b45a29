"""The manifest as a file that people edit while the daemon runs: reading it, and appending to it.

The daemon only ever appends, in one `O_APPEND` write a batch, to a file that it has just read and understood.
What it is about to append lies in `append.pending` meanwhile, so that a write which a kill or a full disk
tore is completed later instead of leaving half a block.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from dxwatchd.core.manifest import parse
from dxwatchd.core.proposals import HEADER
from dxwatchd.stores.atomic import TEMPORARY_PREFIX, naming, sync_folder, write_atomically, write_new
from dxwatchd.stores.reserving import reserve

MAX_SIZE = 64 * 2**20
"""Bytes; ten thousand entries take three million."""


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


@dataclass(frozen=True, slots=True)
class Read:
    """A manifest as it was read: its bytes, its text, and the stamp before and after."""

    data: bytes
    text: str
    stamp: Stamp


class ManifestError(Exception):
    """The manifest cannot be used as a file. The message says why, `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Changed(Exception):  # noqa: N818 - not an error: someone else was faster, and one tries again
    """The file is not the one any more that was read."""


def read(path: Path) -> Read:
    """Read the manifest.

    Raises ManifestError where it cannot be read, is too large or is not UTF-8, and Changed where it was
    written to meanwhile.
    """
    try:
        with path.open("rb") as file:
            before = Stamp.of(os.fstat(file.fileno()))
            if before.size > MAX_SIZE:
                raise ManifestError(
                    f"it has {before.size:,} bytes", "no manifest is that large: look what was saved there"
                )
            data = file.read(MAX_SIZE + 1)
            after = Stamp.of(os.fstat(file.fileno()))
    except FileNotFoundError:
        raise ManifestError(
            "the file is gone", "bring it back; it is not made anew while cards are published"
        ) from None
    except OSError as error:
        raise ManifestError(
            f"it cannot be read: {error.strerror}", "give dxwatchd's user the right to read it"
        ) from None
    if before != after or len(data) != after.size:
        raise Changed
    try:
        return Read(data, data.decode(), after)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(f"line {line} is not UTF-8", "save it as UTF-8") from None


def create(path: Path) -> bool:
    """Make a manifest that explains itself, unless one is there. True where it was made. Raises OSError.

    What somebody else puts there at the same moment stays, and so does a link that leads nowhere.
    """
    if os.path.lexists(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}-{path.name}")
    try:
        write_new(aside, HEADER.encode(), mode=0o664)
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


def append(path: Path, seen: Read, block: str) -> None:
    """Append `block` to the file that `seen` was read from, in one write.

    Raises Changed where it is another file or other content by now, ManifestError where the result would not
    be a manifest, OSError where it cannot be written.
    """
    glue = "" if not seen.data or seen.data.endswith(b"\n") else "\n"
    if not parse(seen.text + glue + block).parses:
        raise ManifestError("blocks cannot be appended to it", "write its entries as [[models]] tables")
    with _opened(path) as file:
        _append_to(file, path, seen.stamp, (glue + block).encode())


def _opened(path: Path) -> FileIO:
    return FileIO(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC), "r+b")


def _append_to(file: FileIO, path: Path, stamp: Stamp, data: bytes) -> None:
    """One write at the end of the file, if it still is what `stamp` says. Raises Changed, OSError."""
    if Stamp.of(os.fstat(file.fileno())) != stamp or Stamp.of(os.stat(path)) != stamp:
        raise Changed
    with naming(path):
        reserve(file.fileno(), len(data))
    if os.fstat(file.fileno()).st_size != stamp.size:
        raise Changed
    if os.write(file.fileno(), data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Pending:
    """An append that was begun.

    base_size, base: bytes and SHA-256 of what the file held before; events: to be journalled with the block.
    """

    base_size: int
    base: str
    block: str
    events: tuple[Mapping[str, Any], ...]


class PendingFile:
    """`append.pending` in the state directory: there while an append is under way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def announce(self, seen: Read, block: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Write down what is about to be appended to the file that `seen` was read from. Raises OSError."""
        plain = {
            "base_size": len(seen.data),
            "base": hashlib.sha256(seen.data).hexdigest(),
            "block": block,
            "events": list(events),
        }
        write_atomically(self.path, json.dumps(plain).encode())

    def read(self) -> Pending | None:
        """What was announced and not done; None where nothing was, or where it cannot be read."""
        try:
            plain = json.loads(self.path.read_bytes())
            size, base, block = int(plain["base_size"]), plain["base"], str(plain["block"])
            return Pending(size, base, block, tuple(plain["events"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def done(self) -> None:
        """It is in the manifest and in the journal."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def complete(path: Path, pending: Pending) -> bool:
    """Finish a torn append. True where the block is in the file now, False where nothing of it ever was.

    Only appends, and only where the file is exactly what it was plus the beginning of the block: whatever
    else a person made of it is theirs. Raises Changed where it is being written to, and OSError where it
    cannot be written.
    """
    block = pending.block.encode()
    with _opened(path) as file:
        stamp = Stamp.of(os.fstat(file.fileno()))
        data = file.read(MAX_SIZE + 1) or b""
        base, rest = data[: pending.base_size], data[pending.base_size :]
        if hashlib.sha256(base).hexdigest() == pending.base:
            if base and not base.endswith(b"\n"):
                rest = rest.removeprefix(b"\n")
            if not rest:
                return False
            if block.startswith(rest) and len(rest) < len(block):
                _append_to(file, path, stamp, block[len(rest) :])
                return True
            if rest.startswith(block):
                os.fsync(file.fileno())  # it was written, and then came a kill or an error of the disk
                return True
    return _holds(data.decode(errors="replace"), pending)


def _holds(text: str, pending: Pending) -> bool:
    """Whether a file that was edited meanwhile has every entry of the block."""
    there = {(entry.path, entry.fingerprint) for entry in parse(text).entries}
    return all((entry.path, entry.fingerprint) in there for entry in parse(pending.block).entries)
