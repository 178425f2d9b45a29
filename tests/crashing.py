"""A scenario with all that a pass can do, and calls in it that kill, that fail, or between which one looks.

The state directory is put back before each trial, so that a trial is one step of the scenario and not all.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from dxwatchd import list_cards, load_card, manifest_view
from dxwatchd.consumer import StateDirectoryNotFound
from dxwatchd.cycle import Cycle
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings
from dxwatchd.stores import card_directory, journal, status_file
from dxwatchd.stores.atomic import write_atomically
from dxwatchd.stores.card_directory import digest_of
from tests.e2e.test_names import tiny_model
from tests.layouts.making import lay, plain, tensors

CALLS: Final = ("write", "fsync", "ftruncate", "rename", "link", "unlink")
PATIENCE: Final = 60.0  # seconds for digests of a few kilobytes


class Killed(BaseException):
    """The process is gone: nothing after it happens, no cleaning up either."""


class Meddler:
    """Counts the calls that change a disk, and does something at those of some numbers.

    A write is two calls here: in the second one half of the data is written already.
    """

    def __init__(self, at: range, error: int | None, between: Callable[[], None]) -> None:
        self.at = at
        self.error = error
        self.between = between
        self.count = 0
        self.dead = False

    def _step(self) -> None:
        self.count += 1
        self.between()
        if self.dead or self.count in self.at:
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            self.dead = True
            raise Killed

    def wrap(self, name: str) -> Callable[..., Any]:
        """The call of this name, meddled with."""
        real = getattr(os, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            self._step()
            if name == "write":
                descriptor, data = arguments
                half = len(data) // 2
                written = real(descriptor, data[:half])
                self._step()
                return written + real(descriptor, data[half:])
            # nobody cuts the power here, and a disk that syncs takes most of the time
            return None if name == "fsync" else real(*arguments, **named)

        return wrapped


class Reader:
    """What a consumer sees, at any moment: whole versions, each of which the daemon meant to write."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.whole: set[str] = set()
        self.looks = 0

    def writing(self, path: Path, data: bytes, **more: Any) -> None:
        """Stands in for `write_atomically`: what it is given is a whole version."""
        self.whole.add(digest_of(data))
        write_atomically(path, data, **more)

    def look(self) -> None:
        """Every file that is there is a whole version, and so is each card that the index names."""
        self.looks += 1
        for path in (*(self.state / "cards").glob("*.json"), self.state / "status.json"):
            with suppress(FileNotFoundError):
                assert digest_of(path.read_bytes()) in self.whole, path.name
        with suppress(FileNotFoundError):
            lines = (self.state / "events.jsonl").read_bytes().split(b"\n")
            numbers = [json.loads(line)["sequence"] for line in lines[:-1]]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True

    def load(self) -> None:
        """The same through what consumers import."""
        try:
            entries = list_cards(state_dir=self.state)
        except StateDirectoryNotFound:
            return
        for entry in entries:
            assert entry.digest in self.whole
            # a card is written before the index and deleted after it
            assert load_card(entry.technical_name, state_dir=self.state).revision >= entry.revision


