"""Files are replaced as a whole, or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dxwatchd.stores.atomic import TEMPORARY_PREFIX, remove_leftovers, write_atomically

SIZE = 300_000


WRITER = """
import pathlib, sys
from dxwatchd.stores.atomic import write_atomically
number = 0
while True:
    number = (number + 1) % 256
    write_atomically(pathlib.Path(sys.argv[1]), bytes([number]) * int(sys.argv[2]))
"""


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """While another process writes on and on, and when it is killed, every look finds one whole content."""
    path = tmp_path / "file"
    write_atomically(path, bytes(SIZE))
    seen: set[int] = set()
    with subprocess.Popen([sys.executable, "-c", WRITER, path, str(SIZE)]) as writer:
        try:
            while len(seen) < 50:
                assert writer.poll() is None
                data = path.read_bytes()
                assert data == data[:1] * SIZE
                seen.add(data[0])
        finally:
            writer.kill()
    data = path.read_bytes()
    assert data == data[:1] * SIZE
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["file"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(small_disk: Path) -> None:
    """What does not fit is told as an error, and the folder is as it was."""
    path = small_disk / "file"
    write_atomically(path, b"old")
    with pytest.raises(OSError, match="No space left") as raised:
        write_atomically(path, bytes(200_000))
    assert raised.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert os.listdir(small_disk) == ["file"]


def test_a_failing_fsync_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk did not confirm does not take the place of what it had."""

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    """Only what carries the prefix of half-written files goes."""
    (tmp_path / f"{TEMPORARY_PREFIX}file").write_bytes(b"half")
    (tmp_path / "file").write_bytes(b"whole")
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["file"]


def test_a_leftover_or_a_planted_link_does_not_disturb_the_next_write(tmp_path: Path) -> None:
    """The name aside is taken anew, so that nothing is ever written through a link."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / f"{TEMPORARY_PREFIX}file").symlink_to(victim)
    write_atomically(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not (tmp_path / "file").is_symlink()


def test_the_mode_is_that_which_was_asked_for(tmp_path: Path) -> None:
    """Before the umask, as with any new file."""
    mask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "file", b"", mode=0o664)
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
