"""What the tests tried to break each of the promises with: collected by the run, written to `PROMISES.md`.

A test says what it does with `@pytest.mark.promise(NUMBER, "the fault")`, and with the fixture `tried` how
many times it did. With `--promises FILE` the run notes in FILE what came of it, beside what earlier runs
noted there, and writes the table anew.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pytest

TABLE: Final = Path(__file__).with_name("PROMISES.md")

PROMISES: Final = {
    1: "The models root is never written to, nothing in it is executed, no network is used.",
    2: "No folder is lost: whatever happens to events, the next pass sees what is there.",
    3: "A folder is proposed only once it is proven whole and has come to rest.",
    4: "A person's save of the manifest is never overwritten or lost.",
    5: "A reader of a card or of the index sees a whole old one or a whole new one.",
    6: "Names are unique under NFKC + casefold; the incumbent keeps its name, the newcomer is told why.",
    7: "One bad folder, entry or file never stops the others.",
    8: "A suspicious mass change halts withdrawals and keeps the last good state.",
    9: "What was approved is what is published: changed content says `drifted` until approved again.",
    10: "Every state can be explained.",
}
"""Promises, in order of rank."""

_TIMES = pytest.StashKey[int]()


@dataclass(frozen=True, slots=True)
class Trial:
    """One test's attempt on one promise. times: how often the fault was tried; outcome: pytest's word."""

    test: str
    promise: int
    fault: str
    times: int
    outcome: str


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--promises FILE`."""
    parser.addoption("--promises", metavar="FILE", help="note what was tried in FILE, and write PROMISES.md")


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Callable[[int], None]:
    """Says how many times this test tried its fault; without it, once."""

    def note(times: int) -> None:
        request.node.stash[_TIMES] = times

    return note


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the trials of a test along with its report, from whatever process it ran in."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        for mark in item.iter_markers("promise"):
            number, fault = mark.args
            trial = Trial(item.nodeid, number, fault, item.stash.get(_TIMES, 1), report.outcome)
            report.user_properties.append(("promise", asdict(trial)))
    return report


class _Collector:
    """Gathers the trials of a whole run."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._trials: list[Trial] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One test's phase has ended."""
        said: list[tuple[str, Any]] = list(report.user_properties)
        self._trials.extend(Trial(**value) for name, value in said if name == "promise")

    def pytest_sessionfinish(self) -> None:
        """All have ended: note them, and write the table."""
        noted: list[dict[str, Any]] = json.loads(self._notes.read_text()) if self._notes.exists() else []
        trials = {(one.test, one.promise, one.fault): one for one in (Trial(**plain) for plain in noted)}
        trials |= {(one.test, one.promise, one.fault): one for one in self._trials}
        self._notes.write_text(json.dumps([asdict(one) for one in trials.values()], indent=1) + "\n")
        TABLE.write_text(table(trials.values()))


def pytest_configure(config: pytest.Config) -> None:
    """Collect in the one process that hears of every report."""
    notes = config.getoption("--promises")
    if notes and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(Path(notes)))


def table(trials: Iterable[Trial]) -> str:
    """`PROMISES.md`: each promise, and what was tried against it how many times with what result."""
    by_promise: dict[int, dict[str, list[Trial]]] = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        by_promise[trial.promise][trial.fault].append(trial)
    lines = ["# The promises, and what the tests tried against them", ""]
    lines += ["Written by `make test`, from what that run did: not to be edited.", ""]
    for number, promise in PROMISES.items():
        faults = by_promise.get(number, {})
        lines += [f"## {number}. {promise}", "", "| Tried | Times | Result | In |", "|---|--:|---|---|"]
        lines += [_row(fault, faults[fault]) for fault in sorted(faults)]
        lines += [""] if faults else ["| nothing in this run | 0 | – | – |", ""]
    return "\n".join(lines)


def _row(fault: str, trials: list[Trial]) -> str:
    ran = [one for one in trials if one.outcome != "skipped"]
    failed = sum(one.outcome == "failed" for one in ran)
    result = (
        f"{failed} of {len(ran)} tests failed" if failed else "held" if ran else "not tried on this machine"
    )
    files = sorted({one.test.partition("::")[0].removeprefix("tests/") for one in trials})
    return f"| {fault} | {sum(one.times for one in ran):,} | {result} | {', '.join(files)} |"
