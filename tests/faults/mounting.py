"""Mounts for tests: made for one test, and gone afterwards whatever it did."""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.conftest import PATIENCE

_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def absent(reason: str) -> NoReturn:
    """Skip with the reason."""
    pytest.skip(reason)


def missing(reason: str) -> NoReturn:
    """Skip with the reason; where everything has to be installed, fail with it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """The path of a program that the test needs."""
    return shutil.which(name, path=_PATH) or missing(f"the program {name} is not installed")


def run(*words: object) -> str:
    """Run a program that has to succeed; returns what it printed."""
    done = subprocess.run(
        [program(str(words[0])), *map(str, words[1:])],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


class Mounts:
    """What one test has mounted. Unmounted in the other order, at the end lazily if need be."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            absent("only root may mount")
        self.folder = folder
        self._points: list[Path] = []
        self._faulty: list[FaultyFs] = []

    def tmpfs(self, name: str, options: str) -> Path:
        """A file system in memory; options as `size=1m,nr_inodes=50`."""
        return self._mount(name, "-t", "tmpfs", "-o", options, "tmpfs")

    def image(self, name: str, size: int, *options: str) -> Path:
        """A file of `size` bytes with an ext4 in it, in memory where there is /dev/shm."""
        path = self.folder / f"{name}.img"
        with path.open("wb") as file:
            file.truncate(size)
        run("mkfs.ext4", "-q", "-F", *options, path)
        return path

    def loop(self, name: str, image: Path, options: str = "rw") -> Path:
        """The ext4 in an image file."""
        if not os.path.exists("/dev/loop-control"):
            absent("the kernel has no loop devices")
        return self._mount(name, "-t", "ext4", "-o", f"loop,{options}", str(image))

    def bind(self, name: str, source: Path, options: str) -> Path:
        """A folder once more, with other options."""
        point = self._mount(name, "--bind", str(source))
        self.remount(point, f"bind,{options}")
        return point

    def remount(self, point: Path, options: str) -> None:
        """Change the options of a mount."""
        run("mount", "-o", f"remount,{options}", point)

    def unmount(self, point: Path) -> None:
        """Unmount one before the end of the test."""
        run("umount", point)
        self._points.remove(point)

    def faulty(self, name: str, source: Path) -> FaultyFs:
        """The folder `source` once more, through a file system that can be told to misbehave."""
        point = self.point(name)
        made = FaultyFs(source, point, self.folder / f"{name}.socket", self.folder / f"{name}.log")
        self._faulty.append(made)
        made.start()
        return made

    def recording(self, name: str, image: Path) -> FaultyFs:
        """A disk with the image's content whose writes are recorded in the file `NAME.record`."""
        point = self.point(name)
        made = FaultyFs(image, point, self.folder / f"{name}.socket", self.folder / f"{name}.log")
        made.words = (
            "tests.faults.recording_disk",
            image,
            point,
            made.address,
            self.folder / f"{name}.record",
        )
        self._faulty.append(made)
        made.start()
        return made

    def point(self, name: str) -> Path:
        """A folder to mount on."""
        point = self.folder / name
        point.mkdir(exist_ok=True)
        return point

    def _mount(self, name: str, *words: str) -> Path:
        point = self.point(name)
        done = subprocess.run(
            [program("mount"), *words, str(point)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode != 0:
            absent(f"this machine does not let us mount: {done.stderr.strip()}")
        self._points.append(point)
        return point

    def end(self) -> None:
        """Unmount everything; what is still in use goes as soon as it is not."""
        for faulty in self._faulty:
            faulty.release()
        for point in reversed(self._points):
            for words in (["umount", str(point)], ["umount", "-l", str(point)]):
                with suppress(subprocess.TimeoutExpired):
                    done = subprocess.run(
                        words, capture_output=True, check=False, timeout=20, env={"PATH": _PATH}
                    )
                    if done.returncode == 0 or not os.path.ismount(point):
                        break
        self._points = []
        for faulty in reversed(self._faulty):
            faulty.end()


def has_fuse() -> bool:
    """Whether file systems can be made by programs here. Fails in CI where a package is missing."""
    if not os.path.exists("/dev/fuse"):
        absent("the kernel has no FUSE")
    if importlib.util.find_spec("mfusepy") is None:
        missing("the package mfusepy is not installed")
    if ctypes.util.find_library("fuse3") is None:
        missing("libfuse 3 is not installed")
    program("fusermount3")
    return True


class FaultyFs:
    """A mounted `faulty_fs.py`."""

    def __init__(self, source: Path, point: Path, address: Path, log: Path) -> None:
        self.source = source
        self.point = point
        self.address = address
        self.words: tuple[object, ...] = ("tests.faults.faulty_fs", source, point, address)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Mount it, and wait until it is there."""
        has_fuse()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *map(str, self.words)],
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
            )
        wait_for(self.point.is_mount, lambda: f"the file system is not there: {self._log.read_text()}")

    def set(self, *rules: Mapping[str, Any]) -> list[int]:
        """Put rules in force instead of the ones before; returns how often each of those applied."""
        return self._say([dict(rule) for rule in rules])

    def counts(self) -> list[int]:
        """How often each rule applied so far."""
        return self._say(None)

    def _say(self, message: Sequence[Mapping[str, Any]] | None) -> list[int]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.address))
            with client.makefile("rwb") as stream:
                stream.write(json.dumps(message).encode() + b"\n")
                stream.flush()
                answer: list[int] = json.loads(stream.readline())
        return answer

    def release(self) -> None:
        """Let nothing hang and nothing fail any more."""
        with suppress(OSError, ValueError):
            self.set()

    def end(self) -> None:
        """Unmount it, and end the process."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["fusermount3", "-u", "-z", str(self.point)], capture_output=True, check=False, timeout=20
            )
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)
        self._process = None


def rule(*operations: str, **fields: object) -> dict[str, object]:
    """A rule for `FaultyFs.set`."""
    return {"operations": operations, **fields}


def wait_for(look: Callable[[], object], said: Callable[[], str]) -> None:
    """Wait until `look` gives something true."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > deadline:
            pytest.fail(said())
        time.sleep(0.02)
