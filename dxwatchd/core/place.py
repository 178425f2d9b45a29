"""One folder as a layout's rule looks at it: its files' facts, its names, and the folders inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from dxwatchd.core.facts import Pointer, Unusable
from dxwatchd.core.snapshot import SeenFolder, Snapshot, join

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that a rule is asked about, and the snapshot around it."""

    folder: SeenFolder
    snapshot: Snapshot

    def facts(self, name: str, kind: type[T]) -> T | None:
        """The facts of a file, if they are of this kind."""
        file = self.folder.files.get(name)
        return file.facts if file is not None and isinstance(file.facts, kind) else None

    def has(self, name: str) -> bool:
        """Whether there is such a file, readable or not."""
        return name in self.folder.files

    def is_unread(self, name: str) -> bool:
        """Whether there is such a file whose content cannot be used: empty, broken, a pointer."""
        file = self.folder.files.get(name)
        return file is not None and (isinstance(file.facts, Unusable | Pointer) or file.trouble is not None)

    def names(self, pattern: re.Pattern[str]) -> list[str]:
        """The files whose whole names fit, sorted."""
        return [name for name in sorted(self.folder.files) if pattern.fullmatch(name)]

    def inner(self, name: str) -> SeenFolder | None:
        """A subfolder, also over a link."""
        path = self.folder.links.get(name, join(self.folder.path, name))
        return self.snapshot.folders.get(path)

    def of_kind(self, kind: type[T]) -> Iterator[tuple[str, T]]:
        """Every file whose facts are of this kind, by name."""
        for name in sorted(self.folder.files):
            facts = self.facts(name, kind)
            if facts is not None:
                yield name, facts
