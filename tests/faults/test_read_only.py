"""What is not written to: a state file system that turned read-only, and the models root, never."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import COMMAND, PATIENCE, Place
from tests.e2e.test_names import drop, tiny_model
from tests.faults.mounting import Mounts, program, rule
from tests.faults.test_full_disks import approved, whole
from tests.layouts.making import config, lay, pointer, tensors, torch

pytestmark = pytest.mark.xdist_group("mounts")


@pytest.mark.promise(5, "the state's ext4 goes read-only after an error of the disk")
@pytest.mark.usefixtures("without_digests")
def test_a_state_file_system_that_fails_is_told_and_survived(place: Place, mounts: Mounts) -> None:
    """The daemon stays up and says what to do, commands too; after a repair and a start all goes on."""
    image = mounts.image("small", 8 * 2**20)
    small = mounts.loop("small", image, "errors=remount-ro")
    place.state = small / "state"
    place.manifest = place.state / "manifest.toml"
    try:
        place.start()
        drop(place, "first", 1)
        place.proposed("first")
        place.run("approve")
        card = place.registered("first")
        os.sync()
        mounts.remount(small, "abort")  # as after an I/O error
        drop(place, "second", 2)
        place.until(lambda: "mount it writable" in place.log.read_text(), "a word on it")
        assert place.process is not None
        assert place.process.poll() is None
        assert place.card("first") == card
        assert "Read-only file system; mount it writable" in place.run("status", code=1)
        for words in (["reject", "first"], ["add", "a", "A", "a"], ["scan"]):
            assert "Read-only file system; mount it writable" in place.run(*words, code=3)
        assert place.stop() == 0
        mounts.unmount(small)
        subprocess.run([program("e2fsck"), "-p", image], capture_output=True, check=False, timeout=PATIENCE)
        mounts.loop("small", image)
        place.start()
        place.proposed("second")
        whole(place)
        assert place.card("first") == card
        assert [event["event"] for event in place.settled_events()] == ["proposed", "registered", "proposed"]
    finally:
        place.kill()


@pytest.mark.usefixtures("without_digests")
def test_a_state_directory_that_becomes_writable_again_is_used_again(place: Place, mounts: Mounts) -> None:
    """Without a restart: as soon as the refusals end."""
    source = place.folder / "source"
    source.mkdir()
    faulty = mounts.faulty("faulty", source)
    place.state = faulty.point / "state"
    place.manifest = place.state / "manifest.toml"
    try:
        place.start()
        drop(place, "first", 1)
        place.proposed("first")
        faulty.set(rule("create", "write", "rename", "unlink", "truncate", errno="EROFS"))
        drop(place, "second", 2)
        place.until(lambda: "mount it writable" in place.log.read_text(), "a word on it")
        before = place.manifest.read_bytes()
        assert "Read-only file system" in place.run("approve", "first", code=3)
        assert place.manifest.read_bytes() == before
        faulty.set()
        place.proposed("second")
        place.run("approve", "first")
        place.registered("first")
        whole(place)
    finally:
        faulty.set()
        place.kill()


@pytest.fixture
def varied(place: Place) -> Iterator[Path]:
    """A source of models of several kinds, some of them odd; the daemon ends before its mount goes."""
    source = place.folder / "source"
    tiny_model(source / "plain", 1)
    lay({"config.json": config(), "pytorch_model.bin": torch(2)}, source / "pickled")
    lay({"config.json": config(), "model.safetensors": pointer(tensors(3))}, source / "pointer")
    lay({"config.json": b"{", "model.safetensors": tensors(4)[:50]}, source / "broken")
    lay({"run.sh": b"#!/bin/sh\ntouch /tmp/ran\n", "setup.py": b"raise SystemExit\n"}, source / "plain")
    (source / "plain" / "run.sh").chmod(0o755)
    yield source
    place.kill()


def _whole_way(place: Place, source: Path) -> None:
    """From the proposal to the card with digests, then a new folder, a change and a removal."""
    place.proposed("plain")
    place.proposed("pickled")
    text = place.manifest.read_text()
    place.manifest.write_text(approved(approved(text, "plain"), "pickled"))
    for name in ("plain", "pickled"):
        place.registered(name)
        place.until(lambda name=name: _is_digested(place, name), f"the digests of {name}")  # type: ignore[misc]
    tiny_model(place.folder / "aside" / "late", 5)
    (place.folder / "aside" / "late").rename(source / "late")
    place.proposed("late")


def _is_digested(place: Place, name: str) -> bool:
    card = place.card(name)
    return card is not None and all(file["digest"] for file in card["files"])


def _everything(folder: Path) -> dict[str, tuple[int, ...]]:
    """Every file and folder with what a write or a change of rights would change."""
    return {
        str(path): (
            found.st_mode,
            found.st_uid,
            found.st_gid,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )
        for path in sorted(folder.rglob("*"))
        for found in [path.lstat()]
    }


@pytest.mark.promise(1, "the models root is a read-only mount: the whole way works")
def test_the_whole_way_over_a_read_only_models_root(place: Place, mounts: Mounts, varied: Path) -> None:
    """Proposals, cards and digests over a mount that would refuse any write; commands too."""
    place.models = mounts.bind("models", varied, "ro")
    before = _everything(varied)
    place.start()
    _whole_way(place, varied)
    place.run("card", "plain")
    place.run("explain", "broken", code=None)
    place.run("scan", code=None)
    assert place.stop() == 0
    now = _everything(varied)
    assert {path: now[path] for path in before} == before
    assert "Read-only" not in place.log.read_text()


_WRITING: Final = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
_CHANGING: Final = re.compile(
    r"(mk(dir|nod)|rmdir|unlink|rename|link|symlink|f?chmod|[fl]?chown|f?truncate|u?time|utimes|utimens|futimes"
    r"|fallocate|creat|[lf]?(set|remove)xattr|u?mount2?|p?writev?|pwrite64|execve|sendfile|copy_file_range)(at2?)?"
)


def _places(name: str, arguments: str) -> str:
    """The part of a call's arguments that may name a file: what is written to one may name any."""
    return arguments.split(",", 1)[0] if re.match("p?write|send", name) else arguments


