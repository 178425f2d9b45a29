"""What counts as a living loop: long passes and hung file systems do, endless loops and dead locks do not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dxwatchd.vitality import Vitality, waits_for_kernel
from dxwatchd.whereabouts import Whereabouts

PATIENCE = 30.0


@contextmanager
def running(what: Callable[[], object]) -> Iterator[int]:
    """A thread that does something all the while; its number."""
    thread = threading.Thread(target=what)
    thread.start()
    assert thread.native_id is not None
    yield thread.native_id
    thread.join(PATIENCE)


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; a thread needs a moment to get where it is going to stay."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_pass_that_comes_to_something_gets_on_however_long_it_takes() -> None:
    """Hours, as long as there is a step within the bound."""
    vitality, at = Vitality(stuck_after=10), Whereabouts()
    for now in range(0, 10_000, 9):
        at.come_to("the same folder again")
        assert vitality.gets_on(at, None, float(now))


def test_a_pass_without_a_step_is_stuck_after_the_bound() -> None:
    """And no longer, once another pass has begun, or while none is made."""
    vitality, at = Vitality(stuck_after=10), Whereabouts("a")
    assert [vitality.gets_on(at, None, now) for now in (0.0, 9.0, 10.0, 11.0)] == [True, True, False, False]
    assert vitality.gets_on(Whereabouts("a"), None, 12.0)
    assert vitality.gets_on(None, None, 100.0)
    assert vitality.gets_on(None, None, 200.0)


def test_a_thread_that_waits_for_the_kernel_is_no_reason_to_start_anew() -> None:
    """As one that reads from a file system which hangs: a pipe that nobody writes to is like it."""
    reading, writing = os.pipe()
    with running(lambda: os.read(reading, 1)) as thread:
        until(lambda: waits_for_kernel(thread))
        vitality, at = Vitality(stuck_after=10), Whereabouts("a")
        assert vitality.gets_on(at, thread, 0.0)
        assert vitality.gets_on(at, thread, 1000.0)
        os.write(writing, b"x")
    for descriptor in (reading, writing):
        os.close(descriptor)


@pytest.mark.parametrize("kind", ["loop", "lock"])
def test_an_endless_loop_and_a_lock_are_one(kind: str) -> None:
    """The first computes, the second waits for another thread."""
    ended, lock = threading.Event(), threading.Lock()
    lock.acquire()

    def loop() -> None:
        while not ended.is_set():
            pass

    with running(loop if kind == "loop" else lock.acquire) as thread:
        time.sleep(0.1)
        vitality, at = Vitality(stuck_after=10), Whereabouts("a")
        assert vitality.gets_on(at, thread, 0.0)
        told = [vitality.gets_on(at, thread, 20.0 + number) for number in range(50)]
        ended.set()
        lock.release()
    assert not any(told)


def test_a_thread_that_is_gone_waits_for_nothing() -> None:
    """Its number may be told no more."""
    with running(lambda: None) as thread:
        pass
    assert not waits_for_kernel(thread)
