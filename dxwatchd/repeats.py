"""Keeps a log from being flooded: of equal messages the first few are written, the rest are counted."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SHOWN = 5
"""Equal messages that are written within one window."""

WINDOW = 600.0
"""Seconds from the first of them on."""

REMEMBERED = 1_000
"""Different messages that are counted at a time; of the oldest the count is forgotten."""

REPEATED = "repeated"
"""The key under which a message tells how many of its like were not written before it."""

_LONGEST = 2_000  # characters of a message that it is told by


@dataclass(slots=True)
class _Seen:
    since: float
    written: int = 0
    left_out: int = 0


class Repeats(logging.Filter):
    """Drops what was said too often. clock: gives monotonic seconds.

    Two messages are equal where all they say is: name, level and every key. Each decision of the daemon has
    its own `id`, so that none is ever left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a message is to be written; it then tells the count of those that were not before it."""
        left_out = self._left_out(_key(record), self._clock())
        if left_out is None:
            return False
        if left_out and isinstance(record.msg, dict):
            record.msg[REPEATED] = left_out
        elif left_out:
            record.msg, record.args = f"{record.getMessage()} ({REPEATED} {left_out} times before)", None
        return True

    def _left_out(self, key: str, now: float) -> int | None:
        seen = self._seen.setdefault(key, _Seen(now))
        self._seen.move_to_end(key)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        before = 0
        if now - seen.since >= WINDOW:
            before, seen.left_out = seen.left_out, 0
            seen.since, seen.written = now, 0
        if seen.written >= SHOWN:
            seen.left_out += 1
            return None
        seen.written += 1
        return before


def _key(record: logging.LogRecord) -> str:
    """What makes messages equal: of ours every key but those that structlog adds, of others the text."""
    if isinstance(record.msg, dict):
        said = sorted((str(key), str(value)) for key, value in record.msg.items() if str(key)[:1] != "_")
    else:
        said = [(record.name, record.getMessage())]
    return f"{record.levelname} {said}"[:_LONGEST]
