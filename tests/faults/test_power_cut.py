"""The power goes at any moment: an ext4 on a disk that remembers each write, cut off anywhere."""

from __future__ import annotations

import json
import os
import random
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from dxwatchd import manifest_view
from dxwatchd.cycle import Cycle
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings
from dxwatchd.stores.card_directory import digest_of
from tests.e2e.conftest import Place
from tests.e2e.test_names import tiny_model
from tests.faults.mounting import Mounts
from tests.faults.test_full_disks import approved

pytestmark = [pytest.mark.xdist_group("mounts"), pytest.mark.slow]

SIZE: Final = 8 * 2**20  # bytes of the disk
MODELS: Final = 4
CUTS: Final = {"data=ordered": 60, "data=writeback": 40, "nobarrier": 20}
"""Mount options, and how many cuts are tried with them."""


@dataclass(frozen=True)
class Step:
    """One thing that happened to the disk: a write, or (without data) a flush."""

    at: int
    data: bytes


@dataclass(frozen=True)
class Save:
    """A person's save: what the manifest must have kept once this many steps are on the disk."""

    after: int
    path: str


def _steps(record: Path) -> list[Step]:
    data = record.read_bytes()
    steps, position = [], 0
    while position < len(data):
        end = data.index(b"\n", position)
        line = json.loads(data[position:end])
        size = line.get("size", 0)
        steps.append(Step(line.get("at", -1), data[end + 1 : end + 1 + size]))
        position = end + 1 + size
    return steps


def _image(base: bytes, steps: list[Step], cut: int, chosen: random.Random | None) -> bytes:
    """The disk as a cut before step `cut` leaves it; chosen: of what was not flushed, some is lost."""
    image = bytearray(base)
    flushed = max((number for number in range(cut) if steps[number].at < 0), default=0)
    for number in range(cut):
        step = steps[number]
        if step.at >= 0 and (chosen is None or number < flushed or chosen.random() < 0.5):
            image[step.at : step.at + len(step.data)] = step.data
    return bytes(image)


class Scene:
    """What a daemon and a person do in a state directory."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.settings = Settings(
            models_root=folder / "models",
            state_dir=state,
            quiet_period=0,
            remote_quiet_period=0,
            digests="off",
        )
        self.now = 0.0

    def passes(self) -> None:
        """A daemon from its start until it is idle."""
        cycle = Cycle(self.settings)
        try:
            for _ in range(40):
                self.now += 10
                result = cycle.run(Hints(everything=True), self.now)
                assert not result.trouble
                if result.due is None and not result.events:
                    return
                time.sleep(0.002)
        finally:
            cycle.close()
        pytest.fail("it never came to an end")

    def approve(self, path: str) -> None:
        """A person approves, with an editor that syncs what it saves."""
        manifest = self.settings.manifest
        aside = manifest.with_name("edited.toml")
        with aside.open("w") as file:
            file.write(approved(manifest.read_text(), path))
            file.flush()
            os.fsync(file.fileno())
        aside.rename(manifest)
        descriptor = os.open(manifest.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def check(self) -> None:
        """Nothing is torn, before anybody mends anything."""
        state = self.settings.state_dir
        if self.settings.manifest.exists():
            tomllib.loads(self.settings.manifest.read_text())
        index = state / "cards" / "index.json"
        lines = json.loads(index.read_bytes())["models"] if index.exists() else []
        for line in lines:
            card = (state / "cards" / line["card"]).read_bytes()
            assert json.loads(card)["revision"] >= line["revision"]
            if json.loads(card)["revision"] == line["revision"]:
                assert digest_of(card) == line["digest"]

    def end(self) -> dict[str, Any]:
        """All that counts at the end."""
        state = self.settings.state_dir
        text = (state / "events.jsonl").read_bytes()
        assert b"\0" not in text
        events = [json.loads(line) for line in text.splitlines()]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        self.check()
        cards = {path.name: json.loads(path.read_bytes()) for path in (state / "cards").glob("*.json")}
        return {
            "cards": {name: card for name, card in cards.items() if name != "index.json"},
            "models": cards["index.json"]["models"],
            "entries": sorted(tomllib.loads(self.settings.manifest.read_text())["models"], key=str),
            "registered": Counter(event["path"] for event in events if event["event"] == "registered"),
            "proposed": {event["path"] for event in events if event["event"] == "proposed"},
            "left": [path.name for path in state.rglob(".*")]
            + [path.name for path in state.glob("*.pending")],
        }


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Scene]:
    """Makes scenes over one models root."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    for number in range(MODELS):
        tiny_model(tmp_path / "models" / f"m{number}", number)
    return lambda state: Scene(tmp_path, state)


