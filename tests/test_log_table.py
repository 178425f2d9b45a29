"""The service's guide lists every event of the log and every metric, as they are in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from dxwatchd import log
from dxwatchd.metrics import Metrics
from dxwatchd.telling import ALARMING, DECISIONS
from tests.conftest import REPOSITORY
from tests.test_metrics import SEEN

GUIDE = (REPOSITORY / "systemd" / "README.md").read_text()
LEVELS = ("debug", "info", "warning", "error", "exception")


def _calls() -> Iterator[tuple[Path, str, ast.Call]]:
    for path in sorted((REPOSITORY / "dxwatchd").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if (
                isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
                and node.func.attr in LEVELS
            ):
                yield path, node.func.attr, node


def in_code() -> dict[str, str]:
    """Every event that is written out in the code, with its level."""
    found = {told: "warning" if event in ALARMING else "info" for event, told in DECISIONS.items()}
    for path, level, call in _calls():
        first = call.args[0]
        texts = [node.value for node in ast.walk(first) if isinstance(node, ast.Constant) and node.value]
        assert texts, f"{path}: an event that is put together at run time"
        for text in texts:
            found[str(text)] = "error" if level == "exception" else level
    return {event: level for event, level in found.items() if event}


def in_guide() -> dict[str, tuple[str, set[str]]]:
    """Every event of the table, with its level and its keys."""
    section = GUIDE.split("### Events", 1)[1].split("\n### ", 1)[0]
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \|([^|]*)\|", section, flags=re.MULTILINE)
    return {event: (level, set(re.findall(r"`(\w+)`", keys))) for event, level, keys in rows}


def test_the_table_has_every_event_and_no_other() -> None:
    """With the level that it is logged at."""
    assert {event: level for event, (level, _) in in_guide().items()} == in_code()


def test_the_table_has_the_keys_that_are_logged() -> None:
    """Wherever they are written out in the call."""
    table = in_guide()
    for path, level, call in _calls():
        keys = {ast.unparse(node).removeprefix("Key.").lower() for node in ast.walk(call) if _is_key(node)}
        keys |= {str(word.arg) for word in call.keywords if word.arg not in (None, "exc_info")}
        if level == "exception" or any(word.arg == "exc_info" for word in call.keywords):
            keys.add("exception")
        for node in ast.walk(call.args[0]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert keys <= table[node.value][1], f"{path}: {node.value}"


def _is_key(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Key"


def test_the_table_of_metrics_has_all_that_are_written(tmp_path: Path) -> None:
    """And no other, each with the names of its labels."""
    metrics = Metrics(tmp_path / "metrics.prom")
    metrics.passed(SEEN)
    written = {
        sample.name + (f"{{{','.join(sample.labels)}}}" if sample.labels else "")
        for family in text_string_to_metric_families(metrics.path.read_text())
        for sample in family.samples
    }
    section = GUIDE.split("\n## Metrics", 1)[1]
    assert set(re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)) == written


def test_the_table_names_known_keys_only() -> None:
    """Every key is one of `log.Key`, and every one of those is explained."""
    known = {key.value for key in log.Key}
    for event, (_, keys) in in_guide().items():
        assert keys <= known, event
    section = GUIDE.split("### Keys", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == known
