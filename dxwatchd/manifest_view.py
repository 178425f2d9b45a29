"""The manifest as a pass sees it: what is in force, whether it may be appended to, and the last good one."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from dxwatchd.core.entries import Problem
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.text import count
from dxwatchd.core.withdrawal import CONFIRM
from dxwatchd.leases import has_writer
from dxwatchd.stores.manifest_file import Changed, Gone, ManifestError, Read, Stamp, create, read

QUIET = 0.1
"""Seconds for which the file must not have changed before it is appended to: an editor may be at it."""

RETRY = 0.5
"""Seconds until a file that is open for writing is looked at again."""

STALLED = 60.0
"""Seconds after which a program that has the file open for writing is not waited for any more: some never
close it. It is not appended to all the same."""

OLD_NS = 1_000_000_000
"""A file not written to for this many nanoseconds when first seen is taken as it is."""


@dataclass(frozen=True, slots=True)
class View:
    """What a pass goes by.

    manifest: in force (the last good one where the file is not); read: what was read from the file, None
    where nothing could be; trouble: why the file is not in force; quiet: whether it may be appended to;
    due: when it will have been quiet for long enough.
    """

    manifest: Manifest
    read: Read | None
    trouble: Problem | None = None
    quiet: bool = False
    due: float | None = None


class ManifestView:
    """Looks at one manifest, again and again."""

    def __init__(self, path: Path, root: str = "") -> None:
        """path: of the manifest; root: the models root, which its paths are relative to."""
        self.path = path
        self.root = root
        self._good: Manifest | None = None
        self._read: Read | None = None
        self._parsed = Manifest()
        self._stamp: Stamp | None = None
        self._since = 0.0
        self._gone_at: float | None = None
        self._began: float | None = None

    def look(self, now: float, *, has_cards: bool, make: bool) -> View:
        """Look at `now` (monotonic seconds). has_cards: whether anything is published, so that a file which
        is gone or empty is an accident, unless a person said otherwise; make: whether it may be made.
        """
        try:
            if not has_cards and not make and not self.path.exists():
                return View(Manifest(), None, quiet=True)  # it would be made, and be empty
            if make and not has_cards:
                create(self.path)
            got = read(self.path) if self._stamp is not None else self._first_read(now)
        except Changed:
            return self._busy(now)
        except Gone as error:
            return self._gone(error, now)
        except ManifestError as error:
            return self._troubled(Problem(error.message, error.remedy, error.line, error.column))
        except OSError as error:
            return self._troubled(Problem(f"it cannot be made: {error.strerror}", _remedy(error)))
        self._gone_at = None
        return self._judged(got, now, has_cards=has_cards)

    def _judged(self, got: Read, now: float, *, has_cards: bool) -> View:
        """What is in force once `got` was read."""
        if self._read is None or got.data != self._read.data:
            self._parsed = parse(got.text, self.root)
        self._read = got
        due = self._quiet_at(got, now)
        if not self._parsed.parses:
            return self._troubled(_why(self._parsed), got)
        if has_cards and not got.text.strip():
            empty = "the file is empty though models are registered"
            remedy = f"bring it back, or {CONFIRM}; until then every card stays"
            return self._troubled(Problem(empty, remedy), got)
        quiet = now >= due
        if quiet and now < self._since + STALLED and self._has_writer():
            quiet, due = False, now + RETRY  # an editor that writes in place has paused
        if not quiet and self._good is not None and _loses(self._good, self._parsed):
            return View(self._good, got, due=due)  # what is gone may only not have been written yet
        self._good = self._parsed
        return View(self._parsed, got, quiet=quiet, due=None if quiet else due)

    def _first_read(self, now: float) -> Read:
        """The file as it was found, once it has been the same for a moment. Raises as `read`."""
        got = read(self.path)
        if self._began is None:
            self._began = now
        if now < self._began + STALLED and self._has_writer():
            raise Changed
        if time.time_ns() - got.stamp.mtime_ns < OLD_NS:
            time.sleep(QUIET)
            if read(self.path).stamp != got.stamp:
                raise Changed
        return got

    def _has_writer(self) -> bool:
        return bool(has_writer(Path(os.path.realpath(self.path))))

    def _quiet_at(self, got: Read, now: float) -> float:
        """From when on the file has been the same for long enough."""
        if got.stamp != self._stamp:
            self._since = now - QUIET if self._stamp is None else now
            self._stamp = got.stamp
        return self._since + QUIET

    def _gone(self, error: Gone, now: float) -> View:
        """It is not there: an accident, unless an editor has renamed it and is about to write a new one."""
        if self._gone_at is None:
            self._gone_at = now
        if self._stamp is not None and now < self._gone_at + QUIET:
            return self._busy(now)
        return self._troubled(Problem(error.message, error.remedy))

    def _busy(self, now: float) -> View:
        if self._good is None:  # nothing is in force yet, which must not look like an empty manifest
            busy = Problem("it is being written to", "nothing: it is read again in a moment")
            return View(Manifest(), None, trouble=busy, due=now + QUIET)
        return View(self._good, None, due=now + QUIET)

    def _troubled(self, problem: Problem, got: Read | None = None) -> View:
        return View(self._good or Manifest(), got, trouble=problem)


def _why(parsed: Manifest) -> Problem:
    """The first problem of a file that does not parse, and what that means."""
    first, more = parsed.problems[0], len(parsed.problems) - 1
    others = f"; `dxwatchd check` shows {count(more, 'problem')} more" if more else ""
    return replace(first, remedy=f"{first.remedy}; until then the last good manifest stays in force{others}")


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on its file system: it is made then"
    return "make its folder writable"


def _loses(before: Manifest, after: Manifest) -> bool:
    """Whether something that was said is not said any more, as in a file that is half written."""
    there = {entry.path: entry for entry in after.entries}
    for entry in before.entries:
        same = there.get(entry.path)
        if same is None or (entry.fingerprint and not same.fingerprint):
            return True
        if not entry.overrides.keys() <= same.overrides.keys():
            return True
    return False
