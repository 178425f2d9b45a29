"""A models root of this test's own, looked at as the daemon does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dxwatchd.core.layouts import Found, find
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.readiness import Verdict, judge
from dxwatchd.core.reasons import Reason, State, state_of
from dxwatchd.core.snapshot import Snapshot
from dxwatchd.scan import Scanner


@dataclass(frozen=True)
class Root:
    """What lies in a models root. verdicts: of every model, by path."""

    snapshot: Snapshot
    found: Found
    verdicts: dict[str, Verdict]

    @property
    def models(self) -> dict[str, ModelFolder]:
        """By path."""
        return {model.path: model for model in self.found.models}

    def state(self, path: str) -> State | None:
        """What stands in the way of the model; None where nothing does."""
        return state_of(self.verdicts[path].reasons)

    def reasons(self, path: str = "m") -> tuple[Reason, ...]:
        """Of the model, or of the stray, at `path`."""
        if path in self.verdicts:
            return self.verdicts[path].reasons
        return next((stray.reasons for stray in self.found.strays if stray.path == path), ())


def look(root: Path) -> Root:
    """Look at a models root."""
    snapshot = Scanner(root, (), None).look(None, lambda: False)
    found = find(snapshot)
    return Root(snapshot, found, {model.path: judge(model, snapshot) for model in found.models})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty models root."""
    made = tmp_path / "models"
    made.mkdir()
    return made
