"""A pass that takes long is told of while it does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dxwatchd import overdue
from dxwatchd.overdue import Overdue
from dxwatchd.stores.now_file import Now, NowFile
from dxwatchd.whereabouts import Whereabouts

PATIENCE = 30.0


class Watched:
    """One that finds a twentieth of a second long."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.new = threading.Event()
        self.file = NowFile(folder / "now.json")
        self.overdue = Overdue(self.file, self._tell)

    def _tell(self, text: str) -> None:
        self.said.append(text)
        self.new.set()

    def now(self) -> Now:
        """What the file says."""
        return self.file.read(os.getpid())


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """One that is running."""
    monkeypatch.setattr(overdue, "LONG", 0.05)
    monkeypatch.setattr(overdue, "AGAIN", 0.02)
    one = Watched(tmp_path)
    one.overdue.start()
    yield one
    one.overdue.stop()


def test_a_long_pass_says_where_it_is_and_a_short_one_nothing(watched: Watched) -> None:
    """The place is that of the moment; at the end nothing is left of it."""
    with watched.overdue.watching(Path("/models"), Whereabouts("short")):
        pass
    at = Whereabouts("a")
    with watched.overdue.watching(Path("/models"), at):
        assert watched.new.wait(PATIENCE)
        assert watched.said[0].endswith("looking at /models/a")
        at.come_to("b")
        deadline = time.monotonic() + PATIENCE
        while not ((told := watched.now().under_way) is not None and told.place == "/models/b"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    deadline = time.monotonic() + PATIENCE
    while watched.now().under_way is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not any("short" in text for text in watched.said)
