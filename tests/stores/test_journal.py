"""The journal has every event once, in order, and never half a batch."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.stores import journal as module
from dxwatchd.stores import journal_files
from dxwatchd.stores.journal import Journal

TIME = "2026-11-24T00:00:00.000Z"


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _events(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "event": "registered"} for name in names]


def test_events_are_numbered_without_gaps_over_restarts(tmp_path: Path) -> None:
    """Each has its time and the generation of the index that it belongs to."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append(_events("a", "b"), time=TIME, generation=1)
    journal.append([], time=TIME, generation=2)
    Journal(path).append(_events("c"), time=TIME, generation=2)
    assert [(line["sequence"], line["id"], line["generation"]) for line in _lines(path)] == [
        (1, "a", 1),
        (2, "b", 1),
        (3, "c", 2),
    ]
    assert {line["time"] for line in _lines(path)} == {TIME}


@pytest.mark.promise(5, "the journal's last line torn at every byte")
def test_a_torn_last_line_is_cut_off_at_every_byte(tmp_path: Path, tried: Callable[[int], None]) -> None:
    """However much of the line a power cut left, the next event takes its number."""
    path = tmp_path / "events.jsonl"
    Journal(path).append(_events("a"), time=TIME, generation=1)
    whole = path.read_bytes()
    Journal(path).append(_events("b"), time=TIME, generation=1)
    both = path.read_bytes()
    tried(len(both) - len(whole))
    for end in range(len(whole), len(both)):
        path.write_bytes(both[:end])
        Journal(path).append(_events("c"), time=TIME, generation=1)
        assert [(line["sequence"], line["id"]) for line in _lines(path)] == [(1, "a"), (2, "c")]


@pytest.mark.promise(5, "garbage and zeros in the journal")
@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"\x00" * 4096 + b"\n",
        b"{",
        b"[]\n",
        b'{"sequence": "x"}\n',
        b"[" * 100_000,
        b"\xff\n",
        b'{"sequence": true, "generation": 1}\n',
        b'{"sequence": -5, "generation": 1}\n',
    ],
)
def test_garbage_is_passed_over(tmp_path: Path, garbage: bytes) -> None:
    """Lines that are no events are no reason not to start."""
    path = tmp_path / "events.jsonl"
    Journal(path).append(_events("a"), time=TIME, generation=1)
    path.write_bytes(path.read_bytes() + garbage)
    journal = Journal(path)
    journal.append(_events("b"), time=TIME, generation=1)
    assert journal.recent_ids() == {"a", "b"}
    assert json.loads(path.read_bytes().splitlines()[-1])["sequence"] == 2


@pytest.mark.promise(5, "a full disk in the midst of a batch of events")
def test_a_full_disk_leaves_no_half_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only a part fits, the file is as it was, and the next batch takes the numbers."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append(_events("a"), time=TIME, generation=1)
    before = path.read_bytes()
    real = os.write

    def full(file: int, data: bytes) -> int:
        if os.fstat(file).st_size > len(before):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data[:30])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space") as raised:
            journal.append(_events("b", "c"), time=TIME, generation=2)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_bytes() == before
    assert journal.after(1) == []
    journal.append(_events("b", "c"), time=TIME, generation=2)
    assert [line["sequence"] for line in _lines(path)] == [1, 2, 3]


def test_events_after_a_generation_are_those_never_committed(tmp_path: Path) -> None:
    """They are told from a fresh journal as from the one that wrote them."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    assert journal.generation == 0
    journal.append(_events("a"), time=TIME, generation=1)
    journal.append(_events("b"), time=TIME, generation=2)
    journal.append(_events("c"), time=TIME, generation=0)
    for one in (journal, Journal(path)):
        assert [event["id"] for event in one.after(1)] == ["b"]
        assert one.after(2) == []
        assert one.recent_ids() == {"a", "b", "c"}
        assert one.generation == 2


def test_only_the_tail_of_a_long_journal_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins at a whole line, and the numbers go on."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    for number in range(50):
        journal.append(_events(str(number)), time=TIME, generation=number)
    monkeypatch.setattr(module, "TAIL", 300)
    journal = Journal(path)
    assert "49" in journal.recent_ids()
    assert "0" not in journal.recent_ids()
    journal.append(_events("50"), time=TIME, generation=50)
    assert [line["sequence"] for line in _lines(path)] == list(range(1, 52))


SMALL = 1000  # bytes from which on the journal is moved aside here


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that is soon full."""
    monkeypatch.setattr(module, "FULL", SMALL)
    monkeypatch.setattr(module, "KEEP", 3)


