"""A person's changes to the manifest, made by a program: compare, exchange, verify.

Comments and order stay (`tomlkit`), mode and owner too. The new text is put in place by exchanging the two
files, so that what was replaced is known exactly: where it is not what the change was made from, somebody
saved in between, and it goes back before the change is made again from theirs.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from dxwatchd.core.claims import settle
from dxwatchd.core.entries import Problem
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.records import Published
from dxwatchd.leases import has_writer
from dxwatchd.stores.atomic import sync_folder
from dxwatchd.stores.manifest_file import Changed, ManifestError, read

TRIES = 50
PAUSE = 0.02
"""Seconds between tries: whoever has the file open is at it for a moment."""
_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100  # fcntl.h

Change = Callable[[AoT], None]
"""Gets the tables of all entries and changes them in place. May raise ManifestError to leave all as it is."""


def edit(path: Path, change: Change) -> None:
    """Apply `change` to the manifest.

    Raises ManifestError where the file is not valid TOML, where the change would leave it invalid, or where
    others keep saving it; then nothing was changed.
    """
    target = Path(os.path.realpath(path))  # a link stays a link: what it leads to is replaced
    for _ in range(TRIES):
        try:
            seen = read(target)
            _exchange(target, seen.data, _changed(seen.text, change).encode())
        except Changed:
            time.sleep(PAUSE)
        else:
            return
    raise ManifestError("others keep saving it", "try again in a moment")


def _changed(text: str, change: Change) -> str:
    before = parse(text)
    if not before.parses:
        problem = before.problems[0]
        raise ManifestError(f"line {problem.line}: {problem.message}", "mend the file first")
    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ManifestError(f"it cannot be read for a change: {error}", "mend the file first") from None
    if "models" not in document:
        document["models"] = tomlkit.aot()
    tables = document["models"]
    if not isinstance(tables, AoT):
        raise ManifestError("its entries are an inline array", "write them as [[models]] tables")
    change(tables)
    after = tomlkit.dumps(document)
    if not len(tables):
        after = after.replace("models = []\n", "")
    if crlf:
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    known = {_without_lines(problem) for problem in _problems(before)}
    worse = [problem for problem in _problems(parse(after)) if _without_lines(problem) not in known]
    if worse:
        raise ManifestError(worse[0].message, worse[0].remedy)
    return after


def _problems(manifest: Manifest) -> tuple[Problem, ...]:
    """Every problem, names that collide included: whose card is published plays no part in an edit."""
    return (*manifest.problems, *settle(manifest, Published()).problems)


def _without_lines(problem: Problem) -> tuple[str, str]:
    """The problem whatever line it is on: a change above it moves it."""
    return problem.key, re.sub(r"\bline \d+", "line", problem.message)


def _exchange(target: Path, before: bytes, after: bytes) -> None:
    """Put `after` in the place of `before`; Changed where something else lay there."""
    if after == before:
        return
    aside = target.with_name(f".{target.name}.dxwatchd-{secrets.token_hex(4)}")
    try:
        if has_writer(target):
            raise Changed
        with _write_like(aside, after, target.stat()) as ours:
            if target.read_bytes() != before:  # writing takes long enough for a save
                raise Changed
            if _swapped(aside, target):
                if not _is_settled(aside, before):
                    _give_back(aside, target, os.fstat(ours.fileno()).st_ino)
                    raise Changed
            else:
                # a file system that cannot exchange (some network ones): a narrow window remains
                os.rename(aside, target)
    except FileNotFoundError:
        raise Changed from None
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(target.parent)


def _write_like(path: Path, data: bytes, like: os.stat_result) -> BinaryIO:
    """Make a file with the owner and mode of another one.

    It is left open: while it is, no other file can have its inode, not even after it was replaced.
    """
    file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")  # noqa: SIM115 - the caller closes it
    try:
        file.write(data)
        file.flush()
        for owner, group in ((-1, like.st_gid), (like.st_uid, -1)):
            with contextlib.suppress(PermissionError):  # the group's members may not give files away
                os.fchown(file.fileno(), owner, group)
        os.fchmod(file.fileno(), like.st_mode & 0o7777)
        os.fsync(file.fileno())
    except BaseException:
        file.close()
        raise
    return file


def _is_settled(replaced: Path, before: bytes) -> bool:
    """Whether what was replaced is what the change was made from, and nobody is about to write to it."""
    return not has_writer(replaced) and replaced.read_bytes() == before


def _give_back(aside: Path, target: Path, ours: int) -> None:
    """Put what was replaced back in its place, or what somebody saved there meanwhile: never ours.

    ours: the inode of our file, which the caller holds open. Every other file that was seen is held too: an
    editor's next file could have the inode of one that is gone, and would be taken for it.
    """
    if target.stat().st_ino != ours:
        return  # somebody has saved over ours: that is newer than what was replaced
    known = {ours}
    with contextlib.ExitStack() as held:
        for _ in range(TRIES):
            seen = os.open(aside, os.O_PATH | os.O_CLOEXEC)
            held.callback(os.close, seen)
            known.add(os.fstat(seen).st_ino)
            _swapped(aside, target)
            if aside.stat().st_ino in known:
                return  # what lay there is ours, or was superseded by what lies there now
            # somebody saved between the look and the exchange: that is the newest, and goes back


_libc = ctypes.CDLL(None, use_errno=True)


def _swapped(one: Path, other: Path) -> bool:
    """Swap two names in one step (renameat2(2)); False where the file system cannot do that."""
    if _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), str(other))


def table_of(tables: AoT, technical_name: str) -> Table:
    """The table of an entry. Raises ManifestError where there is none."""
    for table in tables:
        if isinstance(table, Table) and table.get("technical_name") == technical_name:
            return table
    raise ManifestError(
        f'no entry has the technical name "{technical_name}"', "`dxwatchd status` shows them all"
    )


def put(table: Table, values: Mapping[str, Any]) -> None:
    """Set keys of an entry; a value of None removes the key."""
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif table.get(key) != value:
            table[key] = value
