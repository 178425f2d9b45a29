"""What ends, stops and robs the daemon: kills, signals, a lost root, spoiled caches."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from typing import Final

from tests.soak.world import World

CACHES: Final = ("facts.db", "digests.db", "status.json")
"""What may be deleted or spoiled at any time."""

STARTING: Final = 10.0
"""Seconds after which a daemon surely hears signals: before, they end it as any process."""


class Breaker:
    """One misfortune after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.place = world.place
        self.name = "breaker"
        self.chance = random.Random(f"{world.seed}-breaker")
        self.problems: list[str] = []
        self.started = time.monotonic()
        deeds = (
            *(self.kill,) * 4,
            *(self.terminate, self.reload, self.freeze, self.spoil, self.spoil, self.take_root_away),
            *(self.ask, self.ask),
        )
        self.deeds: tuple[Callable[[], None], ...] = deeds

    def act(self) -> None:
        """One deed, at random."""
        self.chance.choice(self.deeds)()

    def kill(self) -> None:
        """SIGKILL, and a start: at once, or a moment later with a cache gone meanwhile."""
        self._say("kill")
        self.place.kill()
        if self.chance.random() < 0.3:
            self.spoil()
            time.sleep(self.chance.random())
        self.start()

    def terminate(self) -> None:
        """SIGTERM: the daemon ends in time and in order."""
        self._say("terminate")
        hears = time.monotonic() - self.started > STARTING  # Python itself has a word to say on SIGINT before
        interrupts = self.chance.random() < 0.5
        code = self.place.stop(signal.SIGINT if hears and interrupts else signal.SIGTERM)
        if code != 0 and hears:
            self.problems.append(f"after SIGTERM the daemon ended with {code}")
        self.start()

    def start(self) -> None:
        """Start it, and do not wait."""
        self.started = time.monotonic()
        self.place.start(wait=False)

    def reload(self) -> None:
        """SIGHUP, to a daemon that has started."""
        if time.monotonic() - self.started > STARTING:
            self._say("reload")
            self._signal(signal.SIGHUP)

    def freeze(self) -> None:
        """SIGSTOP, and SIGCONT later."""
        self._say("freeze")
        self._signal(signal.SIGSTOP)
        time.sleep(self.chance.random() * 1.5)
        self._signal(signal.SIGCONT)

    def spoil(self) -> None:
        """A cache is deleted, emptied, cut or overwritten, whether the daemon runs or not."""
        file = self.place.state / self.chance.choice(CACHES)
        kind = self.chance.choice(("delete", "empty", "cut", "noise", "middle"))
        self._say(f"spoil {file.name}", kind)
        try:
            size = file.stat().st_size
            if kind == "delete":
                file.unlink()
            elif kind == "empty":
                file.write_bytes(b"")
            elif kind == "cut":
                with file.open("r+b") as opened:
                    opened.truncate(size // 2)
            elif kind == "noise":
                file.write_bytes(self.chance.randbytes(2000))
            else:
                with file.open("r+b") as opened:
                    opened.seek(size // 2)
                    opened.write(self.chance.randbytes(100))
        except FileNotFoundError:
            return

    def take_root_away(self) -> None:
        """The models root is renamed away, and comes back."""
        with self.world.root.alone():
            self._say("root away")
            away = self.world.models.with_name("models.away")
            self.world.models.rename(away)
            time.sleep(self.chance.random() * 2)
            away.rename(self.world.models)

    def ask(self) -> None:
        """A request for a pass by somebody who does not wait for it."""
        self._say("request")
        (self.place.state / "requests" / f"soak-{self.world.number()}.json").write_text(
            self.chance.choice(("{}", "", "nonsense", '{"accept_removals": false}'))
        )

    def _signal(self, number: int) -> None:
        if self.place.process is not None:
            self.place.process.send_signal(number)

    def _say(self, kind: str, what: str = "") -> None:
        self.world.say(self.name, kind, what)
