"""`requests/`: how a command asks the running daemon for a pass, and knows when it has been made.

A request is a file; the daemon removes it once a pass that began after it was seen has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from dxwatchd.stores.atomic import TEMPORARY_PREFIX
from dxwatchd.stores.plain_file import read_plain

MAX_SIZE = 4096
"""Bytes of a request."""


@dataclass(frozen=True, slots=True)
class PassRequest:
    """One request. accept_removals: a person confirmed that many cards may go."""

    path: Path
    accept_removals: bool


class PassRequests:
    """The folder `requests/` of a state directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder, open to those who may write to the manifest. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def ask(self, *, accept_removals: bool = False) -> Path:
        """File a request; the pass has been made when the returned path is gone. Raises OSError."""
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        aside = self.folder / f"{TEMPORARY_PREFIX}{name}"
        try:
            aside.write_text(json.dumps({"accept_removals": accept_removals}))
            return aside.rename(self.folder / f"{name}.json")
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise

    def waiting(self) -> tuple[PassRequest, ...]:
        """All requests there are, oldest name first."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                if not stat.S_ISREG(path.lstat().st_mode):
                    continue  # none of ours, and maybe nothing that could be answered
                said = json.loads(read_plain(path, MAX_SIZE))
                accepts = isinstance(said, dict) and said.get("accept_removals") is True
            except (OSError, ValueError, RecursionError):
                accepts = False
            found.append(PassRequest(path, accepts))
        return tuple(found)

    def answer(self, requests: tuple[PassRequest, ...]) -> None:
        """Remove requests whose pass has been made."""
        for request in requests:
            with contextlib.suppress(OSError):
                request.path.unlink()
