"""Which files' digests are wanted, what is known of them, and what a download said they should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from dxwatchd.core.plan import FolderState, Plan
from dxwatchd.core.provenance import (
    Check,
    Digests,
    Wanted,
    checked_files,
    mismatches,
    overall,
    wanted_digests,
)
from dxwatchd.core.reasons import State
from dxwatchd.core.snapshot import Snapshot, Stat, basename, parent
from dxwatchd.core.text import printable
from dxwatchd.digesting import Digester
from dxwatchd.log import Key
from dxwatchd.stores.digests_db import DigestsDb

TELL_EVERY = 60.0
"""Seconds between two words on the progress."""

MANY_STALE = 10_000
"""Files that are there no more whose digests are kept, in case that they come back."""

log = structlog.get_logger()


class Integrity:
    """The digests of one models root, computed in the background from pass to pass."""

    def __init__(self, root: Path, path: Path, idle: Callable[[], None]) -> None:
        """Begin. path: where digests are kept; idle: called from a thread when all are computed."""
        self._db = DigestsDb(path)
        self._known: dict[tuple[str, Stat], Digests] = self._db.all()
        self._refused: set[tuple[str, Stat]] = set()
        self._told: dict[str, Check] = {}
        self._told_at = float("-inf")
        self._digester = Digester(root, idle)
        self._digester.start()

    def close(self) -> None:
        """Stop the thread and close the file."""
        self._digester.stop()
        self._take()
        self._db.close()

    def after(self, plan: Plan, snapshot: Snapshot, now: float) -> Plan:
        """The plan with what is known of its folders' digests; what is not known is computed from now on.

        now: monotonic seconds.
        """
        self._take()
        wanted: list[Wanted] = []
        folders = []
        for folder in sorted(plan.folders, key=lambda folder: folder.state is not State.REGISTERED):
            model = folder.model
            if model is None or folder.state not in _WHOLE:
                folders.append(folder)
                continue
            checked = checked_files(model, snapshot, self._known)
            told = replace(folder, warnings=(*folder.warnings, *mismatches(checked)), checked=checked)
            self._tell(told)
            folders.append(told)
            if any(file.check is Check.PENDING for file in checked):
                wanted.extend(self._unknown(wanted_digests(model, snapshot)))
        self._digester.want(wanted)
        self._tell_progress(now)
        self._forget_stale(snapshot)
        return replace(plan, folders=tuple(sorted(folders, key=lambda folder: folder.path)))

    def progress(self) -> dict[str, Any]:
        """For `status.json`: how many files and bytes are not read yet, and which is under way."""
        left = self._digester.progress()
        return {"files_left": left.files, "bytes_left": left.size, "current": printable(left.place) or None}

    def _unknown(self, wanted: Any) -> list[Wanted]:
        unknown = []
        for one in wanted:
            key = (one.place, one.stat)
            known = self._known.get(key)
            lacking = known is None or (one.git_blob and known.git_blob is None)
            if lacking and key not in self._refused:
                unknown.append(one)
        return unknown

    def _take(self) -> None:
        for done in self._digester.take():
            key = (done.wanted.place, done.wanted.stat)
            if done.digests is None:
                self._refused.add(key)
                continue
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
        if len(self._known) <= MANY_STALE:
            return
        stale = [key for key in self._known if not _is_there(key[0], snapshot)]
        if len(stale) > MANY_STALE:
            for key in stale:
                del self._known[key]
            self._db.forget(place for place, _ in stale)


_WHOLE = (State.REGISTERED, State.PROPOSED, State.DRIFTED, State.CONFLICT)


def _is_there(place: str, snapshot: Snapshot) -> bool:
    folder = snapshot.folders.get(parent(place))
    return folder is not None and basename(place) in folder.files
