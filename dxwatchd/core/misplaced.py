"""Entries at whose path no model can be or is: what is said of each while a decision is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dxwatchd.core.entries import Entry, Problem
from dxwatchd.core.folder_states import told
from dxwatchd.core.judged import Judged, Outcome
from dxwatchd.core.overlap import above, is_part, part_problem
from dxwatchd.core.path_hints import hint, leads_out, names_in
from dxwatchd.core.plan import Observation
from dxwatchd.core.reasons import Reason, state_of
from dxwatchd.core.snapshot import Trouble

MOST_HINTS = 50
"""Entries without their folder for which the names that are there are compared, in one pass."""


class Misplaced:
    """What one decision found of such entries. judged: every model folder by path."""

    def __init__(self, seen: Observation, judged: Mapping[str, Judged]) -> None:
        self._seen = seen
        self._judged = judged
        self._hints = MOST_HINTS
        self.problems: list[Problem] = []

    def owned(self, entry: Entry) -> tuple[Reason, ...]:
        """Why the entry is stopped, where its folder is a part of another model; else nothing."""
        owner = above(entry.path, self._judged) if entry.path not in self._judged else None
        if owner is None or not is_part(entry.path, owner.model):
            return ()
        problem = part_problem(self._seen.manifest, entry, owner.model)
        if entry.number >= 0 and self._seen.manifest_trouble is None:
            self.problems.append(problem)
        return (told(problem),)

    def linked(self, entry: Entry, outcome: Outcome) -> Outcome:
        """The outcome of an entry whose folder is gone, with the link left there, if it leads out."""
        file = self._seen.snapshot.file(entry.path)
        if file is None or file.trouble is not Trouble.LINK_OUTSIDE:
            return outcome
        return replace(outcome, reasons=(leads_out(entry.path), *outcome.reasons))

    def hinted(self, entry: Entry, outcome: Outcome) -> Outcome:
        """The outcome of an entry that waits for its folder, with what else may have been meant."""
        said = hint(entry.path, names_in(self._seen.snapshot)) if self._hints else None
        if said is None:
            return outcome
        self._hints -= 1
        return replace(outcome, state=state_of((said,)) or outcome.state, reasons=(said,))