class Scenario:
    """Steps, each an act of a person followed by passes until nothing is left to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.models.mkdir(parents=True)
        self.settings = Settings(
            models_root=self.models, state_dir=folder / "state", quiet_period=0, remote_quiet_period=0
        )
        self.reader = Reader(self.settings.state_dir)
        self.now = 0.0
        self.steps: tuple[Callable[[], object], ...] = (
            self.drop,
            lambda: self.edit('status = "proposed"', 'status = "approved"'),
            lambda: (self.models / "a" / "extra.py").write_text("x = 1\n"),
            lambda: (self.models / "a" / "extra.py").unlink(),
            lambda: (self.models / "b").rename(self.models / "moved"),
            lambda: self.edit('path = "b"', 'path = "moved"'),
            lambda: self.edit('model_name = "b"', 'model_name = "Bee"'),
            lambda: self.edit('technical_name = "b"', 'technical_name = "bee"'),
            lambda: self.edit('model_name = "lora"', 'model_name = "lora"\nlicense = "mit"'),
            self.retrain,
            self.approve_again,
            lambda: (self.models / "a").rename(folder / "away"),
            lambda: (folder / "away").rename(self.models / "a"),
            lambda: None,  # digests are computed from here on
            self.remove_first,
        )
        self.digests_at = 13

    def drop(self) -> None:
        """Two models come, and an adapter for one of them."""
        tiny_model(self.models / "a", 1)
        tiny_model(self.models / "b", 2)
        config = {"peft_type": "LORA", "base_model_name_or_path": "somebody/a"}
        lay(
            {"adapter_config.json": plain(config), "adapter_model.safetensors": tensors(3)},
            self.models / "lora",
        )

    def edit(self, old: str, new: str) -> None:
        """A person saves the manifest by rename."""
        text = self.settings.manifest.read_text()
        assert old in text, text
        aside = self.folder / "editor"
        aside.write_text(text.replace(old, new))
        aside.replace(self.settings.manifest)

    def retrain(self) -> None:
        """Other weights of the same size lie where `a` was approved."""
        tiny_model(self.folder / "other", 7)
        (self.folder / "other" / "model.safetensors").replace(self.models / "a" / "model.safetensors")
        shutil.rmtree(self.folder / "other")

    def approve_again(self) -> None:
        """A person takes the new content of `a`: the line with its fingerprint goes."""
        blocks = self.settings.manifest.read_text().split("\n[[models]]\n")
        lines = next(block for block in blocks if 'technical_name = "a"' in block).split("\n")
        self.edit(next(line for line in lines if line.startswith("fingerprint")) + "\n", "")

    def remove_first(self) -> None:
        """A person deletes the block of `a`."""
        blocks = self.settings.manifest.read_text().split("\n[[models]]\n")
        kept = [block for block in blocks if 'technical_name = "a"' not in block]
        (self.folder / "editor").write_text("\n[[models]]\n".join(kept))
        (self.folder / "editor").replace(self.settings.manifest)

    def passes(self, step: int, *, trouble: bool = False) -> None:
        """What a daemon does from its start until it is idle. trouble: whether a pass may have some."""
        cycle = Cycle(self.settings, digested=(lambda: None) if step >= self.digests_at else None)
        try:
            for _ in range(60):
                self.now += 10
                known = len(cycle._integrity.known()) if cycle._integrity is not None else 0
                result = cycle.run(Hints(everything=True), self.now)
                assert trouble or not result.trouble
                left = self._digested(cycle, known)
                waits = (
                    result.due is not None or result.plan.problems
                )  # those of a manifest that cannot be made
                if not waits and not result.events and not left:
                    return
                time.sleep(0.002)
        finally:
            cycle.close()
        pytest.fail("it never came to an end")

    @staticmethod
    def _digested(cycle: Cycle, known: int) -> bool:
        """Wait for the digests; whether there are more than were known before the pass."""
        integrity = cycle._integrity
        if integrity is None:
            return False
        until = time.monotonic() + PATIENCE
        while integrity.progress()["files_left"]:
            assert time.monotonic() < until
            time.sleep(0.001)
        return len(integrity.known()) > known

    @contextmanager
    def meddled(self, at: range, error: int | None, between: Callable[[], None]) -> Iterator[Meddler]:
        """Kill or fail at the calls of these numbers while the block runs."""
        meddler = Meddler(at, error, between)
        with pytest.MonkeyPatch.context() as patch:
            for module in (card_directory, status_file):
                patch.setattr(module, "write_atomically", self.reader.writing)
            for name in CALLS:
                patch.setattr(os, name, meddler.wrap(name))
            yield meddler

    def run(self, step: int, at: range = range(0), error: int | None = None, *, poll: bool = True) -> int:
        """The passes of one step, whose act was done. Returns how many calls there were."""

        def look() -> None:
            self.reader.look()
            if poll:
                self.reader.load()

        with self.meddled(at, error, look) as meddler, suppress(Killed):
            for _ in range(20):
                try:
                    self.passes(step, trouble=error is not None)
                except OSError:  # the start itself failed: it is started again
                    assert error is not None
                    continue
                break
        count = meddler.count
        if list(self.settings.state_dir.glob(".writing-*")):  # it could not be removed: the next start does
            meddler.dead = True
        if meddler.dead:
            with self.meddled(range(0), None, look):
                self.passes(step)
        look()
        self.reader.load()
        return count

    def save(self, to: Path) -> None:
        """Keep everything as it is now."""
        shutil.copytree(self.folder, to, symlinks=True)

    def put_back(self, saved: Path) -> None:
        """Everything as it was kept."""
        shutil.rmtree(self.folder)
        shutil.copytree(saved, self.folder, symlinks=True)

    def end(self) -> dict[str, Any]:
        """All that counts in the state directory."""
        state = self.settings.state_dir
        index = json.loads((state / "cards" / "index.json").read_text()) if self._has_index() else {}
        olds = sorted(state.glob("events-*.jsonl"))
        events = [
            json.loads(line)
            for file in [*olds, state / "events.jsonl"]
            for line in file.read_text().splitlines()
        ]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        assert len({event["id"] for event in events}) == len(events)
        return {
            "cards": {
                path.name: path.read_text()
                for path in (state / "cards").glob("*.json")
                if path.stem != "index"
            },
            "index": (index.get("models"), index.get("tombstones")),
            "entries": tomllib.loads(self.settings.manifest.read_text()).get("models"),
            "events": [told for told in map(_told, events) if told[0] != "digested"],
            # which of them is read to its end first depends on the disk
            "digested": sorted(told for told in map(_told, events) if told[0] == "digested"),
            "left": sorted(
                path.name for path in state.iterdir() if path.name[0] == "." or "pending" in path.name
            ),
        }

    def _has_index(self) -> bool:
        return (self.settings.state_dir / "cards" / "index.json").exists()


def _told(event: dict[str, Any]) -> tuple[str, str, Any]:
    return event["event"], event["path"], event.get("revision")


@contextmanager
def hurried() -> Iterator[None]:
    """No waiting for editors, and a journal that is full after a few events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_view, "QUIET", 0.001)
        patch.setattr(manifest_view, "OLD_NS", 0)
        patch.setattr(journal, "FULL", 900)
        patch.setattr(journal, "KEEP", 1000)
        yield


ENOSPC: Final = errno.ENOSPC
