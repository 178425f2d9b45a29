"""One file of a models root to facts: which reader it gets, and the reader's errors as values."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dxwatchd.core import facts
from dxwatchd.core.facts import Facts, Fault, Unusable
from dxwatchd.core.snapshot import Stat
from dxwatchd.leases import is_written
from dxwatchd.readers import identity
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.holes import forget_pages, has_hole, is_hollow
from dxwatchd.readers.opening import open_inside, stat_of
from dxwatchd.readers.reading import read_up_to, refused, seek_to
from dxwatchd.readers.which import Reading, reading_of

POINTER_MARK = b"version https://git-lfs.github.com/spec/v1"
POINTER_SIZE = 1024  # bytes; the format's own bound

_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_POINTER_SIZE = re.compile(rb"^size ([0-9]{1,19})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Probe:
    """facts: None for a file that nobody reads; hole: a weight file that has unwritten ranges;
    written: somebody had it open for writing, or mapped so. Of the writes into a mapping only the first
    stamps the file.
    """

    facts: Facts | None
    hole: bool = False
    written: bool = False


def is_probed(relative: str) -> bool:
    """Whether the file at this path below the models root is read at all."""
    return reading_of(relative) is not None


def probe(root: Path, relative: str, seen: Stat) -> Probe:
    """What the file at `relative` below `root`, which the listing `seen`, holds. Raises nothing.

    A file that changed meanwhile, cannot be opened or cannot be read gives `Unusable`.
    """
    reading = reading_of(relative)
    if reading is None:
        return Probe(None)
    try:
        with open_inside(root, relative, seen) as stream:
            return _probed(stream, reading, seen)
    except ReaderError as error:
        return Probe(Unusable(error.fault, error.message, error.line))
    except OSError as error:
        return Probe(Unusable(Fault.UNREADABLE, refused(error).message))


def _probed(stream: BinaryIO, reading: Reading, seen: Stat) -> Probe:
    """The open file's facts, or what is wrong with it. Raises ReaderError, OSError."""
    written = is_written(stream.fileno()) is True
    hole = reading.weights and has_hole(stream.fileno(), seen.size)
    found: Facts
    try:
        if hole and not reading.proven_by_head and is_hollow(stream.fileno(), seen.size):
            found = facts.Hollow(identity.content_digest(stream, seen.size))
        else:
            found = _pointer(stream, seen.size) or _content(stream, reading, seen.size)
    except ReaderError as error:
        found = Unusable(error.fault, error.message, error.line, _digest_or_none(stream, seen.size))
        if seen.size and not os.pread(stream.fileno(), 1, seen.size - 1):
            found = Unusable(Fault.UNREADABLE, "Reading it ends before the file does.")
    except (MemoryError, RecursionError):
        found = Unusable(Fault.TOO_LARGE, "The file takes more memory to read than there is.")
    if hole:
        forget_pages(stream.fileno())
    if stat_of(os.fstat(stream.fileno())) != seen:
        found = Unusable(Fault.CHANGED, "The file changed while it was read.")
    return Probe(found, hole, written)


def _content(stream: BinaryIO, reading: Reading, size: int) -> Facts:
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    seek_to(stream, 0)
    return reading.read(stream, size)


def _digest_or_none(stream: BinaryIO, size: int) -> str:
    """Even unusable content has an identity, so that it is not reported anew at every pass."""
    try:
        return identity.content_digest(stream, size)
    except ReaderError:
        return ""


def _pointer(stream: BinaryIO, size: int) -> facts.Pointer | None:
    """A git-LFS pointer, whatever the file is called. Raises ReaderError: MALFORMED."""
    if not len(POINTER_MARK) <= size <= POINTER_SIZE:
        return None
    text = read_up_to(stream, size)
    if not text.startswith(POINTER_MARK):
        return None
    oid, length = _OID.search(text), _POINTER_SIZE.search(text)
    if oid is None or length is None:
        raise ReaderError(Fault.MALFORMED, "This git-LFS pointer names no object or no size.")
    return facts.Pointer(oid[1].decode(), int(length[1]), identity.content_digest(stream, size))
