"""A box: a Debian of its own with a real systemd as its first process, without a network."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.mounting_watch import AS_ROOT, absent, program

SUITE: Final = "bookworm"
NEWER: Final = "trixie"
"""Its systemd has `Type=notify-reload`."""
PATIENCE: Final = 120.0  # seconds until a wait gives up
INSTALLED: Final = "systemd,systemd-sysv,dbus,procps"
"""What the base has beside a minimal Debian."""

OFFERED: Final = ("python3", "python3-venv", "make", "acl")
"""What `apt-get install` finds in it, without a network, as it would with one."""

_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dxwatchd-tests"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NUMBERS: Final = itertools.count()


def base(suite: str = SUITE) -> Path:
    """A Debian that was installed once and is never changed; making it takes a minute and a network.

    The newer one has already in it what `apt-get install` offers in the other.
    """
    if not AS_ROOT:
        absent("only root can start a box")
    for name in ("systemd-nspawn", "debootstrap"):
        program(name)
    made = _CACHE / suite
    if not (made / "complete").exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        root = made / "root"
        names = INSTALLED if suite == SUITE else ",".join((INSTALLED, *OFFERED))
        _make("debootstrap", "--variant=minbase", f"--include={names}", suite, str(root))
        if suite == SUITE:
            _offer(root)
        (root / "etc/machine-id").write_text("")
        (made / "complete").touch()
    return made / "root"


def _offer(root: Path) -> None:
    chroot = ("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive")
    shutil.rmtree(root / "etc/apt")
    shutil.copytree("/etc/apt", root / "etc/apt", symlinks=True)
    _make(*chroot, "apt-get", "update", "-qq")
    _make(*chroot, "apt-get", "install", "-qq", "--download-only", *OFFERED)


def _make(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, f"{shlex.join(words)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


@dataclass(frozen=True, slots=True)
class Done:
    """What a script did: its exit code, and what it printed."""

    code: int
    told: str


class Box:
    """One that runs. root: its root folder, as seen from outside."""

    def __init__(self, first: int) -> None:
        self._enter = ("nsenter", f"--target={first}", "--all", "--", "env", "-i", f"PATH={_PATH}")
        self.root = Path(f"/proc/{first}/root")

    def try_(self, script: str, *, user: str = "root") -> Done:
        """Run a shell script in the box, as a service of its own."""
        words = script.replace("$", "$$")  # else systemd puts variables of its own in
        how = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--uid={user}")
        return self._do(*how, "--setenv=LANG=C.UTF-8", f"--setenv=PATH={_PATH}", "sh", "-c", words)

    def run(self, script: str, *, user: str = "root", code: int = 0) -> str:
        """Run a script that must end with this exit code. Returns what it printed."""
        done = self.try_(script, user=user)
        assert done.code == code, f"{script}\nended with {done.code}:\n{done.told}\n{self.log()}"
        return done.told

    def until(self, script: str, what: str) -> str:
        """Run a script again and again until it succeeds. Returns what it printed then."""
        deadline = time.monotonic() + PATIENCE
        while (done := self.try_(script)).code:
            assert time.monotonic() < deadline, f"waited in vain for {what}: {done.told}\n{self.log()}"
            time.sleep(0.2)
        return done.told

    def log(self) -> str:
        """The end of the box's journal."""
        return self._do("journalctl", "--lines=60", "--no-pager").told

    def put(self, source: Path, at: str) -> None:
        """Copy a file or a folder into the box, as root's."""
        target = self.root / at.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(source), str(target)], check=True, timeout=PATIENCE)

    def is_up(self) -> bool:
        """Whether systemd has started all that it is to start."""
        done = self._do("systemctl", "is-system-running")
        return done.told.strip() in ("running", "degraded")

    def power_off(self) -> None:
        """End it as an administrator would."""
        self._do("systemctl", "poweroff")

    def _do(self, *words: str) -> Done:
        done = subprocess.run(
            [*self._enter, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
            timeout=2 * PATIENCE,
        )
        return Done(done.returncode, done.stdout)


@contextmanager
def booted(folder: Path, suite: str = SUITE) -> Iterator[Box]:
    """A fresh box; what it writes lies in memory, below `folder`, and is gone with it."""
    root = base(suite)
    name = f"dxwatchd-box-{os.getpid()}-{next(_NUMBERS)}"
    space = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child")
    boot = (str(Path(__file__).with_name("boot.sh")), str(root), str(folder), name)
    console = folder.with_name(f"{folder.name}.console")
    with console.open("wb") as said:
        process = subprocess.Popen(
            [*space, "--mount-proc", "--propagation=private", "bash", *boot],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            yield _up(process, console)
        finally:
            process.kill()
            process.wait(PATIENCE)
            _remove_cgroups(name)


def _up(process: subprocess.Popen[bytes], console: Path) -> Box:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, f"the box did not start:\n{console.read_text(errors='replace')}"
        first = _first_process(process.pid)
        if first is not None and (Path(f"/proc/{first}/root/run/systemd/private")).exists():
            box = Box(first)
            if box.is_up():
                return box
        assert time.monotonic() < deadline, f"the box hangs:\n{console.read_text(errors='replace')}"
        time.sleep(0.1)


def _first_process(ancestor: int) -> int | None:
    """The descendant that is process 1 of a PID namespace within that of the box's own."""
    waiting = [ancestor]
    while waiting:
        at = waiting.pop()
        with suppress(OSError, ValueError):
            numbers = next(
                line
                for line in Path(f"/proc/{at}/status").read_text().splitlines()
                if line.startswith("NSpid")
            ).split()[1:]
            if len(numbers) == 3 and numbers[-1] == "1":
                return at
            waiting += [int(child) for child in Path(f"/proc/{at}/task/{at}/children").read_text().split()]
    return None


def _remove_cgroups(name: str) -> None:
    """They can be removed a moment after the last process in them has ended."""
    for _ in range(50):
        left = [path for path in Path("/sys/fs/cgroup").glob(f"**/{name}") if path.is_dir()]
        for path in left:
            for inner in sorted(path.glob("**/"), key=lambda one: len(one.parts), reverse=True):
                with suppress(OSError):
                    inner.rmdir()
        if not left:
            return
        time.sleep(0.1)
