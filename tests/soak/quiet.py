"""A quiet point: nobody acts, the daemon comes to its end, and everything is looked at."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dxwatchd.stores.pass_requests import PassRequests
from tests.soak.editors import Book
from tests.soak.truth import Sight, look, violations
from tests.soak.world import Round, World

PATIENCE: Final = 120.0
"""Seconds until what is wrong is taken for wrong: the daemon may still be at it on a busy machine."""

MOST_FILES, MOST_THREADS, MOST_MEMORY = 64, 24, 400 * 2**20
"""Descriptors, threads and bytes of the daemon's process at a quiet point."""

READER_DIED: Final = "the reader of the kernel's events failed; it is started anew"

Listing = dict[bytes, tuple[int, int, int, int, int]]


class QuietPoint:
    """Looks at one world, again and again, and remembers the last time."""

    def __init__(self, world: World, book: Book) -> None:
        self.world = world
        self.place = world.place
        self.book = book
        self.before: Sight | None = None
        self.checks = 0
        self.deaths = 0
        self.highest = {"fds": 0, "threads": 0, "rss": 0}

    def check(self) -> list[str]:
        """Wait until nothing is left to do, and compare. What is wrong only for a while is not wrong."""
        time.sleep(1.0)  # longer than a quiet period
        until = time.monotonic() + PATIENCE
        while True:
            trouble = self._settle(time.monotonic() + PATIENCE)
            listing = list_tree(self.world.models)
            self._ask()
            time.sleep(0.3)
            now = look(self.world)
            found = [*trouble, *violations(now, self.before, self.world.round)]
            if list_tree(self.world.models) != listing:
                found.append("the models root has changed, and nobody was at it")
            found += self._strange_names()
            if not found or time.monotonic() > until:
                break
            time.sleep(2.0)
            self.world.counts["looked again"] += 1
        found += [*self.book.check(list(now.entries)), *self._process(), *self.log_problems()]
        self.checks += 1
        self.before, self.world.round = now, Round()
        return found

    def _settle(self, until: float) -> list[str]:
        """Passes until two of them find nothing new. Returns what keeps it from that."""
        last, same = (b"", b""), 0
        while time.monotonic() < until:
            status = self._ask()
            if status.get("held"):
                status = self._ask(accept_removals=True)
                self.world.counts["removals accepted"] += 1
            kinds = {why["kind"] for one in status.get("folders", ()) for why in one["reasons"]}
            waits = kinds & {"not_at_rest", "manifest_unreadable"} or (status.get("digests") or {}).get(
                "files_left"
            )
            now = (self.place.manifest.read_bytes(), self._index())
            same = same + 1 if now == last and not waits else 0
            last = now
            if same >= 2:
                return []
            time.sleep(0.2)
        return ["it never comes to an end"]

    def _index(self) -> bytes:
        try:
            return (self.place.state / "cards" / "index.json").read_bytes()
        except FileNotFoundError:
            return b""

    def _ask(self, *, accept_removals: bool = False) -> dict[str, Any]:
        """Have a pass made. Returns the status after it; nothing where there is none."""
        requests = PassRequests(self.place.state / "requests")
        requests.prepare()
        with requests.asking(accept_removals=accept_removals) as request:
            until = time.monotonic() + PATIENCE
            while request.exists():
                assert self.place.process is not None
                if self.place.process.poll() is not None:
                    raise AssertionError(f"the daemon has ended: {self.place.process.returncode}")
                if time.monotonic() > until:
                    raise AssertionError("no pass is made")
                time.sleep(0.02)
        try:
            status: dict[str, Any] = json.loads((self.place.state / "status.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        self.world.counts["passes asked for"] += 1
        return status

    def _process(self) -> Iterator[str]:
        """The daemon's process has not grown."""
        assert self.place.process is not None
        about = Path(f"/proc/{self.place.process.pid}")
        told = dict(line.split(":", 1) for line in (about / "status").read_text().splitlines())
        now = {
            "fds": len(os.listdir(about / "fd")),
            "threads": int(told["Threads"]),
            "rss": int(told["VmRSS"].split()[0]) * 1024,
        }
        self.highest = {key: max(value, self.highest[key]) for key, value in now.items()}
        for key, most in (("fds", MOST_FILES), ("threads", MOST_THREADS), ("rss", MOST_MEMORY)):
            if now[key] > most:
                yield f"the daemon has {now[key]:,} {key}"

    def _strange_names(self) -> Iterator[str]:
        """Every file in a whole folder is one that somebody put there."""
        known = self.world.file_names | {"README.md"}
        for path in self.before.whole if self.before is not None else ():
            for file in self.world.path(path).rglob("*"):
                if file.name not in known and not {".cache", ".git"} & set(file.parts):
                    yield f"nobody made {file}"

    def log_problems(self) -> list[str]:
        """What the daemon must never say. A reader of events that died of watchdog's own books, and was
        started anew, is no such thing: it is counted.
        """
        said = self.place.log.read_text(errors="replace").splitlines()
        self.deaths = sum(READER_DIED in line for line in said)
        return [
            f"the log says: {line}"
            for line in said
            if ("Traceback" in line and READER_DIED not in line) or "a pass failed" in line
        ]

    def figures(self) -> str:
        """What was measured, in a line."""
        events = len(self.before.events) if self.before is not None else 0
        high = self.highest
        return (
            f"{self.checks} checks, {events:,} events, {len(self.world.contents)} contents, "
            f"{self.deaths} deaths of the reader of events, "
            f"at most {high['rss'] / 2**20:.0f} MiB, {high['fds']} descriptors, {high['threads']} threads"
        )


def list_tree(root: Path) -> Listing:
    """Everything below a folder, with what only a write changes."""
    found: Listing = {}
    for top, folders, files in os.walk(os.fsencode(root)):
        for name in (b".", *folders, *files):
            path = os.path.join(top, name)
            stat = os.lstat(path)
            found[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_uid)
    return found
