"""Which registered model a name means that a card states as a base, and which cards are to say so anew.

A wrong base is worse than none: a name is resolved only where exactly one registered model fits it best.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from dxwatchd.core.naming import canonical
from dxwatchd.core.publishers import published_as
from dxwatchd.core.records import UNRESOLVED, Base, CardRecord, Change, Published
from dxwatchd.core.revisions import CardChange, next_revision


class Registry:
    """The registered models by all that they may be called."""

    def __init__(self, cards: Iterable[CardRecord] = ()) -> None:
        self._cards: dict[str, CardRecord] = {}
        self._by_key: dict[tuple[str, str], list[str]] = {}
        for card in cards:
            self.add(card)

    def add(self, card: CardRecord) -> None:
        """Take up a card, in place of an earlier one of its name."""
        name = canonical(card.technical_name)
        earlier = self._cards.get(name)
        for key in _keys(earlier.path, earlier.model_name) if earlier is not None else ():
            self._by_key[key].remove(name)
        self._cards[name] = card
        for key in _keys(card.path, card.model_name):
            self._by_key.setdefault(key, []).append(name)

    def resolve(self, card: CardRecord) -> tuple[Base, ...]:
        """The bases of `card` with the technical names that they have now."""
        return tuple(
            replace(base, technical_name=found[0] if len(found) == 1 else UNRESOLVED)
            for base in card.bases
            for found in [self.candidates(base, card.technical_name)]
        )

    def candidates(self, base: Base, of: str) -> tuple[str, ...]:
        """Technical names of the models that `base` may be, by the best evidence that there is.

        of: the technical name of the model made from it, which is never its own base. A person's word may be
        a technical name or a model name. A hub id is the model of that publisher and name; only where no
        publisher of a model is known does the name alone tell. A mere name is that of a folder or model.
        """
        name = canonical(base.name)
        for level in self._levels(name, by_person=base.by_person):
            found = tuple(
                self._cards[one].technical_name
                for one in level
                if one != canonical(of) and (base.by_person or not self._made_from(one, name))
            )
            if found:
                return found
        return ()

    def _levels(self, name: str, *, by_person: bool) -> Iterator[list[str]]:
        """Canonical technical names of those that fit, best evidence first."""
        if by_person:
            yield [name] if name in self._cards else []
            yield self._by_key.get(("model name", name), [])
        publisher, _, last = name.rpartition("/")
        if publisher:
            yield self._by_key.get(("hub id", name), [])
            yield self._by_key.get(("no publisher", last), [])
        else:
            yield self._by_key.get(("name", last), [])

    def _made_from(self, one: str, name: str) -> bool:
        """Whether a model says that it was itself made from what is called `name`: then it is not that."""
        last = name.rpartition("/")[2]
        return any(canonical(base.name).rpartition("/")[2] == last for base in self._cards[one].bases)


@lru_cache(maxsize=2**15)
def _keys(path: str, name_of_model: str) -> tuple[tuple[str, str], ...]:
    """What a registered model may be called, each with how it is known. Asked of every card in every pass."""
    publisher, name = map(canonical, published_as(path))
    model_name = canonical(name_of_model)
    above, _, last = model_name.rpartition("/")
    names = {name, last}
    keys = {("model name", model_name)} | {("name", one) for one in names}
    if above:
        keys.add(("hub id", model_name))
    if publisher:
        keys.update(("hub id", f"{publisher}/{one}") for one in names)
    elif not above:
        keys.update(("no publisher", one) for one in names)
    return tuple(keys)


def resolved(published: Published, changes: tuple[CardChange, ...] = ()) -> tuple[CardChange, ...]:
    """`changes` to the published cards, and one more for each card whose bases have other names by now.

    Only what is published counts: a model that is about to be registered may still fail to be. Cards that
    are about to be read from their folders get their bases then.
    """
    if not any(card.bases for card in published.cards.values()):
        return changes
    registry = Registry(published.cards.values())
    planned = {canonical(change.record.technical_name) for change in changes}
    made = [_merged(change, registry) for change in changes]
    for name, card in published.cards.items():
        if card.bases and name not in planned:
            bases = registry.resolve(card)
            if bases != card.bases:
                record = next_revision(replace(card, bases=bases), card)
                made.append(CardChange(record, Change.RESOLVED, None))
    return tuple(made)


def _merged(change: CardChange, registry: Registry) -> CardChange:
    if change.model is not None or not change.record.bases:
        return change
    return replace(change, record=replace(change.record, bases=registry.resolve(change.record)))
