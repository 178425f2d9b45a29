"""A daemon as users have it: the installed command in a process of its own, a real observer, real folders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

Found = TypeVar("Found")

COMMAND: Final = str(Path(sys.executable).with_name("dxwatchd"))
PATIENCE: Final = 60.0  # seconds until a wait gives up: generous, since machines are shared
LEFT_PATIENCE: Final = 10.0  # seconds until a write that is under way has ended


class Place:
    """A models root and a state directory, with the daemon and the commands on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.state = folder / "state"
        self.manifest = self.state / "manifest.toml"
        self.models.mkdir()
        self.log = folder / "daemon.log"
        self.options: dict[str, object] = {
            "quiet_period": 0.3,
            "remote_quiet_period": 0.5,
            "rescan_interval": 2,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def environ(self) -> dict[str, str]:
        """Settings by the environment, so that commands and daemon have the same."""
        named = {f"DXWATCHD_{name.upper()}": str(value) for name, value in self.options.items()}
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("DXWATCHD_", "NOTIFY_"))
        }
        return {
            **inherited,
            "DXWATCHD_MODELS_ROOT": str(self.models),
            "DXWATCHD_STATE_DIR": str(self.state),
            **named,
        }

    def start(self, *arguments: str, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start the daemon; by default wait for its first pass."""
        before = self.passes()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "run", *arguments], stdout=log, stderr=log, env=self.environ(), cwd=self.folder
            )
        if wait:
            self.until(lambda: self.passes() != before, "the first pass")
        return self.process

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(PATIENCE)

    def kill(self) -> None:
        """End it as a power cut or the kernel would."""
        if self.process is not None:
            process, self.process = self.process, None
            process.kill()
            process.wait(PATIENCE)

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """Run a command; returns what it printed. code: the exit code it must have, None for any."""
        done = subprocess.run(
            [COMMAND, *arguments],
            capture_output=True,
            text=True,
            env=self.environ(),
            cwd=self.folder,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, (
            f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout + done.stderr

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        """Run a command with --json; returns its answer."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def passes(self) -> str:
        """Something that differs after every pass whose status was written."""
        try:
            return (self.state / "status.json").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def entries(self) -> list[dict[str, Any]]:
        """The manifest's entries; none while there is no manifest."""
        try:
            found: list[dict[str, Any]] = tomllib.loads(self.manifest.read_text()).get("models", [])
        except FileNotFoundError:
            return []
        return found

    def entry(self, path: str) -> dict[str, Any] | None:
        """The entry of a folder."""
        return next((entry for entry in self.entries() if entry["path"] == path), None)

    def proposed(self, path: str) -> dict[str, Any]:
        """Wait until the folder is proposed."""
        return self.until(lambda: self.entry(path), f"a proposal of {path}")

    def card(self, name: str) -> dict[str, Any] | None:
        """A card's JSON, None while there is none."""
        try:
            found: dict[str, Any] = json.loads((self.state / "cards" / f"{name}.json").read_bytes())
        except FileNotFoundError:
            return None
        return found

    def registered(self, name: str) -> dict[str, Any]:
        """Wait until the card is published, index and all."""
        self.until(lambda: name in [line["technical_name"] for line in self.index()], f"a card of {name}")
        card = self.card(name)
        assert card is not None
        return card

    def index(self) -> list[dict[str, Any]]:
        """The index's lines."""
        try:
            lines: list[dict[str, Any]] = json.loads((self.state / "cards" / "index.json").read_bytes())[
                "models"
            ]
        except FileNotFoundError:
            return []
        return lines

    def folder_state(self, path: str) -> dict[str, Any] | None:
        """What `status.json` says of a folder."""
        try:
            folders = json.loads((self.state / "status.json").read_bytes())["folders"]
        except FileNotFoundError:
            return None
        return next((folder for folder in folders if folder["path"] == path), None)

    def events(self) -> list[dict[str, Any]]:
        """The journal."""
        try:
            return [json.loads(line) for line in (self.state / "events.jsonl").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def settled_events(self) -> list[dict[str, Any]]:
        """The journal once what is under way is written: a card is there a moment before its event."""
        if self.process is not None:
            self.run("scan", code=None)
        return self.events()

    def never_ended(self) -> list[str]:
        """The files of writes that never end; those of one that is under way are gone a moment later."""
        until = time.monotonic() + LEFT_PATIENCE
        while left := [path.name for path in self.state.rglob(".writing-*")]:
            if time.monotonic() > until:
                return left
            time.sleep(0.02)
        return []

    def edit(self, old: str, new: str) -> None:
        """Change a word of the manifest as an editor does that writes aside and renames."""
        text = self.manifest.read_text()
        assert old in text, text
        aside = self.manifest.with_suffix(".swp")
        aside.write_text(text.replace(old, new))
        aside.rename(self.manifest)

    def until(self, look: Callable[[], Found | None], what: str) -> Found:
        """Wait until `look` gives something true, and return that."""
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            if time.monotonic() > deadline:
                said = self.log.read_text() if self.log.exists() else ""
                pytest.fail(f"waited in vain for {what}; the daemon said:\n{said}")
            time.sleep(0.02)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An empty place; its daemon is ended whatever the test does."""
    made = Place(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def without_digests(place: Place) -> None:
    """Digests off, so that no card gets a revision by itself a moment later: to compare cards and events."""
    place.options["digests"] = "off"
