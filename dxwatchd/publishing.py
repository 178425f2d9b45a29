"""A plan, applied: cards, journal and index, in the order that survives a kill at any moment."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dxwatchd.card.annotations import with_approved, with_bases, with_digests
from dxwatchd.card.build import with_identity
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import Identity
from dxwatchd.cardmaking import Unreadable, try_card
from dxwatchd.core.lineage import Registry, resolved
from dxwatchd.core.model import Kind, ModelFolder
from dxwatchd.core.naming import canonical
from dxwatchd.core.records import MANIFEST, Base, CardRecord, Change
from dxwatchd.core.revisions import CardChange
from dxwatchd.core.unread import Unread
from dxwatchd.stores.atomic import OF_ONE_FILE
from dxwatchd.stores.card_directory import CardDirectory
from dxwatchd.stores.card_index import Tombstone
from dxwatchd.stores.journal import Journal, is_removal
from dxwatchd.stores.plain_file import read_plain

CleanModel = Callable[[ModelFolder], bool]
"""Whether a folder is still as it was judged, with nobody writing to it."""


def timestamp() -> str:
    """Now, UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _NotSteady(Exception):  # noqa: N818 - caught in this module: the change waits
    """A folder is not as it was judged any more."""


class Publisher:
    """Writes cards and their journal for one models root and state directory."""

    def __init__(self, root: Path, cards: CardDirectory, journal: Journal) -> None:
        self.root = root
        self.cards = cards
        self.journal = journal
        self.unread: list[Unread] = []
        """Folders whose cards wait because a file could not be read; whoever takes them up empties it."""
        self._refused: OSError | None = None

    def recover(self) -> int:
        """Finish what a killed process began: journal and index of cards that were written. How many.

        An event of a generation that has no index yet was journalled already and is not repeated.
        """
        self.journal.take_up()
        self.journal.number_after(self.cards.sequence)
        lost = self.journal.generation > self.cards.generation + 1
        if lost or not self.cards.generation:
            self._take_up_removed()
        if lost:
            self.cards.generation = self.journal.generation
        untold = self.journal.after(self.cards.generation)
        if not self.cards.stale and not untold and not lost:
            self.journal.committed(self.cards.generation)
            return 0
        told = self.journal.recent_ids()  # of any generation: a line of the index may only be damaged
        written = [self.cards.cards[name] for name in self.cards.unindexed if name in self.cards.cards]
        events = [card_event(one.record, one.change) for one in written if event_id(one.record) not in told]
        buried = [event for event in untold if is_removal(event)]
        for event in buried:
            stored = self.cards.cards.get(canonical(str(event["technical_name"])))
            if stored is not None and stored.record.revision < event["revision"]:
                self.cards.bury(stored.record)
        self.journal.append(events, time=timestamp(), generation=self.cards.generation + 1)
        count = len(self.cards.unindexed) + len(buried)
        self._commit()
        return count

    def _take_up_removed(self) -> None:
        """The index is lost: the removed cards, and the revision of one that is lost too, are told by the
        journal, so that no revision is published twice.
        """
        for event in self.journal.revisions():
            self.cards.remember_removed(
                Tombstone(event["technical_name"], event["model_name"], event["path"], event["revision"])
            )

    def _commit(self) -> None:
        self.cards.sequence = self.journal.sequence
        self.cards.commit()
        self.journal.committed(self.cards.generation)

    def publish(
        self,
        changes: tuple[CardChange, ...],
        withdrawals: tuple[CardRecord, ...],
        is_clean: CleanModel,
        stop: Callable[[], bool],
    ) -> tuple[list[dict[str, Any]], list[CardChange]]:
        """Write cards, journal and index. Returns the events, and the changes that have to wait.

        A change waits where its folder is not as it was judged any more, and where its card alone cannot be
        replaced (see `tell_refused`). Raises OSError where the state directory cannot be written; what was
        written by then is completed by `recover` or the next plan.
        """
        events: list[dict[str, Any]] = []
        waiting: list[CardChange] = []
        going = {canonical(record.technical_name) for record in withdrawals}
        registry = _Registered(self.cards, going)
        for change in sorted(changes, key=_is_adapter):  # stable; what adapters are made from comes first
            if stop():
                break  # what is written by now is made known, the rest is decided again at the next start
            try:
                made = self._made(change, is_clean, registry)
            except _NotSteady:
                waiting.append(change)
                continue
            except Unreadable as error:
                self.unread.append(Unread(change.record.path, error.place))
                waiting.append(change)
                continue
            if made is None:
                continue
            record, card = made
            try:
                self.cards.write(record, change.change, dump(card))
            except OSError as error:
                if error.errno not in OF_ONE_FILE:
                    raise
                self._refused = self._refused or error
                waiting.append(change)
                continue
            registry.add(record)
            events.append(card_event(record, change.change))
        events.extend(_removed_event(record) for record in withdrawals)
        if events:
            self.journal.append(events, time=timestamp(), generation=self.cards.generation + 1)
            for record in withdrawals:
                self.cards.bury(record)
            self._commit()
        return events, waiting

    def tell_refused(self) -> None:
        """Try again what would not go. Raises the OSError of a card that alone cannot be replaced or removed:
        after all others were published.
        """
        refused, self._refused = self._refused, None
        self.cards.delete_stuck()
        if refused is not None:
            raise refused

    def follow(self, stop: Callable[[], bool]) -> list[dict[str, Any]]:
        """Say anew what models were made from, after others were published or withdrawn.

        Returns the events. Raises OSError as `publish` does.
        """
        return self.publish(resolved(self.cards.published()), (), lambda _model: True, stop)[0]

    def note(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Journal what changes no card by itself, so that it belongs to no generation. Raises OSError."""
        self.journal.append(events, time=timestamp(), generation=0)
        return events

    def _made(
        self, change: CardChange, is_clean: CleanModel, registry: _Registered
    ) -> tuple[CardRecord, Card] | None:
        """The card to be written: made anew from its folder, or the published one with what has changed.

        None where it cannot be made. Raises _NotSteady.
        """
        record, identity = change.record, identity_of(change.record, change.change)
        if change.model is None:
            try:
                published = parse(read_plain(self.cards.path_of(record.technical_name)))
                same = with_approved(with_identity(published, identity), record)
                return record, with_bases(same, record.bases)
            except (OSError, ValueError):  # not there, no card, or not the one that was decided about
                return None
        if not is_clean(change.model):
            raise _NotSteady
        card = try_card(self.root, change.model, identity)
        if not is_clean(change.model):
            raise _NotSteady
        if card is None:
            return None
        card, digests = with_approved(card, record), ""
        if change.findings is not None:
            card, digests = with_digests(card, change.findings), change.findings.key
        bases = registry.resolve(replace(record, bases=_stated(card)))
        return replace(record, bases=bases, digests=digests), with_bases(card, bases)


class _Registered:
    """The cards that are there and stay, for what is made from them; worked out once something is."""

    def __init__(self, cards: CardDirectory, going: Container[str]) -> None:
        self._cards = cards
        self._going = going
        self._registry: Registry | None = None

    def add(self, record: CardRecord) -> None:
        """Take up a card that was just written."""
        if self._registry is not None:
            self._registry.add(record)

    def resolve(self, record: CardRecord) -> tuple[Base, ...]:
        """The bases of `record` with their technical names."""
        if record.bases and self._registry is None:
            published = self._cards.published().cards
            self._registry = Registry(card for name, card in published.items() if name not in self._going)
        return self._registry.resolve(record) if self._registry is not None else ()


def _is_adapter(change: CardChange) -> bool:
    return change.model is not None and change.model.kind is Kind.ADAPTER


def _stated(card: Card) -> tuple[Base, ...]:
    return tuple(Base(one.name, by_person=one.source == MANIFEST) for one in card.lineage)


def identity_of(record: CardRecord, change: Change) -> Identity:
    """What the daemon and the manifest say of a model."""
    return Identity(
        technical_name=record.technical_name,
        model_name=record.model_name,
        path=record.path,
        entry_path=record.entry_path,
        fingerprint=record.fingerprint,
        approved_fingerprint=record.approved_fingerprint,
        availability=record.availability.value,
        revision=record.revision,
        change=change.value,
        overrides=record.overrides,
    )


def event_id(record: CardRecord) -> str:
    """Names the one decision that a card's revision stands for."""
    return f"card:{record.technical_name}:{record.revision}"


def card_event(record: CardRecord, change: Change) -> dict[str, Any]:
    """The journal's line for a card's revision."""
    return {
        "id": event_id(record),
        "event": change.value,
        "technical_name": record.technical_name,
        "model_name": record.model_name,
        "path": record.path,
        "availability": record.availability.value,
        "revision": record.revision,
    }


def _removed_event(record: CardRecord) -> dict[str, Any]:
    """The journal's line for a card that goes."""
    return {
        "id": f"removed:{record.technical_name}:{record.revision + 1}",
        "event": "removed",
        "technical_name": record.technical_name,
        "model_name": record.model_name,
        "path": record.path,
        "revision": record.revision + 1,
    }
