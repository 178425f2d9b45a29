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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dxwatchd.core.manifest import parse
from dxwatchd.core.proposals import HEADER
from dxwatchd.stores.atomic import write_atomically

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
    """Make a manifest that explains itself, unless one is there. True where it was made. Raises OSError."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, HEADER.encode(), mode=0o664)
    return True


def append(path: Path, seen: Read, block: str) -> None:
    """Append `block` to the file that `seen` was read from, in one write.

    Raises Changed where it is another file or other content by now, ManifestError where the result would not
    be a manifest, OSError where it cannot be written.
    """
    glue = "" if not seen.data or seen.data.endswith(b"\n") else "\n"
    if not parse(seen.text + glue + block).parses:
        raise ManifestError("blocks cannot be appended to it", "write its entries as [[models]] tables")
    with open(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC), "r+b", buffering=0) as file:
        if Stamp.of(os.fstat(file.fileno())) != seen.stamp or Stamp.of(os.stat(path)) != seen.stamp:
            raise Changed
        data = (glue + block).encode()
        written = os.write(file.fileno(), data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Pending:
    """An append that was begun. base: SHA-256 of what the file held before; events: to be journalled with it."""

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
            return Pending(plain["base_size"], plain["base"], plain["block"], tuple(plain["events"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def done(self) -> None:
        """It is in the manifest and in the journal."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def complete(path: Path, pending: Pending) -> bool:
    """Finish a torn append. True where the block is in the file now, False where nothing of it ever was.

    Only appends, and only where the file is exactly what it was plus the beginning of the block: whatever
    else a person made of it is theirs. Raises OSError where it cannot be written.
    """
    with open(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC), "r+b", buffering=0) as file:
        data = file.read(MAX_SIZE) or b""
        base = data[: pending.base_size]
        block = pending.block.encode()
        if hashlib.sha256(base).hexdigest() == pending.base:
            rest = data[pending.base_size :]
            rest = rest[1:] if base and not base.endswith(b"\n") and rest.startswith(b"\n") else rest
            if not rest:
                return False
            if block.startswith(rest) and len(rest) < len(block):
                os.write(file.fileno(), block[len(rest) :])
                os.fsync(file.fileno())
                return True
            if rest.startswith(block):
                return True
    text = data.decode(errors="replace")
    return _holds(text, pending)


def _holds(text: str, pending: Pending) -> bool:
    """Whether a file that was edited meanwhile has every entry of the block."""
    there = {(entry.path, entry.fingerprint) for entry in parse(text).entries}
    return all((entry.path, entry.fingerprint) in there for entry in parse(pending.block).entries)
