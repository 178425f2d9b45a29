"""`cards/`: one JSON file for each registered model, and `index.json` over all of them.

The cards are the daemon's memory of what it published. A card is written before the index that names it, and
the index before a card is deleted, so that every moment between two writes can be told from the files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dxwatchd.core.naming import canonical
from dxwatchd.core.records import Availability, CardRecord, Change, Published
from dxwatchd.stores.atomic import remove_leftovers, sync_folder, write_atomically

INDEX_SCHEMA = "dxwatchd.index/v1"
INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a removed card. revision: that of the removal, one more than the card's last."""

    technical_name: str
    model_name: str
    path: str
    revision: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A card as it lies on the disk. digest: SHA-256 of the file, `sha256:` and hexadecimal digits."""

    record: CardRecord
    change: Change
    digest: str


@dataclass(slots=True)
class CardDirectory:
    """The folder `cards/` of one state directory, and what is in it.

    generation: of the index, counting up; cards, tombstones: by canonical technical name.
    """

    folder: Path
    generation: int = 0
    cards: dict[str, Stored] = field(default_factory=dict)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)
    unindexed: list[str] = field(default_factory=list)
    """Names whose card is newer than the index: just written, or by a process that was killed in between."""
    damaged: list[str] = field(default_factory=list)

    def load(self) -> None:
        """Make the folder ready for its one writer and read everything. OSError where that cannot be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        for path in self.look():
            path.unlink(missing_ok=True)

    def look(self) -> list[Path]:
        """Read everything and change nothing. Returns the files of cards that were removed already.

        Afterwards `damaged` has the names of files that are no cards, which count as absent.
        """
        leftovers: list[Path] = []
        index = _read_index(self.folder / INDEX)
        self.generation = index.generation
        self.tombstones = index.tombstones
        self.cards, self.unindexed, self.damaged = {}, [], []
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
            if index.digests.get(name) != stored.digest:
                self.unindexed.append(name)
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
        )

    def path_of(self, technical_name: str) -> Path:
        """The file of a card."""
        return self.folder / f"{technical_name}.json"

    def read(self, technical_name: str) -> dict[str, Any]:
        """A card's JSON. Raises OSError or ValueError where it cannot be read."""
        data = json.loads(self.path_of(technical_name).read_bytes())
        if not isinstance(data, dict):
            raise ValueError("a card is a JSON object")
        return data

    def write(self, record: CardRecord, change: Change, data: bytes) -> None:
        """Write one card's file; the index follows with `commit`."""
        write_atomically(self.path_of(record.technical_name), data)
        name = canonical(record.technical_name)
        self.cards[name] = Stored(record, change, digest_of(data))
        if name not in self.unindexed:
            self.unindexed.append(name)

    def bury(self, record: CardRecord) -> Tombstone:
        """Take a card out of the index at the next `commit`, which also deletes its file."""
        name = canonical(record.technical_name)
        tombstone = Tombstone(record.technical_name, record.model_name, record.path, record.revision + 1)
        self.cards.pop(name, None)
        self.tombstones[name] = tombstone
        return tombstone

    def commit(self) -> None:
        """Write the index with the next generation, then delete the files of buried cards."""
        models = [self._line(stored) for _, stored in sorted(self.cards.items())]
        dead = [
            {
                "technical_name": tombstone.technical_name,
                "model_name": tombstone.model_name,
                "path": tombstone.path,
                "revision": tombstone.revision,
            }
            for name, tombstone in sorted(self.tombstones.items())
            if name not in self.cards
        ]
        index = {
            "schema": INDEX_SCHEMA,
            "generation": self.generation + 1,
            "models": models,
            "tombstones": dead,
        }
        write_atomically(self.folder / INDEX, (json.dumps(index, indent=1) + "\n").encode())
        self.generation += 1
        self.unindexed = []
        for name, tombstone in self.tombstones.items():
            if name not in self.cards:
                self.path_of(tombstone.technical_name).unlink(missing_ok=True)
        sync_folder(self.folder)

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
        raw = path.read_bytes()
        card = json.loads(raw)
        record = CardRecord(
            technical_name=card["technical_name"],
            model_name=card["model_name"],
            path=card["path"],
            entry_path=card["entry_path"],
            fingerprint=card["fingerprint"],
            approved_fingerprint=card["approved_fingerprint"],
            availability=Availability(card["availability"]),
            revision=int(card["revision"]),
            overrides=dict(card["overrides"]),
        )
        return Stored(record, Change(card["change"]), digest_of(raw))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class _Index:
    generation: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)


def _read_index(path: Path) -> _Index:
    """The index, or an empty one where it is missing or damaged: it can be made again from the cards."""
    try:
        data = json.loads(path.read_bytes())
        return _Index(
            int(data["generation"]),
            {canonical(line["technical_name"]): line["digest"] for line in data["models"]},
            {canonical(dead.technical_name): dead for dead in _tombstones(data["tombstones"])},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return _Index()


def _tombstones(lines: Iterable[Mapping[str, Any]]) -> Iterable[Tombstone]:
    empty = Tombstone("", "", "", 0)
    return (
        replace(empty, **{key: line[key] for key in ("technical_name", "model_name", "path", "revision")})
        for line in lines
    )
