"""Killed, or on a full disk, at every single write, fsync, rename, link and unlink: the end is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crashing import ENOSPC, Scenario, hurried

Tried = Callable[[int], None]


def _steps(folder: Path, trial: Callable[[Scenario, int, int, object], None], every: int = 1) -> int:
    """Go through the scenario; before each step is done for good, try it at each of its calls.

    every: at that many calls one trial. Returns how many trials there were.
    """
    total = 0
    scenario = Scenario(folder / "place")
    saved = folder / "saved"
    with hurried():
        for number, act in enumerate(scenario.steps):
            act()
            before = saved / str(number)
            scenario.save(before)
            calls = scenario.run(number)
            wanted = scenario.end()
            after = folder / "after" / str(number)
            scenario.save(after)
            numbers = range(1, calls + 1, every)
            for call in numbers:
                scenario.put_back(before)
                trial(scenario, number, call, wanted)
            scenario.put_back(after)
            total += len(numbers)
    end = scenario.end()
    assert Counter(event for event, *_ in (*end["events"], *end["digested"])) == {
        "proposed": 4,
        "registered": 4,  # one under another technical name
        "drifted": 2,
        "restored": 2,
        "moved": 2,
        "renamed": 1,
        "overridden": 1,
        "approved_again": 1,
        "missing": 1,
        "digested": 3,
        "removed": 2,
        "resolved": 1,
    }
    print(f"{total} trials, {scenario.reader.looks} looks between them, the same end each time")
    assert total * every > 150
    return total


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.promise(
    5, "killed at every write, half write, fsync, rename, link, unlink; a reader between all"
)
def test_every_crash_point_leads_to_the_same_end(tmp_path: Path, tried: Tried) -> None:
    """Cards, index, tombstones, entries and events are those of an undisturbed run, wherever it died.

    Whatever there is to read, between every two calls before and after, is a whole version.
    """

    def kill(scenario: Scenario, step: int, call: int, wanted: object) -> None:
        scenario.run(step, range(call, call + 1), poll=False)
        assert scenario.end() == wanted, f"killed at call {call} of step {step}"

    tried(_steps(tmp_path, kill))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.promise(5, "no space left at every single call, once and for a while; a reader between all")
@pytest.mark.parametrize(("length", "every"), [(1, 1), (9, 5)])
def test_a_disk_full_at_any_call_leads_to_the_same_end(
    tmp_path: Path, tried: Tried, length: int, every: int
) -> None:
    """It goes on by itself when there is room, with no decision journalled twice or not at all."""

    def fail(scenario: Scenario, step: int, call: int, wanted: object) -> None:
        scenario.run(step, range(call, call + length), ENOSPC, poll=False)
        assert scenario.end() == wanted, f"no space at call {call} of step {step}, for {length}"

    tried(_steps(tmp_path, fail, every))
