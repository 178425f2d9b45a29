"""`metrics.prom`: what a monitoring system reads in it, by prometheus_client's own parser."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dxwatchd.core.plan import FolderState, Plan
from dxwatchd.core.reasons import Reason, ReasonKind, State
from dxwatchd.core.records import Availability
from dxwatchd.metrics import Metrics, Seen
from dxwatchd.telling import DECISIONS
from tests.e2e.conftest import Place, place
from tests.e2e.test_names import drop

__all__ = ["place"]

SEEN = Seen(
    plan=Plan(
        folders=(
            FolderState("a", State.PROPOSED),
            FolderState("b", State.PROPOSED),
            FolderState("c", State.DRIFTED),
        ),
        held=(Reason(ReasonKind.ROOT_LOST, found="the root is lost"),),
    ),
    events=[{"event": "proposed"}, {"event": "proposed"}, {"event": "drifted"}],
    trouble="the disk is full",
    duration=0.25,
    cards=[Availability.DRIFTED, Availability.AVAILABLE],
    digests={"files_left": 3, "bytes_left": 1000},
    overflows=2,
    weaknesses=1,
)
NOTHING = Seen(Plan(), [], "", 0.5, [], None, 0, 0)

Values = dict[str, float]


def values(path: Path) -> Values:
    """Every sample, by its name and labels as they are written."""
    found: Values = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.documentation, f"{family.name} is not explained"
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Of a daemon that was started at 1,000 seconds."""
    return Metrics(tmp_path / "metrics.prom", iter((1000.0, 1010.0, 1020.0)).__next__)


def test_what_a_pass_leaves(metrics: Metrics) -> None:
    """Every figure of the last pass; states and decisions that there are none of are there as 0."""
    metrics.passed(SEEN)
    found = values(metrics.path)
    assert found["dxwatchd_folders{state=proposed}"] == found["dxwatchd_proposals"] == 2
    assert found["dxwatchd_folders{state=drifted}"] == 1
    assert found["dxwatchd_folders{state=registered}"] == 0
    assert {f"dxwatchd_folders{{state={state.value}}}" for state in State} <= set(found)
    assert found["dxwatchd_cards{availability=drifted}"] == 1
    assert found["dxwatchd_cards{availability=missing}"] == 0
    assert found["dxwatchd_held_back"] == found["dxwatchd_write_trouble"] == 1
    assert found["dxwatchd_watch_weaknesses"] == 1
    assert found["dxwatchd_event_queue_overflows_total"] == 2
    assert (found["dxwatchd_digest_files_left"], found["dxwatchd_digest_bytes_left"]) == (3, 1000)
    assert found["dxwatchd_start_time_seconds"] == 1000
    assert found["dxwatchd_last_pass_timestamp_seconds"] == 1010
    assert {f"dxwatchd_events_total{{event={event}}}" for event in DECISIONS} <= set(found)


def test_counters_count_up_and_the_rest_is_what_is_now(metrics: Metrics) -> None:
    """Failed passes are told by the next one that does not fail."""
    metrics.passed(SEEN)
    metrics.failed()
    metrics.passed(NOTHING)
    found = values(metrics.path)
    assert found["dxwatchd_passes_total{result=made}"] == 2
    assert found["dxwatchd_passes_total{result=failed}"] == 1
    assert found["dxwatchd_pass_duration_seconds_sum"] == 0.75
    assert found["dxwatchd_pass_duration_seconds_count"] == 2
    assert found["dxwatchd_events_total{event=proposed}"] == 2
    assert found["dxwatchd_proposals"] == found["dxwatchd_write_trouble"] == 0
    assert "dxwatchd_digest_files_left" not in found
    assert found["dxwatchd_last_pass_timestamp_seconds"] == 1020


def test_a_file_that_cannot_be_written_is_left_as_it_was(metrics: Metrics) -> None:
    """Nothing is left beside it."""
    metrics.path.mkdir()
    with pytest.raises(OSError, match=r"metrics\.prom"):
        metrics.passed(SEEN)
    assert os.listdir(metrics.path.parent) == ["metrics.prom"]


def test_a_running_daemon_agrees_with_its_status(place: Place) -> None:
    """Folders, cards, events and passes are what `status.json`, the index and the journal say."""
    place.start()
    drop(place, "one", 1)
    drop(place, "two", 2)
    place.proposed("one")
    place.proposed("two")
    place.run("approve", "one")
    place.registered("one")
    events = place.settled_events()
    place.run("scan", code=None)
    found = values(place.state / "metrics.prom")
    status = json.loads(place.passes())
    for state in State:
        count = sum(folder["state"] == state.value for folder in status["folders"])
        assert found[f"dxwatchd_folders{{state={state.value}}}"] == count
    assert found["dxwatchd_cards{availability=available}"] == len(place.index()) == 1
    for event in DECISIONS:
        count = sum(one["event"] == event for one in events)
        assert found[f"dxwatchd_events_total{{event={event}}}"] >= count
    assert found["dxwatchd_passes_total{result=made}"] >= status["pass"]["number"]
    assert found["dxwatchd_info{version=0.1.0}"] == 1


@pytest.mark.promise(7, "metrics.prom cannot be written: a folder of its name")
def test_metrics_that_cannot_be_written_stop_nothing(place: Place) -> None:
    """Models are proposed and registered all the same."""
    (place.state / "metrics.prom" / "inside").mkdir(parents=True)
    place.start()
    drop(place, "one", 1)
    place.proposed("one")
    assert place.stop() == 0
