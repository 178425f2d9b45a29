"""The format of a state directory: taken up, raised, refused; and whatever else may lie in its file."""

from __future__ import annotations

import errno
import json
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.state import StateDirectory
from dxwatchd.stores import format_file
from dxwatchd.stores.format_file import FORMAT, MAX_SIZE, Refused, insist, take

PATIENCE = 60.0
CALLS = ("write", "fsync", "rename", "unlink")


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    """An empty state directory."""
    (tmp_path / "state").mkdir()
    return StateDirectory(tmp_path / "state")


def _say(state: StateDirectory, **plain: Any) -> None:
    state.format.write_text(json.dumps(plain))


def _lies(folder: Path) -> dict[str, object]:
    """Everything in a folder: names, kinds, times, contents of small files."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        stat = path.lstat()
        small = path.is_file() and not path.is_symlink() and stat.st_size < 2**20
        found[str(path)] = (
            stat.st_ino,
            stat.st_mode,
            stat.st_mtime_ns,
            path.read_bytes() if small else b"",
        )
    return found


def test_a_directory_is_made_one_of_this_format_once(state: StateDirectory) -> None:
    """A second start writes nothing."""
    assert insist(state) is None
    take(state)
    before = _lies(state.root)
    assert json.loads(state.format.read_bytes())["format"] == FORMAT
    take(state)
    assert _lies(state.root) == before
    assert insist(state) == FORMAT


@pytest.mark.parametrize("said", [FORMAT + 1, 10 ** (MAX_SIZE - 100)])
def test_a_later_format_is_refused(state: StateDirectory, said: int) -> None:
    """In words that name the file, both formats, both versions and what to do; nothing is changed."""
    _say(state, format=said, written_by="dxwatchd 9.8.7", colour="blue")
    before = _lies(state.root)
    with pytest.raises(Refused) as raised:
        take(state)
    told = str(raised.value)
    for wanted in (str(state.format), f"format {str(said)[:10]}", "dxwatchd 9.8.7", f"up to {FORMAT}"):
        assert wanted in told
    assert "install dxwatchd 9.8.7 again" in raised.value.remedy
    assert "before the upgrade" in raised.value.remedy
    assert len(told) < 600
    assert _lies(state.root) == before


@pytest.mark.parametrize("by", ["", "rm -rf /; dxwatchd 1", "dxwatchd 1\nroot", "x" * 3000, None, 5, ["x"]])
def test_nobody_is_told_to_install_nonsense(state: StateDirectory, by: object) -> None:
    """What does not look like a release of ours is not repeated."""
    _say(state, format=FORMAT + 1, written_by=by)
    with pytest.raises(Refused) as raised:
        take(state)
    assert "written by a later dxwatchd;" in str(raised.value)
    assert "install a later dxwatchd again" in raised.value.remedy


def test_a_later_index_is_refused_though_no_file_says_the_format(state: StateDirectory) -> None:
    """That file may be lost or restored from elsewhere: the cards speak for themselves."""
    state.cards.mkdir()
    index = state.cards / "index.json"
    index.write_text('{"schema": "dxwatchd.index/v2"}')
    before = _lies(state.root)
    with pytest.raises(Refused, match=r"index\.json is of a later format"):
        take(state)
    assert _lies(state.root) == before
    for damaged in ("", "[]", "[" * 100_000, '{"schema": "dxwatchd.index/vv"}', '{"schema": 2}'):
        index.write_text(damaged)
        take(state)  # the daemon makes it anew


def test_an_earlier_format_is_raised_and_not_lowered(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next release takes the directory up; this one leaves it alone from then on."""
    take(state)
    with monkeypatch.context() as patch:
        patch.setattr(format_file, "FORMAT", FORMAT + 1)
        assert insist(state) == FORMAT
        take(state)
        assert insist(state) == FORMAT + 1
    with pytest.raises(Refused):
        take(state)


@pytest.mark.parametrize("format_now", [FORMAT, FORMAT + 1])
def test_killed_at_any_call_nobody_is_locked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_now: int
) -> None:
    """The file is whole or not there, so that whoever comes next goes on."""
    calls = 1
    while _killed_at(tmp_path / str(calls), monkeypatch, format_now, calls):
        calls += 1
    assert calls > len(CALLS)


