"""Where everything lies in a state directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The names inside one state directory."""

    root: Path

    @property
    def format(self) -> Path:
        """Which format all the others have."""
        return self.root / "format.json"

    @property
    def cards(self) -> Path:
        """The folder of cards and their index."""
        return self.root / "cards"

    @property
    def journal(self) -> Path:
        """Every decision, in order."""
        return self.root / "events.jsonl"

    @property
    def status(self) -> Path:
        """What the last pass saw."""
        return self.root / "status.json"

    @property
    def now(self) -> Path:
        """What the daemon is at, where the status cannot say it."""
        return self.root / "now.json"

    @property
    def metrics(self) -> Path:
        """What a monitoring system asks."""
        return self.root / "metrics.prom"

    @property
    def facts(self) -> Path:
        """The cache of what was read."""
        return self.root / "facts.db"

    @property
    def digests(self) -> Path:
        """The digests of model files."""
        return self.root / "digests.db"

    @property
    def guards(self) -> Path:
        """What is remembered of the models root."""
        return self.root / "guards.json"

    @property
    def pending(self) -> Path:
        """The append to the manifest that is under way."""
        return self.root / "append.pending"

    @property
    def lock(self) -> Path:
        """Held by the one process that writes here."""
        return self.root / "daemon.lock"

    @property
    def requests(self) -> Path:
        """How commands ask the daemon for a pass."""
        return self.root / "requests"
