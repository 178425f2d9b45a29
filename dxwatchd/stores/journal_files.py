"""The files of one journal: which there are, their last lines, and moving a full one aside.

The journal is moved aside with one rename and never copied or cut, so that whoever follows it by name or by
inode misses nothing. Each old file is named after the first event in it, and keeps that name.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dxwatchd.stores.atomic import sync_folder

CHUNK = 2**20
"""Bytes that are read at once."""

LONGEST = 8 * 2**20
"""Bytes of a line that may be an event; nothing longer was written by us, and it is not read into memory."""


def real(path: Path) -> Path:
    """The file itself where `path` is a link: it is what grows and what is moved aside."""
    return Path(os.path.realpath(path))


def opened(path: Path, flags: int) -> int:
    """A descriptor of the journal. Raises OSError, also for what is no regular file.

    Without O_NONBLOCK the open of a FIFO would wait for somebody at its other end.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "It is no regular file: remove it", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def end_of_lines(descriptor: int, end: int) -> int:
    """How many of the first `end` bytes are whole lines; what follows was torn."""
    while end > 0:
        begin = max(0, end - CHUNK)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def backwards(descriptor: int, end: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The events in the first `end` bytes of a file with the bytes of each, the last one first."""
    rest, skipping = b"", False
    while end > 0:
        begin = max(0, end - CHUNK)
        lines = (os.pread(descriptor, end - begin, begin) + (b"" if skipping else rest)).split(b"\n")
        if skipping and len(lines) > 1:
            lines[-1], skipping = b"", False  # the beginning of the line that is too long
        rest, end = lines[0], begin
        if len(rest) > LONGEST:
            rest, skipping = b"", True
        yield from _events(reversed(lines[1:]))
    if not skipping:
        yield from _events((rest,))


def events_in(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """The events of one whole file as `backwards` gives them; none where it cannot be read."""
    with suppress(OSError):
        descriptor = opened(path, os.O_RDONLY)
        try:
            yield from backwards(descriptor, end_of_lines(descriptor, os.fstat(descriptor).st_size))
        finally:
            os.close(descriptor)


def _events(lines: Iterable[bytes]) -> Iterator[tuple[dict[str, Any], int]]:
    for line in lines:
        event = _parsed(line)
        if event is not None:
            yield event, len(line)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """One event; None where the line is none of ours."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    numbers = [event.get(key) for key in ("sequence", "generation")]
    return event if all(type(number) is int and number >= 0 for number in numbers) else None


def old_files(path: Path) -> list[Path]:
    """Files that were moved aside by us, the newest first. path: of the journal, no link."""
    pattern = re.compile(re.escape(path.stem) + r"-\d{12,}(\.\d+)?" + re.escape(path.suffix))
    with suppress(OSError):
        found = [path.with_name(name) for name in os.listdir(path.parent) if pattern.fullmatch(name)]
        return sorted(found, reverse=True)
    return []


def moved_by_others(path: Path) -> list[Path]:
    """Files such as `events.jsonl.1`, as logrotate names what it moves or copies, the newest first."""
    found = []
    with suppress(OSError):
        for name in os.listdir(path.parent):
            if name.startswith((f"{path.name}.", f"{path.name}-")):
                with suppress(OSError):
                    found.append((os.stat(path.with_name(name)).st_mtime_ns, path.with_name(name)))
    return [one for _, one in sorted(found, reverse=True)]


def first_sequence(path: Path) -> int:
    """The number of the first event in a file; 0 where it has none near its beginning."""
    descriptor = opened(path, os.O_RDONLY)
    try:
        lines = os.pread(descriptor, CHUNK, 0).split(b"\n")[:-1]
    finally:
        os.close(descriptor)
    return next((int(event["sequence"]) for line in lines if (event := _parsed(line)) is not None), 0)


def move_aside(path: Path, keep: int) -> None:
    """Give a full journal its lasting name, and remove all but the `keep` newest old ones. Raises OSError."""
    base = f"{path.stem}-{first_sequence(path):012d}"
    names = [f"{base}{path.suffix}", *(f"{base}.{number}{path.suffix}" for number in range(1, 100))]
    free = next((path.with_name(name) for name in names if not os.path.lexists(path.with_name(name))), None)
    if free is None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path.with_name(names[0])))
    os.rename(path, free)
    sync_folder(path.parent)
    for old in old_files(path)[keep:]:
        old.unlink(missing_ok=True)
