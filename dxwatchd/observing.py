"""watchdog's observer with some of its parts changed, so that it cannot go deaf unnoticed.

The reader's death is told, and that a watched folder was unmounted or the topmost one renamed; an overflow of
the kernel's queue only raises a flag; and a folder that is moved in is reported as moved.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

import structlog
from watchdog.events import FileSystemEvent
from watchdog.observers.api import BaseObserver, EventQueue, ObservedWatch
from watchdog.observers.inotify import InotifyFullEmitter, InotifyObserver, InotifyWatchGroup
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from dxwatchd.log import Key

log = structlog.get_logger()


class _Group(InotifyWatchGroup):
    """A watch group whose overflow only raises a flag: rebuilding all watches in the reader's thread, as the
    base class does, overflows again without end above the size of the kernel's queue.
    """

    overflowed: Callable[[], None] = staticmethod(lambda: None)
    broke: Callable[[], None] = staticmethod(lambda: None)

    def on_event(self, event: InotifyEvent) -> None:
        if event.is_move_self or event.mask & InotifyConstants.IN_UNMOUNT:
            self.broke()
        super().on_event(event)

    def on_queue_overflow(self) -> None:
        with self._lock:
            if self.is_active:
                self._move_event_grouper.discard_pending_events()
        self.overflowed()


class Emitter(InotifyFullEmitter):
    """Reports a rename whose other half lies outside as a rename, and uses `_Group`."""

    def __init__(
        self,
        event_queue: EventQueue,
        watch: ObservedWatch,
        *,
        overflowed: Callable[[], None],
        broke: Callable[[], None],
        timeout: float = 1.0,
        event_filter: list[type[FileSystemEvent]] | None = None,
        inotify_fd: InotifyFD | None = None,
    ) -> None:
        super().__init__(
            event_queue, watch, timeout=timeout, event_filter=event_filter, inotify_fd=inotify_fd
        )
        self._overflowed = overflowed
        self._broke = broke

    def on_thread_start(self) -> None:
        """Make the watches; OSError where the kernel refuses the topmost."""
        group = _Group(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter(),
            follow_symlink=self.watch.follow_symlink,
        )
        group.overflowed = self._overflowed
        group.broke = self._broke
        mask = Mask(group.event_mask | InotifyConstants.IN_MOVE_SELF)  # of the topmost only
        self._inotify_fd.add_callback(group.path, mask, group, group._id)
        self._inotify = group

    def watched(self) -> frozenset[bytes]:
        """The folders that the kernel watches for this emitter, as absolute paths."""
        group = self._inotify
        if group is None:
            return frozenset()
        with group._lock:
            # no watch is numbered -1, which stands for one that the kernel refused; and in a storm of renames
            # two paths may come to have one number, of which only the latter is told of
            return frozenset(
                path
                for path, number in group._active_callbacks_by_path.items()
                if number != -1 and group._active_callbacks_by_watch.get(number) == path
            )

    def watch_also(self, folders: Iterable[bytes]) -> tuple[int, int]:
        """Watch these folders too, as many as the kernel lets us, in their order.

        Returns how many are watched now, and why the last refused one was refused (an errno, or 0).
        """
        group, added, refused = self._inotify, 0, 0
        if group is None:
            return 0, errno.EBADF
        with group._lock:
            for path in folders:
                try:
                    number = self._inotify_fd.add_callback(path, group.event_mask, group, group._id)
                except OSError as error:
                    refused = error.errno or errno.EIO
                    if refused == errno.ENOSPC:
                        break  # no more for any
                    continue
                if number == -1:
                    refused = errno.EACCES
                    continue
                group._active_callbacks_by_path[path] = number
                group._active_callbacks_by_watch[number] = path
                added += 1
        return added, refused


class _Reader(InotifyFD):
    """Reads the kernel's events; an error in it, which makes the whole deaf, is told and not only printed."""

    def __init__(self, died: Callable[[], None]) -> None:
        super().__init__()
        self._died = died

    def run(self) -> None:
        """Read until stopped."""
        try:
            super().run()
        except Exception:
            log.warning("the reader of the kernel's events failed; it is started anew", exc_info=True)
            self._died()

    def _add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        # as the base class does, without its warning: of a folder watched twice it prints all paths there are
        watch = self._get_or_create_watch(path, mask)
        watch.callbacks[id_] = callback
        return watch.wd


class Observer(InotifyObserver):
    """An observer with the parts above."""

    def __init__(self, *, broke: Callable[[], None], overflowed: Callable[[], None]) -> None:
        self._inotify_fd = _Reader(broke)
        self._inotify_fd.start()
        BaseObserver.__init__(self, Emitter, inotify_fd=self._inotify_fd, overflowed=overflowed, broke=broke)

    def is_listening(self) -> bool:
        """Whether every thread lives: one dead reader makes the whole deaf without a word."""
        parts = (self, self._inotify_fd, *self.emitters)
        return all(part.is_alive() for part in parts)

    def end(self) -> None:
        """Stop all threads, also of an observer that never ran or whose parts failed."""
        for part in (self, *self.emitters, self._inotify_fd):
            try:
                part.stop()
            except Exception as error:  # noqa: BLE001 - its books may be in any state; the others must end too
                log.debug("a part of the observer did not stop in order", **{Key.ERROR: repr(error)})
            if part.is_alive():
                part.join(timeout=1)
