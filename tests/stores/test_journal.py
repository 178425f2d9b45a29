"""The journal has every event once, in order, and never half a batch."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.stores import journal as module
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


def test_a_torn_last_line_is_cut_off_at_every_byte(tmp_path: Path) -> None:
    """However much of the line a power cut left, the next event takes its number."""
    path = tmp_path / "events.jsonl"
    Journal(path).append(_events("a"), time=TIME, generation=1)
    whole = path.read_bytes()
    Journal(path).append(_events("b"), time=TIME, generation=1)
    both = path.read_bytes()
    for end in range(len(whole), len(both)):
        path.write_bytes(both[:end])
        Journal(path).append(_events("c"), time=TIME, generation=1)
        assert [(line["sequence"], line["id"]) for line in _lines(path)] == [(1, "a"), (2, "c")]


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 100, b"{", b"[]\n", b'{"sequence": "x"}\n', b"[" * 100_000, b"\xff\n"]
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
