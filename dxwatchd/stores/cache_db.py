"""A SQLite file that is only a cache: it may be deleted or damaged at any time, and is made anew.

Nothing of it is mapped into memory, since a file that is cut while it is mapped kills the process: SQLite
does so for its write-ahead log, which its VFS "unix-none" knows nothing of. Each row has a checksum, for
SQLite itself notices few of the bytes that a disk gets wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

Row = tuple[Any, ...]

RETRY = 10.0
"""Seconds until a file that could not be written is tried again."""

_ROLLBACK = b"\x01\x01"
"""Bytes 18 and 19 of a file that is written and read without a write-ahead log."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""SQLite's primary codes for a file that is lost; others are of the disk or of the moment."""


class CacheDb:
    """One table in one file. All calls come from one thread at a time.

    Every call may find the file damaged, gone or the disk full. Then it answers as an empty cache would,
    keeps in memory what it is to remember, and puts that into the file as soon as there can be one.
    """

    def __init__(self, path: Path, table: str, columns: tuple[str, ...], key: str, version: int) -> None:
        """Open or make the file.

        columns: definitions in SQL; key: the names of those that make the primary key; version: of the table
        and of what is kept in it, another one's content is thrown away.
        """
        self.path = path
        self._table = table
        definitions = ", ".join((*columns, "checksum BLOB NOT NULL", f"PRIMARY KEY ({key})"))
        self._create = f"CREATE TABLE {table} ({definitions}) WITHOUT ROWID"
        marks = ", ".join("?" * (len(columns) + 1))
        self._insert = f"INSERT OR REPLACE INTO {table} VALUES ({marks})"  # noqa: S608 - names of ours
        self._select = f"SELECT * FROM {table}"  # noqa: S608 - as above
        self._version = version
        self._file: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._aside: sqlite3.Connection | None = None
        self._open_at = self._write_at = 0.0
        self._connected()

    def rows(self, where: str = "", values: Row = ()) -> list[Row]:
        """The rows that a WHERE clause tells, all without one; those that are damaged are left out."""
        found: list[Row] = []
        connection = self._connected()
        if connection is not None:
            try:
                found = connection.execute(f"{self._select} {where}", values).fetchall()
            except sqlite3.Error as error:
                self._failed(error)
        if self._aside is not None:
            found += self._aside.execute(f"{self._select} {where}", values).fetchall()
        return [row[:-1] for row in found if row[-1] == _checksum(row[:-1])]

    def keys(self, column: str) -> set[Any]:
        """The different values of one column in the file."""
        connection = self._connected()
        try:
            if connection is not None:
                return {row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM {self._table}")}  # noqa: S608 - names of ours
        except sqlite3.Error as error:
            self._failed(error)
        return set()

    def write(self, where: str, values: Row, rows: Iterable[Row]) -> None:
        """Replace the rows that a WHERE clause tells by others, in one transaction."""
        made = [(*row, _checksum(row)) for row in rows]
        connection = self._connected()
        if connection is not None and (self._aside is None or time.monotonic() >= self._write_at):
            try:
                self._bring_back(connection)
                self._replace(connection, where, values, made)
            except sqlite3.Error as error:
                self._failed(error)
            else:
                return
        self._replace(self._in_memory(), where, values, made)

    def _replace(self, connection: sqlite3.Connection, where: str, values: Row, rows: Iterable[Row]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            if where:
                connection.execute(f"DELETE FROM {self._table} {where}", values)  # noqa: S608 - names of ours
            connection.executemany(self._insert, rows)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _connected(self) -> sqlite3.Connection | None:
        """The file as it lies there now; None while it cannot be used."""
        if self._file is not None and self._identity != _identity(self.path):
            self._close_file()  # deleted, or another one was put there
            self._open_at = 0.0
        if self._file is None and time.monotonic() >= self._open_at:
            try:
                self._open()
            except sqlite3.Error as error:
                self._failed(error)
        return self._file

    def _bring_back(self, connection: sqlite3.Connection) -> None:
        """Put what was kept in memory into the file. Raises sqlite3.Error."""
        if self._aside is not None:
            self._replace(connection, "", (), self._aside.execute(self._select))
            self._aside.close()
            self._aside = None

    def _failed(self, error: sqlite3.Error) -> None:
        """Begin anew where the file is damaged; else leave it alone for a while."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        self._open_at = self._write_at = time.monotonic() + RETRY
        if code not in _DAMAGED:
            if code != sqlite3.SQLITE_FULL:  # then what is there can still be read
                self._close_file()
            return
        self._save_what_is_whole()
        self._close_file()
        try:
            for suffix in ("", "-journal", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            self._open()
            self._write_at = 0.0
        except (OSError, sqlite3.Error):
            self._close_file()

    def _save_what_is_whole(self) -> None:
        """Take the rows before and behind a damaged page into memory: they may have cost hours."""
        if self._file is None:
            return
        for order in ("ASC", "DESC"):
            with contextlib.suppress(sqlite3.Error):
                for row in self._file.execute(f"{self._select} ORDER BY 1 {order}"):
                    if row[-1] == _checksum(row[:-1]):
                        self._in_memory().execute(self._insert.replace("REPLACE", "IGNORE"), row)

    def _open(self) -> None:
        """Open the file, or make it. Raises sqlite3.Error."""
        place = f"file:{quote(os.fsencode(self.path.absolute()))}?vfs=unix-none"
        connection = sqlite3.connect(place, uri=True, check_same_thread=False, isolation_level=None)
        try:
            with contextlib.suppress(OSError), self.path.open("rb") as file:
                if file.read(20)[18:] not in (b"", _ROLLBACK):
                    raise sqlite3.DatabaseError("it wants a write-ahead log")
            connection.execute("PRAGMA mmap_size = 0")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.execute("PRAGMA synchronous = OFF")  # a cache: a power cut may take it
            self._make_table(connection)
        except BaseException:
            connection.close()
            raise
        self._file, self._identity = connection, _identity(self.path)

    def _make_table(self, connection: sqlite3.Connection) -> None:
        """Have our table and nothing else in the file."""
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        there = connection.execute("SELECT type, sql FROM sqlite_master").fetchall()
        if there == [("table", self._create)] and version == self._version:
            connection.execute(f"{self._select} LIMIT 1").fetchone()
            return
        if there:
            raise sqlite3.DatabaseError("it is of another version")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(self._create)
        connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("COMMIT")

    def _in_memory(self) -> sqlite3.Connection:
        if self._aside is None:
            self._aside = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            self._aside.execute(self._create)
        return self._aside

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._file.close()
        self._file = self._identity = None

    def close(self) -> None:
        """Close the file, after a last try to put everything into it."""
        self._open_at = 0.0
        connection = self._connected() if self._aside is not None else None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._bring_back(connection)
        self._close_file()
        if self._aside is not None:
            self._aside.close()
            self._aside = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _checksum(row: Row) -> bytes:
    """Of one row's values, all of them: a name that a disk gets wrong would be another file's."""
    return hashlib.blake2b(repr(row).encode(errors="surrogatepass"), digest_size=12).digest()


def as_key(text: str) -> bytes:
    """File names are bytes to the kernel; SQLite refuses text that is not UTF-8."""
    return text.encode(errors="surrogateescape")


def as_text(key: bytes) -> str:
    """The inverse of `as_key`."""
    return key.decode(errors="surrogateescape")
