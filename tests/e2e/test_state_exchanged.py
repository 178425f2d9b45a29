"""The state directory or its lock is taken away from under a running daemon."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress

import pytest

from dxwatchd.stores.instance_lock import Held, InstanceLock
from tests.e2e.conftest import Place
from tests.e2e.test_names import tiny_model


def _whole(place: Place, count: int) -> None:
    """The journal has this many events, with neither gaps nor doubles."""
    events = place.events()
    assert [event["sequence"] for event in events] == list(range(1, count + 1))
    assert len({event["id"] for event in events}) == count


@pytest.mark.usefixtures("without_digests")
@pytest.mark.promise(10, "the lock is deleted, another process takes it: the daemon yields and says to whom")
def test_a_daemon_whose_lock_another_one_has_writes_nothing(place: Place) -> None:
    """It goes on once that one has ended, by what lies there then."""
    place.start()
    lock = InstanceLock(place.state / "daemon.lock")
    for _ in range(100):
        lock.path.unlink()
        with suppress(Held):  # the daemon was faster, and has made it again
            lock.acquire("another daemon")
            break
    tiny_model(place.models / "a", 1)
    place.until(lambda: "in use by `another daemon`" in place.log.read_text(), "the daemon to know")
    before = {path: path.read_bytes() for path in place.state.glob("*.json*")}
    tiny_model(place.models / "b", 2)
    time.sleep(1)
    assert {path: path.read_bytes() for path in place.state.glob("*.json*")} == before
    lock.release()
    place.proposed("a")
    place.proposed("b")
    place.until(lambda: len(place.events()) == 2, "the events")
    _whole(place, 2)
    assert "dxwatchd is running" in place.run("status", code=None)


@pytest.mark.usefixtures("without_digests")
@pytest.mark.promise(2, "the state directory moved away and back, then taken away and made again")
def test_what_lies_in_the_state_directory_is_gone_by(place: Place) -> None:
    """While it is away nothing is written elsewhere; what comes back is taken up, an empty one begun anew."""
    tiny_model(place.models / "a", 1)
    place.start()
    place.proposed("a")
    away = place.folder / "away"
    place.state.rename(away)
    place.until(lambda: "state directory is lost" in place.log.read_text(), "the loss to be told")
    tiny_model(place.models / "b", 2)
    assert not place.state.exists()
    away.rename(place.state)
    place.proposed("b")
    place.until(lambda: len(place.events()) == 2, "the events")
    _whole(place, 2)
    place.state.rename(place.folder / "old")  # deleted in one step: the daemon writes there all the while
    shutil.rmtree(place.folder / "old", ignore_errors=True)
    lost = "state directory is lost"
    place.until(lambda: place.log.read_text().count(lost) == 2, "the second loss to be told")
    place.state.mkdir()
    place.proposed("a")
    place.proposed("b")
    assert place.stop() == 0
    _whole(place, 2)
