"""The example alerts: Prometheus takes them, and each fires for what it names and for nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dxwatchd.metrics import Metrics
from tests.conftest import REPOSITORY
from tests.faults.mounting_watch import program
from tests.test_metrics import SEEN, Values, values

ALERTS = REPOSITORY / "config" / "prometheus-alerts.yml"
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]

# Series in promtool's notation, one value a minute for four days: "0+60x5760" goes with the clock, "0x5760"
# stands still.
WELL = {
    "dxwatchd_last_pass_timestamp_seconds": "0+60x5760",
    'dxwatchd_passes_total{result="failed"}': "0x5760",
    "dxwatchd_write_trouble": "0x5760",
    "dxwatchd_held_back": "0x5760",
    'dxwatchd_cards{availability="missing"}': "0x5760",
    'dxwatchd_cards{availability="drifted"}': "0x5760",
    "dxwatchd_manifest_problems": "0x5760",
    "dxwatchd_event_queue_overflows_total": "0x5760",
    "dxwatchd_proposals": "0x5760",
}
ILL = {
    "DxwatchdSilent": ("dxwatchd_last_pass_timestamp_seconds", "0x5760"),
    "DxwatchdGone": ("dxwatchd_last_pass_timestamp_seconds", "_x5760"),
    "DxwatchdPassesFail": ('dxwatchd_passes_total{result="failed"}', "0+1x5760"),
    "DxwatchdCannotWrite": ("dxwatchd_write_trouble", "1x5760"),
    "DxwatchdHeldBack": ("dxwatchd_held_back", "2x5760"),
    "DxwatchdModelsGone": ('dxwatchd_cards{availability="missing"}', "3x5760"),
    "DxwatchdModelsDrifted": ('dxwatchd_cards{availability="drifted"}', "1x5760"),
    "DxwatchdManifestProblems": ("dxwatchd_manifest_problems", "1x5760"),
    "DxwatchdEventsLost": ("dxwatchd_event_queue_overflows_total", "0+1x5760"),
    "DxwatchdProposalsWait": ("dxwatchd_proposals", "4x5760"),
}


def promtool(*words: str | Path) -> str:
    """Run it; returns what it printed."""
    done = subprocess.run(
        [program("promtool"), *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_them() -> None:
    """No fault is found, and as many rules as there are."""
    assert f"{len(RULES)} rules found" in promtool("check", "rules", ALERTS)


def test_they_ask_for_what_there_is(tmp_path: Path) -> None:
    """Every series that they name is one that the daemon writes; each has a severity and a remedy."""
    metrics = Metrics(tmp_path / "metrics.prom")
    metrics.passed(SEEN)
    written: Values = values(metrics.path)
    for rule in RULES:
        for name in re.findall(r"dxwatchd_\w+(?:\{[^}]*\})?", rule["expr"]):
            assert name.replace('"', "") in written, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["remedy"]


@pytest.mark.parametrize("alert", ["", *ILL])
def test_each_fires_for_what_it_names(alert: str, tmp_path: Path) -> None:
    """And no other does; with all well none does."""
    series = dict(WELL)
    if alert:
        series[ILL[alert][0]] = ILL[alert][1]
    firing = {
        "expr": 'count(ALERTS{alertstate="firing"}) by (alertname)',
        "eval_time": "95h",
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else [],
    }
    given = [{"series": name, "values": shape} for name, shape in series.items()]
    case = {"interval": "1m", "input_series": given, "promql_expr_test": [firing]}
    suite = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [case]}
    (tmp_path / "suite.yml").write_text(yaml.safe_dump(suite))
    promtool("test", "rules", tmp_path / "suite.yml")
