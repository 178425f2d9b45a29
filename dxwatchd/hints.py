"""What the observer's threads have to say to the daemon: which folders to look at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Hints:
    """What to look at. folders: relative paths; moved_in: folders that came in by one rename;
    everything: some hint was lost, so nothing less will do; manifest: its folder has changed.
    """

    folders: set[str] = field(default_factory=set)
    moved_in: set[str] = field(default_factory=set)
    everything: bool = False
    manifest: bool = False

    def __bool__(self) -> bool:
        return bool(self.folders or self.everything or self.manifest)


class HintBox:
    """Collects hints from the observer's threads until the daemon takes them."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._hints = Hints()
        self._wake = wake
        self.events = 0
        self.overflows = 0
        self.breaks = 0

    def add(self, folders: set[str], moved_in: set[str]) -> None:
        """Note changed folders."""
        with self._lock:
            self.events += 1
            idle = not self._hints
            self._hints.folders |= folders
            self._hints.moved_in |= moved_in
        if idle:
            self._wake()

    def add_everything(self) -> None:
        """Note that anything may have changed."""
        with self._lock:
            self._hints.everything = True
        self._wake()

    def add_overflow(self) -> None:
        """The kernel dropped events."""
        with self._lock:
            self.overflows += 1
            self._hints.everything = True
        self._wake()

    def add_break(self) -> None:
        """The watch is off what it was put on, or its reader has died."""
        with self._lock:
            self.breaks += 1
            self._hints.everything = True
        self._wake()

    def add_manifest(self) -> None:
        """Note that something in the manifest's or the state folder has changed."""
        with self._lock:
            idle = not self._hints
            self._hints.manifest = True
        if idle:
            self._wake()

    def waiting(self) -> bool:
        """Whether there are hints."""
        with self._lock:
            return bool(self._hints)

    def take(self) -> Hints:
        """All hints so far; the box is empty afterwards."""
        with self._lock:
            taken, self._hints = self._hints, Hints()
        return taken
