"""`requests/`: how a command asks the running daemon for a pass, and knows when it has been made.

A request is a file; the daemon removes it once a pass that began after it was seen has ended. Who asks keeps
it locked, which the kernel ends with the asker: what a person confirmed is not obeyed days later, by a daemon
that comes back after a power cut and sees something else missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dxwatchd.stores.atomic import TEMPORARY_PREFIX
from dxwatchd.stores.plain_file import open_plain, read_plain

MAX_SIZE = 4096
"""Bytes of a request."""


@dataclass(frozen=True, slots=True)
class PassRequest:
    """One request. accept_removals: a person, who still waits, confirmed that many cards may go."""

    path: Path
    accept_removals: bool


class PassRequests:
    """The folder `requests/` of a state directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder, open to those who may write to the manifest. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def keep(self) -> None:
        """Make the folder again where somebody removed it, as whoever tidies up empty ones does."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def asking(self, *, accept_removals: bool = False) -> Iterator[Path]:
        """File a request, and take it back at the end of the block if nobody has answered it by then.

        The pass has been made when the path that is given is gone. Raises OSError where it cannot be filed.
        """
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        aside, path = self.folder / f"{TEMPORARY_PREFIX}{name}", self.folder / f"{name}.json"
        try:
            with aside.open("x") as file:
                file.write(json.dumps({"accept_removals": accept_removals}))
                file.flush()
                fcntl.flock(file, fcntl.LOCK_EX)
                aside.rename(path)
                yield path
        finally:
            for left in (aside, path):
                with contextlib.suppress(OSError):
                    left.unlink()

    def waiting(self) -> tuple[PassRequest, ...]:
        """All requests there are, oldest name first."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                if not stat.S_ISREG(path.lstat().st_mode):
                    continue  # none of ours, and maybe nothing that could be answered
                said = json.loads(read_plain(path, MAX_SIZE))
                accepts = isinstance(said, dict) and said.get("accept_removals") is True and _is_awaited(path)
            except (OSError, ValueError, RecursionError):
                accepts = False
            found.append(PassRequest(path, accepts))
        return tuple(found)

    def answer(self, requests: tuple[PassRequest, ...]) -> None:
        """Remove requests whose pass has been made."""
        for request in requests:
            with contextlib.suppress(OSError):
                request.path.unlink()


def _is_awaited(path: Path) -> bool:
    """Whether somebody still waits for the answer. Raises OSError."""
    descriptor = open_plain(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
