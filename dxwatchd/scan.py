"""One walk of the models root → a snapshot: every folder, every file's stat, and the facts of what is read.

What did not change since the last look (same size, times, inode) is not read again, nor is what the cache
still knows from an earlier run. Links are followed only inside the root, each folder is walked once.
"""

from __future__ import annotations

import fnmatch
import os
import stat as stat_module
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from dxwatchd.core.filenames import is_ignored_file, is_ignored_folder
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Snapshot, Stat, Trouble, basename, join, parent
from dxwatchd.mounts import Mount, mount_of, read_mounts
from dxwatchd.readers.opening import stat_of
from dxwatchd.readers.probe import is_probed, probe

MAX_DEPTH = 40
"""Levels below the root; a hostile tree must not make us recurse without end."""

RACY_NS = 1_000_000_000
"""A file stamped within this many nanoseconds of being read may change again without another stamp."""


class RootLost(Exception):  # noqa: N818 - a state of affairs, which the pass carries on from
    """The models root cannot be looked at. The message says why."""


class Stopped(Exception):  # noqa: N818 - not an error: the daemon is asked to stop
    """The walk was given up because the daemon stops."""


class Cache(Protocol):
    """What remembers facts beyond the life of this process."""

    def folder(self, path: str) -> Mapping[str, SeenFile]:
        """What is remembered of a folder's files, by name."""

    def remember(self, folder: str, files: list[SeenFile]) -> None:
        """Replace what is remembered of a folder."""


