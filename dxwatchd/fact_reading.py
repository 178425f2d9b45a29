"""Reads the facts of files, and of no file twice: what did not change since the last look is remembered."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dxwatchd.core.facts import Facts, Fault, Unusable
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Stat, join
from dxwatchd.readers.probe import is_probed, probe
from dxwatchd.whereabouts import Whereabouts

RACY_NS = 1_000_000_000
"""A file stamped within this many nanoseconds of being read may change again without another stamp."""

FORGET_EVERY = 10_000
"""Folders that are remembered between two looks for those that are there no more."""

_PASSING = (Fault.UNREADABLE, Fault.CHANGED)
"""Faults that may go away while the file's stat stays what it is."""


class Cache(Protocol):
    """What remembers facts beyond the life of this process."""

    def folder(self, path: str) -> Mapping[str, SeenFile]:
        """What is remembered of a folder's files, by name."""

    def remember(self, folder: str, files: list[SeenFile]) -> None:
        """Replace what is remembered of a folder."""

    def forget_others(self, folders: Collection[str]) -> None:
        """Remove what is remembered of all folders but these."""


class FactReader:
    """The facts of files below one models root. files_read: how many were really read."""

    def __init__(self, root: Path, cache: Cache | None, at: Whereabouts | None = None) -> None:
        self.root = root
        self._at = at or Whereabouts()
        self.files_read = 0
        self._cache = cache
        self._racy: dict[str, set[str]] = {}
        self._remembered = FORGET_EVERY  # of an earlier run nobody knows how much there is

    def read(self, path: str, found: list[SeenFile], known: SeenFolder | None) -> dict[str, SeenFile]:
        """The files `found` in the folder at `path`, with their facts.

        known: what was seen there last; else the cache is asked.
        """
        remembered: Mapping[str, SeenFile] | None = None if known is None else known.files
        files: dict[str, SeenFile] = {}
        news = False
        for file in found:
            name, stat = file.name, file.stat
            if stat is None or not is_probed(join(path, name)):
                files[name] = file
                continue
            if remembered is None:
                remembered = self._cache.folder(path) if self._cache is not None else {}
            same = remembered.get(name)
            if same is not None and same.stat == stat and self._is_lasting(path, name, same.facts):
                files[name] = same if same.blob == file.blob else replace(same, blob=file.blob)
                continue
            files[name] = self._probed(path, file, stat)
            news = True
        if news and self._cache is not None:
            lasting = [file for file in files.values() if self._is_lasting(path, file.name, file.facts)]
            self._cache.remember(path, lasting)
            self._remembered += 1
        return files

    def doubt(self, path: str, name: str) -> None:
        """What is known of this file may not be so any more: it is read again at the next look."""
        self._racy.setdefault(path, set()).add(name)

    def forget(self, path: str) -> None:
        """A folder is there no more."""
        self._racy.pop(path, None)

    def forget_others(self, folders: Collection[str]) -> None:
        """No folders but these are there; the cache is told now and then, since that takes long."""
        self._racy = {path: names for path, names in self._racy.items() if path in folders}
        if self._cache is not None and self._remembered >= FORGET_EVERY:
            self._cache.forget_others(folders)
            self._remembered = 0

    def _is_lasting(self, path: str, name: str, facts: Facts | None) -> bool:
        """Whether these facts hold for as long as the file's stat does."""
        passing = isinstance(facts, Unusable) and facts.fault in _PASSING
        return facts is not None and not passing and name not in self._racy.get(path, ())

    def _probed(self, path: str, file: SeenFile, stat: Stat) -> SeenFile:
        # every write stamps the ctime, and nobody can set it
        young = stat.ctime_ns > time.time_ns() - RACY_NS
        self._at.come_to(join(path, file.name))
        told = probe(self.root, self._at.place, stat)
        racy = self._racy.setdefault(path, set())
        racy.discard(file.name)
        if young or told.written:
            racy.add(file.name)
        if not racy:
            del self._racy[path]
        self.files_read += 1
        return replace(file, facts=told.facts, hole=told.hole)
