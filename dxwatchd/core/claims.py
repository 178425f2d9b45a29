"""Which entry a name or a path belongs to when two entries want it: the incumbent keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dxwatchd.core.entries import Broken, Entry, Problem, Status, in_order
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.naming import canonical
from dxwatchd.core.records import CardRecord, Published
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

    First comes the entry whose published card has it, then approved before proposed, then the earlier in the
    file. Rejected entries claim only their path. A broken one claims what its published card has, and is told
    of every collision.
    """
    cards: dict[str, list[CardRecord]] = defaultdict(list)
    for card in published.cards.values():
        for path in {card.path, card.entry_path}:
            cards[path].append(card)
    wanted: dict[tuple[str, str], list[Entry | Broken]] = defaultdict(list)
    everyone: tuple[Entry | Broken, ...] = (*manifest.entries, *manifest.broken)
    for one in everyone:
        for key, value in _wants(one):
            wanted[key, value].append(one)
    losers: dict[int, Problem] = {}
    problems: list[Problem] = []
    for (key, value), group in wanted.items():
        if len(group) == 1:
            continue
        ranked = sorted(
            (_rank(one, _held_by(one, key, value, cards, published)), one.number, place)
            for place, one in enumerate(group)
        )
        winner, *others = (group[place] for _, _, place in ranked)
        for other in others:
            problem = _collision(manifest, key, winner, other)
            problems.append(problem)
            if isinstance(other, Entry):
                losers.setdefault(other.number, problem)
    entries = tuple(entry for entry in manifest.entries if entry.number not in losers)
    problems.sort(key=in_order)
    return Claims(entries, losers, tuple(problems))


def _wants(one: Entry | Broken) -> Iterator[tuple[str, str]]:
    if one.path:
        yield "path", canonical(one.path)
    if isinstance(one, Broken) or one.status is not Status.REJECTED:
        for key, value in (("technical_name", one.technical_name), ("model_name", one.model_name)):
            if value:
                yield key, canonical(value)


def _held_by(
    one: Entry | Broken,
    key: str,
    value: str,
    by_path: Mapping[str, list[CardRecord]],
    published: Published,
) -> int:
    """How well a published card gives `one` what it wants: 0 the card of its folder, 1 of its name, 2 not.

    Two entries of one folder: the card's is the one that has its name.
    """
    card = published.named(one.technical_name)
    here = by_path.get(one.path, ())
    if any(_has(found, key, value) for found in here):
        return 0 if key != "path" or card in here else 1
    return 1 if card is not None and _has(card, key, value) else 2


def _has(card: CardRecord, key: str, value: str) -> bool:
    if key == "path":
        return value in (canonical(card.path), canonical(card.entry_path))
    return value == canonical(card.technical_name if key == "technical_name" else card.model_name)


def _rank(one: Entry | Broken, held: int) -> int:
    if isinstance(one, Broken):
        return held if held < 2 else 6
    if one.status is Status.APPROVED:
        return held
    return 3 if one.status is Status.PROPOSED else 4


def _collision(manifest: Manifest, key: str, winner: Entry | Broken, other: Entry | Broken) -> Problem:
    mine, theirs = str(getattr(other, key)), str(getattr(winner, key))
    here, there = manifest.spot(other.number, key), manifest.spot(winner.number, key).line
    same = "also" if mine == theirs else f'equal to "{printable(theirs, 80)}" under NFKC and case folding,'
    message = f'{key} "{printable(mine, 80)}" is {same} that of line {there}'
    return Problem(
        message,
        "change one of them; the entry of that line keeps it until then",
        line=here.line,
        column=here.column,
        entry=other.number,
        key=key,
    )
