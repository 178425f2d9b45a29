"""Files and folders as they lie there, with what a user may do with them."""

from __future__ import annotations

import fnmatch
import grp
import os
import stat as stat_module
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dxwatchd.checkup.people import name_of
from dxwatchd.core.checkup.rights import AclEntry, Kind, Permissions, Person, Place, rights_of
from dxwatchd.core.checkup.root import FileSystem
from dxwatchd.core.checkup.state import Room
from dxwatchd.core.filenames import is_ignored_file, is_ignored_folder
from dxwatchd.mounts import mount_of, read_mounts
from dxwatchd.troubles import existing

_ACL = "system.posix_acl_access"

SHOWN = 3
"""Closed files and folders that are named."""


def way_to(path: Path, person: Person) -> tuple[Place, ...]:
    """Every folder that leads to `path`, also by its links, and itself at the end."""
    real = Path(os.path.realpath(path))
    folders = dict.fromkeys((*reversed(path.parents), *reversed(real.parents)))
    return (*(place_of(folder, person) for folder in folders), place_of(real, person))


def place_of(path: Path, person: Person) -> Place:
    """What lies at a path; links are followed."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Place(str(path), Kind.MISSING)
    except OSError:
        return Place(str(path), Kind.HIDDEN)
    is_folder = stat_module.S_ISDIR(found.st_mode)
    kind = Kind.FOLDER if is_folder else Kind.FILE if stat_module.S_ISREG(found.st_mode) else Kind.OTHER
    return Place(
        str(path),
        kind,
        _rights(path, found, person),
        stat_module.S_IMODE(found.st_mode),
        name_of(found.st_uid),
        _group_name(found.st_gid),
    )


def _rights(path: str | Path, found: os.stat_result, person: Person) -> int:
    if person.user == os.geteuid():  # the kernel knows better than the mode: attributes, NFS, capabilities
        return sum(bit for bit in (os.R_OK, os.W_OK, os.X_OK) if os.access(path, bit, effective_ids=True))
    is_folder = stat_module.S_ISDIR(found.st_mode)
    return rights_of(
        person, Permissions(found.st_mode, found.st_uid, found.st_gid, _access_list(path), is_folder)
    )


def _access_list(path: str | Path) -> tuple[AclEntry, ...]:
    try:
        entries = struct.iter_unpack("<HHI", os.getxattr(path, _ACL)[4:])
        return tuple(AclEntry(tag, rights, who) for tag, rights, who in entries)
    except (OSError, struct.error):
        return ()


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def file_systems_of(path: Path, *, below: bool) -> tuple[FileSystem, ...]:
    """The file system that a path lies on, and those mounted below it."""
    mounts = read_mounts()
    real = os.path.realpath(path)
    own = mount_of(real, mounts)
    if own is None:
        return (FileSystem(real, "", tells=False),)
    inside = [one for one in mounts if below and one.point.startswith(real.rstrip("/") + "/")]
    return tuple(FileSystem(one.point, one.kind, one.is_local) for one in (own, *inside))


def room_of(path: Path) -> Room | None:
    """The room on the file system of the nearest folder that is there."""
    try:
        found = os.statvfs(existing(path))
    except OSError:
        return None
    return Room(
        found.f_bavail * found.f_frsize,
        found.f_blocks * found.f_frsize,
        found.f_favail,
        found.f_files,
        bool(found.f_flag & os.ST_RDONLY),
    )


@dataclass(slots=True)
class Walked:
    """What a walk through the models root found. unreadable: the first few of those closed to the person."""

    folders: int = 0
    closed: int = 0
    unreadable: list[str] = field(default_factory=list)
    in_full: bool = True


def walk(root: Path, ignore: Iterable[str], person: Person, within: float) -> Walked:
    """Count the folders below the root, and what in them the person may not read, for so many seconds."""
    until = time.monotonic() + within
    found = Walked(folders=1)
    waiting = [os.path.realpath(root)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if time.monotonic() > until:
                found.in_full = False
                return found
            if any(fnmatch.fnmatchcase(entry.name, rule) for rule in ignore):
                continue
            if _see(entry, root, person, found):
                found.folders += 1
                waiting.append(entry.path)
    return found


def _see(entry: os.DirEntry[str], root: Path, person: Person, found: Walked) -> bool:
    """Note one entry. Whether it is a folder to look into; links lead to what is elsewhere in the root."""
    try:
        stat = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    is_folder = stat_module.S_ISDIR(stat.st_mode)
    if is_folder and is_ignored_folder(entry.name):
        return False
    if not is_folder and (not stat_module.S_ISREG(stat.st_mode) or is_ignored_file(entry.name)):
        return False
    needed = os.R_OK | os.X_OK if is_folder else os.R_OK
    if needed & ~_rights(entry.path, stat, person):
        found.closed += 1
        if len(found.unreadable) < SHOWN:
            found.unreadable.append(os.path.relpath(entry.path, os.path.realpath(root)))
        return False
    return is_folder
