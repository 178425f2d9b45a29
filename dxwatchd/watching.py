"""The kernel's events, by way of watchdog, into batches of changed folders.

Events are hints. Whatever may have lost some of them (an overflow, a dead reader, a lost root, a used-up
watch limit) turns into one hint that covers everything: look at everything.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
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
from watchdog.observers.api import ObservedWatch

from dxwatchd.hints import HintBox
from dxwatchd.observing import Emitter, Observer

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
        # watchdog makes up events for the folders inside; only the kernel's own tells which one was renamed
        if isinstance(event, DirMovedEvent) and target and not event.is_synthetic:
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
    """Watches one models root, if it is there, the manifest and the requests, until stopped."""

    def __init__(self, root: Path | None, manifest: Path, requests: Path, box: HintBox) -> None:
        """root: None where there is none at present."""
        self.root = Path(os.path.realpath(root)) if root is not None else None
        self.manifest = manifest
        self.requests = requests
        self.box = box
        self._observer: Observer | None = None
        self._emitter: Emitter | None = None

    def start(self) -> None:
        """Begin to watch. Raises WatchError where the kernel does not let us."""
        try:
            observer = Observer(broke=self.box.add_break, overflowed=self.box.add_overflow)
        except OSError as error:
            raise WatchError(
                f"the kernel gives no more event queues: {error.strerror}", WATCH_LIMIT_REMEDY
            ) from None
        try:
            self._schedule(observer)
        except BaseException:
            observer.end()
            raise
        self._observer = observer

    def _schedule(self, observer: Observer) -> None:
        # the root comes last: it may use up all watches, and edits and requests are to be heard all the same
        observer.start()
        real = Path(os.path.realpath(self.manifest))
        names = frozenset({self.manifest.name, real.name})
        for folder in sorted({self.manifest.parent, real.parent}):
            _watch(observer, _ManifestHandler(names, self.box), folder)
        _watch(observer, _RequestHandler(self.box), self.requests)
        if self.root is None:
            return
        watch = _watch(observer, _RootHandler(str(self.root), self.box), self.root, recursive=True)
        self._emitter = next(
            one for one in observer.emitters if isinstance(one, Emitter) and one.watch == watch
        )

    def stop(self) -> None:
        """End all threads of the observer."""
        if self._observer is not None:
            self._observer.end()
        self._observer = None
        self._emitter = None

    def is_listening(self) -> bool:
        """Whether every thread of the observer lives: one dead reader makes the whole deaf without a word."""
        return self._observer is not None and self._observer.is_listening()

    def unwatched(self, folders: Iterable[str]) -> frozenset[str]:
        """Those of these folders, given by their paths below the root, that are there and not watched."""
        if self.root is None:
            return frozenset()
        watched = self._emitter.watched() if self._emitter is not None else frozenset()
        return frozenset(path for path in folders if not _is_seen_to(self.root, path, watched))

    def watch_also(self, folders: Iterable[str]) -> tuple[int, int]:
        """Watch these folders, by their paths below the root, too: they were missed.

        Returns how many are watched now, and why the kernel refused the last refused one (errno, or 0).
        """
        if self._emitter is None or self.root is None:
            return 0, errno.EBADF
        places = (os.path.realpath(os.path.join(self.root, path)) for path in sorted(folders))
        return self._emitter.watch_also(os.fsencode(place) for place in places)


def _is_seen_to(root: Path, path: str, watched: frozenset[bytes]) -> bool:
    place = os.path.join(root, path) if path else str(root)
    if os.fsencode(place) in watched:
        return True
    try:
        if not stat.S_ISDIR(os.stat(place).st_mode):
            return True
    except PermissionError:
        return False  # it is there, in a folder that we may list and not enter
    except OSError:
        return True
    return os.fsencode(os.path.realpath(place)) in watched  # it is known under the name of a link


def _watch(
    observer: Observer, handler: FileSystemEventHandler, folder: Path, *, recursive: bool = False
) -> ObservedWatch:
    try:
        return observer.schedule(handler, str(folder), recursive=recursive, event_filter=WANTED)
    except OSError as error:
        limited = error.errno in (errno.ENOSPC, errno.EMFILE)
        remedy = WATCH_LIMIT_REMEDY if limited else "bring the folder back, readable for dxwatchd's user"
        raise WatchError(f"{folder} cannot be watched: {error.strerror}", remedy) from None