def _all_lines(folder: Path) -> list[Any]:
    """What is in all files of a journal, in the order of their names, the one in use last."""
    olds = sorted(folder.glob("events-*.jsonl"))
    return [line for path in [*olds, folder / "events.jsonl"] if path.exists() for line in _lines(path)]


@pytest.mark.usefixtures("small")
def test_a_full_journal_is_moved_aside(tmp_path: Path) -> None:
    """Under the number of its first event; the numbers go on, over restarts too, and the oldest files go."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    for number in range(1, 101):
        if number % 7 == 0:
            journal = Journal(path)
        journal.append(_events(str(number)), time=TIME, generation=number)
        lines = _all_lines(tmp_path)
        assert [line["sequence"] for line in lines] == list(range(lines[0]["sequence"], number + 1))
        assert path.stat().st_size < SMALL + 200
    olds = sorted(tmp_path.glob("events-*.jsonl"))
    assert len(olds) == 3
    for old in olds:
        assert old.name == f"events-{_lines(old)[0]['sequence']:012d}.jsonl"
        assert old.stat().st_size >= SMALL


@pytest.mark.usefixtures("small")
@pytest.mark.promise(5, "a kill at each step of moving a full journal aside")
@pytest.mark.parametrize("step", ["rename", "fsync", "unlink", "open"])
def test_a_kill_while_it_is_moved_aside_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, tried: Callable[[int], None]
) -> None:
    """The next start finds the last events, the uncommitted ones too, and goes on with the numbers."""

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    path = tmp_path / "events.jsonl"
    done, killed = 0, False
    for number in range(1, 81):
        journal = Journal(path)
        assert journal.sequence == done
        assert len(journal.after(done - 1)) == min(done, 1)
        # every full journal is met by one kill, and then by a process that lives
        full = not killed and path.exists() and path.stat().st_size >= SMALL
        killed = False
        with monkeypatch.context() as patch:
            if full and step == "open":
                patch.setattr(module.Journal, "_open", kill)
            elif full:
                patch.setattr(os, step, kill)
            try:
                journal.append(_events(str(number)), time=TIME, generation=done + 1)
                done += 1
            except Killed:
                killed = True
                assert full
    assert 60 < done < 80
    tried(80 - done)
    lines = _all_lines(tmp_path)
    assert [line["sequence"] for line in lines] == list(range(lines[0]["sequence"], done + 1))


def _moved(path: Path) -> None:
    path.rename(path.with_name("events.jsonl.1"))


def _copied_and_cut(path: Path) -> None:
    shutil.copy(path, path.with_name("events.jsonl.1"))
    os.truncate(path, 0)


def _removed(path: Path) -> None:
    path.unlink()


def _cut_in_a_line(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 20)


def _cut_off(path: Path) -> None:
    os.truncate(path, 0)


OTHERS = [_moved, _copied_and_cut, _removed, _cut_in_a_line, _cut_off]


@pytest.mark.promise(5, "the journal moved, copied and cut, truncated or removed by others")
@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("act", OTHERS)
def test_what_others_do_to_the_journal_costs_no_number(
    tmp_path: Path, act: Callable[[Path], None], running: bool
) -> None:
    """The numbers go on, every line is a whole one, and nothing that lies beside is told twice."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    for number in range(1, 6):
        journal.append(_events(str(number)), time=TIME, generation=number)
    act(path)
    if not running:
        journal = Journal(path)
        journal.number_after(5)  # as the index and status.json say
        if act in (_moved, _copied_and_cut):
            assert [event["id"] for event in journal.after(4)] == ["5"]
    journal.append(_events("6"), time=TIME, generation=6)
    assert _lines(path)[-1]["sequence"] == 6
    assert [event["id"] for event in Journal(path).after(5)] == ["6"]


