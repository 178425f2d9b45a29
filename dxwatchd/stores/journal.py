"""`events.jsonl`: every decision, one JSON object a line, in order, each exactly once.

An event belongs to a generation of the card index: it is appended after its card was written and before that
index is. A daemon killed in between finds the events of the generation that never was, and repeats none.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TAIL = 4 * 2**20
"""Bytes that are read back at start: far more than one batch of decisions."""


class Journal:
    """The journal of one state directory, open for one writer."""

    def __init__(self, path: Path) -> None:
        """Open `path`; a last line that a power cut tore is cut off. Raises OSError."""
        self.path = path
        self._sequence = 0
        self._recent: list[dict[str, Any]] = []
        self._mend()

    def _mend(self) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with open(descriptor, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            if whole < len(tail):
                file.truncate(size - len(tail) + whole)
                os.fsync(file.fileno())
        lines = tail[:whole].split(b"\n")
        for line in lines[1:] if size > TAIL else lines:
            event = _parsed(line)
            if event is not None:
                self._recent.append(event)
                self._sequence = max(self._sequence, event["sequence"])

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

    def append(self, events: Sequence[Mapping[str, Any]], *, time: str, generation: int) -> None:
        """Append events in one write, and make them survive a power cut.

        Each gets `sequence` (counting up without gaps), `time` (ISO 8601) and `generation`. Raises OSError;
        then none of them counts as appended.
        """
        if not events:
            return
        lines = []
        for number, event in enumerate(events, start=self._sequence + 1):
            lines.append({"sequence": number, "time": time, "generation": generation, **event})
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            try:
                written = os.write(descriptor, data)
                if written != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)  # never half a batch
                raise
        finally:
            os.close(descriptor)
        self._sequence += len(lines)
        self._recent = [*self._recent, *lines][-10_000:]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """One event; None where the line is none of ours."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    numbered = all(isinstance(event.get(key), int) for key in ("sequence", "generation"))
    return event if numbered else None
