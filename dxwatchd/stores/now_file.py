"""`now.json`: what the daemon is at this moment, where `status.json` cannot say it.

`status.json` tells of passes that have ended, and may not be writable on a full disk. This file is made once,
large enough for all that it will ever hold, and then written in place: that takes no room.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dxwatchd.stores.plain_file import read_plain

SIZE = 4096
"""Bytes: one block, so that who reads it sees one writing."""

MOST = 900
"""Characters of a text in it, of which each may take four bytes; of both texts together no more fit."""

TRIES = 3


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A pass that takes long. since: when it began, ISO 8601; place: what it is looking at."""

    since: str
    place: str

    def __str__(self) -> str:
        """As a person is told."""
        return f"A pass is under way since {self.since}, looking at {self.place}"


@dataclass(frozen=True, slots=True)
class Now:
    """What the daemon says. trouble: why it cannot write, "" where it can."""

    under_way: UnderWay | None = None
    trouble: str = ""


class NowFile:
    """The file of one state directory; in the daemon it is written by several threads.

    Where it cannot be written nobody is told, and nothing else happens.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._under_way: UnderWay | None = None
        self._trouble = ""

    def prepare(self) -> None:
        """Make the file, while there is room."""
        with self._lock:
            self._write()

    def under_way(self, now: UnderWay | None) -> None:
        """A pass takes long; None: it has ended."""
        with self._lock:
            if now != self._under_way:
                self._under_way = now
                self._write()

    def trouble(self, text: str) -> None:
        """Why the last pass could not write, "" where it could."""
        with self._lock:
            if text != self._trouble:
                self._trouble = text
                self._write()

    def _write(self) -> None:
        plain: dict[str, object] = {
            "pid": os.getpid(),
            "under_way": None,
            "trouble": self._trouble[: MOST // 2],
        }
        if self._under_way is not None:
            plain["under_way"] = {"since": self._under_way.since, "place": self._under_way.place[: MOST // 2]}
        data = json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace").ljust(SIZE - 1) + b"\n"
        with suppress(OSError):
            # O_NONBLOCK: where somebody put a FIFO there, its other end is not waited for
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self._path, flags, 0o644)
            try:
                os.pwrite(descriptor, data, 0)
            finally:
                os.close(descriptor)

    def read(self, pid: int) -> Now:
        """What the process `pid` says; nothing where it never wrote here."""
        for _ in range(TRIES):
            try:
                plain = json.loads(read_plain(self._path))
                if plain["pid"] != pid:
                    break  # of a daemon that was killed
                told = plain["under_way"]
                under_way = UnderWay(str(told["since"]), str(told["place"])) if told is not None else None
                return Now(under_way, str(plain["trouble"]))
            except FileNotFoundError:
                break
            except (OSError, ValueError, KeyError, TypeError):
                time.sleep(0.01)  # it may just be written
        return Now()
