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

    claimed: the paths of all entries, also of those that are not in force; renamed: the cards of entries that
    have another name by now.
    """

    def __init__(
        self,
        judged: Mapping[str, Judged],
        claimed: Set[str],
        entries: Iterable[Entry],
        published: Published,
        renamed: Iterable[CardRecord] = (),
    ) -> None:
        self._judged = judged
        self._claimed = claimed
        self._entries = tuple(entries)
        self._published = published
        self._renamed = {card.entry_path: card for card in renamed}

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
        return {
            path: one
            for path, one in self.undecided.items()
            if path not in taken and self._is_free(path, one.verdict.fingerprint, card, doubts)
        }

    def _is_free(self, path: str, found: str, card: CardRecord, doubts: Callable[[str], bool]) -> bool:
        """Whether `card` may be followed to `path`, where the content `found` lies.

        One that was followed there has the place, until the content of another one lies there.
        """
        name = canonical(card.technical_name)  # the entry may have been given another one since
        followed = self._followed.get(path, {})
        others = {content for other, content in followed.items() if other != name}
        if name in followed:
            return found == card.fingerprint or (found not in others and found not in self._missing)
        return not doubts(path) and (not others or (found == card.fingerprint and found not in others))

    @cached_property
    def undecided(self) -> dict[str, Judged]:
        """Every model folder of which no entry speaks, or only a proposal."""
        proposed = {entry.path for entry in self._entries if entry.status is Status.PROPOSED}
        return {
            path: one for path, one in self._judged.items() if path in proposed or path not in self._claimed
        }

    @cached_property
    def _followed(self) -> dict[str, dict[str, str]]:
        """By path, the names of the cards that were last there, with their content."""
        followed: dict[str, dict[str, str]] = {}
        for name, card in self._published.cards.items():
            followed.setdefault(card.path, {})[name] = card.fingerprint
        return followed

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
            card = self._published.named(entry.technical_name) or self._renamed.get(entry.path)
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