class Scanner:
    """Looks at one models root, again and again."""

    def __init__(self, root: Path, ignore: tuple[str, ...], cache: Cache | None) -> None:
        self.root = root
        self.ignore = ignore
        self.cache = cache
        self.folders: dict[str, SeenFolder] = {}
        self.files_read = 0
        self._racy: set[str] = set()
        self._has_links: set[str] = set()
        self._remote: dict[int, bool] = {}
        self._mounts: tuple[Mount, ...] = ()

    def look(self, changed: frozenset[str] | None, stop: Callable[[], bool]) -> Snapshot:
        """Look at the whole root (`changed` is None), or again at the folders of these paths only.

        A subfolder that was not known yet, or is another one now, is walked with all below it. Raises RootLost
        where the root is gone or unreadable, and Stopped as soon as `stop` says so.
        """
        self._mounts = read_mounts()
        real = self._check_root()
        if changed is None or "" not in self.folders or self._has_links:
            self._walk_all(real, stop)
        else:
            for path in sorted(changed):
                self._look_again(path, real, stop)
        return self._snapshot()

    def look_below(self, path: str, stop: Callable[[], bool] = lambda: False) -> Snapshot:
        """Look at one folder and what is below it only; the folders above it are in the snapshot without files.

        For commands that ask about one folder of a large root. Raises RootLost and Stopped like `look`.
        """
        self._mounts = read_mounts()
        real = self._check_root()
        seen: dict[tuple[int, int], str] = {}
        links = self._walk(path, real, {}, seen, stop)
        self._follow(links, real, {}, seen, stop)
        above = path
        while above and path in self.folders:
            name, above = basename(above), parent(above)
            self.folders[above] = SeenFolder(above, self.folders[path].stat, folders=(name,))
        return self._snapshot()

    def _snapshot(self) -> Snapshot:
        devices = {folder.stat.device for folder in self.folders.values()}
        return Snapshot(
            dict(self.folders), frozenset(device for device in devices if self._remote.get(device, True))
        )

    def _check_root(self) -> str:
        try:
            real = os.path.realpath(self.root, strict=True)
            with os.scandir(real):
                return real
        except OSError as error:
            raise RootLost(f"{self.root}: {error.strerror}") from None

    def _walk_all(self, real: str, stop: Callable[[], bool]) -> None:
        before, self.folders = self.folders, {}
        self._has_links = set()
        seen: dict[tuple[int, int], str] = {}
        try:
            links = self._walk("", real, before, seen, stop)
            self._follow(links, real, before, seen, stop)
        except BaseException:
            self.folders = before | self.folders
            raise

    def _look_again(self, path: str, real: str, stop: Callable[[], bool]) -> None:
        """List one folder anew; walk those of its subfolders that are new, forget those that are gone."""
        known = self.folders.get(path)
        if known is None:
            # what an event spoke of lies in a folder that we do not know yet: the nearest known one has changed
            if path:
                self._look_again(parent(path), real, stop)
            return
        links: list[tuple[str, str]] = []
        fresh = self._list(path, os.path.join(real, path), known, links, stop)
        if fresh is None:
            self._forget(path)
            return
        for name in set(known.folders) - set(fresh.folders):
            self._forget(join(path, name))
        self.folders[path] = fresh
        for name in fresh.folders:
            inner = join(path, name)
            if not self._same_folder(inner, os.path.join(real, inner)):
                before = {place: folder for place, folder in self.folders.items() if _is_below(place, inner)}
                self._forget(inner)
                links.extend(self._walk(inner, real, before, {}, stop))
        if links:
            self._walk_all(real, stop)  # a link may lead to what another one leads to: only the whole tells

    def _same_folder(self, path: str, absolute: str) -> bool:
        known = self.folders.get(path)
        if known is None or known.trouble is not None:
            return False
        try:
            now = os.lstat(absolute)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (known.stat.device, known.stat.inode)

    def _forget(self, path: str) -> None:
        for place in [place for place in self.folders if _is_below(place, path)]:
            del self.folders[place]

    def _walk(
        self,
        start: str,
        real: str,
        before: Mapping[str, SeenFolder],
        seen: dict[tuple[int, int], str],
        stop: Callable[[], bool],
        absolute: str | None = None,
    ) -> list[tuple[str, str]]:
        """List `start` and all below it. Returns the folder links that were met: (path, target)."""
        links: list[tuple[str, str]] = []
        waiting = [(start, absolute or os.path.join(real, start))]
        while waiting:
            path, place = waiting.pop()
            folder = self._list(path, place, before.get(path), links, stop)
            if folder is None:
                continue
            identity = (folder.stat.device, folder.stat.inode)
            if identity in seen:
                continue  # a bind mount of a folder into itself
            seen[identity] = path
            self.folders[path] = folder
            waiting.extend((join(path, name), os.path.join(place, name)) for name in reversed(folder.folders))
        return links

    def _follow(
        self,
        links: list[tuple[str, str]],
        real: str,
        before: Mapping[str, SeenFolder],
        seen: dict[tuple[int, int], str],
        stop: Callable[[], bool],
    ) -> None:
        """Walk what folder links lead to, where nothing else led there yet; note the others."""
        waiting = sorted(links)
        while waiting:
            path, target = waiting.pop(0)
            self._has_links.add(path)
            holder = self.folders.get(parent(path))
            try:
                found = os.stat(target)
            except OSError:
                continue
            known = seen.get((found.st_dev, found.st_ino))
            if holder is None or path.count("/") >= MAX_DEPTH:
                continue
            if known is not None:
                changed = SeenFolder(
                    holder.path,
                    holder.stat,
                    holder.files,
                    holder.folders,
                    {**holder.links, path.rpartition("/")[2]: known},
                    holder.trouble,
                )
            else:
                waiting.extend(sorted(self._walk(path, real, before, seen, stop, absolute=target)))
                names = tuple(sorted({*holder.folders, path.rpartition("/")[2]}))
                changed = SeenFolder(
                    holder.path, holder.stat, holder.files, names, holder.links, holder.trouble
                )
            self.folders[holder.path] = changed

    def _list(
        self,
        path: str,
        absolute: str,
        known: SeenFolder | None,
        links: list[tuple[str, str]],
        stop: Callable[[], bool],
    ) -> SeenFolder | None:
        """One folder's listing; None where it is gone."""
        if stop():
            raise Stopped
        try:
            stat = stat_of(os.stat(absolute))
        except FileNotFoundError:
            return None
        except OSError:
            return SeenFolder(path, Stat(0, 0, 0, 0, 0), trouble=Trouble.UNREADABLE)
        if stat.device not in self._remote:
            mount = mount_of(os.path.realpath(absolute), self._mounts)
            self._remote[stat.device] = mount is None or not mount.is_local
        if path.count("/") >= MAX_DEPTH:
            return SeenFolder(path, stat, trouble=Trouble.TOO_DEEP)
        try:
            with os.scandir(absolute) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return None
        except OSError:
            return SeenFolder(path, stat, trouble=Trouble.UNREADABLE)
        if path and any(entry.name == "CACHEDIR.TAG" for entry in listed):
            return SeenFolder(path, stat)
        return self._sorted_out(path, stat, listed, known, links)

    def _sorted_out(
        self,
        path: str,
        stat: Stat,
        listed: list[os.DirEntry[str]],
        known: SeenFolder | None,
        links: list[tuple[str, str]],
    ) -> SeenFolder:
        folders: list[str] = []
        found: list[tuple[str, Stat | None, Trouble | None]] = []
        for entry in listed:
            name = entry.name
            if self._is_ignored(path, name):
                continue
            try:
                if entry.is_symlink():
                    target = self._target(entry.path)
                    if target is not None and os.path.isdir(target):
                        if not is_ignored_folder(name):
                            links.append((join(path, name), target))
                        continue
                    found.append((name, *_stat_of_link(target)))
                elif entry.is_dir(follow_symlinks=False):
                    if not is_ignored_folder(name):
                        folders.append(name)
                elif not is_ignored_file(name):
                    status = entry.stat(follow_symlinks=False)
                    special = None if stat_module.S_ISREG(status.st_mode) else Trouble.SPECIAL
                    found.append((name, None if special else stat_of(status), special))
            except FileNotFoundError:
                continue  # gone between listing and look
            except _LinkOutside:
                found.append((name, None, Trouble.LINK_OUTSIDE))
            except OSError:
                found.append((name, None, Trouble.UNREADABLE))
        return SeenFolder(path, stat, self._read(path, found, known), tuple(folders))

    def _is_ignored(self, path: str, name: str) -> bool:
        return any(
            fnmatch.fnmatchcase(name, rule) or fnmatch.fnmatchcase(join(path, name), rule)
            for rule in self.ignore
        )

    def _target(self, link: str) -> str | None:
        """What a link leads to, or None where it leads nowhere. Raises _LinkOutside."""
        try:
            target = os.path.realpath(link, strict=True)
        except OSError:
            return None
        real = os.path.realpath(self.root)
        if target != real and not target.startswith(real.rstrip("/") + "/"):
            raise _LinkOutside
        return target

    def _read(
        self, path: str, found: list[tuple[str, Stat | None, Trouble | None]], known: SeenFolder | None
    ) -> dict[str, SeenFile]:
        """The files with their facts; read are only those that nobody remembers."""
        remembered: Mapping[str, SeenFile] | None = None if known is None else known.files
        files: dict[str, SeenFile] = {}
        news = False
        for name, stat, trouble in found:
            if stat is None or not is_probed(name):
                files[name] = SeenFile(name, stat, trouble=trouble)
                continue
            if remembered is None:
                remembered = self.cache.folder(path) if self.cache is not None else {}
            same = remembered.get(name)
            place = join(path, name)
            if same is not None and same.stat == stat and place not in self._racy and same.facts is not None:
                files[name] = same
                continue
            self._racy.discard(place)
            if max(stat.mtime_ns, stat.ctime_ns) > time.time_ns() - RACY_NS:
                self._racy.add(place)
            told = probe(self.root, place, stat)
            self.files_read += 1
            files[name] = SeenFile(name, stat, told.facts, told.hole)
            news = True
        if news and self.cache is not None:
            self.cache.remember(
                path, [file for file in files.values() if join(path, file.name) not in self._racy]
            )
        return files


class _LinkOutside(Exception):  # noqa: N818 - caught a few lines above
    """A link leads out of the models root."""


def _stat_of_link(target: str | None) -> tuple[Stat | None, Trouble | None]:
    if target is None:
        return None, Trouble.LINK_BROKEN
    status = os.stat(target)
    if not stat_module.S_ISREG(status.st_mode):
        return None, Trouble.SPECIAL
    return stat_of(status), None


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")
