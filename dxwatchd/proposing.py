"""New proposals: from the plan into the manifest and the journal, each exactly once."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from dxwatchd.card.sources import Identity
from dxwatchd.card.summary import summary
from dxwatchd.cardmaking import Unreadable, try_card
from dxwatchd.core.plan import NewProposal
from dxwatchd.core.proposals import Proposal, render
from dxwatchd.core.snapshot import Snapshot
from dxwatchd.core.unread import Unread
from dxwatchd.manifest_view import View
from dxwatchd.publishing import timestamp
from dxwatchd.steadiness import is_steady
from dxwatchd.stores.exchange import bring_back
from dxwatchd.stores.journal import Journal
from dxwatchd.stores.manifest_append import PendingFile, append, as_appended, complete
from dxwatchd.stores.manifest_file import Changed, ManifestError

INSIST = 5
"""Refusals in a row after which the file is appended to though somebody reads it: `tail -f` never ends."""

TELL = 60
"""Refusals in a row after which it is told that proposals wait."""

log = structlog.get_logger()


class Proposer:
    """Appends proposals to one manifest."""

    def __init__(self, root: Path, manifest: Path, pending: Path, journal: Journal) -> None:
        self.root = root
        self.manifest = manifest
        self.pending = PendingFile(pending)
        self.journal = journal
        self._refused = 0
        self._settled = True
        self.unread: list[Unread] = []
        """As that of `Publisher`."""

    def propose(
        self, proposals: tuple[NewProposal, ...], view: View, snapshot: Snapshot
    ) -> tuple[list[dict[str, Any]], bool]:
        """Append blocks for `proposals` in one write. Returns the events, and whether something must wait.

        What is not steady any more, and everything when the manifest has changed since it was read, is left
        for the next pass. Raises OSError where manifest or journal cannot be written.
        """
        steady = [new for new in proposals if is_steady(self.root, new.model, snapshot, self.unread)]
        blocks = [(new, self._block(new)) for new in steady]
        made = [(new, block) for new, block in blocks if block is not None]
        if not made or view.read is None:
            return [], len(made) < len(proposals)
        if self.pending.read() is not None or not self._settled:
            return [], True  # what became of an earlier one, or of a command's change, is not known yet
        events = [_event(new) for new, _ in made]
        try:
            addition = as_appended(view.read, render(tuple(block for _, block in made), _today()))
        except ManifestError as error:
            log.warning("proposals cannot be appended", reason=error.message, remedy=error.remedy)
            return [], True
        self.pending.announce(view.read, addition, events)
        try:
            there = append(self.manifest, view.read, addition, insist=self._refused >= INSIST)
        except (Changed, FileNotFoundError):
            self.pending.done()
            self._count_refusal()
            return [], True
        self._refused = 0
        if not there:
            return [], True  # the next pass looks up what became of it
        self._journal(events)
        self.pending.done()
        return events, len(made) < len(proposals)

    def _count_refusal(self) -> None:
        self._refused += 1
        if self._refused == TELL:
            log.warning(
                "proposals wait: the manifest keeps changing, or a program has it open for writing",
                remedy=f"close it there: `fuser -v {self.manifest}` says who it is",
            )

    def recover(self) -> None:
        """Finish an append that a kill or a full disk interrupted, and what a killed command left.

        While somebody is writing to the manifest it is left for the next pass, and so it is while it cannot
        be read or is not valid. Raises OSError.
        """
        with contextlib.suppress(OSError):  # without the right to write to its folder that is for a command
            self._settled = bring_back(Path(os.path.realpath(self.manifest)))
        pending = self.pending.read()
        if pending is None:
            return
        try:
            there = complete(self.manifest, pending)
        except (Changed, ManifestError):
            return
        told = self.journal.recent_ids()
        events = [dict(event) for event in pending.events if event.get("path") in there]
        self._journal([event for event in events if event.get("id") not in told])
        self.pending.done()

    def _journal(self, events: list[dict[str, Any]]) -> None:
        # proposals have no card: they belong to the generation that is
        self.journal.append(events, time=timestamp(), generation=0)

    def _block(self, new: NewProposal) -> Proposal | None:
        identity = Identity(
            technical_name=new.names.technical_name,
            model_name=new.names.model_name,
            path=new.model.path,
            entry_path=new.model.path,
            fingerprint=new.fingerprint,
        )
        try:
            card = try_card(self.root, new.model, identity)
        except Unreadable as error:
            self.unread.append(Unread(new.model.path, error.place))
            return None
        if card is None:
            return None
        return Proposal(
            technical_name=new.names.technical_name,
            model_name=new.names.model_name,
            path=new.model.path,
            fingerprint=new.fingerprint,
            found=summary(card),
            rejected=new.names.rejected,
        )


def _today() -> str:
    """The date where the person is who reads it."""
    return datetime.now().astimezone().date().isoformat()


def _event(new: NewProposal) -> dict[str, Any]:
    return {
        "id": f"proposed:{secrets.token_hex(8)}",
        "event": "proposed",
        "technical_name": new.names.technical_name,
        "model_name": new.names.model_name,
        "path": new.model.path,
        "fingerprint": new.fingerprint,
    }
