"""Which entry a name or a path belongs to when two entries want it: the incumbent keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from dxwatchd.core.entries import Broken, Entry, Problem, Status
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.naming import canonical
from dxwatchd.core.records import Published
from dxwatchd.core.text import printable


@dataclass(frozen=True, slots=True)
class Claims:
    """The outcome.

    entries: those in force, in file order; losers: entries that want what another has, by number, with the
    problem (it names both lines); problems: the losers' and those of broken entries that collide.
    """

    entries: tuple[Entry, ...]
    losers: Mapping[int, Problem]
    problems: tuple[Problem, ...]


def settle(manifest: Manifest, published: Published) -> Claims:
    """Give every name and path to one entry.

    First comes the entry whose card is published, then approved before proposed, then the earlier in the
    file. Rejected entries claim only their path. Broken ones claim nothing, but a collision is told.
    """
    wanted: dict[tuple[str, str], list[Entry | Broken]] = defaultdict(list)
    for entry in manifest.entries:
        wanted["path", entry.path].append(entry)
        if entry.status is not Status.REJECTED:
            wanted["technical_name", entry.keys[0]].append(entry)
            wanted["model_name", entry.keys[1]].append(entry)
    for broken in manifest.broken:
        for key, value in (("technical_name", broken.technical_name), ("model_name", broken.model_name)):
            if value:
                wanted[key, canonical(value)].append(broken)
    losers: dict[int, Problem] = {}
    problems: list[Problem] = []
    for (key, _), group in wanted.items():
        if len(group) == 1:
            continue
        winner, *others = sorted(group, key=lambda one: _rank(one, published))
        for other in others:
            problem = _collision(manifest, key, winner, other)
            problems.append(problem)
            if isinstance(other, Entry):
                losers.setdefault(other.number, problem)
    entries = tuple(entry for entry in manifest.entries if entry.number not in losers)
    return Claims(
        entries, losers, tuple(sorted(problems, key=lambda problem: (problem.line, problem.message)))
    )


def _rank(one: Entry | Broken, published: Published) -> tuple[int, int]:
    if isinstance(one, Broken):
        return 4, one.number
    card = published.named(one.technical_name)
    if one.status is Status.APPROVED and card is not None and one.path in (card.path, card.entry_path):
        return 0, one.number
    return {Status.APPROVED: 1, Status.PROPOSED: 2, Status.REJECTED: 3}[one.status], one.number


def _collision(manifest: Manifest, key: str, winner: Entry | Broken, other: Entry | Broken) -> Problem:
    mine, theirs = str(getattr(other, key)), str(getattr(winner, key))
    there = manifest.line(winner.number, key)
    same = "also" if mine == theirs else f'equal to "{printable(theirs, 80)}" under NFKC and case folding,'
    message = f'{key} "{printable(mine, 80)}" is {same} that of line {there}'
    return Problem(
        message,
        "change one of them; the entry of that line keeps it until then",
        line=manifest.line(other.number, key),
        entry=other.number,
        key=key,
    )
