"""What the actors of a soak share: the place, what they did, and who is at what."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dxwatchd.core.snapshot import is_below
from tests.e2e.conftest import Place
from tests.soak.trees import KINDS, Content, content, with_other_weights

KEPT_ACTIONS: Final = 200
SEEDS: Final = 12
"""Seeds that contents are made from: few enough that some come twice."""


class Busy(Exception):  # noqa: N818 - an actor looks for something else to do
    """Another actor is at this folder, or there is nothing to do it with."""


class Gate:
    """Many may be in it at a time, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """With others."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Once all others are out."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()


@dataclass(slots=True)
class Round:
    """What was done since the last quiet point. touched: folders (paths); moved: from → to, with the
    content's identity; dropped: contents that came or were copied; removals: technical names that a person
    may have taken from the manifest or given to another entry.
    """

    touched: Counter[str] = field(default_factory=Counter)
    moved: dict[str, tuple[str, str]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    removals: set[str] = field(default_factory=set)


class World:
    """Shared by all actors of one soak."""

    def __init__(self, place: Place, seed: int, most: int) -> None:
        self.place = place
        self.models = place.models
        self.aside = place.folder / "aside"
        self.aside.mkdir(exist_ok=True)
        self.seed = seed
        self.most = most
        self.root = Gate()
        """Whoever works below the models root is in it; who takes the root away is alone in it."""
        self.acting = Gate()
        """Every actor is in it while it acts; a quiet point is alone in it."""
        self.counts: Counter[str] = Counter()
        self.actions: deque[str] = deque(maxlen=KEPT_ACTIONS)
        self.round = Round()
        self.contents: dict[str, Content] = {}
        self.file_names: set[str] = set()
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._number = 0
        self._began = time.monotonic()

    def say(self, actor: str, kind: str, what: str) -> None:
        """Note an action."""
        with self._lock:
            self.counts[kind] += 1
            self.actions.append(f"{time.monotonic() - self._began:8.2f} {actor} {kind} {what}")
            with (self.place.folder / "actions.log").open("a", errors="surrogateescape") as file:
                file.write(self.actions[-1] + "\n")

    def number(self) -> int:
        """Another one with every call."""
        with self._lock:
            self._number += 1
            return self._number

    @contextmanager
    def hold(self, *paths: str) -> Iterator[None]:
        """Have these folders, and what is above and below them, to oneself. Raises Busy."""
        with self._lock:
            if any(is_below(one, path) or is_below(path, one) for one in self._busy for path in paths):
                raise Busy
            self._busy.update(paths)
        try:
            yield
        finally:
            with self._lock:
                self._busy.difference_update(paths)

    def touch(self, *paths: str) -> None:
        """Note that these folders are changed in this round."""
        with self._lock:
            self.round.touched.update(paths)

    def note_drop(self, made: Content) -> None:
        """Note that a content came to the models root, also for a moment only."""
        with self._lock:
            self.round.dropped[made.identity] += 1

    def note_move(self, old: str, new: str, identity: str) -> None:
        """Note that a whole folder was renamed inside the models root."""
        with self._lock:
            self.round.moved[old] = (new, identity)

    def content(self, chance: random.Random) -> Content:
        """Some content."""
        return self.take_up(content(chance.choice(tuple(KINDS)), chance.randrange(1, SEEDS + 1)))

    def content_of(self, chance: random.Random, *kinds: str) -> Content:
        """Some content of one of these kinds."""
        return self.take_up(content(chance.choice(kinds), chance.randrange(1, SEEDS + 1)))

    def overwritten(self, made: Content) -> Content:
        """The content with weights that nobody had yet."""
        return self.take_up(with_other_weights(made, self.number()))

    def take_up(self, made: Content) -> Content:
        """Know this content as a whole one."""
        with self._lock:
            known = self.contents.setdefault(made.identity, made)
            assert known.fingerprint == made.fingerprint, "equal contents, two fingerprints"
            same = [one for one in self.contents.values() if one.fingerprint == made.fingerprint]
            assert same == [known], "two contents, one fingerprint"
            self.file_names |= {part for name in made.files for part in name.split("/")}
        return known

    def path(self, relative: str) -> Path:
        """Where a folder of the models root lies."""
        return self.models / relative
