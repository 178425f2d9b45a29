"""`facts.db`: what was read from model files, so that a restart need not read them again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple
from pathlib import Path

from dxwatchd.core.facts import from_plain, to_plain
from dxwatchd.core.snapshot import SeenFile, Stat
from dxwatchd.stores.cache_db import CacheDb, as_key, as_text

VERSION = 4
"""Of the table and of everything a reader may say; a cache of another version is thrown away."""

_COLUMNS = (
    "folder BLOB NOT NULL",
    "name BLOB NOT NULL",
    "stat TEXT NOT NULL",
    "hole INTEGER NOT NULL",
    "facts TEXT NOT NULL",
)


class FactsDb:
    """The cache of one state directory. All calls come from one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the cache; where no file can be made there, it lasts as long as this process."""
        self._cache = CacheDb(path, "facts", _COLUMNS, "folder, name", VERSION)

    def folder(self, path: str) -> Mapping[str, SeenFile]:
        """What is remembered of a folder's files, by name. Empty where the cache is damaged."""
        found = {}
        for _, name, stat, hole, plain in self._cache.rows("WHERE folder = ?", (as_key(path),)):
            with contextlib.suppress(ValueError, TypeError, KeyError, IndexError, AttributeError):
                facts = from_plain(json.loads(plain))
                found[as_text(name)] = SeenFile(as_text(name), Stat(*json.loads(stat)), facts, bool(hole))
        return found

    def remember(self, folder: str, files: Iterable[SeenFile]) -> None:
        """Replace what is remembered of a folder by these files (those with facts)."""
        rows = [
            (
                as_key(folder),
                as_key(file.name),
                json.dumps(astuple(file.stat)),  # an inode may be beyond SQLite's integers
                int(file.hole),
                json.dumps(to_plain(file.facts)),
            )
            for file in files
            if file.stat is not None and file.facts is not None
        ]
        self._cache.write("WHERE folder = ?", (as_key(folder),), rows)

    def forget_others(self, folders: Collection[str]) -> None:
        """Remove what is remembered of all folders but these, so that the file does not grow for ever."""
        known = {as_key(folder) for folder in folders}
        for gone in self._cache.keys("folder") - known:
            self._cache.write("WHERE folder = ?", (gone,), [])

    def close(self) -> None:
        """Close the file."""
        self._cache.close()
