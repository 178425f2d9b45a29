"""The decision where the models root cannot be looked at at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dxwatchd.core.claims import Claims
from dxwatchd.core.entries import Problem, Status
from dxwatchd.core.folder_states import folder_state
from dxwatchd.core.judged import Known
from dxwatchd.core.naming import canonical
from dxwatchd.core.plan import FolderState, Observation, Plan
from dxwatchd.core.reasons import Reason, State
from dxwatchd.core.registration import register
from dxwatchd.core.rest import Watched
from dxwatchd.core.revisions import CardChange
from dxwatchd.core.root_guard import unseen
from dxwatchd.core.withdrawal import Orphans, entry_of


def without_root(
    seen: Observation,
    lost: Reason,
    claims: Claims,
    gone: Orphans,
    problems: tuple[Problem, ...],
    watched: Mapping[str, Watched],
) -> Plan:
    """Every card's model is missing, and nothing else is concluded; nothing is withdrawn unless confirmed."""
    accept = seen.accept_removals
    staying = () if accept else gone.lost
    changes: list[CardChange] = []
    states: list[FolderState] = []
    for entry in (*claims.entries, *gone.held, *map(entry_of, (*gone.renamed, *staying))):
        if entry.status is Status.APPROVED:
            outcome = register(entry, Known(seen.published.named(entry.technical_name)), {}, {})
            changes.extend([outcome.change] if outcome.change is not None else [])
            states.append(folder_state(outcome.folder, State.MISSING, (lost,), entry))
    going = gone.lost if accept else ()
    names = seen.published.cards.keys() - {canonical(card.technical_name) for card in going}
    root = unseen(seen.memory, names, accept=accept)
    return Plan(
        cards=tuple(changes),
        withdrawals=going,
        folders=tuple(sorted(states, key=lambda state: state.path)),
        problems=problems,
        held=(lost, *gone.reasons),
        watched=watched,
        root=replace(root, memory=replace(root.memory, orphaned=gone.suspected)),
        confirmed=tuple(sorted(canonical(card.technical_name) for card in going)),
    )
