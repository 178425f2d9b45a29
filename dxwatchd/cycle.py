"""One pass: observe, decide, apply. Start-up, events, the periodic pass, edits and commands go this way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from dxwatchd.core import formats
from dxwatchd.core.decision import decide
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.plan import Observation, Options, Plan
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.rest import Periods, Watched
from dxwatchd.core.snapshot import Snapshot, basename, is_below_any, parent
from dxwatchd.core.unread import with_unread
from dxwatchd.core.withdrawal import CONFIRM
from dxwatchd.guarding import Guard, acceptance
from dxwatchd.hints import Hints
from dxwatchd.integrity import Integrity
from dxwatchd.log import Key
from dxwatchd.manifest_view import ManifestView, View
from dxwatchd.proposing import Proposer
from dxwatchd.publishing import Publisher
from dxwatchd.scan import RootLost, Scanner
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.status import plan_as_data
from dxwatchd.steadiness import is_steady
from dxwatchd.stores.atomic import remove_leftovers
from dxwatchd.stores.card_directory import CardDirectory
from dxwatchd.stores.facts_db import FactsDb
from dxwatchd.stores.format_file import insist, take
from dxwatchd.stores.journal import Journal
from dxwatchd.stores.status_file import StatusFile, last_sequence
from dxwatchd.telling import Teller
from dxwatchd.troubles import Troubles
from dxwatchd.whereabouts import Whereabouts

RETRY = 1.0
"""Seconds until something that could not be done now is tried again."""

ROOT_REMEDY = (
    f"mount it or bring it back, or, if it is gone for good, {CONFIRM}; nothing is withdrawn until then"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass did.

    due: when the next one is needed (monotonic seconds); trouble: why it could not write;
    conclusive: it went by the manifest as it is, not by an earlier one because the file was just written to;
    digests: what is left of them, as in `status.json` (None: none are computed).
    """

    plan: Plan
    events: tuple[Mapping[str, Any], ...]
    due: float | None
    duration: float
    trouble: str = ""
    conclusive: bool = True
    digests: Mapping[str, Any] | None = None


@dataclass(slots=True)
class _Memory:
    """What passes remember of each other; losing it costs a quiet period and nothing else."""

    watched: Mapping[str, Watched] = field(default_factory=dict)
    restless: set[str] = field(default_factory=set)
    moved_in: set[str] = field(default_factory=set)
    passes: int = 0


