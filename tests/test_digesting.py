"""Digests are those of the bytes, computed aside, given up when nobody wants them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from dxwatchd import digesting
from dxwatchd.core.provenance import Digests, Wanted
from dxwatchd.digesting import Digester, Done
from dxwatchd.readers.opening import open_inside, stat_of

PATIENCE = 30.0


class Made:
    """A digester on a folder, and how often it said that all is done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.idle = threading.Event()
        self.digester = Digester(root, self.idle.set)

    def put(self, name: str, data: bytes, *, git_blob: bool = False) -> Wanted:
        """Write a file; returns the wish for its digests."""
        path = self.root / name
        path.write_bytes(data)
        return Wanted(name, stat_of(os.stat(path)), git_blob)

    def done(self, *wanted: Wanted) -> list[Done]:
        """What comes of these wishes."""
        self.idle.clear()
        self.digester.want(wanted)
        assert self.idle.wait(PATIENCE)
        return self.digester.take()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """A running one."""
    one = Made(tmp_path)
    one.digester.start()
    yield one
    one.digester.stop()


def test_digests_are_those_of_the_bytes(made: Made) -> None:
    """SHA-256 of each, and the git blob's SHA-1 where it is asked for: as the programs of these names say."""
    data = os.urandom(5_000_000)
    done = made.done(made.put("a", data), made.put("b", b"small\n", git_blob=True), made.put("c", b""))
    assert [one.wanted.place for one in done] == ["a", "b", "c"]
    assert done[0].digests == Digests(hashlib.sha256(data).hexdigest())
    blob = subprocess.run(
        ["git", "hash-object", "b"], cwd=made.root, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert done[1].digests == Digests(hashlib.sha256(b"small\n").hexdigest(), blob)
    assert done[2].digests == Digests(hashlib.sha256(b"").hexdigest())
    assert made.digester.progress() == digesting.Progress(0, 0, "")


def test_what_changed_or_went_away_has_no_digest(made: Made) -> None:
    """Another size, another file of that name, none, one outside the root: told as undone, one by one."""
    changed, replaced, gone = made.put("a", b"1"), made.put("b", b"2"), made.put("c", b"3")
    (made.root / "a").write_bytes(b"12")
    (made.root / "b").unlink()
    (made.root / "b").write_bytes(b"2")
    os.utime(made.root / "b", ns=(replaced.stat.mtime_ns + 1, replaced.stat.mtime_ns + 1))
    (made.root / "c").unlink()
    outside = made.root.parent / "outside"
    outside.write_bytes(b"secret")
    (made.root / "d").symlink_to(outside)
    leads_out = Wanted("d", stat_of(os.stat(outside)), git_blob=False)
    done = made.done(changed, replaced, gone, leads_out)
    assert [one.digests for one in done] == [None] * 4


def test_a_file_that_changes_while_it_is_read_has_no_digest(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of it may be half the old and half the new one."""
    wanted = made.put("a", bytes(100_000))
    monkeypatch.setattr(digesting, "CHUNK", 1000)
    advance = Digester._advance

    def meddling(self: Digester, one: Wanted, length: int) -> bool:
        with (made.root / "a").open("r+b") as file:
            file.write(b"x")
        return advance(self, one, length)

    monkeypatch.setattr(Digester, "_advance", meddling)
    assert [one.digests for one in made.done(wanted)] == [None]


def _slowly(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make the digester wait in the middle of a file until the event is set."""
    going = threading.Event()
    advance = Digester._advance

    def waiting(self: Digester, one: Wanted, length: int) -> bool:
        going.wait(PATIENCE)
        return advance(self, one, length)

    monkeypatch.setattr(digesting, "CHUNK", 1000)
    monkeypatch.setattr(Digester, "_advance", waiting)
    return going


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_progress_tells_what_is_left(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, bytes and the place under way."""
    going = _slowly(monkeypatch)
    made.digester.want([made.put("a", b"x" * 5000), made.put("b", b"y" * 700)])
    _until(lambda: made.digester.progress().place == "a")
    left = made.digester.progress()
    assert (left.files, left.size) == (2, 5700)
    going.set()
    assert made.idle.wait(PATIENCE)
    assert made.digester.progress().files == 0


def test_what_nobody_wants_any_more_is_given_up(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new list replaces the old one, the file under way too; what is on both is not begun anew."""
    going = _slowly(monkeypatch)
    first, second, third = (made.put(name, name.encode() * 3000) for name in "abc")
    made.digester.want([first, second])
    _until(lambda: made.digester.progress().place == "a")
    made.digester.want([second, third])
    going.set()
    assert made.idle.wait(PATIENCE)
    assert [one.wanted.place for one in made.digester.take()] == ["b", "c"]


def test_stopping_does_not_wait_for_a_large_file(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends after the read under way."""
    going = _slowly(monkeypatch)
    made.digester.want([made.put("a", b"x" * 500_000)])
    _until(lambda: made.digester.progress().place == "a")
    going.set()
    made.digester.stop()
    assert not made.digester._thread.is_alive()
    assert made.digester.take() == []


def test_it_gives_way_to_all_others(made: Made) -> None:
    """The thread has the lowest processor priority and the idle class of the disk."""
    going = threading.Event()
    seen: list[tuple[int, str]] = []

    def look() -> None:
        thread = threading.get_native_id()
        with open(f"/proc/self/task/{thread}/stat") as file:
            nice = int(file.read().rpartition(")")[2].split()[16])
        told = subprocess.run(["ionice", "-p", str(thread)], capture_output=True, text=True, check=True)
        seen.append((nice, told.stdout.strip()))
        going.set()

    made.digester._idle = look
    made.digester.want([made.put("a", b"x")])
    assert going.wait(PATIENCE)
    assert seen == [(19, "idle")]


def test_a_file_that_ends_too_early_has_no_digest(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that went away may give less than the file has, without an error."""
    wanted = made.put("a", b"x" * 100)
    real = open_inside

    class Short:
        """Ends after ten bytes."""

        def __init__(self, stream: BinaryIO) -> None:
            self._left, self._stream = 10, stream
            self.raw = self

        def readinto(self, buffer: memoryview) -> int:
            length, self._left = self._left, 0
            return length

        def fileno(self) -> int:
            return self._stream.fileno()

        def __enter__(self) -> Short:
            return self

        def __exit__(self, *error: object) -> None:
            self._stream.close()

    monkeypatch.setattr(digesting, "open_inside", lambda *arguments: Short(real(*arguments)))
    assert made.done(wanted) == [Done(wanted, None)]
