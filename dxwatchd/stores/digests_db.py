"""`digests.db`: the digests of model files, which took hours to compute and are not computed twice.

A file of its own: a new version of a reader throws the other cache away, and not this one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path

from dxwatchd.core.provenance import Digests
from dxwatchd.core.snapshot import Stat
from dxwatchd.stores.cache_db import CacheDb, as_key, as_text

VERSION = 2

_COLUMNS = ("place BLOB NOT NULL", "stat TEXT NOT NULL", "sha256 TEXT NOT NULL", "git_blob TEXT")


class DigestsDb:
    """The digests of one models root. All calls come from one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; where none can be made there, it lasts as long as this process."""
        self._cache = CacheDb(path, "digests", _COLUMNS, "place", VERSION)

    def all(self) -> dict[tuple[str, Stat], Digests]:
        """Every file's digests, by place relative to the models root and the stat that it had."""
        found = {}
        for place, stat, sha256, git_blob in self._cache.rows():
            with suppress(ValueError, TypeError, AttributeError):
                found[as_text(place), Stat(*json.loads(stat))] = Digests(str(sha256), git_blob)
        return found

    def remember(self, place: str, stat: Stat, digests: Digests) -> None:
        """Replace what is remembered of one file."""
        row = (as_key(place), json.dumps(astuple(stat)), digests.sha256, digests.git_blob)
        self._cache.write("WHERE place = ?", (as_key(place),), [row])

    def forget(self, places: Iterable[str]) -> None:
        """Remove files that are there no more."""
        for place in places:
            self._cache.write("WHERE place = ?", (as_key(place),), [])

    def close(self) -> None:
        """Close the file."""
        self._cache.close()
