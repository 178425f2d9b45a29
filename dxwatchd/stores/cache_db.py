"""A SQLite file that is only a cache: it may be deleted or damaged at any time, and is made anew."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class CacheDb:
    """One table in one file. All calls come from one thread at a time.

    Every call may find the file damaged, gone or the disk full: then it answers as an empty cache would.
    """

    def __init__(self, path: Path, table: str, columns: str, version: int) -> None:
        """Open or make the file; where none can be made there, it lasts as long as this process.

        columns: the table's definition, in SQL; version: of it and of what is kept in it, another one's
        content is thrown away.
        """
        self.path = path
        self._table = table
        self._create = f"CREATE TABLE IF NOT EXISTS {table} ({columns}) WITHOUT ROWID"
        self._version = version
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
            if version not in (0, self._version):
                connection.execute(f"DROP TABLE IF EXISTS {self._table}")
            connection.execute(self._create)
            connection.execute(f"PRAGMA user_version = {self._version}")
            connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {self._table} LIMIT 1)").fetchone()  # noqa: S608 - a name of ours
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _throw_away(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def rows(self, question: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """The answer to a SELECT; nothing where the cache is damaged."""
        try:
            found: list[tuple[Any, ...]] = self._now().execute(question, values).fetchall()
        except sqlite3.Error:
            self._renew()
            return []
        return found

    def write(
        self, delete: str, values: tuple[object, ...], insert: str, rows: Iterable[tuple[Any, ...]]
    ) -> None:
        """Delete and insert in one transaction."""
        try:
            connection = self._now()
            connection.execute("BEGIN")
            connection.execute(delete, values)
            connection.executemany(insert, rows)
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
            self._connection.execute(self._create)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def as_key(text: str) -> bytes:
    """File names are bytes to the kernel; SQLite refuses text that is not UTF-8."""
    return text.encode(errors="surrogateescape")


def as_text(key: bytes) -> str:
    """The inverse of `as_key`."""
    return key.decode(errors="surrogateescape")
