"""`cards/`: one JSON file for each registered model, and `index.json` over all of them.

The cards are the daemon's memory of what it published. A card is written before the index that names it, and
the index before a card is deleted, so that every moment between two writes can be told from the files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dxwatchd.core import formats
from dxwatchd.core.findings import Source, key_of
from dxwatchd.core.naming import canonical
from dxwatchd.core.records import MANIFEST, Availability, Base, CardRecord, Change, Content, Published
from dxwatchd.stores.atomic import OF_ONE_FILE, remove_leftovers, sync_folder, write_atomically
from dxwatchd.stores.card_index import DAMAGE, INDEX, Tombstone, name_of, number, read_index, text
from dxwatchd.stores.plain_file import read_plain

MOST_TOMBSTONES = 1000
"""Removed cards that the index remembers by name, 170 kB; of older ones only the highest revision counts."""


def is_published(folder: Path) -> bool:
    """Whether `folder` holds any card. Raises OSError where nobody can tell."""
    try:
        return any(name.endswith(".json") and name != INDEX for name in os.listdir(folder))
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Stored:
    """A card as it lies on the disk. digest: SHA-256 of the file, `sha256:` and hexadecimal digits."""

    record: CardRecord
    change: Change
    digest: str


@dataclass(slots=True)
class CardDirectory:
    """The folder `cards/` of one state directory, and what is in it.

    models_root: what the cards' paths are relative to, for those who have only the index; generation: of the
    index, counting up; sequence: of the last event that belongs to it; cards, tombstones: by canonical
    technical name, the latest tombstone last; forgotten: the highest revision of removed cards without one.
    """

    folder: Path
    models_root: Path | None = None
    generation: int = 0
    sequence: int = 0
    cards: dict[str, Stored] = field(default_factory=dict)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)
    forgotten: int = 0
    unindexed: list[str] = field(default_factory=list)
    """Names whose card is newer than the index: just written, or by a process that was killed in between."""
    damaged: list[str] = field(default_factory=list)
    stale: bool = False
    """The index does not say what the cards say, for whatever reason."""
    _to_delete: set[Path] = field(default_factory=set)
    """Files of cards that the next index no longer names."""
    _stuck: set[Path] = field(default_factory=set)
    """Files of removed cards that would not go, each for a reason of its own."""

    def load(self) -> None:
        """Make the folder ready for its one writer and read everything. OSError where that cannot be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        for path in self.look():
            try:
                path.unlink(missing_ok=True)
            except OSError:  # no reason not to start: it is tried again with each pass, which says so
                self._stuck.add(path)

    def look(self) -> list[Path]:
        """Read everything and change nothing. Returns the files of cards that were removed already.

        Afterwards `damaged` has the names of files that are no cards, which count as absent.
        """
        leftovers: list[Path] = []
        index = read_index(self.folder / INDEX)
        self.generation, self.sequence = index.generation, index.sequence
        self.tombstones, self.forgotten = dict(index.tombstones), index.forgotten
        self.cards, self.unindexed, self.damaged, self.stale = {}, [], [], False
        for path in sorted(self.folder.glob("*.json")):
            if path.name == INDEX:
                continue
            stored = read_stored(path)
            if stored is None or f"{stored.record.technical_name}.json" != path.name:
                self.damaged.append(path.name)
                continue
            name = canonical(stored.record.technical_name)
            tombstone = self.tombstones.get(name)
            if tombstone is not None and tombstone.revision > stored.record.revision:
                leftovers.append(path)  # the index had been written, the card not yet deleted
                continue
            self.cards[name] = stored
            if name not in index.lines or index.lines[name].digest != stored.digest:
                self.unindexed.append(name)
        for name, line in index.lines.items():
            if name not in self.cards:  # deleted or damaged by others: its revisions still count on
                self.tombstones[name] = line.tombstone
                self.stale = True
        damaged = (self.folder / name for name in self.damaged)
        self._to_delete = {path for path in damaged if canonical(path.stem) in self.tombstones}
        moved = index.models_root not in (None, self._root())
        self.stale = self.stale or bool(self.unindexed) or moved
        return leftovers

    def published(self) -> Published:
        """What decisions are made by."""
        return Published(
            {name: stored.record for name, stored in self.cards.items()},
            {
                name: tombstone.revision
                for name, tombstone in self.tombstones.items()
                if name not in self.cards
            },
            self.forgotten,
        )

    def path_of(self, technical_name: str) -> Path:
        """The file of a card."""
        return self.folder / f"{technical_name}.json"

    def write(self, record: CardRecord, change: Change, data: bytes) -> None:
        """Write one card's file; the index follows with `commit`."""
        write_atomically(self.path_of(record.technical_name), data)
        name = canonical(record.technical_name)
        self.cards[name] = Stored(record, change, digest_of(data))
        self._to_delete.discard(self.path_of(record.technical_name))
        self._stuck.discard(self.path_of(record.technical_name))
        self.stale = True
        if name not in self.unindexed:
            self.unindexed.append(name)

    def bury(self, record: CardRecord) -> Tombstone:
        """Take a card out of the index at the next `commit`, which also deletes its file."""
        name = canonical(record.technical_name)
        tombstone = Tombstone(record.technical_name, record.model_name, record.path, record.revision + 1)
        self.cards.pop(name, None)
        self.tombstones.pop(name, None)  # the latest is to be the last
        self.tombstones[name] = tombstone
        self._to_delete.add(self.path_of(record.technical_name))
        self.stale = True
        return tombstone

    def remember_removed(self, tombstone: Tombstone) -> None:
        """Take up a removal that only the journal still tells of."""
        name = canonical(tombstone.technical_name)
        known = self.tombstones.get(name)
        if name not in self.cards and (known is None or known.revision < tombstone.revision):
            self.tombstones[name] = tombstone

    def commit(self) -> None:
        """Write the index with the next generation, then delete the files of buried cards.

        One that alone cannot be deleted is left to `delete_stuck`, so that no other card waits for it.
        """
        dead = {name: tombstone for name, tombstone in self.tombstones.items() if name not in self.cards}
        spare = list(dead)[: max(0, len(dead) - MOST_TOMBSTONES)]
        forgotten = max((dead.pop(name).revision for name in spare), default=0)
        self.forgotten = max(self.forgotten, forgotten)
        index = {
            "schema": formats.INDEX,
            "generation": self.generation + 1,
            "sequence": self.sequence,
            "models_root": self._root(),
            "models": [self._line(stored) for _, stored in sorted(self.cards.items())],
            "tombstones": [asdict(tombstone) for tombstone in dead.values()],
            "forgotten_revision": self.forgotten,
        }
        write_atomically(self.folder / INDEX, (json.dumps(index, indent=1) + "\n").encode())
        self.generation += 1
        self.tombstones = dead
        self.unindexed = []
        for path in self._to_delete:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                if error.errno not in OF_ONE_FILE:
                    raise
                self._stuck.add(path)
        sync_folder(self.folder)
        self._to_delete = set()
        self.stale = False

    def delete_stuck(self) -> None:
        """Try again the files of removed cards that would not go. Raises OSError where one still does not."""
        for path in sorted(self._stuck):
            path.unlink(missing_ok=True)
            self._stuck.discard(path)

    def _root(self) -> str:
        return str(self.models_root or "")

    def _line(self, stored: Stored) -> dict[str, Any]:
        record = stored.record
        return {
            "technical_name": record.technical_name,
            "model_name": record.model_name,
            "path": record.path,
            "availability": record.availability.value,
            "revision": record.revision,
            "card": f"{record.technical_name}.json",
            "digest": stored.digest,
        }


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_stored(path: Path) -> Stored | None:
    """One card's record, or None where the file is not a card."""
    try:
        raw = read_plain(path)
        card = json.loads(raw)
        record = CardRecord(
            technical_name=name_of(card["technical_name"]),
            model_name=text(card["model_name"]),
            path=text(card["path"]),
            entry_path=text(card["entry_path"]),
            fingerprint=text(card["fingerprint"]),
            approved_fingerprint=card["approved_fingerprint"],
            availability=Availability(card["availability"]),
            revision=number(card["revision"]),
            overrides=dict(card["overrides"]),
            bases=tuple(_base(ancestor) for ancestor in card.get("lineage", ())),
            digests=_digests(card),
            approved=_approved(card),
            found_digest=card.get("integrity", {}).get("found_digest"),
        )
        return Stored(record, Change(card["change"]), digest_of(raw))
    except DAMAGE:
        return None


def _base(ancestor: Mapping[str, Any]) -> Base:
    by_person = ancestor["source"] == MANIFEST
    return Base(text(ancestor["name"]), text(ancestor["technical_name"]), by_person)


def _digests(card: Mapping[str, Any]) -> str:
    """What stands for the digests that a card says, "" where they are pending."""
    integrity = card.get("integrity", {"status": "pending"})
    if integrity["status"] == "pending":
        return ""
    return key_of(
        text(integrity["status"]),
        [(file["name"], file["digest"].partition(":")[2]) for file in card["files"] if file["digest"]],
        [Source(told["source"], told["commit"], told["files"]) for told in integrity["provenance"]],
        integrity["mismatched_files"],
    )


def _approved(card: Mapping[str, Any]) -> Content | None:
    """The digests of what was approved, as far as the card has them; one of dxwatchd 0.1.0 has none."""
    integrity = card.get("integrity", {})
    digest = integrity.get("approved_digest")
    return Content(text(digest), dict(integrity["approved_files"])) if digest is not None else None
