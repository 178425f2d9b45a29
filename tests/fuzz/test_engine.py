"""A bounded run of the fuzzing, and that it would see what it looks for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.fuzz import card_checks, cards, engine

PLANTED = """
import sys
from tests.fuzz import engine
def run(data):
    {fault}
engine.targets = lambda: (engine.Target("planted", (b"seed",), run),)
sys.argv = ["engine", "--inputs", "3", "--folders", "0", "--cards", "0"]
sys.exit(engine.main())
"""


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=110
    )


@pytest.mark.promise(1, "tens of thousands of spoiled files: nothing opened outside, nothing executed")
def test_no_input_gets_through() -> None:
    """Tens of thousands of spoiled files and hundreds of folders: nothing but the readers' own error."""
    done = _python(
        "-m", "tests.fuzz.engine", "--inputs", "40000", "--folders", "1000", "--cards", "1000", "--seed", "7"
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.startswith("42,000 inputs, 0 wrong")


@pytest.mark.parametrize(
    ("fault", "told"),
    [("raise KeyError('x')", "KeyError('x')"), ("return bytes(70 * 2**20)", "MemoryError()")],
)
def test_it_sees_what_it_looks_for(fault: str, told: str) -> None:
    """A reader that lets another error out, and one that takes too much memory, end the run with a word."""
    done = _python("-c", PLANTED.format(fault=fault))
    assert done.returncode == 1
    assert f"planted: {told}" in done.stdout


def test_a_file_outside_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a look at a folder opens is noted."""
    monkeypatch.setattr(os, "open", os.open)  # put back afterwards
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")

    def leak(_: Path) -> None:
        os.close(os.open(secret, os.O_RDONLY))

    monkeypatch.setattr(engine, "_look", leak)
    problems = list(engine.feed_folders(2, 1))
    assert len(problems) == 2
    assert str(secret) in problems[0]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("dump", lambda _: b"{}"),
        ("render", lambda *_: "[1"),
        ("groups", lambda *_, **__: [[("label", "two\nlines")]]),
        ("build_card", lambda *_: 1 // 0),
    ],
)
def test_a_card_that_says_something_else_would_be_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, made: Callable[..., object]
) -> None:
    """Its bytes, its exports, its screen, and that it can be made at all."""
    cards._asked(None)  # with the true one
    monkeypatch.setattr(card_checks, name, made)
    problems = list(cards.feed_cards(3, 1))
    assert len(problems) == 3
