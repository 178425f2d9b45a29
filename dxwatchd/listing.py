"""One folder of the models root, listed: files with their stats, subfolders, and where links lead."""

from __future__ import annotations

import fnmatch
import os
import re
import stat as stat_module
from dataclasses import dataclass, field

from dxwatchd.core.filenames import is_ignored_file, is_ignored_folder
from dxwatchd.core.root_guard import RootIdentity
from dxwatchd.core.snapshot import SeenFile, Stat, Trouble
from dxwatchd.readers.opening import stat_of

CACHE_MARK = "CACHEDIR.TAG"
"""A folder with a file of this name is a cache (https://bford.info/cachedir/): nothing in it is looked at."""

TRIES = 3
"""Looks at a folder in which files come and go."""


@dataclass(slots=True)
class Listed:
    """What one folder holds.

    files: as seen, nothing read of them yet; folders: names of real subfolders;
    links: names of links to folders inside the root, with the absolute target; has_file_links: a link leads
    to a file or to nothing, so that the folder may change without an event of its own.
    """

    stat: Stat
    trouble: Trouble | None = None
    files: list[SeenFile] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    has_file_links: bool = False


class Lister:
    """Lists folders below `real`, the models root with its links resolved."""

    def __init__(self, real: str, ignore: tuple[str, ...]) -> None:
        self._real = real
        self._below = real.rstrip("/") + "/"
        self._ignore = ignore

    def list(self, absolute: str) -> Listed | None:
        """The folder at `absolute`, a path without links; None where no folder is there any more.

        What goes while it is listed is looked for again: a name that stays in the listing and cannot be
        looked at is a file that cannot be read, and none that is missing.
        """
        listed, gone = self._list(absolute)
        tries = 1
        while listed is not None and gone and tries < TRIES:
            listed, gone = self._list(absolute)
            tries += 1
        if listed is not None:
            listed.files.extend(SeenFile(name, None, trouble=Trouble.UNREADABLE) for name in gone)
        return listed

    def _list(self, absolute: str) -> tuple[Listed | None, tuple[str, ...]]:
        """The folder, and the names of what was gone between listing and look."""
        try:
            status = os.lstat(absolute)
            if not stat_module.S_ISDIR(status.st_mode):
                return None, ()
            with os.scandir(absolute) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return None, ()
        except OSError:
            return Listed(_stat_or_nothing(absolute), Trouble.UNREADABLE), ()
        listed = Listed(stat_of(status))
        only = _only_folder(absolute[len(self._real) :])
        if only is not None:
            listed.folders.extend(
                entry.name for entry in found if entry.name == only and entry.is_dir(follow_symlinks=False)
            )
            return listed, ()
        if absolute != self._real and any(entry.name == CACHE_MARK for entry in found):
            return listed, ()
        looked_at = [entry for entry in found if not self._is_ignored(entry.name)]
        gone = tuple(entry.name for entry in looked_at if self._take(entry, listed))
        return listed, gone

    def _is_ignored(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, rule) for rule in self._ignore)

    def _take(self, entry: os.DirEntry[str], listed: Listed) -> bool:
        """Note one entry. Whether it was gone."""
        name = entry.name
        try:
            if entry.is_symlink():
                self._take_link(entry, listed)
            elif entry.is_dir(follow_symlinks=False):
                if not is_ignored_folder(name) or _holds_downloads(entry):
                    listed.folders.append(name)
            elif not is_ignored_file(name):
                listed.files.append(_file(name, entry.stat(follow_symlinks=False)))
        except FileNotFoundError:
            return True
        except OSError:
            listed.files.append(SeenFile(name, None, trouble=Trouble.UNREADABLE))
        return False

    def _take_link(self, entry: os.DirEntry[str], listed: Listed) -> None:
        name = entry.name
        if is_ignored_file(name) or is_ignored_folder(name):
            return
        try:
            target = os.path.realpath(entry.path, strict=True)
            status = os.stat(target)
        except PermissionError:
            raise
        except OSError:
            listed.has_file_links = True
            listed.files.append(SeenFile(name, None, trouble=Trouble.LINK_BROKEN))
            return
        if target != self._real and not target.startswith(self._below):
            listed.files.append(SeenFile(name, None, trouble=Trouble.LINK_OUTSIDE))
        elif stat_module.S_ISDIR(status.st_mode):
            listed.links.append((name, target))
        else:
            listed.has_file_links = True
            folder, blob = os.path.split(target)
            is_blob = os.path.basename(folder) == "blobs" and _DIGEST.fullmatch(blob) is not None
            listed.files.append(_file(name, status, blob if is_blob else ""))


_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_DOWNLOADS = {".cache": "huggingface", ".cache/huggingface": "download"}
"""Of a cache inside a model folder only huggingface_hub's notes on its downloads are looked at."""


def _only_folder(path: str) -> str | None:
    """The one folder that is looked at in the folder at `path`, if that is a cache."""
    return next(
        (only for place, only in _DOWNLOADS.items() if path == place or path.endswith(f"/{place}")), None
    )


def _holds_downloads(entry: os.DirEntry[str]) -> bool:
    return entry.name == ".cache" and os.path.isdir(f"{entry.path}/huggingface/download")


def _file(name: str, status: os.stat_result, blob: str = "") -> SeenFile:
    if stat_module.S_ISREG(status.st_mode):
        return SeenFile(name, stat_of(status), blob=blob)
    return SeenFile(name, None, trouble=Trouble.SPECIAL)


def _stat_or_nothing(absolute: str) -> Stat:
    try:
        return stat_of(os.lstat(absolute))
    except OSError:
        return Stat(0, 0, 0, 0, 0)


def identity_of(root: str) -> RootIdentity:
    """Which folder lies at `root`. Raises OSError where none does."""
    stat = os.stat(root)
    try:
        file_system = os.statvfs(root).f_fsid
    except OSError:  # some do not tell
        file_system = 0
    return RootIdentity(stat.st_dev, stat.st_ino, file_system)
