"""Keeps the watch alive, and knows when it cannot be relied on: then the daemon looks more often.

The kernel and watchdog go deaf without a word: a dead reader, a root that was renamed or mounted over, a
used-up watch limit, a file system whose changes others make. Each is found here by looking.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from dxwatchd.hints import HintBox
from dxwatchd.log import Key
from dxwatchd.mounts import Mount, mount_of, read_mounts
from dxwatchd.watching import WATCH_LIMIT_REMEDY, Watcher, WatchError

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
    mounts: tuple[Mount, ...]


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
        self._missed: frozenset[str] = frozenset()
        self._given_up: frozenset[str] = frozenset()

    def tend(self, folders: Iterable[str]) -> bool:
        """Look after the watch; start it anew where it is deaf. folders: those that the last pass walked.

        True where the watch was started anew, so that everything is to be looked at.
        """
        found: list[Weakness] = []
        now = self._identity()
        renewed = False
        if now is None:
            self.stop()
            found.append(Weakness(f"{self._root} is not there", "bring it back or mount it"))
        else:
            if self._is_deaf(now):
                renewed = self._renew(now, found)
            renewed = self._tend_missed(now, folders, found) or renewed
            found.extend(_far_away(now))
        self._tell(tuple(found))
        return renewed

    def _is_deaf(self, now: _Identity) -> bool:
        overflowed, self._overflows = self._overflows != self.box.overflows, self.box.overflows
        if overflowed:
            log.warning(
                "the kernel dropped events; everything is looked at", **{Key.COUNT: self.box.overflows}
            )
        return overflowed or self._watcher is None or now != self._watched or not self._watcher.is_listening()

    def _tend_missed(self, now: _Identity, folders: Iterable[str], found: list[Weakness]) -> bool:
        """Folders that came in a rush may be missed for good: once anew, then no more for the same ones.

        One that was missed only this time is about to be watched: its event has not been read yet.
        """
        missed = self._unwatched(folders)
        again, self._missed = missed & self._missed, missed
        renewed = False
        if not again <= self._given_up:
            renewed = self._renew(now, found)
            again = self._unwatched(again)
        self._given_up = again
        if again:
            what = f"the kernel does not watch {len(again):,} of the folders, as {min(again)!r}"
            found.append(Weakness(what, WATCH_LIMIT_REMEDY))
        return renewed

    def _unwatched(self, folders: Iterable[str]) -> frozenset[str]:
        return self._watcher.unwatched(folders) if self._watcher is not None else frozenset()

    def _renew(self, now: _Identity, found: list[Weakness]) -> bool:
        self.stop()
        watcher = Watcher(self._root, self._manifest, self._requests, self.box)
        try:
            watcher.start()
        except WatchError as error:
            found.append(Weakness(str(error), error.remedy))
            return False
        self._watcher, self._watched = watcher, now
        return True

    def stop(self) -> None:
        """End the watch."""
        if self._watcher is not None:
            self._watcher.stop()
        self._watcher, self._watched = None, None

    def _identity(self) -> _Identity | None:
        try:
            real = os.path.realpath(self._root, strict=True)
            stat = os.stat(real)
        except OSError:
            return None
        mounts = read_mounts()
        own = mount_of(real, mounts)
        below = tuple(mount for mount in mounts if mount.point.startswith(real.rstrip("/") + "/"))
        return _Identity(real, stat.st_dev, stat.st_ino, below if own is None else (own, *below))

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


def _far_away(now: _Identity) -> list[Weakness]:
    """Of the root and of every mount below it that others may change without an event."""
    kinds = {mount.kind: mount.point for mount in now.mounts if not mount.is_local}
    if not now.mounts:
        kinds["unknown"] = now.path
    return [
        Weakness(
            f"{point} is a file system of kind {kind}, which may send no events",
            "nothing to do, unless new models must be seen faster: then shorten rescan_interval",
        )
        for kind, point in sorted(kinds.items())
    ]
