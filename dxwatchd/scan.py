"""One walk of the models root → a snapshot: every folder, every file's stat, and the facts of what is read.

What did not change since the last look (same size, times, inode) is not read again, nor is what the cache
still knows from an earlier run. Links are followed only inside the root, each folder is walked once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dxwatchd.core.root_guard import RootIdentity
from dxwatchd.core.snapshot import SeenFolder, Snapshot, Trouble, basename, is_below, join, parent
from dxwatchd.fact_reading import Cache, FactReader
from dxwatchd.listing import Listed, Lister, identity_of
from dxwatchd.mounts import Mount, mount_of, read_mounts
from dxwatchd.readers.opening import stat_of
from dxwatchd.whereabouts import Whereabouts

MAX_DEPTH = 40
"""Levels below the root; a hostile tree must not make us recurse without end."""

Stop = Callable[[], bool]


class RootLost(Exception):  # noqa: N818 - a state of affairs, which the pass carries on from
    """The models root cannot be looked at. The message says why."""


class Stopped(Exception):  # noqa: N818 - not an error: the daemon is asked to stop
    """The walk was given up because the daemon stops."""


@dataclass(frozen=True, slots=True)
class _Root:
    """The models root with its links resolved, and what tells it from another one in its place."""

    real: str
    identity: RootIdentity

    def __truediv__(self, path: str) -> str:
        return os.path.join(self.real, path) if path else self.real


@dataclass(slots=True)
class _Walk:
    """One walk under way. before: what was known; seen: where each folder, by device and inode, was walked;
    links: links to folders that were met, as path and absolute target.
    """

    before: Mapping[str, SeenFolder] = field(default_factory=dict)
    seen: dict[tuple[int, int], str] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)


class Scanner:
    """Looks at one models root, again and again. folders: what is known of it, by path; identity: which
    folder it was at the last look; at: where it is.
    """

    def __init__(
        self, root: Path, ignore: tuple[str, ...], cache: Cache | None, at: Whereabouts | None = None
    ) -> None:
        self.at = at or Whereabouts()
        self.root = root
        self.ignore = ignore
        self.folders: dict[str, SeenFolder] = {}
        self.identity = RootIdentity()
        self.facts = FactReader(root, cache, self.at)
        self._has_folder_links = False
        self._with_file_links: set[str] = set()
        self._remote: dict[int, bool] = {}
        self._mounts: tuple[Mount, ...] = ()
        self._lister = Lister(str(root), ignore)
        self._stop: Stop = lambda: False

    def look(self, changed: frozenset[str] | None, stop: Stop) -> Snapshot:
        """Look at the whole root (`changed` is None), or again at the folders of these paths only.

        A subfolder that was not known yet, or is another one now, is walked with all below it. Raises
        RootLost where the root is gone or unreadable, and Stopped as soon as `stop` says so.
        """
        root = self._begin(stop)
        # one link may lead to what another one leads to: only the whole tells where each folder belongs
        another, self.identity = root.identity != self.identity, root.identity
        if changed is None or "" not in self.folders or self._has_folder_links or another:
            self._look_at_all(root)
        else:
            try:
                links = self._look_at(changed | self._with_file_links, root)
            except BaseException:
                self._has_folder_links = True  # half a look: the next one is to be a whole one
                raise
            if links:
                self._look_at_all(root)
        self._end(root)
        if changed is None:
            self.facts.forget_others(self.folders)
        return self._snapshot(root)

    def look_below(self, path: str, stop: Stop = lambda: False) -> Snapshot:
        """Look at one folder and what is below it only; those above it are in the snapshot without files.

        For commands that ask about one folder of a large root. Raises RootLost and Stopped like `look`.
        """
        root = self._begin(stop)
        start = os.path.realpath(root / path)
        walk = _Walk()
        if os.path.commonpath((start, root.real)) == root.real:
            self._walk(path, start, walk)
        self._follow(walk)
        above = path
        while above and path in self.folders:
            name, above = basename(above), parent(above)
            self.folders[above] = SeenFolder(above, self.folders[path].stat, folders=(name,))
        return self._snapshot(root)

    def _begin(self, stop: Stop) -> _Root:
        self._stop = stop
        self.at.come_to("")
        self._mounts = read_mounts()
        self._remote = {}  # a device's number is given to another file system once the first is unmounted
        root = self._root()
        self._lister = Lister(root.real, self.ignore)
        return root

    def _end(self, root: _Root) -> None:
        """What was seen means nothing where the root went away meanwhile."""
        top = self.folders.get("")
        if top is None or top.trouble is not None or self._root() != root:
            raise RootLost(f"{self.root}: it went away while it was looked at")

    def _root(self) -> _Root:
        try:
            real = os.path.realpath(self.root, strict=True)
            with os.scandir(real):
                identity = identity_of(real)
        except OSError as error:
            raise RootLost(f"{self.root}: {error.strerror}") from None
        return _Root(real, identity)

    def _snapshot(self, root: _Root) -> Snapshot:
        devices = {folder.stat.device: folder.path for folder in self.folders.values()}
        remote = frozenset(device for device, path in devices.items() if self._is_remote(device, root / path))
        return Snapshot(dict(self.folders), remote)

    def _is_remote(self, device: int, absolute: str) -> bool:
        """Whether what lies on this device, as the folder at `absolute` does, may change without an event."""
        if device not in self._remote:
            mount = mount_of(os.path.realpath(absolute), self._mounts)
            self._remote[device] = mount is None or not mount.is_local
        return self._remote[device]

    def _look_at_all(self, root: _Root) -> None:
        before, linking = self.folders, self._with_file_links
        self.folders, self._with_file_links = {}, set()
        walk = _Walk(before)
        try:
            self._walk("", root.real, walk)
            self._has_folder_links = bool(walk.links)
            self._follow(walk)
        except BaseException:
            self.folders = before | self.folders
            self._with_file_links |= linking
            self._has_folder_links = True  # half a walk: the next one is to be a whole one
            raise

    def _look_at(self, changed: frozenset[str], root: _Root) -> list[tuple[str, str]]:
        """Look again at these folders. Returns the links to folders that were met."""
        links: list[tuple[str, str]] = []
        again: set[str] = set()
        for path in sorted(changed):
            known = self._nearest_known(path)
            if known not in again:  # of a thousand folders that came and went, one holder is listed once
                again.add(known)
                links += self._look_again(known, root)
        return links

    def _nearest_known(self, path: str) -> str:
        """The folder that has changed where an event comes from one that is not known yet."""
        while path and path not in self.folders:
            path = parent(path)
        return path

    def _look_again(self, path: str, root: _Root) -> list[tuple[str, str]]:
        """List one folder anew; walk those of its subfolders that are new, forget those that are gone.

        Returns the links to folders that were met.
        """
        known, walk = self.folders.get(path), _Walk()
        if known is None:
            return []  # the root itself went away
        fresh = self._list(path, root / path, known, walk)
        if fresh is None:
            self._forget(path)
            return []
        for name in set(known.folders) - set(fresh.folders):
            self._forget(join(path, name))
        self.folders[path] = fresh
        for name in fresh.folders:
            inner = join(path, name)
            if not self._is_same(inner, root / inner):
                self._walk_anew(inner, root / inner, walk)
        return walk.links

    def _walk_anew(self, path: str, absolute: str, walk: _Walk) -> None:
        """Walk a folder in which something came or went; what is known of its files stays known, and what is
        doubted stays in doubt.
        """
        walk.before = {place: one for place, one in self.folders.items() if is_below(place, path)}
        for place in walk.before:
            del self.folders[place]
        try:
            self._walk(path, absolute, walk)
        except BaseException:
            self.folders = walk.before | self.folders  # what was not come to may well be there
            raise
        for place in walk.before.keys() - self.folders.keys():
            self._with_file_links.discard(place)
            self.facts.forget(place)

    def _is_same(self, path: str, absolute: str) -> bool:
        """Whether the folder there is the one that is known, and nothing came or went in it.

        By all of its stat: the number of a deleted folder is soon another one's.
        """
        known = self.folders.get(path)
        if known is None or known.trouble is not None:
            return False
        try:
            return stat_of(os.lstat(absolute)) == known.stat
        except OSError:
            return False

    def _forget(self, path: str) -> None:
        for place in [place for place in self.folders if is_below(place, path)]:
            del self.folders[place]
            self._with_file_links.discard(place)
            self.facts.forget(place)

    def _walk(self, start: str, absolute: str, walk: _Walk) -> None:
        """List `start`, which is at `absolute`, and all below it."""
        waiting = [(start, absolute)]
        while waiting:
            path, place = waiting.pop()
            folder = self._list(path, place, walk.before.get(path), walk)
            if folder is None:
                continue
            identity = (folder.stat.device, folder.stat.inode)
            if folder.stat.inode and identity in walk.seen:
                continue  # a bind mount of a folder into itself
            walk.seen[identity] = path
            self.folders[path] = folder
            waiting.extend((join(path, name), os.path.join(place, name)) for name in reversed(folder.folders))

    def _follow(self, walk: _Walk) -> None:
        """Walk what links lead to, where nothing else led there yet; note the others."""
        waiting, walk.links = sorted(walk.links), []
        for path, target in waiting:  # grows while it is gone through
            holder = self.folders.get(parent(path))
            try:
                found = os.stat(target)
            except OSError:
                continue
            if holder is None:
                continue
            name, known = basename(path), walk.seen.get((found.st_dev, found.st_ino))
            if known is not None:
                self.folders[holder.path] = replace(holder, links={**holder.links, name: known})
                continue
            self._walk(path, target, walk)
            waiting.extend(sorted(walk.links))
            walk.links = []
            self.folders[holder.path] = replace(holder, folders=tuple(sorted({*holder.folders, name})))

    def _list(self, path: str, absolute: str, known: SeenFolder | None, walk: _Walk) -> SeenFolder | None:
        """One folder's listing; None where it is gone."""
        if self._stop():
            raise Stopped
        self.at.come_to(path)
        listed = self._lister.list(absolute)
        if listed is None:
            return None
        if listed.trouble is None and path.count("/") >= MAX_DEPTH:
            listed = Listed(listed.stat, Trouble.TOO_DEEP)
        if listed.has_file_links:
            self._with_file_links.add(path)
        else:
            self._with_file_links.discard(path)
        walk.links.extend((join(path, name), target) for name, target in listed.links)
        return SeenFolder(
            path,
            listed.stat,
            self.facts.read(path, listed.files, known),
            tuple(listed.folders),
            trouble=listed.trouble,
        )
