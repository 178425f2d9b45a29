"""Appending to the manifest, which is all that the daemon ever does to it.

One `O_APPEND` write a batch, to a file that was just read and understood and that nobody else has open. What
is about to be appended lies in `append.pending` meanwhile, so that a write which a kill or a full disk tore
is completed later instead of leaving half a block.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dxwatchd.core.manifest import parse
from dxwatchd.leases import has_writer, held_alone
from dxwatchd.stores.atomic import naming, write_atomically
from dxwatchd.stores.manifest_file import Changed, ManifestError, Read, Stamp, opened, read_whole
from dxwatchd.stores.plain_file import read_plain
from dxwatchd.stores.reserving import reserve


def as_appended(seen: Read, block: str) -> str:
    """`block` as it must be written behind what `seen` was read from, with the line ends of that file.

    Raises ManifestError where the file would not be what it was plus exactly the entries of the block.
    """
    glue = "" if not seen.text or seen.text.endswith("\n") else seen.line_end
    addition = glue + block.replace("\n", seen.line_end)
    if not _adds_exactly(seen.text, addition, block):
        raise ManifestError("blocks cannot be appended to it", "write its entries as [[models]] tables")
    return addition


def _adds_exactly(text: str, addition: str, block: str) -> bool:
    try:
        before, after = tomllib.loads(text), tomllib.loads(text + addition)
    except (ValueError, RecursionError):
        return False
    models = [*before.get("models", []), *tomllib.loads(block)["models"]]
    return repr(after) == repr({**before, "models": models})  # a nan is not equal to itself


def append(path: Path, seen: Read, addition: str, *, insist: bool = False) -> bool:
    """Append what `as_appended` made to the file that `seen` was read from, in one write.

    True: it is in the manifest. False: another file came into its place in that very moment, and whether it
    has the addition is to be looked up. insist: do it though somebody reads the file, in whose shadow a
    writer could come in the microseconds from the last look to the write.

    Raises Changed where it is another file or other content by now, or where somebody has it open, and
    OSError where it cannot be written.
    """
    if has_writer(Path(os.path.realpath(path))):
        raise Changed
    return _append_to(path, seen.stamp, addition.encode(), insist=insist)


def _append_to(path: Path, stamp: Stamp, data: bytes, *, insist: bool) -> bool:
    with opened(path, os.O_RDWR | os.O_APPEND) as descriptor:
        with held_alone(descriptor) as alone:
            if alone is False and not insist:
                raise Changed
            if Stamp.of(os.fstat(descriptor)) != stamp or Stamp.of(os.stat(path)) != stamp:
                raise Changed
            with naming(path):
                reserve(descriptor, len(data))
            if os.fstat(descriptor).st_size != stamp.size:  # reserving room changes the times
                raise Changed
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    try:
        return Stamp.of(os.stat(path)).is_same_file(stamp)
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Pending:
    """An append that was begun.

    base_size, base: bytes and SHA-256 of what the file held before; addition: what was to be written;
    events: to be journalled with it.
    """

    base_size: int
    base: str
    addition: str
    events: tuple[Mapping[str, Any], ...]


class PendingFile:
    """`append.pending` in the state directory: there while an append is under way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def announce(self, seen: Read, addition: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Write down what is about to be appended to the file that `seen` was read from. Raises OSError."""
        plain = {
            "base_size": len(seen.data),
            "base": hashlib.sha256(seen.data).hexdigest(),
            "block": addition,
            "events": list(events),
        }
        write_atomically(self.path, json.dumps(plain).encode())

    def read(self) -> Pending | None:
        """What was announced and not done; None where nothing was, or where it cannot be read."""
        try:
            plain = json.loads(read_plain(self.path))
            size, base, addition = int(plain["base_size"]), str(plain["base"]), str(plain["block"])
            events = tuple({**event} for event in plain["events"])
            addition.encode()
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None
        if size < 0 or any({"sequence", "time", "generation"} & event.keys() for event in events):
            return None  # none of ours
        return Pending(size, base, addition, events)

    def done(self) -> None:
        """It is in the manifest and in the journal."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def complete(path: Path, pending: Pending) -> frozenset[str]:
    """Finish a torn append. Returns the paths of the block's entries that are in the file now.

    Only appends, and only where the file is exactly what it was plus the beginning of the block: whatever
    else a person made of it is theirs. Raises Changed where that cannot be told now because the file is being
    written to or is not valid, ManifestError where it cannot be read, OSError where it cannot be written.
    """
    addition = pending.addition.encode()
    seen = read_whole(path)
    base, rest = seen.data[: pending.base_size], seen.data[pending.base_size :]
    if hashlib.sha256(base).hexdigest() == pending.base:
        if not rest:
            return frozenset()
        if addition.startswith(rest) and len(rest) < len(addition):
            if not _append_to(path, seen.stamp, addition[len(rest) :], insist=False):
                raise Changed
            return frozenset(path for path, _ in _entries(pending.addition))
        if rest.startswith(addition):  # it was written, and then came a kill or an error of the disk
            with opened(path, os.O_RDONLY) as descriptor:
                os.fsync(descriptor)
    if not parse(seen.text).parses:
        raise Changed
    return frozenset(path for path, _ in _entries(seen.text) & _entries(pending.addition))


def _entries(text: str) -> frozenset[tuple[str, str | None]]:
    return frozenset((entry.path, entry.fingerprint) for entry in parse(text).entries)
