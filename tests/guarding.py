"""A models root with registered models, passes made by hand over it, and mounts that are taken down again."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dxwatchd import manifest_view
from dxwatchd.cycle import Cycle, PassResult
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings
from dxwatchd.stores.card_directory import CardDirectory
from tests.layouts.making import config, lay, tensors

EVERYTHING_MOST = 30
"""Passes until a place must have come to rest."""


def mount(kind: str, place: Path, *options: str) -> None:
    """Mount a file system, or skip where that is not allowed."""
    done = subprocess.run(
        ["mount", "-t", kind, *options, "dxwatchd-test", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


def unmount(place: Path) -> None:
    """Take the topmost mount at `place` down."""
    subprocess.run(["umount", place], check=True, capture_output=True)


@contextmanager
def mounted(place: Path) -> Iterator[None]:
    """A fresh tmpfs at `place`, and nothing mounted there afterwards, whatever the test did."""
    mount("tmpfs", place, "-o", "size=16m")
    try:
        yield
    finally:
        while subprocess.run(["umount", "-l", place], capture_output=True, check=False).returncode == 0:
            pass


def entry(name: str, status: str = "approved", path: str | None = None) -> str:
    """One entry's text."""
    return (
        f'\n[[models]]\nstatus = "{status}"\ntechnical_name = "{name}"\nmodel_name = "Model {name}"\n'
        f'path = "{path or name}"\n'
    )


class Guarded:
    """A models root, its state directory, and the passes over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.state = folder / "state"
        self.models.mkdir()
        self.state.mkdir()
        self.settings = Settings(
            models_root=self.models, state_dir=self.state, quiet_period=0, remote_quiet_period=0
        )
        self.manifest = self.settings.manifest
        self.now = 0.0
        self.cycle: Cycle | None = None
        self.plan_held: tuple[str, ...] = ()

    def put(self, path: str, seed: int) -> None:
        """A whole model folder; another seed is another content."""
        lay({"config.json": config(say=str(seed)), "model.safetensors": tensors(seed)}, self.models / path)

    def registered(self, names: Sequence[str]) -> None:
        """These models, put there and approved."""
        for seed, name in enumerate(names):
            self.put(name, seed)
        self.write([entry(name) for name in names])
        self.settle()
        assert self.availability() == dict.fromkeys(names, "available")
        assert self.held() == []

    def write(self, blocks: Sequence[str]) -> None:
        """A person saves the manifest."""
        aside = self.folder / "editor"
        aside.write_text("# mine\n" + "".join(blocks))
        aside.replace(self.manifest)

    def look(self, *, accept: bool = False) -> PassResult:
        """One pass over everything."""
        self.now += 10
        if self.cycle is None:
            self.cycle = Cycle(self.settings)
        result = self.cycle.run(Hints(everything=True), self.now, accept_removals=accept)
        assert not result.trouble
        return result

    def settle(self, *, accept: bool = False) -> list[dict[str, Any]]:
        """Passes until nothing is left to do. Returns the events."""
        events: list[dict[str, Any]] = []
        for _ in range(EVERYTHING_MOST):
            result = self.look(accept=accept)
            events += map(dict, result.events)
            accept = accept and not result.conclusive
            if result.due is None and not result.events:
                return events
            time.sleep(0.002)
        pytest.fail("it never came to rest")

    def restart(self) -> None:
        """The daemon ends; the next pass is another one's first."""
        if self.cycle is not None:
            self.cycle.close()
        self.cycle = None

    def status(self) -> dict[str, Any]:
        """`status.json`."""
        told: dict[str, Any] = json.loads((self.state / "status.json").read_bytes())
        return told

    def held(self) -> list[str]:
        """The kinds of what is held."""
        return [reason["kind"] for reason in self.status()["held"]]

    def told(self) -> str:
        """All that the status says beside the folders, one line each."""
        told = self.status()
        return "\n".join(one["told"] for one in (*told["held"], *told["problems"]))

    def availability(self) -> dict[str, str]:
        """What the cards on the disk say."""
        cards = CardDirectory(self.state / "cards")
        cards.look()
        return {name: str(card.availability) for name, card in cards.published().cards.items()}

    def events(self) -> list[dict[str, Any]]:
        """The journal, whose numbers have no gap and no double."""
        events = [json.loads(line) for line in (self.state / "events.jsonl").read_text().splitlines()]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        ids = [event["id"] for event in events]
        assert len(set(ids)) == len(ids)
        return events

    def empty(self, folder: Path) -> None:
        """Delete all that a folder holds."""
        for inner in folder.iterdir():
            shutil.rmtree(inner) if inner.is_dir() else inner.unlink()


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    """An empty one."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    made = Guarded(tmp_path)
    yield made
    made.restart()
