"""Whose rights count: those of the user that the daemon runs as."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from dxwatchd.core.checkup.rights import Person


def of_process(process: int) -> Person | None:
    """Who a process runs as; None where it cannot be told."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        user, group = int(fields["Uid"].split()[1]), int(fields["Gid"].split()[1])
        groups = frozenset({group, *map(int, fields.get("Groups", "").split())})
    except (KeyError, ValueError, IndexError):
        return None
    return Person(name_of(user), user, groups, f"as which process {process} runs")


def named(name: str, why: str) -> Person | None:
    """A user by name or number; None where there is no such."""
    try:
        found = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        return None
    return Person(found.pw_name, found.pw_uid, frozenset(os.getgrouplist(found.pw_name, found.pw_gid)), why)


def owner_of(folder: Path) -> Person | None:
    """Whose a folder is; None where that cannot be told."""
    try:
        return named(str(folder.stat().st_uid), f"whose {folder} is")
    except OSError:
        return None


def myself() -> Person:
    """Who runs this."""
    user = os.geteuid()
    return Person(name_of(user), user, frozenset({os.getegid(), *os.getgroups()}), "who runs this")


def name_of(user: int) -> str:
    """A user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
