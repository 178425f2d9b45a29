"""Keeps the watch alive, and knows when it cannot be relied on: then the daemon looks more often.

The kernel and watchdog go deaf without a word: a dead reader, a root that was renamed or mounted over, a
used-up watch limit, a file system whose changes others make. Each is found here by looking.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from dxwatchd.log import Key
from dxwatchd.mounts import mount_of, read_mounts
from dxwatchd.watching import WATCH_LIMIT_REMEDY, HintBox, Watcher, WatchError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why events cannot be relied on. remedy: what a person can do."""

    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Identity:
    """Tells whether the models root is still the one that is watched."""

    path: str
    device: int
    inode: int
    mount: int


class Watchkeeper:
    """Owns the watcher of one models root. `tend` is called from one thread at a time."""

    def __init__(self, root: Path, manifest: Path, requests: Path, wake: Callable[[], None]) -> None:
        self.box = HintBox(wake)
        self.weaknesses: tuple[Weakness, ...] = ()
        self._root = root
        self._manifest = manifest
        self._requests = requests
        self._watcher: Watcher | None = None
        self._watched: _Identity | None = None
        self._overflows = 0
        self._rebuilt_for = -1

    def tend(self, folders: int) -> bool:
        """Look after the watch; start it anew where it is deaf. folders: how many the last pass walked.

        True where the watch was started anew, so that everything is to be looked at.
        """
        found: list[Weakness] = []
        now = self._identity()
        renewed = False
        if now is None:
            self.stop()
            found.append(Weakness(f"{self._root} is not there", "bring it back or mount it"))
        elif self._is_deaf(now):
            renewed = self._renew(now, found)
        elif self._watcher is not None and self._watcher.watch_count() < folders:
            # subfolders that came in a rush were missed, or the limit is reached: once more, then no more for
            # this number of folders
            if self._rebuilt_for != folders:
                self._rebuilt_for = folders
                renewed = self._renew(now, found)
            missed = folders - self.watch_count()
            if missed > 0:
                found.append(
                    Weakness(
                        f"the kernel does not watch {missed:,} of {folders:,} folders", WATCH_LIMIT_REMEDY
                    )
                )
        if now is not None:
            found.extend(_far_away(now.path))
        self._tell(tuple(found))
        return renewed

    def _is_deaf(self, now: _Identity) -> bool:
        overflowed, self._overflows = self._overflows != self.box.overflows, self.box.overflows
        if overflowed:
            log.warning(
                "the kernel dropped events; everything is looked at", **{Key.COUNT: self.box.overflows}
            )
        return overflowed or self._watcher is None or now != self._watched or not self._watcher.is_listening()

    def _renew(self, now: _Identity, found: list[Weakness]) -> bool:
        self.stop()
        watcher = Watcher(self._root, self._manifest, self._requests, self.box)
        try:
            watcher.start()
        except WatchError as error:
            watcher.stop()
            found.append(Weakness(str(error), error.remedy))
            return False
        self._watcher, self._watched = watcher, now
        return True

    def stop(self) -> None:
        """End the watch."""
        if self._watcher is not None:
            self._watcher.stop()
        self._watcher, self._watched = None, None

    def watch_count(self) -> int:
        """How many folders the kernel watches."""
        return self._watcher.watch_count() if self._watcher is not None else 0

    def _identity(self) -> _Identity | None:
        try:
            real = os.path.realpath(self._root, strict=True)
            stat = os.stat(real)
        except OSError:
            return None
        mount = mount_of(real, read_mounts())
        return _Identity(real, stat.st_dev, stat.st_ino, mount.identity if mount is not None else 0)

    def _tell(self, found: tuple[Weakness, ...]) -> None:
        for weakness in found:
            if weakness not in self.weaknesses:
                log.warning(
                    "events cannot be relied on; looking more often",
                    **{Key.REASON: weakness.message, Key.REMEDY: weakness.remedy},
                )
        if self.weaknesses and not found:
            log.info("events can be relied on again")
        self.weaknesses = found


def _far_away(real: str) -> list[Weakness]:
    mount = mount_of(real, read_mounts())
    if mount is not None and mount.is_local:
        return []
    kind = mount.kind if mount is not None else "unknown"
    return [
        Weakness(
            f"{real} is on a file system of kind {kind}, which may send no events",
            "nothing to do, unless new models must be seen faster: then shorten rescan_interval",
        )
    ]
