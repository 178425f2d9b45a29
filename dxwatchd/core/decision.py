"""The decision: what was seen, the manifest and the published cards → a plan, as data.

`decide` knows no clock, no disk and no log. Given the same arguments it gives the same plan, and once a plan
has been applied, deciding again gives an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.core.claims import Claims, settle
from dxwatchd.core.entries import Entry, Problem, Status
from dxwatchd.core.facts import Config, Gguf
from dxwatchd.core.layouts import Found, find
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.naming import Hints, canonical, derive
from dxwatchd.core.plan import FolderState, NewProposal, Observation, Options, Plan
from dxwatchd.core.readiness import Verdict, judge
from dxwatchd.core.reasons import Reason, ReasonKind, State, state_of
from dxwatchd.core.registration import WAITING, CardChange, Judged, Outcome, register
from dxwatchd.core.rest import Rest, Watched, rest
from dxwatchd.core.withdrawal import Orphans, orphans


def decide(seen: Observation, watched: Mapping[str, Watched], options: Options, now: float) -> Plan:
    """The plan of a pass that began at `now` (monotonic seconds), given the signatures `watched` so far."""
    claims = settle(seen.manifest, seen.published)
    gone = orphans(
        seen.manifest,
        claims,
        seen.published,
        trusted=seen.manifest_trouble is None,
        accept_removals=seen.accept_removals,
    )
    problems = [*seen.manifest.problems, *claims.problems]
    if seen.manifest_trouble is not None:
        problems = [seen.manifest_trouble]
    if seen.root_lost is not None:
        return _without_root(seen, claims, gone, tuple(problems), watched)
    return _Decision(seen, watched, options, now, claims, gone).plan(tuple(problems))


def _without_root(
    seen: Observation,
    claims: Claims,
    gone: Orphans,
    problems: tuple[Problem, ...],
    watched: Mapping[str, Watched],
) -> Plan:
    """The models root cannot be looked at: every card's model is missing, and nothing else is concluded."""
    assert seen.root_lost is not None
    outcomes = [
        (entry, register(entry, seen.published.named(entry.technical_name), 0, {}, ()))
        for entry in (*claims.entries, *gone.held)
        if entry.status is Status.APPROVED
    ]
    return Plan(
        cards=tuple(outcome.change for _, outcome in outcomes if outcome.change is not None),
        folders=tuple(
            FolderState(
                outcome.folder,
                State.MISSING,
                (seen.root_lost,),
                technical_name=entry.technical_name,
                model_name=entry.model_name,
            )
            for entry, outcome in outcomes
        ),
        problems=problems,
        held=(seen.root_lost, *gone.reasons),
        watched=watched,
    )


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
        self.found: Found = find(seen.snapshot, propose_checkpoints=options.propose_checkpoints)
        self.rests: dict[str, Rest] = {}
        self.judged = {model.path: self._judged(model) for model in self.found.models}

    def _judged(self, model: ModelFolder) -> Judged:
        verdict = judge(model, self.seen.snapshot)
        return Judged(model, verdict, lambda: self._rest(model, verdict).settled)

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
                patient=verdict.patient and verdict.whole,
            )
        return self.rests[model.path]

    def plan(self, problems: tuple[Problem, ...]) -> Plan:
        entries = (*self.claims.entries, *self.gone.held)
        # an entry that is not in force still speaks of its folder
        claimed = {entry.path for entry in (*self.seen.manifest.entries, *entries)}
        claimed |= {broken.path for broken in self.seen.manifest.broken}
        candidates = tuple(
            judged for path, judged in self.judged.items() if path not in claimed and judged.verdict.whole
        )
        states: dict[str, FolderState] = {}
        changes: list[CardChange] = []
        for entry in entries:
            if entry.status is Status.APPROVED:
                outcome = self._registered(entry, candidates)
                if outcome.change is not None:
                    changes.append(outcome.change)
                states[outcome.folder] = self._state(outcome.folder, outcome.state, outcome.reasons, entry)
            else:
                states[entry.path] = self._undecided(entry)
        for entry in self.seen.manifest.entries:
            if entry.number in self.claims.losers and entry.path not in states:
                told = _told(self.claims.losers[entry.number])
                states[entry.path] = self._state(entry.path, State.CONFLICT, (told,), entry)
        for broken in self.seen.manifest.broken:
            if broken.path and broken.path not in states:
                why = tuple(_told(problem) for problem in problems if problem.entry == broken.number)
                states[broken.path] = FolderState(broken.path, State.CONFLICT, why)
        proposals = self._proposals(entries, claimed, states)
        for stray in self.found.strays:
            if stray.path not in states:
                states[stray.path] = FolderState(
                    stray.path, state_of(stray.reasons) or State.INVALID, stray.reasons
                )
        unsettled = [one.due for one in self.rests.values() if not one.settled]
        return Plan(
            proposals=proposals,
            cards=tuple(changes),
            withdrawals=self.gone.withdrawals,
            folders=tuple(states[path] for path in sorted(states)),
            problems=problems,
            held=self.gone.reasons,
            watched={path: one.watched for path, one in self.rests.items()},
            due=min(unsettled, default=None),
        )

    def _registered(self, entry: Entry, candidates: tuple[Judged, ...]) -> Outcome:
        published = self.seen.published
        name = canonical(entry.technical_name)
        return register(
            entry, published.cards.get(name), published.tombstones.get(name, 0), self.judged, candidates
        )

    def _undecided(self, entry: Entry) -> FolderState:
        """A proposed or rejected entry: what is there now is shown beside the person's word."""
        judged = self.judged.get(entry.path)
        if entry.status is Status.REJECTED:
            return self._state(entry.path, State.REJECTED, (), entry)
        if judged is None:
            gone = Reason(
                ReasonKind.NO_FOLDER,
                found="the folder is gone",
                remedy="`dxwatchd tidy` removes the proposal",
            )
            return self._state(entry.path, State.MISSING, (gone,), entry)
        if not judged.verdict.whole:
            return self._unready(judged, entry)
        if entry.fingerprint not in (None, judged.verdict.fingerprint):
            changed = Reason(
                ReasonKind.CONTENT_CHANGED,
                found="the content has changed since it was proposed",
                remedy=f"`dxwatchd approve {entry.technical_name}` takes what is there now",
            )
            return self._state(entry.path, State.PROPOSED, (changed,), entry)
        return self._state(entry.path, State.PROPOSED, (), entry)

    def _unready(self, judged: Judged, entry: Entry | None = None) -> FolderState:
        state = state_of(judged.verdict.reasons) or State.INCOMPLETE
        if state is State.INCOMPLETE and not judged.settled():
            state = State.COPYING
        return self._state(judged.model.path, state, judged.verdict.reasons, entry)

    def _proposals(
        self, entries: tuple[Entry, ...], claimed: set[str], states: dict[str, FolderState]
    ) -> tuple[NewProposal, ...]:
        """A proposal for every whole folder at rest that no entry speaks of; the others get their state."""
        taken = {key for entry in self.seen.manifest.entries for key in entry.keys}
        taken |= {key for entry in entries for key in entry.keys}
        for broken in self.seen.manifest.broken:
            taken |= {canonical(broken.technical_name), canonical(broken.model_name)}
        for card in self.seen.published.cards.values():
            taken |= {canonical(card.technical_name), canonical(card.model_name)}
        proposals = []
        for path, judged in self.judged.items():
            if path in claimed or path in states:
                continue
            if not judged.verdict.whole:
                states[path] = self._unready(judged)
            elif not judged.settled():
                states[path] = self._state(path, State.COPYING, (WAITING,), None)
            elif self.seen.manifest_trouble is not None or not self.seen.manifest_quiet:
                states[path] = self._state(path, State.COPYING, (_MANIFEST_BUSY,), None)
            else:
                names = derive(self._hints(judged), taken)
                taken |= {canonical(names.technical_name), canonical(names.model_name)}
                proposals.append(NewProposal(judged.model, names, judged.verdict.fingerprint))
                states[path] = FolderState(
                    path,
                    State.PROPOSED,
                    warnings=judged.verdict.warnings,
                    model=judged.model,
                    technical_name=names.technical_name,
                    model_name=names.model_name,
                )
        return tuple(proposals)

    def _hints(self, judged: Judged) -> Hints:
        model = judged.model
        folder = self.seen.snapshot.folders[model.path]
        config = folder.files.get("config.json")
        declared: list[str] = []
        model_type = None
        if config is not None and isinstance(config.facts, Config):
            model_type = config.facts.model_type
            if (config.facts.name_or_path or "").count("/") == 1:
                declared.append(config.facts.name_or_path or "")
        for file in folder.files.values():
            if isinstance(file.facts, Gguf):
                model_type = model_type or file.facts.architecture
                declared.extend([file.facts.name] if file.facts.name else [])
                break
        return Hints(model.path, model_type, tuple(declared), model.size, judged.verdict.fingerprint)

    def _state(
        self, path: str, state: State, reasons: tuple[Reason, ...], entry: Entry | None
    ) -> FolderState:
        judged = self.judged.get(path)
        return FolderState(
            path,
            state,
            reasons,
            judged.verdict.warnings if judged is not None else (),
            judged.model if judged is not None else None,
            entry.technical_name if entry is not None else "",
            entry.model_name if entry is not None else "",
        )


_MANIFEST_BUSY = Reason(
    ReasonKind.MANIFEST_UNREADABLE,
    found="whole and at rest, but the manifest cannot be appended to now",
    remedy="see `dxwatchd check`",
)


def _told(problem: Problem) -> Reason:
    return Reason(
        ReasonKind.ENTRY_PROBLEM,
        found=f"manifest line {problem.line}: {problem.message}",
        remedy=problem.remedy,
    )