def _killed_at(folder: Path, monkeypatch: pytest.MonkeyPatch, format_now: int, number: int) -> bool:
    """Whether it was killed at call `number`, and all was well then."""
    folder.mkdir()
    state = StateDirectory(folder)
    take(state)
    if format_now == FORMAT:
        state.format.unlink()
    count = 0

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count >= number:
                raise Killed
            return real(*arguments, **named)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(format_file, "FORMAT", format_now)
        for name in CALLS:
            patch.setattr(os, name, wrap(getattr(os, name)))
        try:
            take(state)
            killed = False
        except Killed:
            killed = True
    if state.format.exists():
        assert json.loads(state.format.read_bytes())["format"] in (FORMAT, format_now)
    with monkeypatch.context() as patch:
        patch.setattr(format_file, "FORMAT", format_now)
        take(state)
        assert insist(state) == format_now
    return killed


def test_a_full_disk_is_no_reason_not_to_start_unless_the_format_is_raised(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a later format may come into a directory that does not say so."""

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(format_file, "write_atomically", full)
    take(state)
    assert not state.format.exists()
    monkeypatch.setattr(format_file, "FORMAT", FORMAT + 1)
    with pytest.raises(OSError, match="No space left"):
        take(state)


JUNK = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"1",
    b'"1"',
    b"[" * MAX_SIZE,
    b"\xff\xfe{}",
    b"\0" * MAX_SIZE,
    b"{}",
    b'{"format": null}',
    b'{"format": "1"}',
    b'{"format": 1.0}',
    b'{"format": true}',
    b'{"format": 0}',
    b'{"format": -1}',
    b'{"format": 1e999}',
    b'{"format": NaN}',
    b'{"format": [1]}',
    b'{"Format": 1}',
    b'{"format": 1}' + b" " * MAX_SIZE,
    b'{"format": 1} {"format": 1}',
)


@pytest.mark.parametrize("data", JUNK, ids=lambda data: repr(data[:24]))
def test_what_says_no_format_is_refused_with_a_way_out(state: StateDirectory, data: bytes) -> None:
    """Nobody can tell what lies there, so nothing is done; removing the file is what a person decides."""
    state.format.write_bytes(data)
    before = _lies(state.root)
    with pytest.raises(Refused) as raised:
        take(state)
    assert str(state.format) in str(raised.value)
    assert _lies(state.root) == before
    assert "remove that file" in raised.value.remedy
    state.format.unlink()
    take(state)


@pytest.mark.parametrize("what", ["folder", "fifo", "loop", "huge", "device"])
def test_what_is_no_file_is_refused_and_not_waited_for(state: StateDirectory, what: str) -> None:
    """A folder, a FIFO, a link to itself, a huge file, a link to a device."""
    if what == "folder":
        state.format.mkdir()
    elif what == "fifo":
        os.mkfifo(state.format)
    elif what == "loop":
        state.format.symlink_to(state.format.name)
    elif what == "huge":
        with state.format.open("wb") as file:
            file.truncate(2**40)
    else:
        state.format.symlink_to("/dev/zero")
    told: list[BaseException] = []

    def work() -> None:
        try:
            take(state)
        except Refused as error:
            told.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(PATIENCE)
    assert [str(error) for error in told] == [
        f"{state.format} does not say which format the state directory has; nothing was changed"
    ]


def test_a_dead_link_is_replaced_and_not_followed(state: StateDirectory, tmp_path: Path) -> None:
    """Nothing is made where it leads."""
    state.format.symlink_to(tmp_path / "elsewhere")
    take(state)
    assert not state.format.is_symlink()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.promise(7, "bytes of format.json flipped, cut, inserted: taken up or refused, nothing changed")
def test_any_bytes_are_taken_up_or_refused(state: StateDirectory, tried: Callable[[int], None]) -> None:
    """Never another error, and what is refused is left as it was."""
    take(state)
    good = state.format.read_bytes()
    results = {"taken": 0, "refused": 0}
    told: set[str] = set()
    for number in range(2000):
        chance = random.Random(number)
        data = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data) + 1)
            act = chance.choice(("flip", "cut", "insert", "digit"))
            if act == "cut":
                del data[at : at + chance.randrange(1, 9)]
            elif act == "flip" and at < len(data):
                data[at] = chance.randrange(256)
            else:
                data[at:at] = b"0123456789"[at % 10 : at % 10 + 1] if act == "digit" else chance.randbytes(2)
            if not data:
                break
        state.format.write_bytes(data)
        try:
            take(state)
            results["taken"] += 1
            assert insist(state) == FORMAT
        except Refused as error:
            results["refused"] += 1
            told.add(str(error))
            assert state.format.read_bytes() == data
    assert all(map(str.isprintable, told))
    assert min(results.values()) > 50, results
    tried(sum(results.values()))
