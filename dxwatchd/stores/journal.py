"""`events.jsonl`: every decision, one JSON object a line, in order, each exactly once.

An event belongs to a generation of the card index: it is appended after its card was written and before that
index is. A daemon killed in between finds the events of the generation that never was, and repeats none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from dxwatchd.stores import journal_files as files
from dxwatchd.stores.atomic import naming, sync_folder, write_all
from dxwatchd.stores.reserving import reserve

FULL = 16 * 2**20
"""Bytes from which on the journal is moved aside: some 50,000 events, still opened by any editor."""

KEEP = 8
"""Old files that are kept: with the one in use 144 MiB, years of decisions for most."""

TAIL = 4 * 2**20
"""Bytes of events that are read back at start at least."""

MOST = 64 * 2**20
"""Bytes that are read back at most: the decisions of one pass about 150,000 models."""

RECENT = 1000
"""Events that are remembered though their generation is committed."""


class Journal:
    """The journal of one state directory, open for one writer.

    Where it cannot be read it is tried again at each use, so that a disk which is full or away at the start
    of the daemon ends nothing.
    """

    def __init__(self, path: Path) -> None:
        """Read back the end of the journal at `path`; a last line that a power cut tore is cut off."""
        self.path = path
        self._sequence = 0
        self._recent: list[dict[str, Any]] = []
        self._committed = 0
        self._cut: tuple[int, int, int] | None = None
        self._taken_up = False
        with suppress(OSError):
            self.take_up()

    @property
    def sequence(self) -> int:
        """The number of the last event that was ever appended, as far as anybody remembers."""
        return self._sequence

    def number_after(self, sequence: int) -> None:
        """Go on after this number at least: somebody else remembers it, the file may have been removed."""
        self._sequence = max(self._sequence, sequence)

    def take_up(self) -> None:
        """Read back the end of the journal, unless that is done. Raises OSError."""
        if self._taken_up:
            return
        with naming(self.path):
            descriptor = self._open()
            try:
                whole = self._mend(descriptor)
                path = files.real(self.path)
                before = [*files.old_files(path)[:2], *files.moved_by_others(path)[:2]]
                older = chain.from_iterable(map(files.events_in, before))
                self._recent = _tail(chain(files.backwards(descriptor, whole), older))
            finally:
                os.close(descriptor)
        self.number_after(max((event["sequence"] for event in self._recent), default=0))
        self._taken_up = True

    def after(self, generation: int) -> list[dict[str, Any]]:
        """Events of generations later than `generation`: journalled, but never committed to an index."""
        return [event for event in self._recent if event["generation"] > generation]

    @property
    def generation(self) -> int:
        """The latest generation that an event belongs to; 0 where there is none."""
        return max((event["generation"] for event in self._recent), default=0)

    def recent_ids(self) -> frozenset[str]:
        """The ids of the events read back at start and of those appended since."""
        return frozenset(str(event.get("id", "")) for event in self._recent)

    def committed(self, generation: int) -> None:
        """All events up to this generation are in an index now; most of them may be forgotten."""
        self._committed = generation
        spare = max(0, len(self._recent) - RECENT)
        kept = [event for event in self._recent[:spare] if event["generation"] > generation]
        self._recent = [*kept, *self._recent[spare:]]

    def revisions(self) -> Iterator[dict[str, Any]]:
        """Every event of a card's revision that any file of the journal still has, the latest first."""
        path = files.real(self.path)
        everything = [path, *files.old_files(path), *files.moved_by_others(path)]
        for event, _ in chain.from_iterable(map(files.events_in, everything)):
            if _is_revision(event):
                yield event

    def append(self, events: Sequence[Mapping[str, Any]], *, time: str, generation: int) -> None:
        """Append events in one write, and make them survive a power cut.

        Each gets `sequence` (counting up without gaps), `time` (ISO 8601) and `generation`. Raises OSError;
        then none of them counts as appended.
        """
        if not events:
            return
        self.take_up()
        lines = []
        for number, event in enumerate(events, start=self._sequence + 1):
            lines.append({"sequence": number, "time": time, "generation": generation, **event})
        with naming(self.path):
            self._write("".join(json.dumps(line) + "\n" for line in lines).encode())
        self._sequence += len(lines)
        older = self._recent[: -max(1, RECENT - len(lines))]
        kept = [event for event in older if event["generation"] > self._committed]
        self._recent = [*kept, *self._recent[len(older) :], *lines]

    def _write(self, data: bytes) -> None:
        descriptor = self._open()
        try:
            size = self._mend(descriptor)
            if size >= FULL:
                with suppress(OSError):  # one that cannot be moved aside grows on
                    files.move_aside(files.real(self.path), KEEP)
                os.close(descriptor)
                descriptor = -1
                descriptor = self._open()
                size = self._mend(descriptor)
            reserve(descriptor, len(data))  # who reads along sees no half line on a full disk
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                self._take_back(descriptor, size)  # never half a batch
                raise
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _open(self) -> int:
        """The journal, made where it is not there: its name then lasts before anything is in it."""
        try:
            return files.opened(self.path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            descriptor = files.opened(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            sync_folder(files.real(self.path).parent)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _mend(self, descriptor: int) -> int:
        """Cut off a line that was torn, and a batch that did not count. Returns the size then."""
        found = os.fstat(descriptor)
        end = found.st_size
        if self._cut is not None and self._cut[:2] == (found.st_dev, found.st_ino):
            end = min(end, self._cut[2])
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            end = files.end_of_lines(descriptor, end)
        if end != found.st_size:
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)
        self._cut = None
        return end

    def _take_back(self, descriptor: int, size: int) -> None:
        """Cut off what was just written; where even that fails, the next use does it."""
        found = os.fstat(descriptor)
        self._cut = (found.st_dev, found.st_ino, size)
        with suppress(OSError):
            os.ftruncate(descriptor, size)
            self._cut = None


def is_removal(event: Mapping[str, Any]) -> bool:
    """Whether a line of the journal tells of a removed card, with all that such a line has."""
    return event.get("event") == "removed" and _is_revision(event)


def _is_revision(event: Mapping[str, Any]) -> bool:
    texts = all(isinstance(event.get(key), str) for key in ("technical_name", "model_name", "path"))
    return texts and type(event.get("revision")) is int


def _tail(newest_first: Iterable[tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
    """The last events in order: `TAIL` bytes, and all that may not be in an index yet.

    The events of one pass have one generation, or none where they are proposals. So what was read is enough
    as soon as it reaches back into an earlier generation.
    """
    found: dict[tuple[int, str], dict[str, Any]] = {}
    size = latest = 0
    for event, length in newest_first:
        found.setdefault((event["sequence"], str(event.get("id", ""))), event)
        size += length
        latest = max(latest, event["generation"])
        if size >= MOST or (size >= TAIL and 0 < event["generation"] < latest):
            break
    return [found[key] for key in sorted(found)]
