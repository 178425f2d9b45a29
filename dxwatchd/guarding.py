"""What the guard of the models root remembers from pass to pass, and what of it is journalled and logged."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import structlog

from dxwatchd.core.plan import Plan
from dxwatchd.core.root_guard import Memory
from dxwatchd.core.text import printable
from dxwatchd.log import Key
from dxwatchd.stores.guard_file import GuardFile

log = structlog.get_logger()


class Guard:
    """The memory of one state directory."""

    def __init__(self, path: Path) -> None:
        """Take up what earlier runs remember; what is damaged is said and forgotten."""
        self._file = GuardFile(path)
        if self._file.damaged:
            log.warning(
                "what was known of the models root is lost; if much is gone from it, that is held again",
                **{Key.PATH: str(path), Key.REASON: self._file.damaged},
            )

    @property
    def memory(self) -> Memory:
        """To decide by."""
        return self._file.memory

    def remember(self, plan: Plan) -> None:
        """Keep what a plan, which was carried out, thinks of the root. Raises OSError."""
        if plan.root.replaced:
            told = f"{plan.root.replaced}, with every model in it"
            log.info("models root taken over", **{Key.REASON: told})
        self._file.save(plan.root.memory)


def acceptance(plan: Plan) -> list[dict[str, Any]]:
    """The event of what a person confirmed to be gone, if that is anything.

    missing: models whose folder is gone, which keep their entries and cards; removed: cards without entries.
    """
    if not plan.root.accepted and not plan.confirmed:
        return []
    return [
        {
            "id": f"removals_accepted:{secrets.token_hex(8)}",
            "event": "removals_accepted",
            "missing": [printable(name) for name in plan.root.accepted],
            "removed": [printable(name) for name in plan.confirmed],
        }
    ]
