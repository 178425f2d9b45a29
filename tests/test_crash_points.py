"""Killed at every single write, fsync, rename, link and unlink of a scenario: the end is always the same."""

from __future__ import annotations

import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dxwatchd import manifest_view
from dxwatchd.cycle import Cycle
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings
from tests.e2e.test_names import tiny_model
from tests.layouts.making import lay, plain, tensors

CALLS = ("write", "fsync", "rename", "link", "unlink")


class Killed(BaseException):
    """The process is gone: nothing after it happens, no cleaning up either."""


class Killer:
    """Counts the calls that change a disk, and kills at the one of a given number."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.count = 0
        self.dead = False

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, unless the process is killed before it."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            if self.dead or self.count == self.at:
                self.dead = True
                raise Killed
            return call(*arguments, **named)

        return wrapped


@contextmanager
def killing(at: int | None) -> Iterator[Killer]:
    """Kill at the call of this number (None: never) while the block runs."""
    killer = Killer(at)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, killer.wrap(getattr(os, name)))
        yield killer


class Scenario:
    """Steps, each an act of a person followed by passes until nothing is left to do."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.settings = Settings(
            models_root=folder / "models", state_dir=folder / "state", quiet_period=0, remote_quiet_period=0
        )
        self.now = 0.0
        self.steps: tuple[Callable[[], object], ...] = (
            self.drop,
            lambda: self.edit('status = "proposed"', 'status = "approved"'),
            lambda: (folder / "models" / "a" / "extra.py").write_text("x = 1\n"),
            lambda: (folder / "models" / "a" / "extra.py").unlink(),
            lambda: (folder / "models" / "b").rename(folder / "models" / "moved"),
            self.remove_first,
        )

    def drop(self) -> None:
        """Two models come, and an adapter for one of them."""
        tiny_model(self.folder / "models" / "a", 1)
        tiny_model(self.folder / "models" / "b", 2)
        config = {"peft_type": "LORA", "base_model_name_or_path": "somebody/a"}
        adapter = {"adapter_config.json": plain(config), "adapter_model.safetensors": tensors(3)}
        lay(adapter, self.folder / "models" / "lora")

    def edit(self, old: str, new: str) -> None:
        """A person saves the manifest by rename."""
        text = self.settings.manifest.read_text()
        assert old in text
        aside = self.folder / "editor"
        aside.write_text(text.replace(old, new))
        aside.replace(self.settings.manifest)

    def remove_first(self) -> None:
        """A person deletes the block of `a`."""
        blocks = self.settings.manifest.read_text().split("\n[[models]]\n")
        kept = [block for block in blocks if 'technical_name = "a"' not in block]
        (self.folder / "editor").write_text("\n[[models]]\n".join(kept))
        (self.folder / "editor").replace(self.settings.manifest)

    def passes(self) -> None:
        """What a daemon does from its start until it is idle."""
        cycle = Cycle(self.settings)
        try:
            for _ in range(20):
                self.now += 10
                result = cycle.run(Hints(everything=True), self.now)
                assert not result.trouble
                if result.due is None and not result.events:
                    return
                time.sleep(0.002)
        finally:
            cycle.close()
        pytest.fail("it never came to an end")

    def run(self, kill_at: int | None) -> int:
        """All steps, killed once at that call. Returns how many calls there were without a kill."""
        count = 0
        (self.folder / "models").mkdir()
        for step in self.steps:
            step()
            with killing(None if kill_at is None else kill_at - count) as killer:
                with suppress(Killed):
                    self.passes()
                count += killer.count
            if killer.dead:
                kill_at = None  # a process is killed once; from here on it lives
                self.passes()
        return count

    def end(self) -> dict[str, Any]:
        """All that counts in the state directory."""
        state = self.settings.state_dir
        index = json.loads((state / "cards" / "index.json").read_text())
        events = [json.loads(line) for line in (state / "events.jsonl").read_text().splitlines()]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        return {
            "cards": {
                path.name: path.read_text()
                for path in (state / "cards").glob("*.json")
                if path.stem != "index"
            },
            "index": (index["models"], index["tombstones"]),
            "entries": tomllib.loads(self.settings.manifest.read_text())["models"],
            "events": [(event["event"], event["path"], event.get("revision")) for event in events],
            "left": sorted(
                path.name for path in state.iterdir() if path.name[0] == "." or "pending" in path.name
            ),
        }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_crash_point_leads_to_the_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards, index, tombstones, entries and events are those of an undisturbed run, wherever it died."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    undisturbed = Scenario(tmp_path / "undisturbed")
    calls = undisturbed.run(None)
    wanted = undisturbed.end()
    assert [event for event, *_ in wanted["events"]] == [
        "proposed",
        "proposed",
        "proposed",
        "registered",
        "registered",
        "registered",
        "drifted",
        "restored",
        "moved",
        "removed",
        "resolved",  # the adapter's base is not registered any more
        "proposed",  # its folder is still there: only a rejection stops the asking
    ]
    assert calls > 50
    for number in range(1, calls + 1):
        scenario = Scenario(tmp_path / str(number))
        scenario.run(number)
        assert scenario.end() == wanted, f"killed at call {number} of {calls}"
    print(f"{calls} crash points, the same end each time")
