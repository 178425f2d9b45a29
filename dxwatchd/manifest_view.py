"""The manifest as a pass sees it: what is in force, whether it may be appended to, and the last good one."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from pathlib import Path

from dxwatchd.core.entries import Problem
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.stores.manifest_file import Changed, ManifestError, Read, Stamp, create, read

QUIET = 0.1
"""Seconds for which the file must not have changed before it is appended to: an editor may be at it."""

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

    def __init__(self, path: Path) -> None:
        self.path = path
        self._good: Manifest | None = None
        self._read: Read | None = None
        self._parsed = Manifest()
        self._stamp: Stamp | None = None
        self._since = 0.0

    def look(self, now: float, *, has_cards: bool, make: bool) -> View:
        """Look at `now` (monotonic seconds). has_cards: whether anything is published, so that a file which
        is gone or empty is an accident; make: whether a missing file may be made.
        """
        try:
            if not has_cards and not make and not self.path.exists():
                return View(Manifest(), None, quiet=True)  # it would be made, and be empty
            if make and not has_cards:
                create(self.path)
            got = read(self.path) if self._stamp is not None else self._first_read()
        except Changed:
            return self._busy(now)
        except ManifestError as error:
            return self._troubled(Problem(error.message, error.remedy))
        except OSError as error:
            return self._troubled(Problem(f"it cannot be made: {error.strerror}", _remedy(error)))
        if self._read is None or got.data != self._read.data:
            self._parsed = parse(got.text)
        self._read = got
        due = self._quiet_at(got, now)
        if not self._parsed.parses:
            return self._troubled(self._parsed.problems[0], got)
        if has_cards and not got.text.strip():
            empty = "the file is empty though models are registered"
            return self._troubled(Problem(empty, "bring it back; until then every card stays"), got)
        quiet = now >= due
        if not quiet and self._good is not None and _loses(self._good, self._parsed):
            return View(self._good, got, due=due)  # what is gone may only not have been written yet
        self._good = self._parsed
        return View(self._parsed, got, quiet=quiet, due=None if quiet else due)

    def _first_read(self) -> Read:
        """The file as it was found, once it has been the same for a moment. Raises as `read`."""
        got = read(self.path)
        if time.time_ns() - got.stamp.mtime_ns < OLD_NS:
            time.sleep(QUIET)
            if read(self.path).stamp != got.stamp:
                raise Changed
        return got

    def _quiet_at(self, got: Read, now: float) -> float:
        """From when on the file has been the same for long enough."""
        if got.stamp != self._stamp:
            self._since = now - QUIET if self._stamp is None else now
            self._stamp = got.stamp
        return self._since + QUIET

    def _busy(self, now: float) -> View:
        if self._good is None:  # nothing is in force yet, which must not look like an empty manifest
            busy = Problem("it is being written to", "nothing: it is read again in a moment")
            return View(Manifest(), None, trouble=busy, due=now + QUIET)
        return View(self._good, None, due=now + QUIET)

    def _troubled(self, problem: Problem, got: Read | None = None) -> View:
        return View(self._good or Manifest(), got, trouble=problem)


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
