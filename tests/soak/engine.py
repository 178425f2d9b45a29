"""A soak: `python -m tests.soak.engine --minutes 30 --seed 1`.

Copiers, editors, shells and misfortunes act on a real daemon all at once, at random by the seed, while a
consumer reads. Every half minute all of them stop, and what is there is compared with a simple model. Ends
with a line of figures; where something is not as it must be, with the seed, the last actions and the folder.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.e2e.conftest import Place
from tests.soak.breakers import Breaker
from tests.soak.copiers import Copier
from tests.soak.editors import Book, Editor
from tests.soak.quiet import QuietPoint
from tests.soak.reading import Reading
from tests.soak.shells import Shell
from tests.soak.world import World

ACTING: Final = (15.0, 25.0)
"""Seconds between two quiet points."""

FOLDERS: Final = 24
"""Model folders that lie in the models root at most, about."""

PERIODS: Final = {"quiet_period": 0.5, "remote_quiet_period": 0.8, "rescan_interval": 2}


class Soak:
    """One soak in one folder."""

    def __init__(self, folder: Path, seed: int, folders: int = FOLDERS) -> None:
        self.place = Place(folder)
        self.place.options |= PERIODS
        self.world = World(self.place, seed, folders)
        self.book = Book()
        self.breaker = Breaker(self.world)
        self.shells = [Shell(self.world, self.book, f"shell{n}") for n in (1, 2)]
        self.copiers = [Copier(self.world, f"copier{n}") for n in (1, 2, 3)]
        self.editor = Editor(self.world, self.book, "editor")
        self.chance = random.Random(seed)
        self.quiet = QuietPoint(self.world, self.book)
        self.problems: list[str] = []
        self._stop = threading.Event()

    def run(self, minutes: float) -> list[str]:
        """Soak for so long, or until something is wrong. Returns what is."""
        until = time.monotonic() + minutes * 60
        self.place.start()
        actors: list[tuple[Callable[[], None], str, float]] = [
            *((copier.act, copier.name, 0.5) for copier in self.copiers),
            (self.editor.act, "editor", 2.0),
            *((shell.act, shell.name, 3.0) for shell in self.shells),
            (self.breaker.act, "breaker", 6.0),
        ]
        threads = [threading.Thread(target=self._work, args=actor, name=actor[1]) for actor in actors]
        with Reading(self.place) as reading:
            try:
                for thread in threads:
                    thread.start()
                while time.monotonic() < until and not self.problems:
                    time.sleep(min(self.chance.uniform(*ACTING), max(0.0, until - time.monotonic())))
                    self._check(reading)
            finally:
                self._stop.set()
                for thread in threads:
                    thread.join()
        self.problems += reading.problems()
        self.world.counts["reads"] += reading.looks
        code = self.place.stop()
        if code != 0:
            self.problems.append(f"the daemon ended with {code}")
        self.problems += self.quiet.log_problems()
        return self.problems

    def _check(self, reading: Reading) -> None:
        with self.world.acting.alone():
            if self.problems:  # an actor has died
                return
            self.problems += [*self.quiet.check(), *reading.problems(), *self.breaker.problems]
            for shell in self.shells:
                self.problems += shell.problems

    def _work(self, act: Callable[[], None], name: str, pause: float) -> None:
        chance = random.Random(f"{self.world.seed}-{name}-pauses")
        while not self._stop.wait(chance.random() * pause):
            with self.world.acting.shared():
                if self._stop.is_set() or self.problems:
                    return
                try:
                    act()
                except Exception:  # noqa: BLE001 - of the soak itself: told like all else
                    self.problems.append(f"{name}: {traceback.format_exc()}")
                    return

    def summary(self) -> str:
        """The figures."""
        counts = ", ".join(f"{kind} {number}" for kind, number in sorted(self.world.counts.items()))
        return f"{self.quiet.figures()}\nactions: {counts}"


def main() -> int:
    """Run one soak. Returns the exit code."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=30)
    asked.add_argument("--seed", type=int, default=int(time.time()))
    asked.add_argument("--models", type=int, default=FOLDERS, help="how many lie there at most, about")
    asked.add_argument("--folder", type=Path, help="an empty folder to work in, which is kept")
    wanted = asked.parse_args()
    folder = wanted.folder or Path(tempfile.mkdtemp(prefix="dxwatchd-soak-"))
    folder.mkdir(exist_ok=True)
    soak = Soak(folder, wanted.seed, wanted.models)
    began = time.monotonic()
    try:
        problems = soak.run(wanted.minutes)
    except Exception:  # noqa: BLE001 - of the soak itself: told like all else
        problems = [traceback.format_exc(), *soak.problems]
    finally:
        soak.place.kill()
    print(f"seed {wanted.seed}, {(time.monotonic() - began) / 60:.1f} minutes")
    print(soak.summary())
    if problems:
        print("\n".join(soak.world.actions))
        print(f"{len(problems)} problems with seed {wanted.seed}; everything is in {folder}")
        print("\n".join(problems[:50]))
        return 1
    if wanted.folder is None:
        shutil.rmtree(os.fsencode(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