@pytest.mark.usefixtures("small")
def test_a_journal_that_is_a_link_stays_one(tmp_path: Path) -> None:
    """What is moved aside lies beside what it leads to, on whatever file system that is."""
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "events.jsonl"
    path.symlink_to("elsewhere/log.jsonl")
    for number in range(1, 31):
        Journal(path).append(_events(str(number)), time=TIME, generation=number)
    assert path.is_symlink()
    olds = sorted((tmp_path / "elsewhere").glob("log-*.jsonl"))
    assert olds
    numbers = [line["sequence"] for file in [*olds, path] for line in _lines(file)]
    assert numbers == list(range(numbers[0], 31))


@pytest.mark.promise(7, "a journal that is a folder, a FIFO, a device, a dangling link")
@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "link"])
def test_what_is_no_journal_is_said_and_waited_for(tmp_path: Path, kind: str) -> None:
    """Nothing hangs, the start succeeds, and once it is gone the events are written."""
    path = tmp_path / "events.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null" if kind == "device" else tmp_path / "none" / "log.jsonl")
    journal = Journal(path)
    with pytest.raises(OSError, match=r"directory|regular file|No such device") as raised:
        journal.append(_events("a"), time=TIME, generation=1)
    assert raised.value.filename == str(path)
    path.rmdir() if kind == "folder" else path.unlink()
    journal.append(_events("a"), time=TIME, generation=1)
    assert [line["sequence"] for line in _lines(path)] == [1]


def test_a_line_of_a_gibibyte_is_neither_read_nor_kept(tmp_path: Path) -> None:
    """Torn it is cut off; whole it is passed over, and what is before it is still found."""
    path = tmp_path / "events.jsonl"
    Journal(path).append(_events("a"), time=TIME, generation=1)
    size = path.stat().st_size
    os.truncate(path, 2**30)
    assert Journal(path).recent_ids() == {"a"}
    assert path.stat().st_size == size
    os.truncate(path, 2**28)
    with path.open("ab") as file:
        file.write(b"\n")
    journal = Journal(path)
    assert journal.recent_ids() == {"a"}
    journal.append(_events("b"), time=TIME, generation=1)
    assert [line["id"] for line in _lines(path)] == ["b"]  # so large a file is moved aside
    assert Journal(path).recent_ids() == {"a", "b"}


def test_a_batch_that_could_not_be_taken_back_is_taken_back_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its events nor its numbers are there twice."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append(_events("a"), time=TIME, generation=1)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        patch.setattr(os, "ftruncate", fail)
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output"):
                journal.append(_events("b"), time=TIME, generation=2)
    assert path.stat().st_size > 0
    journal.append(_events("b"), time=TIME, generation=2)
    assert [(line["sequence"], line["id"]) for line in _lines(path)] == [(1, "a"), (2, "b")]


@pytest.mark.promise(5, "a kill after one pass wrote far more events than are read back at first")
def test_all_events_of_one_generation_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: else they would be told twice."""
    monkeypatch.setattr(module, "TAIL", 1000)
    monkeypatch.setattr(journal_files, "CHUNK", 700)
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append(_events("a", "b"), time=TIME, generation=1)
    journal.committed(1)
    many = [f"card:{number}" for number in range(5000)]
    journal.append(_events(*many), time=TIME, generation=2)
    for one in (journal, Journal(path)):
        assert [event["id"] for event in one.after(1)] == many
        one.committed(2)
        assert len(one.recent_ids()) == module.RECENT
        assert one.after(1)[-1]["id"] == many[-1]


def test_revisions_are_found_in_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the index is lost, they are all that tells of removed cards; other lines are passed over."""
    monkeypatch.setattr(module, "FULL", SMALL)
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    for number in range(1, 31):
        gone = {"event": "removed", "technical_name": f"m{number}", "model_name": "M", "path": "p"}
        journal.append([{**gone, "revision": 2}, gone], time=TIME, generation=number)
    names = [event["technical_name"] for event in Journal(path).revisions()]
    assert names == [f"m{number}" for number in range(30, 0, -1)]
