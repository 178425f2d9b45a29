"""The kernel's events as hints, by a real observer; and knowing when they cannot be relied on."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dxwatchd.hints import HintBox
from dxwatchd.watching import Watcher, WatchError
from dxwatchd.watchkeeping import Watchkeeper
from tests.e2e.test_names import tiny_model

PATIENCE = 20.0


class Watched:
    """A models root, a manifest and requests under watch; hints are gathered as they come."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "models"
        self.state = folder / "state"
        self.manifest = self.state / "manifest.toml"
        self.requests = self.state / "requests"
        self.root.mkdir()
        self.requests.mkdir(parents=True)
        self.manifest.write_text("# nothing yet\n")
        self.woken = threading.Event()
        self.box = HintBox(self.woken.set)
        self.watcher = Watcher(self.root, self.manifest, self.requests, self.box)
        self.folders: set[str] = set()
        self.moved_in: set[str] = set()
        self.manifest_changes = 0

    def gather(self) -> None:
        """Take what is in the box."""
        hints = self.box.take()
        self.folders |= hints.folders
        self.moved_in |= hints.moved_in
        self.manifest_changes += hints.manifest

    def until(self, seen: Callable[[], bool]) -> None:
        """Wait until the hints show it."""
        deadline = time.monotonic() + PATIENCE
        while not seen():
            assert time.monotonic() < deadline, (self.folders, self.moved_in)
            time.sleep(0.01)
            self.gather()

    def quiet(self) -> None:
        """Wait until everything that happened before was told: a cookie's event comes last."""
        cookie = self.root / f"cookie-{time.monotonic_ns()}"
        cookie.mkdir()
        self.until(lambda: cookie.name in self.folders)
        self.folders.discard(cookie.name)
        cookie.rmdir()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A running watch."""
    made = Watched(tmp_path)
    made.watcher.start()
    yield made
    made.watcher.stop()


def test_copied_files_give_their_folders(watched: Watched) -> None:
    """However deep, each folder that something came into is named."""
    tiny_model(watched.root / "p" / "m", 1)
    watched.until(lambda: {"", "p", "p/m"} <= watched.folders)
    assert watched.moved_in == set()


def test_a_folder_moved_in_from_outside_is_told_as_moved(watched: Watched, tmp_path: Path) -> None:
    """The rename itself is the proof that it came as one; its place is named too."""
    tiny_model(tmp_path / "aside", 1)
    (tmp_path / "aside").rename(watched.root / "m")
    watched.until(lambda: "m" in watched.moved_in and "" in watched.folders)


def test_a_folder_renamed_inside_is_told_with_both_places(watched: Watched) -> None:
    """The old place lost it, the new one got it as one."""
    tiny_model(watched.root / "p" / "old", 1)
    watched.until(lambda: "p/old" in watched.folders)
    watched.quiet()
    watched.folders.clear()
    (watched.root / "p" / "old").rename(watched.root / "new")
    watched.until(lambda: "new" in watched.moved_in and {"p", ""} <= watched.folders)
    watched.folders.clear()
    (watched.root / "new" / "late.txt").write_text("x")
    watched.until(lambda: "new" in watched.folders)


def test_changes_and_deletions_give_their_folder(watched: Watched, tmp_path: Path) -> None:
    """A file rewritten, replaced or removed; a folder removed."""
    tiny_model(watched.root / "m", 1)
    watched.until(lambda: "m" in watched.folders)
    for change in (
        lambda: (watched.root / "m" / "config.json").write_text("{}"),
        lambda: (tmp_path / "n").write_text("x") and (tmp_path / "n").rename(watched.root / "m" / "n"),
        (watched.root / "m" / "n").unlink,
        lambda: shutil.rmtree(watched.root / "m"),
    ):
        watched.quiet()
        watched.folders.clear()
        change()
        watched.until(lambda: "m" in watched.folders)


def test_reading_is_no_event(watched: Watched) -> None:
    """Our own looks at files must not wake us."""
    tiny_model(watched.root / "m", 1)
    watched.until(lambda: "m" in watched.folders)
    watched.quiet()
    watched.gather()
    watched.folders.clear()
    for path in (watched.root / "m").iterdir():
        path.read_bytes()
    list(os.scandir(watched.root / "m"))
    watched.quiet()
    assert "m" not in watched.folders


@pytest.mark.parametrize("way", ["in place", "rename", "backup"])
def test_every_way_to_save_the_manifest_is_noticed(watched: Watched, way: str) -> None:
    """Editors write in place, write aside and rename, or move the old one away first."""
    if way == "in place":
        watched.manifest.write_text("# saved\n")
    elif way == "rename":
        (watched.state / ".manifest.swp").write_text("# saved\n")
        (watched.state / ".manifest.swp").rename(watched.manifest)
    else:
        watched.manifest.rename(watched.state / "manifest.toml~")
        watched.manifest.write_text("# saved\n")
    watched.until(lambda: watched.manifest_changes > 0)


def test_what_the_daemon_writes_beside_the_manifest_wakes_nobody(watched: Watched) -> None:
    """Status, journal and cards come with every pass: they must not cause the next one."""
    (watched.state / "cards").mkdir()
    for name in ("status.json", "events.jsonl", ".writing-status.json", "cards/a.json"):
        (watched.state / name).write_text("x")
    watched.quiet()
    watched.gather()
    assert watched.manifest_changes == 0


def test_a_request_wakes(watched: Watched) -> None:
    """A command asks for a pass."""
    (watched.requests / ".writing-x").write_text("{}")
    (watched.requests / ".writing-x").rename(watched.requests / "x.json")
    watched.until(lambda: watched.manifest_changes > 0)
    assert watched.woken.is_set()


def test_a_missing_root_cannot_be_watched(tmp_path: Path) -> None:
    """And says so, with nothing left running."""
    made = Watched(tmp_path)
    made.root.rmdir()
    with pytest.raises(WatchError) as raised:
        made.watcher.start()
    assert raised.value.remedy
    made.watcher.stop()


def test_a_watch_that_is_stopped_does_not_listen(watched: Watched) -> None:
    """While it runs every thread of it lives."""
    assert watched.watcher.is_listening()
    watched.watcher.stop()
    assert not watched.watcher.is_listening()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Watchkeeper]:
    """A keeper of a root that is there."""
    (tmp_path / "models").mkdir()
    (tmp_path / "state" / "requests").mkdir(parents=True)
    made = Watchkeeper(
        tmp_path / "models",
        tmp_path / "state" / "manifest.toml",
        tmp_path / "state" / "requests",
        lambda: None,
    )
    yield made
    made.stop()


def _hears(keeper: Watchkeeper, root: Path) -> None:
    """Something that happens in the root is told."""
    name = f"said-{time.monotonic_ns()}"
    (root / name).mkdir()
    deadline = time.monotonic() + PATIENCE
    told: set[str] = set()
    while name not in told:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        told |= keeper.box.take().folders


def test_the_keeper_starts_once_and_looks_at_everything_then(keeper: Watchkeeper, tmp_path: Path) -> None:
    """The first look after a start must be at everything; later ones need not."""
    assert keeper.tend({})
    assert not keeper.tend({})
    _hears(keeper, tmp_path / "models")


def test_the_keeper_follows_a_root_that_was_replaced(keeper: Watchkeeper, tmp_path: Path) -> None:
    """Deleted and made again, renamed away, replaced by a link: the watch is on what is there now."""
    root = tmp_path / "models"
    keeper.tend({})
    shutil.rmtree(root)
    assert not keeper.tend({})
    assert any("is not there" in weakness.message for weakness in keeper.weaknesses)
    root.mkdir()
    assert keeper.tend({})
    _hears(keeper, root)
    root.rename(tmp_path / "away")
    root.mkdir()
    assert keeper.tend({})
    _hears(keeper, root)
    root.rename(tmp_path / "second")
    root.symlink_to(tmp_path / "away")
    assert keeper.tend({})
    _hears(keeper, root)


def test_an_overflow_makes_it_look_at_everything_with_a_new_watch(
    keeper: Watchkeeper, tmp_path: Path
) -> None:
    """What the kernel dropped is not known, and folders made meanwhile are not watched."""
    keeper.tend({})
    keeper.box.add_overflow()
    assert keeper.box.take().everything
    assert keeper.tend({})
    _hears(keeper, tmp_path / "models")
    assert not keeper.tend({})


@pytest.mark.promise(2, "the root is renamed, or unmounted: told at once, though nobody asks")
def test_a_root_that_is_renamed_breaks_the_watch_at_once(keeper: Watchkeeper, tmp_path: Path) -> None:
    """The daemon is woken to look at everything; a folder inside that is renamed does not do that."""
    root = tmp_path / "models"
    (root / "inner").mkdir()
    keeper.tend(())
    keeper.box.take()
    (root / "inner").rename(root / "other")
    _hears(keeper, root)
    assert keeper.box.breaks == 0
    root.rename(tmp_path / "away")
    _until(lambda: keeper.box.breaks)
    assert keeper.box.take().everything


@pytest.mark.promise(2, "the root is renamed, or unmounted: told at once, though nobody asks")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_root_that_is_unmounted_breaks_the_watch_at_once(keeper: Watchkeeper, tmp_path: Path) -> None:
    """And one mounted there at once, to which the kernel gives the same numbers, is watched."""
    root = tmp_path / "models"
    words = ["mount", "-t", "tmpfs", "tmpfs", str(root)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not mount")
    try:
        keeper.tend(())
        keeper.box.take()
        subprocess.run(["umount", str(root)], check=True)
        subprocess.run(words, check=True)
        _until(lambda: keeper.box.breaks)
        assert keeper.tend(())
        _hears(keeper, root)
    finally:
        keeper.stop()
        subprocess.run(["umount", str(root)], check=True)


def test_without_a_root_edits_and_requests_are_heard(keeper: Watchkeeper, tmp_path: Path) -> None:
    """What people ask for is answered at once also while the root is away."""
    (tmp_path / "models").rmdir()
    assert not keeper.tend(())
    keeper.box.take()
    (tmp_path / "state" / "manifest.toml").write_text("# saved\n")
    _until(lambda: keeper.box.take().manifest)
    (tmp_path / "state" / "requests" / ".writing-x").write_text("{}")
    (tmp_path / "state" / "requests" / ".writing-x").rename(tmp_path / "state" / "requests" / "x.json")
    _until(lambda: keeper.box.take().manifest)


@pytest.mark.promise(2, "the manifest's folder or that of the requests exchanged for another: still heard")
@pytest.mark.parametrize("name", ["state", "state/requests"])
def test_folders_beside_that_are_exchanged_are_watched_anew(
    keeper: Watchkeeper, tmp_path: Path, name: str
) -> None:
    """As a restored backup does it."""
    keeper.tend(())
    shutil.copytree(tmp_path / name, tmp_path / "copy")
    (tmp_path / name).rename(tmp_path / "old")
    (tmp_path / "copy").rename(tmp_path / name)
    assert keeper.tend(())
    keeper.box.take()
    (tmp_path / "state" / "manifest.toml").write_text("# saved\n")
    _until(lambda: keeper.box.take().manifest)


def test_folders_that_were_missed_are_watched_and_looked_at(keeper: Watchkeeper, tmp_path: Path) -> None:
    """Two looks in a row without a watch: it gets one, without a new start for all the others."""
    root = tmp_path / "models"
    (root / "a").mkdir()
    keeper.tend(())
    watcher = keeper._watcher
    assert watcher is not None
    group = watcher._emitter._inotify  # type: ignore[union-attr]
    assert group is not None
    with group._lock:  # as a storm of renames leaves the books: two names, one number
        number = group._active_callbacks_by_path[str(root / "a").encode()]
        group._active_callbacks_by_watch[number] = str(root / "b").encode()
        group._active_callbacks_by_path[str(root / "b").encode()] = number
    assert not keeper.tend(("", "a"))
    assert keeper.tend(("", "a"))
    assert not keeper.tend(("", "a"))
    assert keeper._watcher is watcher
    keeper.box.take()
    (root / "a" / "x").write_text("x")
    _until(lambda: "a" in keeper.box.take().folders)


def _until(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)