@pytest.mark.promise(1, "every call of a daemon that names a file or reaches a network is looked at")
def test_no_call_of_the_daemon_writes_below_the_models_root(
    place: Place, varied: Path, tried: Callable[[int], None]
) -> None:
    """From a drop to a card with digests: nothing there is opened for writing, made, renamed, removed, given
    other rights or times; nothing is executed; no socket but that to the service manager is made.
    """
    place.models.rmdir()
    place.models = varied
    trace = place.folder / "trace"
    words = [program("strace"), "-f", "-qq", "-y", "-s", "4096", "-o", str(trace)]
    quiet = "trace=!read,close,lseek,fstat,mmap,poll,epoll_wait,fcntl"
    with place.log.open("ab") as log:
        place.process = subprocess.Popen(
            [*words, "-e", quiet, COMMAND, "run"],
            stdout=log,
            stderr=log,
            env=place.environ() | {"NOTIFY_SOCKET": str(place.folder / "nobody")},
            start_new_session=True,
        )
    try:
        _whole_way(place, varied)
    finally:
        tracer, place.process = place.process, None
        children = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert tracer.wait(PATIENCE) == 0
    text = trace.read_text(errors="replace")
    calls = [found for line in text.splitlines() if (found := re.match(r"\d+\s+(\w+)\((.*)", line))]
    below = [call for call in calls if f"{varied}" in _places(call[1], call[2])]
    assert len(below) > 100, "the trace shows what the daemon looked at"
    for call in below:
        assert not _WRITING.search(call[2]), call[0]
        assert not _CHANGING.fullmatch(call[1]), call[0]
    executed = [call[0] for call in calls if call[1].startswith("execve")]
    assert len(executed) == 1, executed
    sockets = [call[2] for call in calls if call[1] == "socket"]
    assert sockets
    assert all(arguments.startswith("AF_UNIX, SOCK_DGRAM") for arguments in sockets), sockets
    reached = {found for call in calls for found in re.findall(r'sun_path=@?"([^"]*)"', call[2])}
    assert reached <= {str(place.folder / "nobody")}
    assert json.loads(place.passes())["folders"]
    tried(len(FORBIDDEN))


FORBIDDEN: Final = ("writing", "making", "renaming", "removing", "rights", "times", "executing", "network")
"""What was looked for."""
