"""Keeps the watch alive, and knows when it cannot be relied on: then the daemon looks more often.

The kernel and watchdog go deaf without a word: a dead reader, a root that was renamed or mounted over, a
used-up watch limit, a file system whose changes others make. Each is found here by looking.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from dxwatchd.hints import HintBox
from dxwatchd.log import Key
from dxwatchd.mounts import Mount, mount_of, read_mounts
from dxwatchd.watching import WATCH_LIMIT_REMEDY, Watcher, WatchError

SILENT = "which may send no events"
"""What is said of a file system whose changes others may make."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why events cannot be relied on. remedy: what a person can do."""

    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Identity:
    """Tells whether what is watched is still what is there.

    path: of the models root, "" where that is not there (then the rest is watched all the same); mounts: the
    one that it lies on, and those below it; beside: the folders of the manifest and of the requests.
    """

    path: str
    device: int
    inode: int
    mounts: tuple[Mount, ...]
    beside: tuple[tuple[str, int, int], ...]


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
        self._breaks = 0
        self._missed: frozenset[str] = frozenset()

    def tend(self, folders: Iterable[str]) -> bool:
        """Look after the watch; start it anew where it is deaf. folders: those that the last pass walked.

        True where the watch was started anew, so that everything is to be looked at.
        """
        found: list[Weakness] = []
        now = self._identity()
        renewed = self._is_deaf(now) and self._renew(now, found)
        if not now.path:
            found.append(Weakness(f"{self._root} is not there", "bring it back or mount it"))
        else:
            renewed = self._tend_missed(folders, found) or renewed
            found.extend(_far_away(now))
        self._tell(tuple(found))
        return renewed and bool(now.path)

    def _is_deaf(self, now: _Identity) -> bool:
        overflowed, self._overflows = self._overflows != self.box.overflows, self.box.overflows
        if overflowed:
            log.warning(
                "the kernel dropped events; everything is looked at", **{Key.COUNT: self.box.overflows}
            )
        broke, self._breaks = self._breaks != self.box.breaks, self.box.breaks
        if overflowed or broke or self._watcher is None or now != self._watched:
            return True
        return not self._watcher.is_listening()

    def _tend_missed(self, folders: Iterable[str], found: list[Weakness]) -> bool:
        """Watch the folders that were missed: in a rush, by the limit, or as long as we might not read them.

        One that was missed only this time is about to be watched: its event has not been read yet.
        True where one is watched now, of which nobody knows what happened in it meanwhile.
        """
        if self._watcher is None:
            return False
        missed = self._watcher.unwatched(folders)
        again, self._missed = missed & self._missed, missed
        if not again:
            return False
        added, refused = self._watcher.watch_also(again)
        if added < len(again):
            what = (
                f"the kernel does not watch {len(again) - added:,} of the folders, as {max(again) or '.'!r}"
            )
            remedy = f"let dxwatchd's user read it: {os.strerror(refused)}"
            limited = refused in (errno.ENOSPC, errno.ENOMEM)
            found.append(Weakness(what, WATCH_LIMIT_REMEDY if limited else remedy))
        return added > 0

    def _renew(self, now: _Identity, found: list[Weakness]) -> bool:
        self.stop()
        watcher = Watcher(self._root if now.path else None, self._manifest, self._requests, self.box)
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

    def _identity(self) -> _Identity:
        try:
            real = os.path.realpath(self._root, strict=True)
            stat = os.stat(real)
        except OSError:
            return _Identity("", 0, 0, (), self._beside())
        mounts = read_mounts()
        own = mount_of(real, mounts)
        below = tuple(mount for mount in mounts if mount.point.startswith(real.rstrip("/") + "/"))
        mounts = below if own is None else (own, *below)
        return _Identity(real, stat.st_dev, stat.st_ino, mounts, self._beside())

    def _beside(self) -> tuple[tuple[str, int, int], ...]:
        found = []
        for folder in {self._manifest.parent, Path(os.path.realpath(self._manifest)).parent, self._requests}:
            try:
                stat = os.stat(folder)
            except OSError:
                continue
            found.append((str(folder), stat.st_dev, stat.st_ino))
        return tuple(sorted(found))

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
            f"{point} is a file system of kind {kind}, {SILENT}",
            "nothing to do, unless new models must be seen faster: then shorten rescan_interval",
        )
        for kind, point in sorted(kinds.items())
    ]
