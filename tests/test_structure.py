"""How the package is laid out."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from dxwatchd.log import Key
from tests.conftest import REPOSITORY

MODULES = sorted((REPOSITORY / "dxwatchd").rglob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("test_*.py"))
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "bind"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_module_is_short(module: Path) -> None:
    """A module that grows past 300 lines has more than one purpose."""
    assert len(module.read_text(encoding="utf-8").splitlines()) < 300


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_module_says_what_it_is_for(module: Path) -> None:
    """Each module begins with a sentence about its purpose."""
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_log_calls_use_known_keys(module: Path) -> None:
    """What a log message carries has a name that dxwatchd.log explains."""
    known = {key.value for key in Key} | {"exc_info"}
    for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        speaker = call.func.value
        name = speaker.id if isinstance(speaker, ast.Name) else getattr(speaker, "attr", "")
        if name.lstrip("_") in {"log", "logger"} and call.func.attr in LOG_METHODS:
            used = {keyword.arg for keyword in call.keywords if keyword.arg}
            assert used <= known, f"line {call.lineno}: {sorted(used - known)} is not in dxwatchd.log.Key"


@pytest.mark.parametrize("tests", TESTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_each_test_says_what_it_holds(tests: Path) -> None:
    """The sentence at the head of a test is the behaviour that it holds."""
    functions = [
        node for node in ast.walk(ast.parse(tests.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)
    ]
    silent = [
        node.name for node in functions if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.xdist_group("alone")
def test_what_must_not_run_side_by_side_is_kept_together(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells groups of tests by the names of their nodes, which not every pytest has changed."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith("@alone")
