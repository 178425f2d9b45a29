"""What is known of the digests of one snapshot's models, worked out once and only where it is asked for."""

from __future__ import annotations

from dataclasses import replace

from dxwatchd.core.content import content_of
from dxwatchd.core.findings import Findings, findings
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.plan import FolderState
from dxwatchd.core.provenance import Checked, Known, checked_files, mismatches
from dxwatchd.core.reasons import State
from dxwatchd.core.records import Content
from dxwatchd.core.snapshot import Snapshot

_WHOLE = (State.REGISTERED, State.PROPOSED, State.DRIFTED, State.CONFLICT)


class DigestView:
    """The digests `known` of the files in a snapshot; None where nobody computes any."""

    def __init__(self, snapshot: Snapshot, known: Known | None) -> None:
        self._snapshot = snapshot
        self._known = known
        self._checked: dict[str, tuple[Checked, ...]] = {}

    def findings(self, model: ModelFolder) -> Findings | None:
        """What its card is to say of digests; None while some are pending."""
        return findings(model, self._of(model))

    def content(self, model: ModelFolder) -> Content | None:
        """What it holds, by the digests of the files that count; None while one of them is pending."""
        return content_of(self._of(model)) if self._known is not None else None

    def told(self, folders: tuple[FolderState, ...]) -> tuple[FolderState, ...]:
        """The states with what is known of the digests of those folders that are whole."""
        return folders if self._known is None else tuple(map(self._told, folders))

    def _told(self, folder: FolderState) -> FolderState:
        if folder.model is None or folder.state not in _WHOLE:
            return folder
        checked = self._of(folder.model)
        return replace(folder, warnings=(*folder.warnings, *mismatches(checked)), checked=checked)

    def _of(self, model: ModelFolder) -> tuple[Checked, ...]:
        if self._known is None:
            return ()
        if model.path not in self._checked:
            self._checked[model.path] = checked_files(model, self._snapshot, self._known)
        return self._checked[model.path]
