"""Which models of the manifest are gone from the models root, before anything is decided about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dxwatchd.core.claims import Claims
from dxwatchd.core.entries import Entry, Status
from dxwatchd.core.judged import Judged
from dxwatchd.core.naming import canonical
from dxwatchd.core.plan import Observation
from dxwatchd.core.reasons import Reason
from dxwatchd.core.records import Published
from dxwatchd.core.root_guard import Sight, mounts_in
from dxwatchd.core.withdrawal import Orphans, entry_of


@dataclass(frozen=True, slots=True)
class Folders:
    """What lies in the root.

    judged: every model folder by path; undecided: those where a model may have moved to;
    here: what is to be said of a path where no model lies.
    """

    judged: Mapping[str, Judged]
    undecided: Mapping[str, Judged]
    here: Callable[[str], tuple[Reason, ...]]


def sight_of(seen: Observation, claims: Claims, orphans: Orphans, folders: Folders) -> Sight:
    """The root as the guard looks at it. A card that is to go counts as well: entry and folder may both be
    victims of one accident; so does a proposal, which `tidy` would remove.
    """
    cards = seen.published.cards
    waiting = [one for one in claims.entries if one.status is Status.PROPOSED]
    known = [
        one
        for one in (*claims.entries, *orphans.held, *map(entry_of, orphans.withdrawals))
        if one.status is Status.APPROVED and canonical(one.technical_name) in cards
    ]
    top = seen.snapshot.folders.get("")
    return Sight(
        root=seen.root,
        mounts=mounts_in(seen.snapshot),
        empty=top is None or not (top.files or top.folders or top.links),
        gone=absent((*known, *waiting), seen.published, folders),
        cards=frozenset(cards),
    )


def absent(entries: Iterable[Entry], published: Published, folders: Folders) -> dict[str, str]:
    """The canonical names of those of `entries` without a folder, with the path where it was.

    What can only not be looked at, and what has moved, is not gone.
    """
    gone: dict[str, str] = {}
    for entry in entries:
        name = canonical(entry.technical_name)
        card = published.cards.get(name)
        if entry.path in folders.judged or folders.here(entry.path):
            continue
        if card is None:
            gone.setdefault(name, entry.path)
        elif card.path not in folders.undecided and not _elsewhere(card.fingerprint, folders):
            gone[name] = card.path
    return gone


def _elsewhere(fingerprint: str, folders: Folders) -> bool:
    return any(one.verdict.fingerprint == fingerprint for one in folders.undecided.values())
