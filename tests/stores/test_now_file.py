"""`now.json`: written in place, so that it needs no room, and believed only of the process that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dxwatchd.stores.now_file import SIZE, Now, NowFile, UnderWay


def test_what_is_written_is_read_in_one_block(tmp_path: Path) -> None:
    """However long the texts and whatever is in them, in the same block of the same file."""
    path = tmp_path / "now.json"
    file = NowFile(path)
    file.prepare()
    inode = path.stat().st_ino
    assert file.read(os.getpid()) == Now()
    file.under_way(UnderWay("2026-01-01T00:00:00Z", "/models/x"))
    file.trouble("no room")
    assert file.read(os.getpid()) == Now(UnderWay("2026-01-01T00:00:00Z", "/models/x"), "no room")
    file.under_way(UnderWay("2026-01-01T00:00:00Z", "\N{PILE OF POO}" * 5000))
    file.trouble("\N{PILE OF POO}\udcff" * 5000)
    assert path.stat().st_size == SIZE
    told = file.read(os.getpid())
    assert told.under_way is not None
    assert told.trouble.startswith("\N{PILE OF POO}")
    file.under_way(None)
    file.trouble("")
    assert file.read(os.getpid()) == Now()
    assert (path.stat().st_ino, path.stat().st_size) == (inode, SIZE)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\0" * SIZE, b'{"pid": "x"}'])
def test_nonsense_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Also what another process, long dead, has left."""
    path = tmp_path / "now.json"
    path.write_bytes(content)
    assert NowFile(path).read(1) == Now()
    path.write_text(json.dumps({"pid": 1, "under_way": None, "trouble": "old"}))
    assert NowFile(path).read(2) == Now()


def test_a_folder_that_refuses_is_no_trouble(tmp_path: Path) -> None:
    """Nothing raises where nothing can be written."""
    file = NowFile(tmp_path / "gone" / "now.json")
    file.prepare()
    file.trouble("x")
    assert file.read(os.getpid()) == Now()
