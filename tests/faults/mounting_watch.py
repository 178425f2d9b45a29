"""Mounts, users and user namespaces for the tests of what makes a watch deaf."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from dxwatchd.stores.pass_requests import PassRequests
from tests.e2e.conftest import COMMAND, PATIENCE, Place
from tests.e2e.test_names import tiny_model

HOUR: Final = 3600
AS_ROOT: Final = os.geteuid() == 0
_USERS: Final = itertools.count(20_000 + os.getpid() % 20_000 * 2)
_CAPABILITIES: Final = "+dac_override,+dac_read_search,+fowner,+lease"


def absent(reason: str) -> NoReturn:
    """Skip with the reason; where everything has to be installed, fail with it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """The path of a program that the test needs."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    return found or absent(f"the program {name} is not installed")


def watches_allowed() -> int:
    """Folders that one user may watch on this machine."""
    return int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())


class WatchedPlace(Place):
    """A place whose daemon is a user of its own, where tests may make users: the kernel counts watches by
    user, and other tests' daemons are not to count here. It looks at everything once an hour only.

    before: what stands before the daemon's command.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.options |= {"rescan_interval": HOUR, "quiet_period": 0.2, "remote_quiet_period": 0.4}
        self.before: list[str] = []
        if AS_ROOT:
            user = str(next(_USERS))
            capabilities = ["--inh-caps", _CAPABILITIES, "--ambient-caps", _CAPABILITIES]
            self.before = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *capabilities]
            self.state.mkdir()
            os.chown(self.state, int(user), int(user))
        self._drops = itertools.count()

    def start(self, *arguments: str, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start the daemon as that user; by default wait for its first pass."""
        before = self.passes()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, COMMAND, "run", *arguments],
                stdout=log,
                stderr=log,
                env=self.environ(),
                cwd=self.folder,
            )
        if wait:
            self.until(lambda: self.passes() != before, "the first pass")
        return self.process

    def watching(self) -> dict[str, Any]:
        """What `status.json` says of the watch."""
        try:
            found: dict[str, Any] = json.loads((self.state / "status.json").read_bytes())["watching"]
        except FileNotFoundError:
            return {}
        return found

    def relies_on_events(self) -> None:
        """Wait until the daemon says that it does."""
        self.until(lambda: self.watching().get("by_events"), "events to be relied on")

    def says(self, *words: str) -> dict[str, str]:
        """Wait until the daemon says that events cannot be relied on, with these words. Returns its words."""

        def look() -> dict[str, str] | None:
            found: list[dict[str, str]] = self.watching().get("weaknesses", [])
            return next((one for one in found if all(word in one["message"] for word in words)), None)

        return self.until(look, f"the daemon to say {words}")

    def hears(self, below: str = "") -> str:
        """A model is dropped, and proposed long before the next look at everything. Returns its path."""
        self.relies_on_events()
        name = f"late-{next(self._drops)}"
        path = f"{below}/{name}" if below else name
        tiny_model(self.models / path, int(time.monotonic_ns() % 2**32))
        self.proposed(path)
        return path

    def register(self, path: str, name: str) -> None:
        """Approve a folder that is there, and wait for its card."""
        self.proposed(path)
        self.run("approve", path, "--technical-name", name)
        self.registered(name)

    def looks(self) -> None:
        """Ask for a pass and wait for it."""
        with PassRequests(self.state / "requests").asking() as request:
            self.until(lambda: not request.exists(), "the pass that was asked for")

    def withdrawn(self) -> list[dict[str, Any]]:
        """What was ever withdrawn."""
        return [event for event in self.events() if event["event"] in ("withdrawn", "removed")]

    def availability(self, name: str) -> str | None:
        """What the index says of a card."""
        return next((line["availability"] for line in self.index() if line["technical_name"] == name), None)

    def is_(self, availability: str, name: str) -> None:
        """Wait until the index says so."""
        self.until(lambda: self.availability(name) == availability, f"{name} to be {availability}")

    def watches(self, folder: Path) -> bool:
        """Whether the kernel says that the daemon watches this folder, whatever the daemon believes."""
        inode = f"ino:{folder.stat().st_ino:x} "
        for path in Path(f"/proc/{self.pid()}/fdinfo").iterdir():
            with suppress(OSError):
                if any(
                    line.startswith("inotify") and inode in line for line in path.read_text().splitlines()
                ):
                    return True
        return False

    def burden(self) -> tuple[int, int]:
        """Descriptors and threads that the daemon has all the while, also between its passes."""
        here, samples = Path(f"/proc/{self.pid()}"), []
        for _ in range(40):
            samples.append((len(os.listdir(here / "fd")), len(os.listdir(here / "task"))))
            time.sleep(0.05)
        return min(files for files, _ in samples), min(threads for _, threads in samples)

    def pid(self) -> int:
        """The daemon's own."""
        found: int = json.loads((self.state / "status.json").read_bytes())["pid"]
        return found

    def processor_time(self) -> float:
        """Seconds that the daemon has computed so far."""
        fields = Path(f"/proc/{self.pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """MiB that the daemon has at most had so far."""
        text = Path(f"/proc/{self.pid()}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024

    def comes_to_rest(self) -> None:
        """Wait until the daemon computes nothing to speak of for two seconds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            before = self.processor_time()
            time.sleep(2)
            if self.processor_time() - before < 0.2:
                return
            assert time.monotonic() < deadline, "the daemon does not come to rest"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[WatchedPlace]:
    """An empty place; its daemon is ended whatever the test does."""
    made = WatchedPlace(tmp_path)
    yield made
    made.kill()


_OPEN: Final = (
    'set -e; mount --bind "$1" "$2"; mount -t tmpfs -o mode=755 tmpfs "$1"; mkdir "$1/$3"; '
    'mount --bind "$2/$3" "$1/$3"; shift 3; exec "$@"'
)
"""Opens the closed folder $1 to all, with nothing in it but $3, in a mount namespace of its own."""


def without_rights(place: WatchedPlace) -> None:
    """Let the daemon be a user without any rights of root's, who can reach the interpreter and the test."""
    place.before = place.before[: place.before.index("--inh-caps")]
    for path in (place.folder, *place.folder.parents):
        if path != Path(path.anchor) and path.stat().st_mode & 0o055 != 0o055 and path.owner() == "root":
            path.chmod(0o755)
    interpreter = Path(sys.executable).resolve()
    for path in interpreter.parents:
        if path.stat().st_mode & 0o001 == 0:
            (place.folder / "held").mkdir()
            first = interpreter.relative_to(path).parts[0]
            shell = ["unshare", "--mount", "sh", "-c", _OPEN, "sh"]
            place.before = [*shell, str(path), str(place.folder / "held"), first, *place.before]


def mount(*words: str | Path) -> None:
    """Mount, or skip where this machine does not allow it."""
    if not AS_ROOT:
        pytest.skip("only root may mount")
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode:
        pytest.skip(f"this machine does not mount: {done.stderr.strip()}")


def unmount(point: Path, *options: str) -> None:
    """Unmount; a pass may hold the mount for a moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(["umount", *options, point], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        assert "busy" in done.stderr, done.stderr
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.05)


@contextmanager
def mounted(point: Path, *words: str | Path) -> Iterator[Path]:
    """Something mounted at `point` for the length of a block, which may have unmounted it itself."""
    mount(*words, point)
    try:
        yield point
    finally:
        take_away(point)


def take_away(point: Path) -> None:
    """Unmount whatever is still mounted there."""
    for _ in range(10):
        if subprocess.run(["umount", "-l", point], check=False, capture_output=True).returncode:
            return


@contextmanager
def overlaid(point: Path, aside: Path) -> Iterator[Path]:
    """An overlay at `point`. Gives the folder underneath, where others write without an event."""
    for name in ("lower", "upper", "work"):
        (aside / name).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={aside / 'lower'},upperdir={aside / 'upper'},workdir={aside / 'work'}"
    with mounted(point, "-t", "overlay", "overlay", "-o", options):
        yield aside / "upper"


@contextmanager
def passed_through(point: Path, aside: Path) -> Iterator[Path]:
    """A FUSE file system at `point` that shows another folder, which is given."""
    (aside / "behind").mkdir(parents=True, exist_ok=True)
    if not AS_ROOT or not os.path.exists("/dev/fuse"):
        pytest.skip("only root may mount, and only with /dev/fuse")
    words: list[str | Path] = [program("bindfs"), "-o", "allow_other", aside / "behind", point]
    subprocess.run(words, check=True, timeout=PATIENCE, capture_output=True)
    try:
        yield aside / "behind"
    finally:
        subprocess.run(["umount", "-l", point], check=True, timeout=PATIENCE)


Silent = Callable[[Path, Path], Any]
SILENT: Final[dict[str, Silent]] = {"overlay": overlaid, "fuse": passed_through}


def exchange(one: Path, other: Path) -> None:
    """Let two names change places at once (renameat2 with RENAME_EXCHANGE)."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
