"""New proposals: from the plan into the manifest and the journal, each exactly once."""

from __future__ import annotations

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
from dxwatchd.stores.journal import Journal
from dxwatchd.stores.manifest_file import Changed, ManifestError, PendingFile, append, complete

log = structlog.get_logger()


class Proposer:
    """Appends proposals to one manifest."""

    def __init__(self, root: Path, manifest: Path, pending: Path, journal: Journal) -> None:
        self.root = root
        self.manifest = manifest
        self.pending = PendingFile(pending)
        self.journal = journal
        self.unread: list[Unread] = []
        """As that of `Publisher`."""

    def propose(
        self, proposals: tuple[NewProposal, ...], view: View, snapshot: Snapshot
    ) -> tuple[list[dict[str, Any]], bool]:
        """Append blocks for `proposals` in one write. Returns the events, and whether something must wait.

        What is not steady any more, and everything when the manifest has changed since it was read, is left
        for the next pass. Raises OSError where manifest or journal cannot be written.
        """
        steady = [new for new in proposals if is_steady(self.root, new.model, snapshot)]
        blocks = [(new, self._block(new)) for new in steady]
        made = [(new, block) for new, block in blocks if block is not None]
        if not made or view.read is None:
            return [], len(made) < len(proposals)
        block = render(tuple(block for _, block in made), _today())
        events = [_event(new) for new, _ in made]
        self.pending.announce(view.read, block, events)
        try:
            append(self.manifest, view.read, block)
        except (Changed, FileNotFoundError):
            self.pending.done()
            return [], True
        except ManifestError as error:
            self.pending.done()
            log.warning("proposals cannot be appended", reason=error.message, remedy=error.remedy)
            return [], True
        self._journal(events)
        self.pending.done()
        return events, len(made) < len(proposals)

    def recover(self) -> None:
        """Finish an append that a kill or a full disk interrupted. Raises OSError.

        While somebody is writing to the manifest it is left for the next pass.
        """
        pending = self.pending.read()
        if pending is None:
            return
        try:
            there = complete(self.manifest, pending)
        except FileNotFoundError:
            there = False
        except Changed:
            return
        if there:
            told = self.journal.recent_ids()
            self._journal([dict(event) for event in pending.events if event.get("id") not in told])
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
