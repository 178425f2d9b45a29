"""`metrics.prom`: what a monitoring system asks, in Prometheus' text format, written after each pass.

For node_exporter's textfile collector, or whatever else reads such files. Counters begin anew with the
daemon, as Prometheus expects of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from dxwatchd.core.plan import Plan
from dxwatchd.core.reasons import State
from dxwatchd.core.records import Availability
from dxwatchd.stores.atomic import replace_quickly
from dxwatchd.telling import DECISIONS


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass leaves to be counted.

    cards: the availability of each published card; digests: as in `status.json`, None where they are off;
    duration: seconds.
    """

    plan: Plan
    events: Iterable[Mapping[str, Any]]
    trouble: str
    duration: float
    cards: Iterable[Availability]
    digests: Mapping[str, Any] | None
    overflows: int
    weaknesses: int


class Metrics(Collector):
    """The metrics of one daemon. clock: gives Unix time in seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._started = clock()
        self._version = version("dxwatchd")
        self._passes = Counter({"made": 0, "failed": 0})
        self._seconds = 0.0
        self._events = Counter(dict.fromkeys(DECISIONS, 0))
        self._ended = 0.0
        self._gauges: list[Metric] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def failed(self) -> None:
        """A pass failed; the next one that does not tells so."""
        self._passes["failed"] += 1

    def passed(self, seen: Seen) -> None:
        """Count a pass and write the file. Raises OSError."""
        self._passes["made"] += 1
        self._seconds += seen.duration
        self._events.update(str(event["event"]) for event in seen.events)
        self._ended = self._clock()
        self._gauges = list(_gauges(seen))
        replace_quickly(self.path, generate_latest(self._registry))

    def collect(self) -> Iterable[Metric]:
        """Everything, as prometheus_client asks for it."""
        yield InfoMetricFamily("dxwatchd", "The program.", value={"version": self._version})
        yield GaugeMetricFamily(
            "dxwatchd_start_time_seconds", "When the daemon started, Unix time.", value=self._started
        )
        passes = CounterMetricFamily(
            "dxwatchd_passes", "Passes since the start, by what became of them.", labels=["result"]
        )
        for result, number in self._passes.items():
            passes.add_metric([result], number)
        yield passes
        yield SummaryMetricFamily(
            "dxwatchd_pass_duration_seconds",
            "How long passes took.",
            count_value=self._passes["made"],
            sum_value=self._seconds,
        )
        yield GaugeMetricFamily(
            "dxwatchd_last_pass_timestamp_seconds",
            "When the last pass that did not fail ended, Unix time.",
            value=self._ended,
        )
        events = CounterMetricFamily(
            "dxwatchd_events", "Decisions since the start, as in events.jsonl.", labels=["event"]
        )
        for event, number in sorted(self._events.items()):
            events.add_metric([event], number)
        yield events
        yield from self._gauges


def _gauges(seen: Seen) -> Iterable[Metric]:
    """What is now."""
    states = Counter(folder.state for folder in seen.plan.folders)
    yield _labelled(
        "dxwatchd_folders",
        "Folders by their state.",
        "state",
        {state.value: states[state] for state in State},
    )
    yield _gauge("dxwatchd_proposals", "Proposals that wait for a person.", states[State.PROPOSED])
    cards = Counter(seen.cards)
    yield _labelled(
        "dxwatchd_cards", "Published cards.", "availability", {one.value: cards[one] for one in Availability}
    )
    yield _gauge(
        "dxwatchd_manifest_problems", "Problems of the manifest that stand.", len(seen.plan.problems)
    )
    yield _gauge("dxwatchd_held_back", "Reasons for which nothing is withdrawn.", len(seen.plan.held))
    yield _gauge("dxwatchd_write_trouble", "1 while something cannot be written.", int(bool(seen.trouble)))
    yield _gauge(
        "dxwatchd_watch_weaknesses", "Reasons for which events cannot be relied on.", seen.weaknesses
    )
    yield CounterMetricFamily(
        "dxwatchd_event_queue_overflows",
        "How often the kernel dropped events since the start.",
        value=seen.overflows,
    )
    if seen.digests is not None:
        yield _gauge("dxwatchd_digest_files_left", "Files to be hashed yet.", seen.digests["files_left"])
        yield _gauge("dxwatchd_digest_bytes_left", "Their bytes.", seen.digests["bytes_left"])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
