"""Two files change places, and whoever saved in between finds the save again: also after a kill."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dxwatchd.stores import exchange as module
from dxwatchd.stores import swapping
from dxwatchd.stores.exchange import bring_back, exchange, one_at_a_time
from dxwatchd.stores.manifest_edit import edit
from dxwatchd.stores.manifest_file import Changed, ManifestError

BEFORE, AFTER, SAVED = b"# before\n", b"# after\n", b"# saved by a person\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """What a change is made from."""
    path = tmp_path / "manifest.toml"
    path.write_bytes(BEFORE)
    return path


def left(path: Path) -> list[str]:
    """What lies beside it."""
    return sorted(one.name for one in path.parent.iterdir() if one != path)


def around_the_swap(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[], object], after: Callable[[], object]
) -> None:
    """Do something in the moments before and after the first exchange."""
    real = swapping.swapped
    swaps: list[Path] = []

    def swapped(one: Path, other: Path) -> bool:
        first = not swaps
        swaps.append(other)
        if first:
            before()
        result = real(one, other)
        if first:
            after()
        return result

    monkeypatch.setattr(module, "swapped", swapped)
    monkeypatch.setattr(swapping, "swapped", swapped)


def nothing() -> None:
    """Nothing happens."""


@pytest.mark.promise(4, "a save in the moment of a command's exchange")
def test_a_save_before_the_exchange_is_given_back(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made after the last look: it is there again, and nothing else is."""
    around_the_swap(monkeypatch, lambda: manifest.write_bytes(SAVED), nothing)
    with pytest.raises(Changed):
        exchange(manifest, BEFORE, AFTER)
    assert manifest.read_bytes() == SAVED
    assert left(manifest) == []


