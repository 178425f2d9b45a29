"""The kernel gives no more watches or event queues: in a user namespace with small limits, and by user."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import PATIENCE
from tests.e2e.test_names import tiny_model
from tests.faults.mounting_watch import AS_ROOT, HOUR, WatchedPlace, program, watched

__all__ = ["watched"]

LIMITS: Final = "/proc/sys/user/max_inotify_"
PUBLISHERS: Final = 8
HOG: Final = """
import ctypes, sys, time
library = ctypes.CDLL(None)
while library.inotify_init() >= 0:
    pass
print("full", flush=True)
time.sleep(600)
"""


def _in_namespace(place: WatchedPlace, **limits: int) -> None:
    """Let the daemon have a user namespace of its own, with these limits."""
    unshare = [program("unshare"), "--user", "--map-root-user"]
    orders = "".join(f"echo {value} > {LIMITS}{name} && " for name, value in limits.items())
    place.before = [*unshare, "sh", "-c", f'{orders} exec "$@"', "sh"]
    if subprocess.run([*place.before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no user namespaces with limits of their own")
    if AS_ROOT:
        place.state.rmdir()  # another user's in that namespace
        place.state.mkdir()


def _raise(place: WatchedPlace, name: str) -> None:
    words = ["nsenter", "--target", str(place.pid()), "--user", "--preserve-credentials", "sh", "-c"]
    subprocess.run([*words, f"echo 100000 > {LIMITS}{name}"], check=True, timeout=PATIENCE)


@pytest.mark.promise(2, "watch or queue limit reached in a user namespace, and raised while running")
@pytest.mark.parametrize(
    ("name", "limit", "word", "interval"),
    [
        ("watches", 10, "the kernel does not watch", HOUR),
        ("watches", 1, "cannot be watched", 1),
        ("instances", 0, "no more event queues", 1),
    ],
)
def test_a_limit_in_a_user_namespace(
    watched: WatchedPlace, name: str, limit: int, word: str, interval: int, tried: Callable[[int], None]
) -> None:
    """It says so with the remedy, finds every folder by looking, and hears again once the limit is raised."""
    watched.options["rescan_interval"] = interval
    _in_namespace(watched, **{name: limit})
    for number in range(PUBLISHERS):
        tiny_model(watched.models / f"q{number}" / "old", number)
    watched.start()
    told = watched.says(word)
    assert "max_user_watches" in told["remedy"]
    assert "max_user_instances" in told["remedy"]
    for number in range(PUBLISHERS):
        tiny_model(watched.models / f"q{number}" / "new", PUBLISHERS + number)
    for number in range(PUBLISHERS):
        watched.proposed(f"q{number}/old")
        watched.proposed(f"q{number}/new")
    assert not watched.watching()["by_events"]
    assert "max_user_watches" in watched.run("status", code=None)
    _raise(watched, name)
    watched.relies_on_events()
    for number in range(PUBLISHERS):
        watched.hears(f"q{number}")
    assert watched.log.read_text().count("events can be relied on again") == 1
    watched.stop()
    tried(PUBLISHERS)


@contextmanager
def _all_queues_taken(user: list[str]) -> Iterator[None]:
    words = [*user, sys.executable, "-c", HOG]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "full\n"
            yield
        finally:
            process.kill()


@pytest.mark.promise(2, "all event queues of the daemon's user are taken by another program")
@pytest.mark.skipif(not AS_ROOT, reason="only root can become a user of its own")
def test_another_program_has_taken_all_queues(watched: WatchedPlace) -> None:
    """By passes until they are given back, then by events, without a restart."""
    if int(Path("/proc/sys/fs/inotify/max_user_instances").read_text()) > 10_000:
        pytest.skip("this machine gives a user more event queues than a test can take")
    with _all_queues_taken(watched.before):
        watched.start()
        told = watched.says("no more event queues")
        assert "max_user_instances" in told["remedy"]
        tiny_model(watched.models / "m", 1)
        watched.proposed("m")
    watched.relies_on_events()
    watched.hears()
    watched.stop()
