"""One process for each state directory, and how commands ask it for a pass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dxwatchd.stores.instance_lock import PATIENCE, Held, InstanceLock, Lost
from dxwatchd.stores.pass_requests import PassRequests

HOLDER = """
import sys, time
from pathlib import Path
from dxwatchd.stores.instance_lock import InstanceLock
InstanceLock(Path(sys.argv[1])).acquire("the other one")
print("held", flush=True)
sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[bytes]:
    """Another process that has the lock until its standard input ends."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=pipe, stdout=pipe)


def test_one_that_ends_by_itself_is_awaited(tmp_path: Path) -> None:
    """Whoever asks for that has the lock afterwards, and waited longer than for one who only looks."""
    path = tmp_path / "daemon.lock"
    lock = InstanceLock(path)
    with _holder(path) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Held):
            lock.acquire("me", after="somebody else")
        timer = threading.Timer(3 * PATIENCE, other.stdin.close)
        timer.start()
        lock.acquire("me", after="the other one")
        assert timer.finished.is_set()
        timer.join()
    holder = lock.holder()
    assert holder is not None
    assert holder.pid == os.getpid()
    lock.release()


def test_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    """By process and by what that calls itself; SIGKILL frees it without any cleaning up."""
    path = tmp_path / "daemon.lock"
    lock = InstanceLock(path)
    assert lock.holder() is None
    with _holder(path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Held) as raised:
            lock.acquire("me")
        assert str(raised.value.holder) == f"`the other one`, process {other.pid}"
        assert lock.holder() == raised.value.holder
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert lock.holder() is None
    lock.acquire("me")
    holder = InstanceLock(path).holder()
    assert holder is not None
    assert holder.pid == os.getpid()
    lock.release()
    assert InstanceLock(path).holder() is None


def test_a_lock_file_with_anything_in_it_is_no_trouble(tmp_path: Path) -> None:
    """What is written there is only for messages."""
    path = tmp_path / "daemon.lock"
    path.write_bytes(b"\xff garbage")
    lock = InstanceLock(path)
    lock.acquire("me")
    lock.release()


def test_a_lock_whose_file_was_deleted_is_taken_again(tmp_path: Path) -> None:
    """Once: what is in place is kept as it is, and nobody else gets it."""
    path = tmp_path / "daemon.lock"
    lock = InstanceLock(path)
    assert not lock.keep()  # not held at all
    lock.acquire("me")
    assert not lock.keep()
    path.unlink()
    assert lock.keep()
    assert not lock.keep()
    with pytest.raises(Held):
        InstanceLock(path).acquire("another")
    lock.release()
    assert InstanceLock(path).holder() is None


def test_a_lock_that_cannot_be_taken_again_is_lost(tmp_path: Path) -> None:
    """Its folder is gone, or another process has it, which is named; it is taken once that has ended."""
    folder, away = tmp_path / "state", tmp_path / "away"
    folder.mkdir()
    lock, other = InstanceLock(folder / "daemon.lock"), InstanceLock(folder / "daemon.lock")
    lock.acquire("me")
    folder.rename(away)
    with pytest.raises(Lost, match="No such file"):
        lock.keep()
    away.rename(folder)
    assert not lock.keep()
    (folder / "daemon.lock").unlink()
    other.acquire("another")
    (folder / "daemon.lock").write_text('{"pid": 1, "what": "another"}')
    with pytest.raises(Lost, match="another"):
        lock.keep()
    other.release()
    assert lock.keep()
    lock.release()


def test_a_request_is_there_until_it_is_answered(tmp_path: Path) -> None:
    """The daemon sees what is asked; the asker sees the answer by the file's going."""
    requests = PassRequests(tmp_path / "requests")
    requests.prepare()
    assert requests.waiting() == ()
    with requests.asking() as asked, requests.asking(accept_removals=True) as accepting:
        (requests.folder / "garbage.json").write_bytes(b"\xff")
        seen = requests.waiting()
        assert {one.path: one.accept_removals for one in seen} == {
            asked: False,
            accepting: True,
            requests.folder / "garbage.json": False,
        }
        with requests.asking() as late:
            requests.answer(seen)
            assert [one.path for one in requests.waiting()] == [late]
            requests.answer(seen)  # gone already
    assert requests.waiting() == ()


@pytest.mark.promise(8, "a confirmation whose command died with the daemon is there at the next start")
def test_a_confirmation_that_nobody_waits_for_confirms_nothing(tmp_path: Path) -> None:
    """It was said of what was gone then. A pass is made all the same, and answers it."""
    requests = PassRequests(tmp_path)
    with requests.asking(accept_removals=True) as asked:
        said = asked.read_bytes()
    asked.write_bytes(said)
    assert [(one.path, one.accept_removals) for one in requests.waiting()] == [(asked, False)]
    requests.answer(requests.waiting())
    assert requests.waiting() == ()
