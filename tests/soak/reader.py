"""A consumer that reads cards all the while, in a process of its own: `python reader.py STATE_DIRECTORY OUT`.

It ends when its standard input does, and leaves in OUT, a JSON file, how often it looked and everything that
no reader may ever see.
"""

from __future__ import annotations

import hashlib
import json
import select
import sys
from pathlib import Path
from typing import Any, Final

from dxwatchd import CardUnreadable, ModelNotRegistered, StateDirectoryNotFound, list_cards, load_card

PAUSE: Final = 0.02


class Reader:
    """Looks at one state directory, again and again."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.cards = state / "cards"
        self.looks = 0
        self.loaded = 0
        self.generation = 0
        self.revisions: dict[str, int] = {}
        self.problems: list[str] = []

    def look(self) -> None:
        """Once at everything: by the library, and at the bare files."""
        self.looks += 1
        index = self._index()
        if index is None:
            return
        for line in index["models"]:
            self._card(line, index["generation"])
        for line in index["tombstones"]:
            self._revision(line["technical_name"], line["revision"], "tombstone")
        self._library()

    def _index(self) -> dict[str, Any] | None:
        try:
            raw = (self.cards / "index.json").read_bytes()
        except FileNotFoundError:
            if self.generation:
                self.problems.append("the index is gone")
            return None
        try:
            index: dict[str, Any] = json.loads(raw)
        except ValueError as error:
            self.problems.append(f"half an index: {error}")
            return None
        if index["generation"] < self.generation:
            self.problems.append(f"generation {index['generation']} after {self.generation}")
        self.generation = index["generation"]
        return index

    def _card(self, line: dict[str, Any], generation: int) -> None:
        name = line["technical_name"]
        try:
            raw = (self.cards / line["card"]).read_bytes()
        except FileNotFoundError:
            after = self._index()
            if after is not None and after["generation"] == generation:
                self.problems.append(f"the index of generation {generation} names {name}, which has no card")
            return
        try:
            card = json.loads(raw)
        except ValueError as error:
            self.problems.append(f"half a card of {name}: {error}")
            return
        if card["technical_name"] != name:
            self.problems.append(f"the card of {name} is that of {card['technical_name']}")
        if card["revision"] < line["revision"]:
            self.problems.append(f"{name}: revision {card['revision']}, {line['revision']} in the index")
        same = card["revision"] == line["revision"]
        if same and f"sha256:{hashlib.sha256(raw).hexdigest()}" != line["digest"]:
            self.problems.append(f"{name}: revision {card['revision']} has another digest in the index")
        self._revision(name, card["revision"], "card")

    def _revision(self, name: str, revision: int, what: str) -> None:
        if revision < self.revisions.get(name, 0):
            self.problems.append(f"{what} of {name}: revision {revision} after {self.revisions[name]}")
        self.revisions[name] = max(revision, self.revisions.get(name, 0))

    def _library(self) -> None:
        try:
            for entry in list_cards(state_dir=self.state):
                try:
                    load_card(entry.technical_name, state_dir=self.state)
                    self.loaded += 1
                except ModelNotRegistered:
                    continue  # removed since the index was read
        except StateDirectoryNotFound:
            return
        except CardUnreadable as error:
            if "is gone" not in str(error):  # removed and there again between two looks; files tell above
                self.problems.append(str(error))


def main() -> None:
    """Look until standard input ends."""
    reader, out = Reader(Path(sys.argv[1])), Path(sys.argv[2])
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        reader.look()
    told = {"looks": reader.looks, "loaded": reader.loaded, "problems": reader.problems[:100]}
    out.write_text(json.dumps(told))


if __name__ == "__main__":
    main()
