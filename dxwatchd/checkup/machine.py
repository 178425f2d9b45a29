"""The kernel's limits, and the clock."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from dxwatchd.checkup.unit import ask
from dxwatchd.core.checkup.machine import ClockFacts, LimitFacts
from dxwatchd.core.checkup.rights import Person
from dxwatchd.state import StateDirectory
from dxwatchd.stores.plain_file import open_plain, read_plain

INOTIFY = Path("/proc/sys/fs/inotify")
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")

TAIL = 65_536
"""Bytes of the journal's end, in which its last lines are."""


def limits(person: Person, process: int, folders: int | None, *, in_full: bool) -> LimitFacts:
    """What the kernel allows the daemon's user and its process; 0: none runs, so this one's is told."""
    files, whose = _open_files(process), f"the daemon, process {process},"
    if files is None or not process:
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        files, whose = (None if soft == resource.RLIM_INFINITY else soft), "a process started here"
    return LimitFacts(
        person,
        _number(INOTIFY / "max_user_watches"),
        _number(INOTIFY / "max_user_instances"),
        files,
        whose,
        folders,
        in_full,
    )


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _open_files(process: int) -> int | None:
    try:
        found = re.search(
            r"^Max open files +(\d+)", Path(f"/proc/{process}/limits").read_text(), re.MULTILINE
        )
    except OSError:
        return None
    return int(found[1]) if found is not None else None


def clock(state: StateDirectory | None, *, with_systemd: bool) -> ClockFacts:
    """The clock, and the latest time that the state directory tells of."""
    now = datetime.now(UTC)
    told, ahead = "", 0.0
    if state is not None:
        latest, where = max(_times(state), default=(0.0, ""))
        if where:
            ahead = latest - now.timestamp()
            told = f"the latest time in {where} is {_shown(datetime.fromtimestamp(latest, UTC))}"
    synchronised, by = _synchronised(with_systemd=with_systemd)
    return ClockFacts(now.year, _shown(now), told, ahead, synchronised, by)


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _times(state: StateDirectory) -> list[tuple[float, str]]:
    """The times that status and journal tell, and those of the files themselves."""
    found = []
    for path, read in ((state.status, _of_status), (state.journal, _of_journal)):
        with suppress(OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
            found.append((datetime.fromisoformat(read(path)).timestamp(), path.name))
        with suppress(OSError):
            found.append((path.stat().st_mtime, path.name))
    return [(moment, name) for moment, name in found if 0 < moment < 2**36]


def _of_status(path: Path) -> str:
    return str(json.loads(read_plain(path))["pass"]["ended_at"])


def _of_journal(path: Path) -> str:
    with open(open_plain(path), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        return str(json.loads(file.read().splitlines()[-1])["time"])


def _synchronised(*, with_systemd: bool) -> tuple[bool | None, str]:
    if SYNCHRONISED.exists():
        return True, "systemd-timesyncd"
    if not with_systemd:
        return None, ""
    try:
        said = ask("timedatectl", "show", "--property=NTPSynchronized", "--value").strip()
    except (OSError, subprocess.SubprocessError):
        return None, ""
    return {"yes": True, "no": False}.get(said), "timedatectl"
