"""What a pass has to say to the log: every decision, and every change of a state or a trouble, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from dxwatchd.core.plan import FolderState, Plan
from dxwatchd.core.reasons import Reason, State
from dxwatchd.core.text import printable
from dxwatchd.log import Key

log = structlog.get_logger()

_SAID = (Key.TECHNICAL_NAME, Key.MODEL_NAME, Key.PATH, Key.ID)

ALARMING = ("drifted", "missing")
"""Events of the journal that are warnings: somebody may be using the model."""

_GOOD = (State.PROPOSED, State.REGISTERED, State.REJECTED)

DECISIONS: Mapping[str, str] = {
    "proposed": "model proposed",
    "registered": "model registered",
    "approved_again": "model approved again",
    "drifted": "model drifted",
    "missing": "model missing",
    "restored": "model restored",
    "moved": "model moved",
    "renamed": "model renamed",
    "overridden": "model's card overridden",
    "resolved": "model's lineage resolved anew",
    "digested": "model's digests published",
    "removed": "model removed",
    "removals_accepted": "removals accepted",
}
"""What the log says of each event of the journal."""


class Teller:
    """Remembers what was said, so that nothing is said twice."""

    def __init__(self, manifest: str) -> None:
        self.manifest = manifest
        self._states: dict[str, tuple[State, tuple[Reason, ...]]] = {}
        self._said: frozenset[str] = frozenset()

    def tell(self, plan: Plan, events: Sequence[Mapping[str, Any]], trouble: str) -> None:
        """Log what is new since the last pass."""
        for event in events:
            keys = {key: event[key] for key in _SAID if key in event}
            level = log.warning if event["event"] in ALARMING else log.info
            level(DECISIONS.get(str(event["event"]), str(event["event"])), **keys)
        states = {folder.path: (folder.state, folder.reasons) for folder in plan.folders}
        for folder in plan.folders:
            if folder.state not in _GOOD and self._states.get(folder.path, (None,))[0] is not folder.state:
                self._folder(folder)
        self._states = states
        said = {problem.at(self.manifest) for problem in plan.problems}
        said |= {str(reason) for reason in plan.held}
        if trouble:
            said.add(trouble)
        for text in sorted(said - self._said):
            log.warning("needs attention", **{Key.REASON: text})
        for text in sorted(self._said - said):
            log.info("no longer so", **{Key.REASON: text})
        self._said = frozenset(said)

    def _folder(self, folder: FolderState) -> None:
        first = folder.reasons[0] if folder.reasons else None
        log.info(
            "folder is not ready" if not folder.technical_name else "model needs attention",
            **{
                Key.PATH: printable(folder.path),
                Key.STATE: folder.state.value,
                Key.REASON: str(first) if first is not None else "",
                Key.COUNT: len(folder.reasons),
            },
        )
