"""`facts.db`: what was read from model files, so that a restart need not read them again.

A cache and nothing more: it may be deleted or damaged at any time, and is then made anew.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path

from dxwatchd.core.facts import from_plain, to_plain
from dxwatchd.core.snapshot import SeenFile, Stat

VERSION = 1
"""Of the table and of everything a reader may say; a cache of another version is thrown away."""

_TABLE = """
CREATE TABLE IF NOT EXISTS facts (
    folder BLOB NOT NULL, name BLOB NOT NULL,
    stat TEXT NOT NULL, hole INTEGER NOT NULL, facts TEXT NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID
"""


class FactsDb:
    """The cache of one state directory. All calls come from one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the cache; where no file can be made there, it lasts as long as this process."""
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._on_disk = True
        try:
            self._connection = self._open()
        except sqlite3.Error:
            self._renew()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # a cache: a power cut may take it
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                connection.execute("DROP TABLE IF EXISTS facts")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("SELECT count(*) FROM (SELECT 1 FROM facts LIMIT 1)").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _throw_away(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def folder(self, path: str) -> Mapping[str, SeenFile]:
        """What is remembered of a folder's files, by name. Empty where the cache is damaged."""
        try:
            rows = (
                self._now()
                .execute("SELECT name, stat, hole, facts FROM facts WHERE folder = ?", (_key(path),))
                .fetchall()
            )
        except sqlite3.Error:
            self._renew()
            return {}
        found = {}
        for name, stat, hole, plain in rows:
            with contextlib.suppress(ValueError, TypeError, KeyError, IndexError, AttributeError):
                facts = from_plain(json.loads(plain))
                found[_text(name)] = SeenFile(_text(name), Stat(*json.loads(stat)), facts, bool(hole))
        return found

    def remember(self, folder: str, files: Iterable[SeenFile]) -> None:
        """Replace what is remembered of a folder by these files (those with facts)."""
        rows = [
            (
                _key(folder),
                _key(file.name),
                json.dumps(astuple(file.stat)),  # an inode may be beyond SQLite's integers
                int(file.hole),
                json.dumps(to_plain(file.facts)),
            )
            for file in files
            if file.stat is not None and file.facts is not None
        ]
        try:
            connection = self._now()
            connection.execute("BEGIN")
            connection.execute("DELETE FROM facts WHERE folder = ?", (_key(folder),))
            connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        except sqlite3.Error:
            self._renew()

    def _now(self) -> sqlite3.Connection:
        """The cache as it lies there now: one that somebody deleted is made anew. Raises sqlite3.Error."""
        if self._connection is None:
            raise sqlite3.ProgrammingError("the cache is closed")
        if self._on_disk and not self.path.exists():
            self._renew()
        return self._connection

    def _renew(self) -> None:
        """The cache is damaged, gone or full: begin anew, and go on in memory if even that fails."""
        self.close()
        try:
            self._throw_away()
            self._connection = self._open()
        except (OSError, sqlite3.Error):
            self._on_disk = False
            self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            self._connection.execute(_TABLE)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def _key(text: str) -> bytes:
    """File names are bytes to the kernel; SQLite refuses text that is not UTF-8."""
    return text.encode(errors="surrogateescape")


def _text(key: bytes) -> str:
    return key.decode(errors="surrogateescape")
