"""The decision: what was seen, the manifest and the published cards → a plan, as data.

`decide` knows no clock, no disk and no log. Given the same arguments it gives the same plan, and once a plan
has been applied, deciding again gives an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dxwatchd.core.absence import Folders, sight_of
from dxwatchd.core.claims import Claims, settle
from dxwatchd.core.content import approved_anew
from dxwatchd.core.derivation import derive, held
from dxwatchd.core.digest_view import DigestView
from dxwatchd.core.entries import Broken, Entry, Problem, Status, in_order
from dxwatchd.core.folder_states import (
    GONE,
    MANIFEST_BUSY,
    FolderStates,
    changed_since_proposed,
    same_path,
    superfluous,
    told,
)
from dxwatchd.core.hints import hints_of
from dxwatchd.core.judged import WAITING, Judged, Known, Outcome, unready
from dxwatchd.core.lineage import resolved
from dxwatchd.core.misplaced import Misplaced
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.naming import canonical
from dxwatchd.core.passed_over import find_moved
from dxwatchd.core.plan import NewProposal, Observation, Options, Plan
from dxwatchd.core.readiness import Verdict, judge
from dxwatchd.core.reasons import Reason, State, state_of
from dxwatchd.core.records import CardRecord
from dxwatchd.core.registration import register
from dxwatchd.core.respelling import respelled
from dxwatchd.core.rest import Rest, Watched, rest
from dxwatchd.core.revisions import CardChange
from dxwatchd.core.root_guard import DOUBTED, Opinion, opinion
from dxwatchd.core.root_lost import without_root
from dxwatchd.core.snapshot import parent
from dxwatchd.core.strays import stray_reasons
from dxwatchd.core.twins import Twins
from dxwatchd.core.withdrawal import Orphans, entry_of, orphans


def decide(seen: Observation, watched: Mapping[str, Watched], options: Options, now: float) -> Plan:
    """The plan of a pass that began at `now` (monotonic seconds), given the signatures `watched` so far."""
    seen = replace(seen, manifest=respelled(seen.manifest, seen.snapshot))
    claims = settle(seen.manifest, seen.published)
    gone = orphans(
        seen.manifest,
        claims,
        seen.published,
        trusted=seen.manifest_trouble is None,
        accept_removals=seen.accept_removals,
        suspected=seen.memory.orphaned,
    )
    problems = (*seen.manifest.problems, *claims.problems)
    if seen.manifest_trouble is not None:
        problems = (seen.manifest_trouble,)
    if seen.root_lost is not None:
        return without_root(seen, seen.root_lost, claims, gone, problems, watched)
    decision = _Decision(seen, watched, options, now, claims, gone)
    root = decision.opinion()
    if root.held is not None and gone.lost:
        decision = _Decision(seen, watched, options, now, claims, gone.halted())
    return decision.plan(problems, root)


class _Decision:
    """The state of one decision while it is being made; nothing of it outlives `plan`."""

    def __init__(
        self,
        seen: Observation,
        watched: Mapping[str, Watched],
        options: Options,
        now: float,
        claims: Claims,
        gone: Orphans,
    ) -> None:
        self.seen = seen
        self.before = watched
        self.options = options
        self.now = now
        self.claims = claims
        self.gone = gone
        # an entry that is not in force still speaks of its folder
        everyone: tuple[Entry | Broken, ...] = (*seen.manifest.entries, *seen.manifest.broken, *gone.held)
        self.claimed = frozenset(one.path for one in everyone)
        found, unasked = find_moved(seen, options, self.claimed, gone.lost)
        self.strays = {stray.path: stray for stray in found.strays}
        self.rests: dict[str, Rest] = {}
        self.digests = DigestView(seen.snapshot, seen.digests)
        self.judged = {model.path: self._judged(model) for model in found.models}
        spoken_of = self.claimed | unasked
        self.unclaimed = {path: one for path, one in self.judged.items() if path not in spoken_of}
        self.states = FolderStates(self.judged)
        self.root = Opinion(seen.memory)
        entries = (*claims.entries, *gone.held)
        self.twins = Twins(self.judged, self.claimed, entries, seen.published, gone.renamed)
        self.misplaced = Misplaced(seen, self.judged)

    def _judged(self, model: ModelFolder) -> Judged:
        verdict = judge(model, self.seen.snapshot)
        return Judged(
            model,
            verdict,
            lambda: self._rest(model, verdict).settled,
            lambda: self.digests.findings(model),
            lambda: self.digests.content(model),
        )

    def _rest(self, model: ModelFolder, verdict: Verdict) -> Rest:
        if model.path not in self.rests:
            self.rests[model.path] = rest(
                model,
                self.seen.snapshot,
                self.before,
                self.seen.moved_in,
                self.options.periods,
                self.now,
                max(self.now, self.seen.seen_at),
                patient=verdict.patient,
                unproven=verdict.unproven,
            )
        return self.rests[model.path]

    def opinion(self) -> Opinion:
        """What is to be thought of the models root, by what is gone from it."""
        sight = sight_of(
            self.seen, self.claims, self.gone, Folders(self.judged, self.twins.undecided, self._here)
        )
        return opinion(self.seen.memory, sight, accept=self.seen.accept_removals)

    def plan(self, problems: tuple[Problem, ...], root: Opinion) -> Plan:
        """The whole of it. root: what is to be thought of the models root."""
        self.root = root
        changes, withdrawals = self._registrations()
        for entry in self.claims.entries:
            if entry.status is not Status.APPROVED:
                self._undecided(entry)
        self._not_in_force(problems)
        proposals = self._proposals()
        for path, stray in self.strays.items():
            if not stray.skipped:
                self.states.say(path, state_of(stray.reasons) or State.INVALID, stray.reasons)
        unsettled = [one.due for one in self.rests.values() if not one.settled]
        return Plan(
            proposals=proposals,
            cards=resolved(self.seen.published, changes),
            withdrawals=withdrawals,
            folders=self.digests.told(self.states.all()),
            problems=tuple(sorted((*problems, *self.misplaced.problems), key=in_order)),
            held=(*((root.held,) if root.held is not None else ()), *self.gone.reasons),
            watched={path: one.watched for path, one in self.rests.items()},
            due=min(unsettled, default=None),
            root=replace(root, memory=replace(root.memory, orphaned=self.gone.suspected)),
            confirmed=self.gone.confirmed,
        )

    def _registrations(self) -> tuple[tuple[CardChange, ...], tuple[CardRecord, ...]]:
        """The cards to be written and to be removed. A renamed one stays until the new one can be written."""
        before = {card.entry_path: card for card in self.gone.withdrawals}
        staying: list[tuple[CardRecord, str]] = []
        changes: list[CardChange] = []
        approved = [one for one in self.claims.entries if one.status is Status.APPROVED]
        for entry in (*approved, *self.gone.held):
            outcome = self._registered(entry, before.get(entry.path))
            changes.extend([outcome.change] if outcome.change is not None else [])
            renamed = before.get(entry.path)
            if renamed is not None and self._card(entry) is None and outcome.change is None:
                staying.append((renamed, outcome.folder))
        for card, folder in staying:
            outcome = self._registered(entry_of(card), None, folder)
            changes.extend([outcome.change] if outcome.change is not None else [])
        stays = [card for card, _ in staying]
        return tuple(changes), tuple(card for card in self.gone.withdrawals if card not in stays)

    def _card(self, entry: Entry) -> CardRecord | None:
        return self.seen.published.named(entry.technical_name)

    def _registered(self, entry: Entry, renamed: CardRecord | None, shared: str = "") -> Outcome:
        """What is to be done about one entry. shared: a folder that may be its own though of it something is
        said already: of the same entry by its other name.
        """
        if owned := self.misplaced.owned(entry):
            self.states.say(entry.path, State.CONFLICT, owned, entry)
            return Outcome(State.CONFLICT, folder=entry.path)  # a published card stays as it is
        revision = self.seen.published.last_revision(entry.technical_name)
        card = self._card(entry)
        if card is None and renamed is None and entry.path in self.judged and self.root.doubts(entry.path):
            self.states.say(entry.path, State.COPYING, (DOUBTED,), entry)
            return Outcome(State.COPYING, (DOUBTED,), folder=entry.path)
        doubted = card is not None and approved_anew(entry, card) and self.root.doubts(entry.path)
        if card is not None and doubted:  # an approval is not of what lies on the wrong disk
            entry = replace(entry, fingerprint=card.approved_fingerprint, digest=None)
        known = Known(
            card,
            revision,
            renamed,
            self._here(entry.path),
            lambda: self.twins.elsewhere(entry, card),
            lambda: self.twins.rivals(entry, card or renamed),
        )
        said = self.states if not shared else {one.path for one in self.states.all()} - {shared}
        candidates = self.twins.candidates(entry, card or renamed, said, self.root.doubts)
        outcome = register(entry, known, self.judged, candidates)
        if doubted and outcome.state is State.DRIFTED:
            outcome = replace(outcome, reasons=(DOUBTED, *outcome.reasons))
        if outcome.state is State.MISSING:
            more = self.misplaced.hinted if card is None else self.misplaced.linked
            outcome = more(entry, outcome)
        anothers = any(outcome.folder in those for those in (self.judged, self.claimed, self.states))
        told_at = entry.path if outcome.state is State.MISSING and anothers else outcome.folder
        self.states.say(told_at, outcome.state, outcome.reasons, entry)
        if told_at != entry.path:
            self.states.left_behind(entry, told_at)
        return outcome

    def _here(self, path: str) -> tuple[Reason, ...]:
        """What is to be said of a path where no model was found: also that nobody could look."""
        if path in self.strays:
            return self.strays[path].reasons
        above = path
        while above and above not in self.seen.snapshot.folders:
            above = parent(above)
        folder = self.seen.snapshot.folders.get(above)
        return stray_reasons(folder) if folder is not None and folder.trouble is not None else ()

    def _undecided(self, entry: Entry) -> None:
        """A proposed or rejected entry: what is there now is shown beside the person's word."""
        judged = self.judged.get(entry.path)
        if entry.status is Status.PROPOSED and entry.path in self.states:  # a card has followed there
            self.states.not_in_force(entry.path, (superfluous(entry),), entry)
        elif entry.status is Status.REJECTED:
            self.states.say(entry.path, State.REJECTED, (), entry)
        elif owned := self.misplaced.owned(entry):
            self.states.say(entry.path, State.CONFLICT, owned, entry)
        elif judged is None:
            here = self._here(entry.path)
            state = state_of(here) or State.INVALID if here else State.MISSING
            self.states.say(entry.path, state, here or (GONE,), entry)
        elif not judged.verdict.whole:
            self.states.say(entry.path, unready(judged), judged.verdict.reasons, entry)
        elif entry.fingerprint not in (None, judged.verdict.fingerprint):
            self.states.say(entry.path, State.PROPOSED, (changed_since_proposed(entry),), entry)
        else:
            self.states.say(entry.path, State.PROPOSED, (), entry)

    def _not_in_force(self, problems: tuple[Problem, ...]) -> None:
        """Entries that lost a claim or are broken: a conflict, also beside a card that stays."""
        for entry in self.seen.manifest.entries:
            if entry.number in self.claims.losers:
                self.states.not_in_force(entry.path, (told(self.claims.losers[entry.number]),), entry)
        for broken in self.seen.manifest.broken:
            if broken.path:
                own = [one for one in problems if one.entry == broken.number and one.stops]
                self.states.not_in_force(broken.path, tuple(map(told, own)))

    def _proposals(self) -> tuple[NewProposal, ...]:
        """A proposal for every whole folder at rest that no entry speaks of; the others get their state."""
        manifest, going = self.seen.manifest, self.gone.withdrawals
        cards = [card for card in self.seen.published.cards.values() if card not in going]
        taken: dict[str, str] = {}
        named: tuple[Entry | Broken | CardRecord, ...] = (*manifest.entries, *manifest.broken, *cards)
        for one in named:
            taken |= held(one)
        paths = {canonical(path): path for path in self.claimed}
        proposals = []
        for path, judged in self.unclaimed.items():
            if path in self.states:
                continue
            verdict = judged.verdict
            twin = paths.get(canonical(path))
            if not verdict.whole:
                self.states.say(path, unready(judged), verdict.reasons)
            elif twin is not None:
                self.states.say(path, State.CONFLICT, (same_path(path, twin, self.seen.snapshot),))
            elif not judged.settled():
                self.states.say(path, State.COPYING, (WAITING,))
            elif self.root.doubts(path):
                self.states.say(path, State.COPYING, (DOUBTED,))
            elif self.seen.manifest_trouble is not None or not self.seen.manifest_quiet:
                self.states.say(path, State.COPYING, (MANIFEST_BUSY,))
            else:
                folder = self.seen.snapshot.folders[path]
                names = derive(hints_of(judged.model, folder, verdict.fingerprint), taken)
                taken |= held(names)
                paths[canonical(path)] = path
                proposal = NewProposal(judged.model, names, verdict.fingerprint)
                proposals.append(proposal)
                self.states.say(path, State.PROPOSED, (), proposal)
        return tuple(proposals)
