"""Computes the digests of model files in a thread of its own, which gives way to all others."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from dxwatchd.core.provenance import Digests, Wanted
from dxwatchd.core.text import printable
from dxwatchd.log import Key
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.opening import open_inside, stat_of

CHUNK = 4 * 2**20
"""Bytes of one read: large enough that the hash is what takes the time."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Done:
    """A file that was read to its end. digests: None where it changed meanwhile or cannot be read."""

    wanted: Wanted
    digests: Digests | None


@dataclass(frozen=True, slots=True)
class Progress:
    """What is left. files, size: not yet read, in bytes for size; place: the file under way, "" for none."""

    files: int
    size: int
    place: str


class Digester:
    """Reads one file after the other; the newest list of wanted files replaces the one before.

    idle: called, in the digester's thread, when the last wanted file has been read.
    """

    def __init__(self, root: Path, idle: Callable[[], None]) -> None:
        self._root = root
        self._idle = idle
        self._change = threading.Condition()
        self._waiting: list[Wanted] = []
        self._current: Wanted | None = None
        self._read = 0
        self._done: list[Done] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="dxwatchd-digests", daemon=True)

    def start(self) -> None:
        """Begin to wait for work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the read under way; what was read of that file is lost, what was finished is not."""
        with self._change:
            self._stopped = True
            self._change.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def want(self, wanted: Sequence[Wanted]) -> None:
        """Set what is to be read, in this order; a file under way that is not among it is given up."""
        with self._change:
            self._waiting = [one for one in reversed(wanted) if one != self._current]
            if self._current is not None and self._current not in wanted:
                self._current = None
            self._change.notify()

    def take(self) -> list[Done]:
        """What was finished since the last call."""
        with self._change:
            taken, self._done = self._done, []
        return taken

    def progress(self) -> Progress:
        """What is left now."""
        with self._change:
            current = self._current
            left = [*self._waiting, *([current] if current is not None else [])]
            size = sum(one.stat.size for one in left) - (self._read if current is not None else 0)
            return Progress(len(left), size, current.place if current is not None else "")

    def _work(self) -> None:
        _be_idle()
        while (wanted := self._next()) is not None:
            digests = self._digests(wanted)
            with self._change:
                given_up = digests is None and self._stopped
                if self._current is wanted and not given_up:  # else nobody wants it any more
                    self._done.append(Done(wanted, digests))
                self._current = None
                empty = not self._waiting
            if empty and not self._stopped:
                self._idle()

    def _next(self) -> Wanted | None:
        with self._change:
            while not self._waiting and not self._stopped:
                self._change.wait()
            if self._stopped:
                return None
            self._current, self._read = self._waiting.pop(), 0
            return self._current

    def _digests(self, wanted: Wanted) -> Digests | None:
        """The digests of one file; None where it changed, cannot be read, or nobody wants it any more."""
        sha256 = hashlib.sha256()
        git_blob = hashlib.sha1(b"blob %d\0" % wanted.stat.size, usedforsecurity=False)
        try:
            with open_inside(self._root, wanted.place, wanted.stat) as stream:
                with suppress(OSError):  # a hint: not every file system takes it
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_NOREUSE)
                buffer = memoryview(bytearray(CHUNK))
                while length := stream.raw.readinto(buffer):  # type: ignore[attr-defined]  # a BufferedReader
                    sha256.update(buffer[:length])
                    if wanted.git_blob:
                        git_blob.update(buffer[:length])
                    if not self._advance(wanted, length):
                        return None
                if stat_of(os.fstat(stream.fileno())) != wanted.stat or self._read != wanted.stat.size:
                    return None  # a share that went away may end a file too early and say nothing
        except (ReaderError, OSError) as error:
            log.debug(
                "digest cannot be computed",
                **{Key.PATH: printable(wanted.place), Key.ERROR: str(error)},
            )
            return None
        return Digests(sha256.hexdigest(), git_blob.hexdigest() if wanted.git_blob else None)

    def _advance(self, wanted: Wanted, length: int) -> bool:
        """Note that more was read; whether to go on."""
        with self._change:
            self._read += length
            return not self._stopped and self._current is wanted


_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS = 1
_IOPRIO_IDLE = 3 << 13


def _be_idle() -> None:
    """Give this thread the disk and the processor only when nobody else wants them (ioprio_set(2), nice)."""
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, 19)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None, use_errno=True).syscall(number, _IOPRIO_WHO_PROCESS, thread, _IOPRIO_IDLE)
