"""Says that a pass takes long, while it does: a pass which hangs in the kernel cannot say so itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from dxwatchd.core.text import printable
from dxwatchd.log import Key
from dxwatchd.stores.now_file import NowFile, UnderWay
from dxwatchd.whereabouts import Whereabouts

LONG = 5.0
"""Seconds after which a pass takes long enough for a word in `dxwatchd status`."""

AGAIN = 5.0
"""Seconds between two looks at where it is."""

VERY_LONG = 60.0
"""Seconds after which the log says so too."""

log = structlog.get_logger()


class Overdue:
    """Watches the passes of one daemon, in a thread of its own: the note is a file, and files may hang too.

    tell: gets a sentence for the service manager.
    """

    def __init__(self, note: NowFile, tell: Callable[[str], object]) -> None:
        self._note = note
        self._tell = tell
        self._change = threading.Condition()
        self._began: float | None = None
        self._since = ""
        self._root = Path()
        self._at = Whereabouts()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="dxwatchd-overdue", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, unless the thread hangs."""
        with self._change:
            self._ended = True
            self._change.notify()
        self._thread.join(timeout=0.3)

    @contextmanager
    def watching(self, root: Path, at: Whereabouts) -> Iterator[None]:
        """A pass over `root` is made in this block; `at` says where it is."""
        with self._change:
            self._began, self._root, self._at = time.monotonic(), root, at
            self._since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._began = None
                self._change.notify()

    def under_way(self) -> Whereabouts | None:
        """Where the pass under way is; None while none is made."""
        with self._change:
            return self._at if self._began is not None else None

    def _work(self) -> None:
        while (began := self._next_long_one()) is not None:
            warned = False
            while self._is_under_way(began):
                place = str(self._root / self._at.place)
                now = UnderWay(self._since, printable(place, 4096))
                self._tell(str(now))
                self._note.under_way(now)
                if not warned and time.monotonic() - began >= VERY_LONG:
                    warned = True
                    log.warning("a pass takes long", **{Key.SINCE: self._since, Key.PATH: printable(place)})
                self._wait_for_end(began)
            self._note.under_way(None)
            if warned:
                log.info("the long pass has ended")

    def _next_long_one(self) -> float | None:
        """When the next pass began that takes long, as soon as it does; None at the end."""
        with self._change:
            while not self._ended:
                if self._began is None:
                    self._change.wait()
                    continue
                left = self._began + LONG - time.monotonic()
                if left <= 0:
                    return self._began
                self._change.wait(left)
        return None

    def _is_under_way(self, began: float) -> bool:
        with self._change:
            return self._began == began and not self._ended

    def _wait_for_end(self, began: float) -> None:
        with self._change:
            self._change.wait_for(lambda: self._began != began or self._ended, timeout=AGAIN)
