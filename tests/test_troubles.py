"""What cannot be written is said once, with the place, the room and the remedy."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dxwatchd.troubles import Troubles, describe


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def test_a_full_disk_is_told_with_its_room(tmp_path: Path) -> None:
    """Which file, which file system, how much of it is free, and what to do."""
    told = describe(_error(errno.ENOSPC, tmp_path / "cards" / "a.json"), tmp_path)
    assert told.startswith(f"{tmp_path}/cards/a.json cannot be written: the file system at /")
    assert "are free; make room there; dxwatchd goes on by itself then" in told
    assert "quota" in describe(_error(errno.EDQUOT, tmp_path), tmp_path)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT])
def test_every_other_trouble_has_a_remedy(tmp_path: Path, number: int) -> None:
    """Behind the kernel's own words."""
    told = describe(_error(number, tmp_path / "x"), tmp_path)
    assert told.startswith(f"{tmp_path}/x: {os.strerror(number)}; ")


@pytest.mark.promise(10, "a full disk: which file, which file system, how much room, the remedy; said once")
def test_the_same_trouble_keeps_its_words(tmp_path: Path) -> None:
    """Though another file is the first to meet it; once it is over it is told anew."""
    troubles = Troubles(tmp_path)

    def made(name: str | None) -> str:
        troubles.begin()
        if name is not None:
            with troubles.noted():
                raise _error(errno.ENOSPC, tmp_path / name)
        troubles.end()
        return troubles.text

    assert made("a") == made("b")
    assert made(None) == ""
    assert "/b cannot" in made("b")