@pytest.mark.promise(4, "a save in the moment of a command's exchange")
@pytest.mark.parametrize(
    "way", ["renamed over", "into it", "behind it", "by an editor that still has it open"]
)
def test_a_save_over_ours_is_the_newest(manifest: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Two saves, before and after the exchange: the later one stays; `>>` comes behind the earlier."""
    later = b"# later\n"
    opened = []

    def save() -> None:
        if way == "renamed over":
            (manifest.parent / "editor").write_bytes(later)
            (manifest.parent / "editor").rename(manifest)
        elif way == "into it":
            manifest.write_bytes(later)
        elif way == "behind it":
            with manifest.open("ab") as file:
                file.write(later)
        else:
            opened.append(manifest.open("r+b"))

    def sleep(seconds: float) -> None:
        for file in opened:
            file.truncate()
            file.write(later)
            file.close()
        opened.clear()

    monkeypatch.setattr(time, "sleep", sleep)
    around_the_swap(monkeypatch, lambda: manifest.write_bytes(SAVED), save)
    with pytest.raises(Changed):
        exchange(manifest, BEFORE, AFTER)
    assert manifest.read_bytes() == (SAVED + later if way == "behind it" else later)
    assert left(manifest) == []


@pytest.mark.promise(4, "an editor in the middle of opening the file that a command replaces")
def test_an_editor_that_opened_the_old_file_late_is_noticed(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had looked up the name before the exchange, and writes after the first look: there is a second."""
    old = os.open(manifest, os.O_RDONLY)

    def late(seconds: float) -> None:
        with open(f"/proc/self/fd/{old}", "wb") as editor:
            editor.write(SAVED)

    monkeypatch.setattr(time, "sleep", late)
    with pytest.raises(Changed):
        exchange(manifest, BEFORE, AFTER)
    os.close(old)
    assert manifest.read_bytes() == SAVED


@pytest.mark.promise(4, "an editor in the middle of opening the file that a command replaces")
def test_an_editor_that_opens_ours_late_is_noticed(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had looked up the name while ours lay there, and writes after that was taken away again."""
    ours: list[int] = []

    def late(seconds: float) -> None:
        while ours:
            descriptor = ours.pop()
            with open(f"/proc/self/fd/{descriptor}", "wb") as editor:
                editor.write(b"# later\n")
            os.close(descriptor)

    monkeypatch.setattr(time, "sleep", late)
    around_the_swap(
        monkeypatch,
        lambda: manifest.write_bytes(SAVED),
        lambda: ours.append(os.open(manifest, os.O_RDONLY)),
    )
    with pytest.raises(Changed):
        exchange(manifest, BEFORE, AFTER)
    assert manifest.read_bytes() == b"# later\n"
    assert left(manifest) == []


@pytest.mark.promise(4, "a file system that cannot exchange two files")
def test_without_exchange_it_is_a_rename(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is made; what was saved before the last look is kept."""
    monkeypatch.setattr(module, "swapped", lambda one, other: False)
    exchange(manifest, BEFORE, AFTER)
    assert manifest.read_bytes() == AFTER
    manifest.write_bytes(SAVED)
    with pytest.raises(Changed):
        exchange(manifest, BEFORE, AFTER)
    assert manifest.read_bytes() == SAVED
    assert left(manifest) == []


CHANGE = """
import os, signal, sys
from pathlib import Path
from dxwatchd.stores import exchange
path, saved, number = Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
real = exchange.swapped
def swapped(one, other):
    if saved:
        other.write_bytes(saved)
    done = real(one, other)
    os.kill(os.getpid(), number)
    return done
exchange.swapped = swapped
exchange.exchange(path, b"# before\\n", b"# after\\n")
"""


def killed(manifest: Path, saved: bytes, number: int) -> int:
    """Run an exchange that gets a signal when it has just been made. Returns the exit code."""
    command = [sys.executable, "-c", CHANGE, str(manifest), saved.decode(), str(number)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


@pytest.mark.promise(4, "a command killed, interrupted or hung up in the moment of its exchange")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_waits_until_a_save_is_given_back(manifest: Path, number: int) -> None:
    """Ctrl-C, a closed terminal: the save is there, and then the command ends."""
    assert killed(manifest, SAVED, number) != 0
    assert manifest.read_bytes() == SAVED
    assert left(manifest) == []


@pytest.mark.promise(4, "a command killed, interrupted or hung up in the moment of its exchange")
def test_a_save_that_a_killed_command_held_is_brought_back(manifest: Path) -> None:
    """By the next command or pass; a change that was fine stays, and nothing is left."""
    assert killed(manifest, SAVED, signal.SIGKILL) == -signal.SIGKILL
    assert manifest.read_bytes() == AFTER
    bring_back(manifest)
    assert manifest.read_bytes() == SAVED
    assert left(manifest) == []
    manifest.write_bytes(BEFORE)
    assert killed(manifest, b"", signal.SIGKILL) == -signal.SIGKILL
    bring_back(manifest)
    assert manifest.read_bytes() == AFTER
    assert left(manifest) == []


def test_where_somebody_saved_again_since_both_are_kept(manifest: Path) -> None:
    """The newer one stays in force, the other lies beside it under a name that can be seen."""
    killed(manifest, SAVED, signal.SIGKILL)
    manifest.write_bytes(b"# newer\n")
    bring_back(manifest)
    assert manifest.read_bytes() == b"# newer\n"
    (name,) = left(manifest)
    assert name.startswith("manifest.toml.kept-")
    assert manifest.with_name(name).read_bytes() == SAVED


def test_what_a_living_command_has_aside_is_left_to_it(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock says that one is at it: somebody who waited in vain touches nothing that is young."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    killed(manifest, SAVED, signal.SIGKILL)
    (name,) = left(manifest)
    with one_at_a_time(manifest.parent) as alone:
        assert alone
        bring_back(manifest)
    assert left(manifest) == [name]
    assert manifest.read_bytes() == AFTER


@pytest.mark.promise(4, "a killed command's exchange, and somebody who goes on writing to what it left")
def test_what_is_written_to_all_the_while_is_left_for_the_next_time(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is stopped by it: the save is back, and what comes to the other one is kept as well."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    killed(manifest, SAVED, signal.SIGKILL)
    with manifest.open("ab") as writer:
        bring_back(manifest)
        bring_back(manifest)
        assert manifest.read_bytes() == SAVED
        assert len(left(manifest)) == 1
        writer.write(b"# much later\n")
    bring_back(manifest)
    assert manifest.read_bytes() == SAVED
    (name,) = left(manifest)
    assert name.startswith("manifest.toml.kept-")
    assert manifest.with_name(name).read_bytes() == AFTER + b"# much later\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_another_user_left_stops_nobody() -> None:
    """It can be neither read nor removed: it waits for somebody who may."""
    with tempfile.TemporaryDirectory(prefix="dxwatchd-test-") as folder:
        manifest = Path(folder, "manifest.toml")
        manifest.write_bytes(BEFORE)
        killed(manifest, SAVED, signal.SIGKILL)
        (name,) = left(manifest)
        manifest.with_name(name).chmod(0o600)
        manifest.parent.chmod(0o1777)
        os.seteuid(65534)
        try:
            bring_back(manifest)
        finally:
            os.seteuid(0)
        assert left(manifest) == [name]
        bring_back(manifest)
        assert manifest.read_bytes() == SAVED


@pytest.mark.promise(4, "the daemon appends in the very moment of a command's exchange")
def test_who_holds_the_file_for_an_append_is_waited_for(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was appended is in its place again, and nothing lies aside that would undo a later change."""
    holding: list[int] = []
    sleep = time.sleep

    def hold() -> None:
        holding.append(os.open(manifest, os.O_RDWR | os.O_APPEND))
        fcntl.fcntl(holding[0], fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(holding[0], fcntl.F_SETLEASE, fcntl.F_WRLCK)

    def append_and_let_go(seconds: float) -> None:
        if holding:
            os.write(holding[0], b"# appended\n")
            os.close(holding.pop())
        sleep(seconds)

    around_the_swap(monkeypatch, hold, nothing)
    monkeypatch.setattr(time, "sleep", append_and_let_go)
    with pytest.raises(Changed):
        exchange(manifest, BEFORE, AFTER)
    assert not holding
    assert manifest.read_bytes() == BEFORE + b"# appended\n"
    assert left(manifest) == []


@pytest.mark.promise(4, "a change while what an earlier one replaced is still being written to")
def test_nothing_is_changed_on_top_of_what_is_not_settled(manifest: Path) -> None:
    """Neither by a command nor by the daemon: the save that lies aside could not come back then."""
    assert killed(manifest, SAVED, signal.SIGKILL) == -signal.SIGKILL
    (aside,) = module._left(manifest)
    with aside.open("ab"):
        assert not bring_back(manifest)
        with pytest.raises(ManifestError, match="others keep saving it"):
            edit(manifest, lambda tables: None)
        assert manifest.read_bytes() == AFTER
    assert bring_back(manifest)
    assert manifest.read_bytes() == SAVED
