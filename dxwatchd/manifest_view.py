"""The manifest as a pass sees it: what is in force, whether it may be appended to, and the last good one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from dxwatchd.core.entries import Problem
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.stores.manifest_file import Changed, ManifestError, Read, Stamp, create, read

QUIET = 0.1
"""Seconds for which the file must not have changed before it is appended to: an editor may be at it."""

OLD_NS = 1_000_000_000
"""A file not written to for this many nanoseconds when first seen is quiet from the beginning."""


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
            if make and not has_cards:
                create(self.path)
            got = read(self.path)
        except Changed:
            if self._good is None:  # nothing is in force yet, which must not look like an empty manifest
                busy = Problem("it is being written to", "nothing: it is read again in a moment")
                return View(Manifest(), None, trouble=busy, due=now + QUIET)
            return View(self._good, None, due=now + QUIET)
        except ManifestError as error:
            return self._troubled(Problem(error.message, error.remedy))
        except OSError as error:
            return self._troubled(Problem(f"it cannot be made: {error.strerror}", "make its folder writable"))
        if self._read is None or got.data != self._read.data:
            self._parsed = parse(got.text)
        self._read = got
        if not self._parsed.parses:
            return self._troubled(self._parsed.problems[0], got)
        if has_cards and not got.text.strip():
            empty = "the file is empty though models are registered"
            return self._troubled(Problem(empty, "bring it back; until then every card stays"), got)
        self._good = self._parsed
        return self._settled(self._parsed, got, now)

    def _settled(self, manifest: Manifest, got: Read, now: float) -> View:
        if got.stamp != self._stamp:
            self._stamp = got.stamp
            fresh = time.time_ns() - got.stamp.mtime_ns < OLD_NS
            self._since = now if fresh else now - QUIET
        due = self._since + QUIET
        return View(manifest, got, quiet=now >= due, due=None if now >= due else due)

    def _troubled(self, problem: Problem, got: Read | None = None) -> View:
        return View(self._good or Manifest(), got, trouble=problem)
