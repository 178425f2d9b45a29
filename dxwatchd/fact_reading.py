"""Reads the facts of files, and of no file twice: what did not change since the last look is remembered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dxwatchd.core.facts import Facts, Fault, Unusable
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Stat, join
from dxwatchd.readers.probe import is_probed, probe

RACY_NS = 1_000_000_000
"""A file stamped within this many nanoseconds of being read may change again without another stamp."""

_PASSING = (Fault.UNREADABLE, Fault.CHANGED)
"""Faults that may go away while the file's stat stays what it is."""


class Cache(Protocol):
    """What remembers facts beyond the life of this process."""

    def folder(self, path: str) -> Mapping[str, SeenFile]:
        """What is remembered of a folder's files, by name."""

    def remember(self, folder: str, files: list[SeenFile]) -> None:
        """Replace what is remembered of a folder."""


class FactReader:
    """The facts of files below one models root. files_read: how many were really read."""

    def __init__(self, root: Path, cache: Cache | None) -> None:
        self.root = root
        self.files_read = 0
        self._cache = cache
        self._racy: set[str] = set()

    def read(self, path: str, found: list[SeenFile], known: SeenFolder | None) -> dict[str, SeenFile]:
        """The files `found` in the folder at `path`, with their facts.

        known: what was seen there last; else the cache is asked.
        """
        remembered: Mapping[str, SeenFile] | None = None if known is None else known.files
        files: dict[str, SeenFile] = {}
        news = False
        for file in found:
            name, stat, place = file.name, file.stat, join(path, file.name)
            if stat is None or not is_probed(place):
                files[name] = file
                continue
            if remembered is None:
                remembered = self._cache.folder(path) if self._cache is not None else {}
            same = remembered.get(name)
            if same is not None and same.stat == stat and self._is_lasting(place, same.facts):
                files[name] = same if same.blob == file.blob else replace(same, blob=file.blob)
                continue
            files[name] = self._probed(place, file, stat)
            news = True
        if news and self._cache is not None:
            lasting = [file for file in files.values() if self._is_lasting(join(path, file.name), file.facts)]
            self._cache.remember(path, lasting)
        return files

    def _is_lasting(self, place: str, facts: Facts | None) -> bool:
        """Whether these facts hold for as long as the file's stat does."""
        passing = isinstance(facts, Unusable) and facts.fault in _PASSING
        return facts is not None and not passing and place not in self._racy

    def _probed(self, place: str, file: SeenFile, stat: Stat) -> SeenFile:
        self._racy.discard(place)
        young = (
            stat.ctime_ns > time.time_ns() - RACY_NS
        )  # every write stamps the ctime, and nobody can set it
        told = probe(self.root, place, stat)
        if young or told.written:
            self._racy.add(place)
        self.files_read += 1
        return replace(file, facts=told.facts, hole=told.hole)
