"""What journald takes from the lines of a service: each line's priority, before it (sd-daemon(3))."""

from __future__ import annotations

import logging
import os
from typing import Final, TextIO

_PRIORITIES: Final = ((logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>"), (0, "<7>"))


def is_journal(stream: TextIO) -> bool:
    """Whether journald reads the stream (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def with_priority(text: str, level: int) -> str:
    """The text with its priority before each line; journald takes that off again. level: as in `logging`."""
    prefix = next(prefix for least, prefix in _PRIORITIES if level >= least)
    return "\n".join(prefix + line for line in text.split("\n"))
