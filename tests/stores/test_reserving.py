"""Room is had before it is used, and the file is as it was."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from dxwatchd.stores import reserving
from dxwatchd.stores.reserving import reserve


def test_room_is_reserved_and_nothing_else_changes(tmp_path: Path) -> None:
    """Neither size nor content; the blocks are there."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    with path.open("r+b") as file:
        before = os.fstat(file.fileno()).st_blocks
        reserve(file.fileno(), 2**20)
        assert os.fstat(file.fileno()).st_blocks >= before
    assert path.read_bytes() == b"abc"


def test_without_room_it_refuses_and_does_not_touch_the_file(tmp_path: Path) -> None:
    """More than the file system has: not even the times change."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    before = os.stat(path)
    with path.open("r+b") as file, pytest.raises(OSError, match="No space") as raised:
        reserve(file.fileno(), 2**60)
    assert raised.value.errno == errno.ENOSPC
    assert os.stat(path) == before


def test_a_file_system_that_cannot_reserve_is_left_to_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it refuses with, but for want of room."""
    for code, refuses in ((errno.EOPNOTSUPP, False), (errno.EPERM, False), (errno.EDQUOT, True)):
        monkeypatch.setattr(reserving, "_fallocate", lambda *_: -1)
        monkeypatch.setattr(ctypes, "get_errno", lambda code=code: code)
        with (tmp_path / "a").open("wb") as file:
            if refuses:
                with pytest.raises(OSError, match="quota"):
                    reserve(file.fileno(), 10)
            else:
                reserve(file.fileno(), 10)
