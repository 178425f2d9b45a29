"""One daemon for each state directory: a lock that the kernel frees whatever way its holder ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from dxwatchd.log import Key
from dxwatchd.stores.plain_file import open_plain, read_plain

MAX_SIZE = 4096
"""Bytes of what a holder writes about itself."""

PATIENCE = 0.2
"""Seconds for which a lock that is held is asked for again: somebody may only be looking at it."""

SCAN = "dxwatchd scan"
"""What a scan by hand calls itself: it ends, and no daemon is to stay down because of it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock. pid: of the process, 0 where it cannot be told; what: its command."""

    pid: int
    what: str

    def __str__(self) -> str:
        """As a message names it."""
        return f"`{self.what}`, process {self.pid}" if self.pid else "another process"


class Held(Exception):  # noqa: N818 - a state of affairs that the caller reports in its own words
    """Another process holds the lock."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"held by {holder}")
        self.holder = holder


class Lost(Exception):  # noqa: N818 - a state of affairs, which its holder may see the end of
    """What was locked is not there any more, or somebody else has it now. The message says which."""


class InstanceLock:
    """`daemon.lock` of a state directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._what = ""

    def acquire(self, what: str, *, after: str = "") -> None:
        """Take the lock for a process that calls itself `what`. Raises Held, or OSError.

        after: what a holder calls itself whose end is awaited, since it comes by itself.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(descriptor, after)
            with suppress(OSError):  # on a full disk the lock holds all the same, and does not say by whom
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "what": what}).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self._what = descriptor, what

    def keep(self) -> bool:
        """Take the lock again where its file was deleted, or the whole directory exchanged.

        True where that was so: somebody may have written there meanwhile. Raises Lost where it cannot be.
        """
        if self._descriptor is None:
            return False
        held = self._descriptor
        try:
            if self._is_in_place(held):
                return False
            self.acquire(self._what)
        except Held as error:
            if error.holder.pid == os.getpid():
                return False  # it is ours, on a file system that numbers a file anew with each look
            raise Lost(f"{self.path.parent} is in use by {error.holder}; stop that one, or this") from None
        except OSError as error:
            raise Lost(f"{self.path}: {error.strerror}; bring back the state directory") from None
        os.close(held)
        return True

    def _is_in_place(self, descriptor: int) -> bool:
        """Whether the file is still the one that is locked. Raises OSError where nobody can tell."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def _take(self, descriptor: int, after: str) -> None:
        until, told = time.monotonic() + PATIENCE, False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    holder = self._written()
                    if not after or holder.what != after:
                        raise Held(holder) from None
                    if not told:
                        log.info("waits for another process to end", **{Key.PID: holder.pid})
                    told = True
                time.sleep(PATIENCE / 20)
            else:
                return

    def release(self) -> None:
        """Give it back; the file stays, since removing it would let two in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> Holder | None:
        """Who holds it now, looked at from outside; None where nobody does."""
        try:
            descriptor = open_plain(self.path)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._written()
        else:
            return None
        finally:
            os.close(descriptor)

    def _written(self) -> Holder:
        try:
            said = json.loads(read_plain(self.path, MAX_SIZE))
            return Holder(int(said["pid"]), str(said["what"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return Holder(0, "")
