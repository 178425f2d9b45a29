"""People with a shell: `approve`, `reject`, `add`, `rename`, `remove`, `tidy`, `scan` and what only shows."""

from __future__ import annotations

import random
import subprocess
import time
import tomllib
from typing import Any

from tests.e2e.conftest import COMMAND
from tests.soak.editors import Book
from tests.soak.world import Busy, World


class Shell:
    """One person with a shell."""

    def __init__(self, world: World, book: Book, name: str) -> None:
        self.world = world
        self.book = book
        self.name = name
        self.chance = random.Random(f"{world.seed}-{name}")
        self.problems: list[str] = []

    def act(self) -> None:
        """One command."""
        try:
            self._act()
        except Busy:
            self.world.counts["busy"] += 1

    def _act(self) -> None:
        began = time.monotonic()
        entries = self._entries()
        kind = self.chance.choice(
            (*("approve",) * 6, "reject", "add", "rename", "remove", "remove", "tidy", "scan", "show", "show")
        )
        if kind in ("scan", "tidy"):
            said = self._run(kind)
            if kind == "tidy" and said.startswith("removed "):
                self.world.round.removals.update(one["technical_name"] for one in entries)
                self.book.tidied(began)
        elif kind == "show":
            self._run(*self.chance.choice((("status",), ("list",), ("check",), ("explain", "org-a"))))
        elif kind == "add":
            name = f"added-{self.world.number()}"
            self.world.round.removals.add(name)
            self._run("add", name, f"Added {name}", f"add/{name}")
        else:
            self._decide(kind, entries, began)

    def _decide(self, kind: str, entries: list[dict[str, Any]], began: float) -> None:
        wanted = [one for one in entries if kind != "reject" or one["status"] == "proposed"]
        if not wanted:
            raise Busy
        entry = self.chance.choice(wanted)
        name = entry["technical_name"]
        self.world.round.removals.add(name)
        with self.world.hold(f"entry of {name}"):
            words = [kind, name]
            if kind == "rename":
                words += ["--technical-name", f"renamed-{self.world.number()}"]
                self.world.round.removals.add(words[-1])
            said = self._run(*words)
            if said.startswith(("approved ", "rejected ", "renamed ", "removed ")):
                status = {"approve": "approved", "reject": "rejected"}.get(kind)
                self.book.command(began, frozenset({name}), status, removes=kind == "remove")
                if kind == "rename":
                    self.book.renamed(name, words[-1])

    def _run(self, *words: str) -> str:
        self.world.say(self.name, f"command {words[0]}", " ".join(words[1:]))
        done = subprocess.run(
            [COMMAND, *words],
            capture_output=True,
            text=True,
            env=self.world.place.environ(),
            cwd=self.world.place.folder,
            timeout=300,
            check=False,
        )
        if "Traceback" in done.stderr or done.returncode not in (0, 1, 2, 3):
            self.problems.append(f"{words}: {done.returncode} {done.stderr[-2000:]}")
        if not all(one.isprintable() or one == "\n" for one in done.stdout + done.stderr):
            self.problems.append(f"{words}: control characters in {done.stdout!r}")
        return done.stdout

    def _entries(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = tomllib.loads(self.world.place.manifest.read_text())["models"]
        except (FileNotFoundError, ValueError, KeyError):
            raise Busy from None
        usable = [one for one in found if {"technical_name", "status", "path"} <= one.keys()]
        if not usable:
            raise Busy
        return usable
