"""The watch is kept alive: whatever makes it deaf is found by looking, and told once."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from dxwatchd import watchkeeping as module
from dxwatchd.mounts import Mount
from dxwatchd.watchkeeping import Watchkeeper

PATIENCE = 20.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A models root beside a state directory."""
    (tmp_path / "state" / "requests").mkdir(parents=True)
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run on sends events."""
    monkeypatch.setattr(module, "read_mounts", lambda: (Mount(1, "/", "ext4"),))


@pytest.fixture
def keeper(root: Path) -> Iterator[Watchkeeper]:
    """A keeper that has begun."""
    state = root.parent / "state"
    made = Watchkeeper(root, state / "manifest.toml", state / "requests", lambda: None)
    assert made.tend(())
    made.box.take()
    yield made
    made.stop()


def until(seen: Callable[[], object]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hears(keeper: Watchkeeper, root: Path) -> bool:
    """Whether a new folder in the root gives a hint before long."""
    (root / "cookie").mkdir()
    deadline = time.monotonic() + 5
    heard = False
    while not heard and time.monotonic() < deadline:
        time.sleep(0.01)
        heard = "cookie" in keeper.box.take().folders
    (root / "cookie").rmdir()
    return heard


def test_a_watch_that_hears_is_left_alone(keeper: Watchkeeper, root: Path) -> None:
    """Also while folders come and go."""
    assert hears(keeper, root)
    for folders in ((), ("", "a"), ("", "gone", "gone/deeper")):
        (root / "a").mkdir(exist_ok=True)
        until(lambda: not keeper._unwatched(("", "a")))
        assert not keeper.tend(folders)
    assert keeper.weaknesses == ()


@pytest.mark.parametrize("by_a_link", [False, True])
def test_a_root_that_was_replaced_is_watched_anew(keeper: Watchkeeper, root: Path, *, by_a_link: bool) -> None:
    """By another folder of the name, or by a link to one."""
    root.rename(root.with_name("old"))
    if by_a_link:
        root.with_name("elsewhere").mkdir()
        root.symlink_to(root.with_name("elsewhere"))
    else:
        root.mkdir()
    assert keeper.tend(())
    assert hears(keeper, root)


def test_a_root_that_went_and_came_again_is_watched_anew(keeper: Watchkeeper, root: Path) -> None:
    """While it is gone that is said, and no thread waits for it."""
    shutil.rmtree(root)
    assert not keeper.tend(())
    assert [weakness.message for weakness in keeper.weaknesses] == [f"{root} is not there"]
    root.mkdir()
    assert keeper.tend(())
    assert keeper.weaknesses == ()
    assert hears(keeper, root)


def test_a_manifest_folder_that_is_gone_is_told_by_its_name(root: Path) -> None:
    """With a remedy of its own: no limit was reached."""
    missing = root.parent / "none"
    keeper = Watchkeeper(root, missing / "manifest.toml", root.parent / "state" / "requests", lambda: None)
    assert not keeper.tend(())
    assert str(missing) in keeper.weaknesses[0].message
    assert "sysctl" not in keeper.weaknesses[0].remedy


def test_a_dead_reader_is_noticed_and_replaced(keeper: Watchkeeper, root: Path) -> None:
    """Moving a folder out and making and removing others trips over watchdog's own books."""
    watcher = keeper._watcher
    assert watcher is not None
    outside = root.parent / "outside"
    for _ in range(50):
        (root / "A").mkdir()
        until(lambda: not watcher.unwatched(("A",)))
        (root / "A").rename(outside)
        (root / "A").mkdir()
        (root / "A").rmdir()
        outside.rmdir()
        time.sleep(0.02)
        if not watcher.is_listening():
            break
    if watcher.is_listening():  # this version of the library survives it: let an error come from elsewhere
        assert watcher._observer is not None
        watcher._observer._inotify_fd.handle_event = broken  # type: ignore[method-assign]
        (root / "B").mkdir()
    until(lambda: not watcher.is_listening())
    until(lambda: keeper.box.take().everything)
    assert keeper.tend(())
    assert hears(keeper, root)


def broken(event: object) -> None:
    """An error in the library."""
    raise KeyError(event)


def test_subfolders_that_were_missed_lead_to_a_new_watch_once(
    keeper: Watchkeeper, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is still missed after that is told with the remedy, and not tried again and again."""
    (root / "a" / "b").mkdir(parents=True)
    until(lambda: not keeper._unwatched(("", "a", "a/b")))
    watcher = keeper._watcher
    assert watcher is not None
    assert watcher._emitter is not None
    group = watcher._emitter._inotify
    assert group is not None
    path = os.fsencode(root / "a" / "b")
    group._remove_callbacks([group._active_callbacks_by_path[path]])
    assert not keeper.tend(("", "a", "a/b"))  # its event may not have been read yet
    assert keeper.tend(("", "a", "a/b"))
    assert keeper.weaknesses == ()
    assert not keeper.tend(("", "a", "a/b"))
    monkeypatch.setattr(module.Watcher, "unwatched", lambda self, folders: frozenset({"a/b"}))
    assert [keeper.tend(("", "a", "a/b")) for _ in range(4)] == [False, True, False, False]
    assert "a/b" in keeper.weaknesses[0].message
    assert "max_user_watches" in keeper.weaknesses[0].remedy


def test_a_folder_known_by_a_link_is_watched_at_its_own_place(keeper: Watchkeeper, root: Path) -> None:
    """The kernel watches folders, not names."""
    (root / ".cache" / "real").mkdir(parents=True)
    (root / "link").symlink_to(".cache/real")
    until(lambda: not keeper._unwatched((".cache/real",)))
    assert keeper._unwatched(("link",)) == frozenset()


def test_an_overflow_is_told_and_everything_looked_at(keeper: Watchkeeper, root: Path) -> None:
    """The flag comes from the library's own hook, from whichever of its watches."""
    watcher = keeper._watcher
    assert watcher is not None
    assert watcher._emitter is not None
    assert watcher._emitter._inotify is not None
    watcher._emitter._inotify.on_queue_overflow()
    assert keeper.box.take().everything
    assert keeper.tend(())
    assert not keeper.tend(())
    assert hears(keeper, root)


def test_a_file_system_without_events_is_told_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, keeper: Watchkeeper
) -> None:
    """Also one that is mounted somewhere below; and it is said when that is over."""
    local, far = Mount(1, "/", "ext4"), Mount(2, f"{root}/nas", "nfs4")
    with structlog.testing.capture_logs() as logs:
        for mounts in ((local, far), (local, far), (local,), ()):
            monkeypatch.setattr(module, "read_mounts", lambda mounts=mounts: mounts)
            keeper.tend(())
    told: list[Any] = [log.get("reason", log["event"]) for log in logs]
    assert told == [
        f"{root}/nas is a file system of kind nfs4, which may send no events",
        "events can be relied on again",
        f"{root} is a file system of kind unknown, which may send no events",
    ]
