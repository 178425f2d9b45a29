"""The kernel's events, by way of watchdog, into batches of changed folders.

Events are hints. Whatever may have lost some of them (an overflow, a dead reader, a lost root, a used-up watch
limit) turns into one hint that covers everything: look at everything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyFullEmitter, InotifyObserver, InotifyWatchGroup

WANTED: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
"""What the kernel is asked for. With watchdog's default (opens and every write too) a tree of more than about
4,000 folders overflows the queue by the observer's own walk, and a copy costs seconds of processor time."""


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


class _Group(InotifyWatchGroup):
    """A watch group whose overflow only raises a flag: rebuilding all watches in the reader's thread, as the
    base class does, overflows again without end above the size of the kernel's queue.
    """

    overflowed: Callable[[], None] = staticmethod(lambda: None)

    def on_queue_overflow(self) -> None:
        with self._lock:
            if self.is_active:
                self._move_event_grouper.discard_pending_events()
        self.overflowed()


class _Emitter(InotifyFullEmitter):
    """Reports a rename whose other half lies outside as a rename, and uses `_Group`."""

    overflowed: Callable[[], None] = staticmethod(lambda: None)

    def on_thread_start(self) -> None:
        self._inotify = _Group(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter(),
            follow_symlink=self.watch.follow_symlink,
        )
        self._inotify.overflowed = self.overflowed

    @property
    def watch_count(self) -> int:
        """How many folders the kernel watches for this emitter."""
        return len(self._inotify._active_callbacks_by_watch) if self._inotify is not None else 0


class _RootHandler(FileSystemEventHandler):
    """Puts names into the box and does nothing else: an exception here would end the observer's thread."""

    def __init__(self, root: str, box: HintBox) -> None:
        self._prefix = root.rstrip("/") + "/"
        self._root = root.rstrip("/")
        self._box = box

    def dispatch(self, event: FileSystemEvent) -> None:
        source, target = self._relative(event.src_path), self._relative(event.dest_path)
        folders, moved_in = set(), set()
        for path in (source, target):
            if path is None:
                continue
            folders.add(path.rpartition("/")[0])
            if event.is_directory and path:
                folders.add(path)
        if isinstance(event, DirMovedEvent) and target:
            moved_in.add(target)
        if isinstance(event, DirDeletedEvent) and source == "":
            self._box.add_everything()
        self._box.add(folders, moved_in)

    def _relative(self, path: bytes | str) -> str | None:
        text = os.fsdecode(path)
        if text == self._root:
            return ""
        return text[len(self._prefix) :] if text.startswith(self._prefix) else None


class _ManifestHandler(FileSystemEventHandler):
    """Notes changes of the manifest and of requests; what the daemon itself writes beside it is left out."""

    def __init__(self, names: frozenset[str], box: HintBox) -> None:
        self._names = names
        self._box = box

    def dispatch(self, event: FileSystemEvent) -> None:
        if any(
            os.path.basename(os.fsdecode(path)) in self._names for path in (event.src_path, event.dest_path)
        ):
            self._box.add_manifest()


class _RequestHandler(FileSystemEventHandler):
    """Any request is a reason to look."""

    def __init__(self, box: HintBox) -> None:
        self._box = box

    def dispatch(self, event: FileSystemEvent) -> None:
        if isinstance(event, FileMovedEvent):
            self._box.add_manifest()


class WatchError(Exception):
    """The kernel refuses to watch. The message says what, `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


WATCH_LIMIT_REMEDY = (
    "raise it: sysctl fs.inotify.max_user_watches=1048576 (and fs.inotify.max_user_instances)"
)


class Watcher:
    """Watches one models root, the manifest and the requests, until stopped."""

    def __init__(self, root: Path, manifest: Path, requests: Path, box: HintBox) -> None:
        self.root = Path(os.path.realpath(root))
        self.manifest = manifest
        self.requests = requests
        self.box = box
        self._observer: InotifyObserver | None = None
        self._emitter: _Emitter | None = None

    def start(self) -> None:
        """Begin to watch. Raises WatchError where the kernel has no watch for the root."""
        try:
            observer = InotifyObserver()
        except OSError as error:
            raise WatchError(
                f"the kernel gives no more event queues: {error.strerror}", WATCH_LIMIT_REMEDY
            ) from None
        observer._emitter_class = _Emitter
        try:
            observer.start()
            watch = observer.schedule(
                _RootHandler(str(self.root), self.box), str(self.root), recursive=True, event_filter=WANTED
            )
            names = frozenset({self.manifest.name, Path(os.path.realpath(self.manifest)).name})
            for folder in {self.manifest.parent, Path(os.path.realpath(self.manifest)).parent}:
                observer.schedule(_ManifestHandler(names, self.box), str(folder), event_filter=WANTED)
            observer.schedule(_RequestHandler(self.box), str(self.requests), event_filter=WANTED)
        except OSError as error:
            _end(observer)
            raise WatchError(f"{self.root} cannot be watched: {error.strerror}", WATCH_LIMIT_REMEDY) from None
        for emitter in observer.emitters:
            if isinstance(emitter, _Emitter):
                emitter.overflowed = self.box.add_overflow
                if emitter._inotify is not None and isinstance(emitter._inotify, _Group):
                    emitter._inotify.overflowed = self.box.add_overflow
                if emitter.watch == watch:
                    self._emitter = emitter
        self._observer = observer

    def stop(self) -> None:
        """End all threads of the observer."""
        if self._observer is not None:
            _end(self._observer)
        self._observer = None
        self._emitter = None

    def is_listening(self) -> bool:
        """Whether every thread of the observer lives: one dead reader makes the whole deaf without a word."""
        observer = self._observer
        if observer is None or not observer.is_alive() or not observer._inotify_fd.is_alive():
            return False
        return all(emitter.is_alive() for emitter in observer.emitters)

    def watch_count(self) -> int:
        """How many folders below the root the kernel watches."""
        return self._emitter.watch_count if self._emitter is not None else 0


def _end(observer: InotifyObserver) -> None:
    if observer.is_alive():
        observer.stop()
        observer.join(timeout=1)
