"""`status.json`: written where it says something new, and now and then though it does not."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dxwatchd.stores.atomic import write_atomically
from dxwatchd.stores.plain_file import read_plain

STATUS_EVERY = 30.0
"""Seconds after which it is written again though nothing has changed: it shows that we live."""


class StatusFile:
    """The status of one state directory. whole: what it always says."""

    def __init__(self, path: Path, whole: Mapping[str, Any]) -> None:
        self.path = path
        self._whole = whole
        self._last = ""
        self._at = float("-inf")

    def write(
        self, told: Mapping[str, Any], number: int, duration: float, now: float, *, always: bool
    ) -> None:
        """Write what the pass of this number says, which took `duration` seconds and began at `now`.

        now: monotonic seconds; always: though nothing has changed. Raises OSError.
        """
        same = json.dumps(told, sort_keys=True)
        if same == self._last and now - self._at < STATUS_EVERY and not always:
            return
        self._last = ""  # where this fails, the next pass tries again
        done = {
            "number": number,
            "ended_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "duration_s": round(duration, 3),
        }
        data = json.dumps({**self._whole, "pass": done, **told}, indent=1) + "\n"
        write_atomically(self.path, data.encode())
        self._last, self._at = same, now


def last_sequence(path: Path) -> int:
    """The number of the last event that a `status.json` tells of; 0 where it tells of none."""
    try:
        sequence = json.loads(read_plain(path))["sequence"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    return sequence if type(sequence) is int and sequence >= 0 else 0
