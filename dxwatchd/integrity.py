"""Which files' digests are wanted, what is known of them, and what a download said they should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from dxwatchd.core.plan import FolderState, Plan
from dxwatchd.core.provenance import Check, Digests, Known, Wanted, mismatches, overall
from dxwatchd.core.reasons import State
from dxwatchd.core.snapshot import Snapshot, Stat, basename, join
from dxwatchd.core.text import printable
from dxwatchd.digesting import Digester
from dxwatchd.log import Key
from dxwatchd.stores.digests_db import DigestsDb

TELL_EVERY = 60.0
"""Seconds between two words on the progress."""

AGAIN_AFTER = 60.0
"""Seconds after which a file that could not be read to its end is tried again."""

MANY_STALE = 10_000
"""Files that are there no more whose digests are kept, in case that they come back."""

MANY_REFUSED = 1000
"""Files that could not be read to their end, from which on those that have changed since are forgotten."""

log = structlog.get_logger()


class Integrity:
    """The digests of one models root, computed in the background from pass to pass."""

    def __init__(self, root: Path, path: Path, idle: Callable[[], None]) -> None:
        """Begin. path: where digests are kept; idle: called from a thread when all are computed."""
        self._db = DigestsDb(path)
        self._known: dict[tuple[str, Stat], Digests] = self._db.all()
        self._folders: dict[str, Stat] = {}
        self._refused: dict[tuple[str, Stat], float] = {}
        self._now = float("-inf")
        self._told: dict[str, Check] = {}
        self._told_at = float("-inf")
        self._forget_at = MANY_STALE
        self._refused_at = MANY_REFUSED
        self._digester = Digester(root, idle)
        self._digester.start()

    def close(self) -> None:
        """Stop the thread and close the file."""
        self._digester.stop()
        self._take()
        self._db.close()

    def known(self) -> Known:
        """All digests computed so far, to decide by."""
        self._take()
        return self._known

    def follow(self, snapshot: Snapshot) -> None:
        """Take up the digests of files that only lie elsewhere now: reading a moved model takes hours.

        A rename changes neither a file's number nor its times. Remote file systems may make up the numbers.
        """
        self._take()
        moved: dict[tuple[str, Stat], list[str]] = {}
        for path, folder in snapshot.folders.items():
            if self._folders.get(path) == folder.stat:
                continue
            for name, file in folder.files.items():
                if file.stat is not None and file.stat.device not in snapshot.remote_devices:
                    moved.setdefault((name, file.stat), []).append(join(path, name))
        self._folders = {path: folder.stat for path, folder in snapshot.folders.items()}
        for (before, stat), digests in list(self._known.items()) if moved else ():
            for place in moved.pop((basename(before), stat), ()):
                if place != before and (place, stat) not in self._known:
                    self._known[place, stat] = digests
                    self._db.remember(place, stat, digests)

    def after(self, plan: Plan, snapshot: Snapshot, now: float) -> None:
        """Begin to compute what `plan`, a decision about `snapshot`, found pending.

        now: monotonic seconds.
        """
        self._now = now
        first: list[Wanted] = []
        then: list[Wanted] = []
        for folder in plan.folders:
            if not folder.checked:
                continue
            self._tell(folder)
            # what is approved comes last: once it is known all is, which makes one revision instead of two
            ordered = sorted(folder.checked, key=lambda file: file.content)
            wanted = (file.wanted for file in ordered if file.wanted is not None)
            (first if folder.state is State.REGISTERED else then).extend(
                one for one in wanted if self._refused.get((one.place, one.stat), now) <= now
            )
        there = {folder.path for folder in plan.folders}
        self._told = {path: check for path, check in self._told.items() if path in there}
        self._digester.want([*first, *then])
        self._tell_progress(now)
        if not plan.held:  # what is gone by accident comes back, and hashing it again takes days
            self._forget_stale(snapshot)

    def progress(self) -> dict[str, Any]:
        """For `status.json`: how many files and bytes are not read yet, and which is under way."""
        left = self._digester.progress()
        return {"files_left": left.files, "bytes_left": left.size, "current": printable(left.place) or None}

    def _take(self) -> None:
        for done in self._digester.take():
            key = (done.wanted.place, done.wanted.stat)
            if done.digests is None:
                self._refused[key] = self._now + AGAIN_AFTER
                continue
            self._refused.pop(key, None)
            self._known[key] = done.digests
            self._db.remember(*key, done.digests)

    def _tell(self, folder: FolderState) -> None:
        """Log once what came of comparing a model's digests."""
        check = overall(folder.checked)
        if check is self._told.get(folder.path) or check is Check.PENDING:
            return
        self._told[folder.path] = check
        keys: dict[str, object] = {
            Key.PATH: printable(folder.path),
            Key.STATE: check.value,
            Key.COUNT: len(folder.checked),
        }
        if check is Check.MISMATCH:
            for reason in mismatches(folder.checked):
                log.warning("file is not what was downloaded", **keys, **{Key.REASON: str(reason)})
        else:
            log.info("digests computed", **keys)

    def _tell_progress(self, now: float) -> None:
        left = self._digester.progress()
        if left.files and now - self._told_at >= TELL_EVERY:
            self._told_at = now
            log.info("computing digests", **{Key.COUNT: left.files, Key.SIZE: left.size})

    def _forget_stale(self, snapshot: Snapshot) -> None:
        """Looking at every file that is known takes long: only after `MANY_STALE` more have become known."""
        if len(self._refused) > self._refused_at:
            self._refused = {key: at for key, at in self._refused.items() if _is_there(key, snapshot)}
            self._refused_at = len(self._refused) + MANY_REFUSED
        if len(self._known) <= self._forget_at:
            return
        stale = [key for key in self._known if snapshot.file(key[0]) is None]
        if len(stale) > MANY_STALE:
            for key in stale:
                del self._known[key]
            self._db.forget(place for place, _ in stale)
        self._forget_at = len(self._known) + MANY_STALE


def _is_there(key: tuple[str, Stat], snapshot: Snapshot) -> bool:
    """Whether a file is as it was when it was looked at."""
    file = snapshot.file(key[0])
    return file is not None and file.stat == key[1]
