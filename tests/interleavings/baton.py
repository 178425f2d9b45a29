"""Actors that take turns at every system call, in an order that a number decides: each run can be repeated.

Each actor is a thread, and only the one that has the baton runs. Before each system call (of those that
`CALLS` names) the one that runs may hand it on. Time is made up: it goes on with every call, sometimes by
long enough for somebody to have fallen asleep in the middle of a save.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

CALLS: Final = (
    "open", "read", "write", "fstat", "stat", "rename", "replace", "link", "unlink", "ftruncate", "fchmod"
)  # fmt: skip
PATIENCE: Final = 60.0  # real seconds until a run is taken for stuck
STALL: Final = 0.3  # seconds of made-up time: longer than any quiet that the daemon asks for


class Killed(BaseException):
    """The actor's process is gone: nothing after it happens, no cleaning up either."""


@dataclass(slots=True)
class Actor:
    """One process. kill_at: the call before which it is killed, None for never."""

    name: str
    act: Callable[[], None]
    kill_at: int | None = None
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    calls: int = 0
    dead: bool = False
    asleep_until: float = 0.0


class Baton:
    """Runs actors by turns."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.restlessness = self.random.choice((0.05, 0.2, 0.5, 0.9))
        self.sleepiness = self.random.choice((0.0, 0.02, 0.1))
        self.now = 1000.0
        self.step = 0
        self._actors: dict[int, Actor] = {}
        self._alive: list[Actor] = []
        self._end = threading.Semaphore(0)
        self._errors: list[BaseException] = []

    def run(self, *actors: Actor) -> None:
        """Run them all to their ends. Raises the first error of any."""
        self._alive = list(actors)
        threads = [threading.Thread(target=self._live, args=(actor,), name=actor.name) for actor in actors]
        for thread in threads:
            thread.start()
        self._next().turn.release()
        stuck = not self._end.acquire(timeout=PATIENCE)
        for thread in () if stuck else threads:
            thread.join()
        self._actors.clear()
        if self._errors:
            raise self._errors[0]
        assert not stuck, "the run is stuck"

    def _live(self, actor: Actor) -> None:
        self._actors[threading.get_ident()] = actor
        actor.turn.acquire()
        try:
            actor.act()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in `run`
            self._errors.append(error)
        self._alive.remove(actor)
        (self._next().turn if self._alive else self._end).release()

    def _next(self) -> Actor:
        awake = [actor for actor in self._alive if actor.asleep_until <= self.now]
        if not awake:
            awake = [min(self._alive, key=lambda actor: actor.asleep_until)]
            self.now = awake[0].asleep_until
        return self.random.choice(awake)

    @property
    def actor(self) -> Actor | None:
        """Who calls; None where it is none of the actors."""
        return self._actors.get(threading.get_ident())

    def may_hand_on(self) -> None:
        """A system call is about to be made."""
        actor = self.actor
        if actor is None:
            return
        actor.calls += 1
        if actor.dead or actor.calls == actor.kill_at:
            actor.dead = True
            raise Killed
        self.step += 1
        self.now += 0.0005
        if self.random.random() < self.sleepiness:
            self.sleep(self.random.choice((0.002, 0.01, STALL)))
        elif self.random.random() < self.restlessness:
            self._hand_on(actor)

    def hot_spot(self) -> None:
        """Where it matters what others do: let them do something, half of the time."""
        if self.random.random() < 0.5:
            self.sleep(self.random.choice((0.002, 0.01, 0.03)))

    def sleep(self, seconds: float) -> None:
        """As time.sleep, in made-up time."""
        actor = self.actor
        if actor is None:
            self.now += seconds
            return
        if actor.dead:
            raise Killed
        actor.asleep_until = self.now + max(seconds, 0.0005)
        self._hand_on(actor)

    def _hand_on(self, actor: Actor) -> None:
        chosen = self._next()
        if chosen is not actor:
            chosen.turn.release()
            actor.turn.acquire()

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A system call, before which the baton may be handed on."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            self.may_hand_on()
            return call(*arguments, **named)

        return wrapped


@contextmanager
def taking_turns(seed: int) -> Iterator[tuple[Baton, pytest.MonkeyPatch]]:
    """A baton that system calls, sleeps and clocks go by; and what to replace more by."""
    baton = Baton(seed)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, baton.wrap(getattr(os, name)))
        patch.setattr(os, "fsync", baton.wrap(lambda descriptor: None))  # no power is cut here
        patch.setattr(fcntl, "fcntl", _leases(baton))
        patch.setattr(fcntl, "flock", baton.wrap(fcntl.flock))
        patch.setattr(time, "sleep", baton.sleep)
        yield baton, patch


def _leases(baton: Baton) -> Callable[..., Any]:
    real = fcntl.fcntl

    def call(descriptor: int, command: int, argument: Any = 0) -> Any:
        if command == fcntl.F_SETLEASE and argument == fcntl.F_UNLCK:
            return real(descriptor, command, argument)  # the kernel does that for a killed process
        if command == fcntl.F_SETLEASE:
            baton.may_hand_on()
        return real(descriptor, command, argument)

    return call
