"""Which folders and entries share one content: what is needed to tell a move from a copy."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Set
from functools import cached_property

from dxwatchd.core.entries import Entry, Status
from dxwatchd.core.judged import Elsewhere, Judged
from dxwatchd.core.naming import canonical
from dxwatchd.core.records import CardRecord, Published


class Twins:
    """The model folders `judged` and the entries in force by content; worked out where it is asked.

    claimed: the paths of all entries, also of those that are not in force.
    """

    def __init__(
        self,
        judged: Mapping[str, Judged],
        claimed: Set[str],
        entries: Iterable[Entry],
        published: Published,
    ) -> None:
        self._judged = judged
        self._claimed = claimed
        self._entries = tuple(entries)
        self._published = published

    def candidates(
        self, entry: Entry, card: CardRecord | None, taken: Container[str], doubts: Callable[[str], bool]
    ) -> dict[str, Judged]:
        """Where the folder of `entry` may be now: not where a card follows another one to.

        A proposal is no decision: one of a copy, whose original was deleted then, is not in the way.
        card: the entry's, or that of the name which it had before; taken: folders of which something is said
        already; doubts: whether nothing new may be taken from one.
        """
        if card is None or (entry.path in self._judged and entry.path == card.path):
            return {}
        name = canonical(card.technical_name)  # the entry may have been given another one since
        return {
            path: one
            for path, one in self.undecided.items()
            if path not in taken
            and self._followed.get(path, name) == name
            and (path in self._followed or not doubts(path))
        }

    @cached_property
    def undecided(self) -> dict[str, Judged]:
        """Every model folder of which no entry speaks, or only a proposal."""
        proposed = {entry.path for entry in self._entries if entry.status is Status.PROPOSED}
        return {
            path: one for path, one in self._judged.items() if path in proposed or path not in self._claimed
        }

    @cached_property
    def _followed(self) -> dict[str, str]:
        return {card.path: name for name, card in self._published.cards.items()}

    @cached_property
    def _places(self) -> dict[str, list[str]]:
        """Paths of whole folders by fingerprint."""
        places: dict[str, list[str]] = {}
        for path in sorted(self._judged):
            verdict = self._judged[path].verdict
            if verdict.whole:
                places.setdefault(verdict.fingerprint, []).append(path)
        return places

    @cached_property
    def _decided(self) -> frozenset[str]:
        """Paths of the entries that a person has decided about."""
        return frozenset(entry.path for entry in self._entries if entry.status is not Status.PROPOSED)

    @cached_property
    def _names(self) -> dict[str, str]:
        return {entry.path: entry.technical_name for entry in self._entries}

    @cached_property
    def _missing(self) -> dict[str, list[str]]:
        """Approved entries whose content is not where their card saw it last, by that content."""
        missing: dict[str, list[str]] = {}
        for entry in self._entries:
            card = self._published.named(entry.technical_name)
            if card is None or entry.status is not Status.APPROVED or entry.path in self._judged:
                continue
            if card.path not in self._places.get(card.fingerprint, ()) or card.path in self._decided:
                missing.setdefault(card.fingerprint, []).append(entry.technical_name)
        return missing

    def elsewhere(self, entry: Entry, card: CardRecord | None) -> tuple[Elsewhere, ...]:
        """Every folder of what `card` describes but that at the entry's own path."""
        places = self._places.get(card.fingerprint, ()) if card is not None else ()
        return tuple(Elsewhere(path, self._names.get(path, "")) for path in places if path != entry.path)

    def rivals(self, entry: Entry, card: CardRecord | None) -> tuple[str, ...]:
        """Other entries that miss the same content."""
        missing = self._missing.get(card.fingerprint, ()) if card is not None else ()
        return tuple(name for name in missing if canonical(name) != canonical(entry.technical_name))
