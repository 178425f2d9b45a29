"""The wall clock may jump, and files may have any time: nothing is proposed early, nothing waits for ever."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dxwatchd import publishing
from dxwatchd.cycle import Cycle
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings
from tests.e2e.test_names import tiny_model

YEARS = 10 * 365 * 86_400
STEPS = [YEARS, -YEARS, 3600, -3600, 0.5, -0.5]
STAMPS = [
    0,
    1,
    -1,
    -(2**31),
    2**31,
    2**32 - 1,
    4_500_000_000,
    2**33,
    15_032_385_534,
]  # ext4 ends with the last


@pytest.fixture
def cycle(tmp_path: Path) -> Cycle:
    """Passes with a quiet period of five seconds."""
    return Cycle(
        Settings(models_root=tmp_path / "models", state_dir=tmp_path / "state", remote_quiet_period=5)
    )


def _jump(patch: pytest.MonkeyPatch, step: float) -> None:
    real, real_ns = time.time, time.time_ns
    patch.setattr(time, "time", lambda: real() + step)
    patch.setattr(time, "time_ns", lambda: real_ns() + int(step * 1e9))
    patch.setattr(
        publishing, "timestamp", lambda: time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time()))
    )


def _proposed(cycle: Cycle, now: float) -> bool:
    """Whether a pass proposes something; another one is made where the manifest had to be quiet first."""
    for _ in range(5):
        events = cycle.run(Hints(everything=True), now).events
        if events:
            return str(events[0]["event"]) == "proposed"
        time.sleep(0.02)
    return False


@pytest.mark.promise(3, "the wall clock set forward and back between the looks")
@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_clock_proposes_nothing_early_and_delays_nothing(
    cycle: Cycle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """The quiet period goes by the daemon's own clock; the journal's numbers go on whatever its times say."""
    tiny_model(tmp_path / "models" / "a")
    try:
        assert not _proposed(cycle, 100.0)
        with monkeypatch.context() as patch:
            _jump(patch, step)
            assert not _proposed(cycle, 102.0)
            assert _proposed(cycle, 106.0)
            tiny_model(tmp_path / "models" / "b", 2)
            assert not _proposed(cycle, 107.0)
        assert _proposed(cycle, 113.0)
    finally:
        cycle.close()
    lines = (tmp_path / "state" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2]


@pytest.mark.promise(2, "files and a manifest stamped in 1901, 1970, the future, after 2106")
@pytest.mark.parametrize("stamp", STAMPS)
def test_a_file_of_any_time_is_proposed_in_its_time(
    cycle: Cycle, tmp_path: Path, stamp: int, tried: Callable[[int], None]
) -> None:
    """And the manifest of such a time is read and appended to."""
    tried(2)
    tiny_model(tmp_path / "models" / "a")
    try:
        assert not _proposed(cycle, 100.0)
        for path in [*(tmp_path / "models").rglob("*"), tmp_path / "state" / "manifest.toml"]:
            os.utime(path, (stamp, stamp))
        assert not _proposed(cycle, 102.0)  # that was a change
        assert not _proposed(cycle, 106.0)
        assert _proposed(cycle, 108.0)
        again = Cycle(cycle.settings)
        os.utime(tmp_path / "state" / "manifest.toml", (stamp, stamp))
        view = again.run(Hints(everything=True), 200.0)
        again.close()
        assert view.conclusive
        assert [folder.state.value for folder in view.plan.folders] == ["proposed"]
    finally:
        cycle.close()