def _recorded(
    mounts: Mounts, options: str, scene: Callable[[Path], Scene]
) -> tuple[bytes, list[Step], list[Save]]:
    """Everything once, undisturbed, on the disk that remembers."""
    image = mounts.image("disk", SIZE, "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0")
    disk = mounts.recording("recording", image)
    state = mounts.loop("state", disk.point / "disk", options)
    played = scene(state / "dxwatchd")
    saves: list[Save] = []
    played.passes()
    for number in range(MODELS):
        played.approve(f"m{number}")
        saves.append(Save(disk.counts()[0], f"m{number}"))
        played.passes()
    mounts.unmount(state)
    disk.end()
    return image.read_bytes(), _steps(mounts.folder / "recording.record"), saves


@pytest.mark.promise(5, "the power goes: an ext4 cut off at some write, what was not flushed lost at random")
@pytest.mark.promise(4, "the power goes: an ext4 cut off at some write, what was not flushed lost at random")
@pytest.mark.promise(2, "the power goes: an ext4 cut off at some write, what was not flushed lost at random")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", CUTS)
def test_whatever_a_power_cut_leaves_the_end_is_the_same(
    mounts: Mounts, options: str, scene: Callable[[Path], Scene], tried: Callable[[int], None], tmp_path: Path
) -> None:
    """Nothing is torn, no save of a person is lost, and the end is that of an undisturbed run."""
    base, steps, saves = _recorded(mounts, options, scene)
    undisturbed = scene(tmp_path / "undisturbed")
    undisturbed.passes()
    for save in saves:
        undisturbed.approve(save.path)
        undisturbed.passes()
    wanted = undisturbed.end()
    chance = random.Random(5)
    chosen = [save.after for save in saves] + [len(steps)]
    moments = [*chosen, *(chance.randrange(1, len(steps)) for _ in range(CUTS[options] - len(chosen)))]
    image = mounts.folder / "cut.img"
    for number, cut in enumerate(moments):
        # without barriers nothing is promised of a disk that forgets: there only the moment is tried
        loses = number % 2 == 1 and options != "nobarrier"
        image.write_bytes(_image(base, steps, cut, random.Random(number) if loses else None))
        state = mounts.loop("cut", image, options)
        played = scene(state / "dxwatchd")
        kept = [save.path for save in saves if save.after <= cut]
        if played.settings.manifest.exists():
            played.check()
            there = {
                entry["path"]: entry["status"]
                for entry in tomllib.loads(played.settings.manifest.read_text()).get("models", [])
            }
            assert all(there.get(path) == "approved" for path in kept), (cut, kept, there)
        else:
            assert not kept, cut
        played.passes()
        for save in saves:
            text = played.settings.manifest.read_text()
            entry = next(one for one in tomllib.loads(text)["models"] if one["path"] == save.path)
            if entry["status"] == "proposed":
                played.approve(save.path)
                played.passes()
        assert played.end() == wanted, f"cut before step {cut} of {len(steps)}"
        mounts.unmount(state)
    print(f"{options}: {len(moments)} cuts in {len(steps)} steps")
    tried(len(moments))


@pytest.mark.promise(2, "the power goes; a real daemon starts on what is left")
@pytest.mark.timeout(300)
def test_a_real_daemon_starts_on_what_is_left(
    mounts: Mounts, place: Place, scene: Callable[[Path], Scene], tried: Callable[[int], None]
) -> None:
    """The installed command, on five cuts: every model is proposed, every save of a person is there."""
    base, steps, saves = _recorded(mounts, "data=ordered", scene)
    image = mounts.folder / "cut.img"
    for number in range(1, 6):
        cut = len(steps) * number // 5
        image.write_bytes(_image(base, steps, cut, random.Random(number)))
        place.state = mounts.loop("cut", image) / "dxwatchd"
        place.manifest = place.state / "manifest.toml"
        place.options |= {"digests": "off", "quiet_period": 0}
        place.start()
        for model in range(MODELS):
            place.proposed(f"m{model}")
        for save in saves:
            if save.after <= cut:
                place.registered(save.path)
        assert place.stop() == 0
        mounts.unmount(place.state.parent)
    tried(5)