class Cycle:
    """The passes over one models root. Not for several threads at a time."""

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool = False,
        digested: Callable[[], None] | None = None,
    ) -> None:
        """Open the state directory. read_only: for plans that are only shown; nothing is made or written;
        digested: called from a thread once all digests are computed (None: none are).

        Raises OSError where the state directory cannot be used, stores.format_file.Refused where it may not.
        """
        self.settings = settings
        self.state = StateDirectory(settings.state_dir)
        self.read_only = read_only
        self.memory = _Memory()
        self.teller = Teller(str(settings.manifest))
        self.troubles = Troubles(settings.state_dir)
        self.cards = CardDirectory(self.state.cards, settings.models_root)
        self._facts: FactsDb | None = None
        self._integrity: Integrity | None = None
        if read_only:
            insist(self.state)
            self.cards.look()
        else:
            settings.state_dir.mkdir(parents=True, exist_ok=True)
            take(self.state)
            remove_leftovers(settings.state_dir)
            self.cards.load()
            self._facts = FactsDb(self.state.facts)
            self.journal = Journal(self.state.journal)
            self.journal.number_after(last_sequence(self.state.status))
            self.publisher = Publisher(settings.models_root, self.cards, self.journal)
            self.proposer = Proposer(
                settings.models_root, settings.manifest, self.state.pending, self.journal
            )
            if digested is not None and settings.digests == "background":
                self._integrity = Integrity(settings.models_root, self.state.digests, digested)
            for name in self.cards.damaged:
                log.warning("file is no card and is ignored", **{Key.PATH: name})
        self.manifest = ManifestView(settings.manifest, str(settings.models_root))
        self.guard = Guard(self.state.guards)
        always = {
            "schema": formats.STATUS,
            "models_root": str(settings.models_root),
            "manifest": str(settings.manifest),
        }
        self.status = StatusFile(self.state.status, always)
        self.at = Whereabouts()
        self.scanner = Scanner(settings.models_root, settings.ignore, self._facts, self.at)

    def close(self) -> None:
        """Close the files, end the threads."""
        if self._integrity is not None:
            self._integrity.close()
        if self._facts is not None:
            self._facts.close()

    def run(
        self,
        hints: Hints,
        now: float,
        *,
        stop: Callable[[], bool] = lambda: False,
        accept_removals: bool = False,
        extra: Mapping[str, Any] | None = None,
        always_status: bool = False,
    ) -> PassResult:
        """Make a pass at `now` (monotonic seconds).

        extra: what else `status.json` is to say; always_status: write it though nothing has changed.
        Raises scan.Stopped where `stop` says so while looking.
        """
        began = time.monotonic()
        may_publish = self.read_only or self._recover()
        self.memory.moved_in |= hints.moved_in
        snapshot, lost = self._look(hints, stop)
        seen_at = now + time.monotonic() - began
        guarded = bool(self.cards.cards) and not accept_removals
        view = self.manifest.look(now, has_cards=guarded, make=not self.read_only)
        self.memory.moved_in = {
            path for path in self.memory.moved_in | hints.moved_in if path in snapshot.folders
        }
        if self._integrity is not None and lost is None:
            self._integrity.follow(snapshot)
        plan = self._decide(snapshot, lost, view, (now, seen_at), accept_removals=accept_removals)
        self.memory.watched = plan.watched
        self.memory.restless = set(plan.watched)
        if self.read_only:
            return PassResult(plan, (), plan.due, time.monotonic() - began)
        events: list[Mapping[str, Any]] = []
        waits = False
        with self.troubles.noted():
            if may_publish:
                events.extend(self.publisher.note(acceptance(plan)))
                made, waiting = self.publisher.publish(
                    plan.cards,
                    plan.withdrawals,
                    lambda model: self._is_steady(model, snapshot),
                    stop,
                )
                events.extend(made)
                if made:
                    events.extend(self.publisher.follow(stop))
                waits = bool(waiting)
            if not self.troubles.text:
                proposed, postponed = self.proposer.propose(plan.proposals, view, snapshot)
                events.extend(proposed)
                waits = waits or postponed
                self.guard.remember(plan)
        with self.troubles.noted():
            self.publisher.tell_refused()
        plan = self._take_up_unread(plan)
        if self._integrity is not None and lost is None:
            self._integrity.after(plan, snapshot, now)
        self.memory.passes += 1
        duration = time.monotonic() - began
        digests = self._integrity.progress() if self._integrity is not None else None
        with self.troubles.noted():
            told = self._told(plan, {"digests": digests, **(extra or {})})
            self.status.write(told, self.memory.passes, duration, now, always=always_status)
        self.troubles.end()
        trouble = self.troubles.text
        self.teller.tell(plan, events, trouble)
        due = self._due(plan, view, now, waits=waits or bool(trouble))
        return PassResult(plan, tuple(events), due, duration, trouble, view.due is None, digests)

    def _is_steady(self, model: ModelFolder, snapshot: Snapshot) -> bool:
        self.at.come_to(model.path)
        return is_steady(self.settings.models_root, model, snapshot, self.publisher.unread)

    def _take_up_unread(self, plan: Plan) -> Plan:
        """What could not be read for a card is read anew by the next pass, which then knows what to say."""
        unread = (*self.publisher.unread, *self.proposer.unread)
        self.publisher.unread, self.proposer.unread = [], []
        for one in unread:
            self.scanner.facts.doubt(parent(one.file), basename(one.file))
            self.memory.restless.add(one.folder)
        return with_unread(plan, unread)

    def _recover(self) -> bool:
        """Finish what was begun. Whether cards may be published: not before the last ones are journalled."""
        self.troubles.begin()
        with self.troubles.noted():
            self.publisher.recover()
        may_publish = not self.troubles.text
        if may_publish:
            with self.troubles.noted():
                self.proposer.recover()
        return may_publish

    def _look(self, hints: Hints, stop: Callable[[], bool]) -> tuple[Snapshot, Reason | None]:
        """The models root as it is now, or why it cannot be looked at."""
        changed: frozenset[str] | None = None
        if not hints.everything:
            restless = self.memory.restless
            inside = (folder for folder in self.scanner.folders if is_below_any(folder, restless))
            changed = frozenset(hints.folders.union(inside))
        try:
            return self.scanner.look(changed, stop), None
        except RootLost as error:
            self.scanner.folders = {}
            return Snapshot({}), Reason(
                ReasonKind.ROOT_LOST,
                found=f"the models root cannot be looked at: {error}",
                remedy=ROOT_REMEDY,
            )

    def _decide(
        self,
        snapshot: Snapshot,
        lost: Reason | None,
        view: View,
        looked: tuple[float, float],
        *,
        accept_removals: bool,
    ) -> Plan:
        settings = self.settings
        seen = Observation(
            snapshot=snapshot,
            manifest=view.manifest,
            published=self.cards.published(),
            root_lost=lost,
            manifest_trouble=view.trouble,
            manifest_quiet=view.quiet,
            moved_in=frozenset(self.memory.moved_in),
            accept_removals=accept_removals,
            seen_at=looked[1],
            digests=self._integrity.known() if self._integrity is not None else None,
            root=self.scanner.identity,
            memory=self.guard.memory,
        )
        options = Options(
            Periods(settings.quiet_period, settings.remote_quiet_period), settings.propose_checkpoints
        )
        return decide(seen, self.memory.watched, options, looked[0])

    def _due(self, plan: Plan, view: View, now: float, *, waits: bool) -> float | None:
        moments = [moment for moment in (plan.due, view.due) if moment is not None]
        if waits:
            moments.append(now + RETRY)
        return min(moments, default=None)

    def _told(self, plan: Plan, extra: Mapping[str, Any]) -> dict[str, Any]:
        """For `status.json`: what this pass saw and concluded."""
        return {
            **plan_as_data(plan, str(self.settings.manifest)),
            "trouble": self.troubles.text,
            "sequence": self.journal.sequence,
            **extra,
        }
