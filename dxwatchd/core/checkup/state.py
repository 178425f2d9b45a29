"""Can the daemon work in the state directory?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from shlex import quote

from dxwatchd.core.checkup.findings import About, Finding, Grade, shut_off, size
from dxwatchd.core.checkup.rights import (
    READ,
    SEARCH,
    WRITE,
    Kind,
    Person,
    Place,
    nearest,
    said,
)
from dxwatchd.core.checkup.root import FileSystem
from dxwatchd.core.text import count

_finding = partial(Finding, About.STATE)

ALL = READ | WRITE | SEARCH
LITTLE = 256 * 2**20
"""Bytes of room from which on it is told: the journal alone may take 144 MiB."""

TOO_LITTLE = 4 * 2**20
_OF_CONTAINERS = "overlay"
"""As good as the local disk below it, but for events."""

FEW = 1000
"""Files that can still be made from which on it is told."""


@dataclass(frozen=True, slots=True)
class Room:
    """Of one file system. files, of_files: that can be made, of how many; 0 where there is no such limit."""

    free: int
    total: int
    files: int = 0
    of_files: int = 0
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class StateFacts:
    """The state directory.

    way: as of the root; inside: what of the daemon's own files and folders is there; requests: the folder
    `requests/`.
    """

    person: Person
    path: str
    way: tuple[Place, ...]
    inside: tuple[Place, ...] = ()
    requests: Place | None = None
    file_system: FileSystem | None = None
    room: Room | None = None


def judge_state(state: StateFacts) -> Iterator[Finding]:
    """What there is to say of it."""
    place = state.way[-1]
    bad = _there(state, place)
    if bad is not None:
        yield bad
    if place.kind is Kind.MISSING:
        yield from _disk(state)
    if place.kind is not Kind.FOLDER:
        return
    if bad is None:
        found = f"{state.path} ({place.described}) is {state.person.name}'s to work in"
        yield _finding(Grade.WELL, found)
        if place.mode & WRITE:
            found = f"everybody on this machine may write to {state.path}: cards could be anybody's"
            yield _finding(Grade.LOOK, found, f"chmod o-w {quote(state.path)}")
        yield from _inside(state)
        yield from _requests(state)
    yield from _disk(state)


def _there(state: StateFacts, place: Place) -> Finding | None:
    name = state.person.name
    shut = shut_off(About.STATE, state.person, state.way[:-1], state.path)
    if shut is not None:
        return shut
    if place.kind is Kind.HIDDEN:
        found = f"{state.path} cannot be looked at by whoever runs this"
        return _finding(Grade.NOT_CHECKED, found, "run this as root, or as a member of the folder's group")
    if place.kind is Kind.MISSING:
        above = nearest(state.way)
        if above.kind is Kind.FOLDER and not above.rights & WRITE:
            found = f"{state.path} is not there, and {name} may not make it in {above.path}"
            remedy = f"install -d -o {name} -m 0750 {quote(state.path)}"
            return _finding(Grade.WRONG, found, f"make it: {remedy}")
        return _finding(Grade.WELL, f"{state.path} is not there yet; the first start makes it")
    if place.kind is not Kind.FOLDER:
        remedy = "move that away, or name another folder as state_dir"
        return _finding(Grade.WRONG, f"{place.path} is {place.kind.value}, not a folder", remedy)
    lacking = ALL & ~place.rights
    if lacking:
        found = f"{name} may not {said(lacking)} {state.path} ({place.described})"
        return _finding(Grade.WRONG, found, f"give it to {name}: chown -R {name} {quote(state.path)}")
    return None


def _inside(state: StateFacts) -> Iterator[Finding]:
    hidden = [one for one in state.inside if one.kind is Kind.HIDDEN]
    if hidden:
        found = f"what lies in {state.path} cannot be looked at by whoever runs this"
        yield _finding(Grade.NOT_CHECKED, found, "run this as root, or as a member of the folder's group")
        return
    locked = []
    for one in state.inside:
        needed = ALL if one.kind is Kind.FOLDER else READ | WRITE
        if one.kind is not Kind.MISSING and needed & ~one.rights:
            locked.append(one)
    if locked:
        names = ", ".join(one.path.rpartition("/")[2] for one in locked)
        owners = ", ".join(sorted({one.owner for one in locked}))
        found = f"{state.person.name} cannot read and write {names} in it (of {owners})"
        remedy = f"give them back: chown -R {state.person.name} {quote(state.path)}"
        yield _finding(Grade.WRONG, found, remedy)


def _requests(state: StateFacts) -> Iterator[Finding]:
    place = state.requests
    if place is None or place.kind in (Kind.MISSING, Kind.HIDDEN):
        return
    if place.kind is not Kind.FOLDER:
        found = f"{place.path} is {place.kind.value}, so commands cannot ask the daemon for a pass"
        yield _finding(Grade.WRONG, found, "remove it: the daemon makes the folder anew")
    elif ALL & ~place.rights:
        found = (
            f"{state.person.name} may not use {place.path} ({place.described}), where commands ask for a pass"
        )
        yield _finding(Grade.WRONG, found, f"give it back: chown {state.person.name} {quote(place.path)}")
    else:
        who = f"{place.owner} and members of {place.group}" if place.mode & 0o020 else place.owner
        yield _finding(Grade.WELL, f"{who} may ask the daemon for a pass, by way of {place.path}")


def _disk(state: StateFacts) -> Iterator[Finding]:
    disk, room = state.file_system, state.room
    if disk is not None and not disk.tells and disk.kind != _OF_CONTAINERS:
        kind = disk.kind or "unknown"
        found = f"it lies on a file system of kind {kind}, where locks and renames may hold less"
        yield _finding(Grade.LOOK, found, "a disk of this machine is the better place for it")
    if room is None:
        return
    if room.read_only:
        yield _finding(
            Grade.WRONG, f"the file system of {state.path} is mounted read-only", "mount it writable"
        )
        return
    grade = Grade.WRONG if room.free < TOO_LITTLE else Grade.LOOK if room.free < LITTLE else Grade.WELL
    found = f"{size(room.free)} of {size(room.total)} are free there"
    remedy = "make room there" if grade is not Grade.WELL else ""
    if room.of_files and room.files < FEW:
        grade = Grade.WRONG if not room.files else max(grade, Grade.LOOK, key=list(Grade).index)
        found += f", and {count(room.files, 'file')} more can be made (inodes)"
        remedy = "remove files there"
    yield _finding(grade, found, remedy)
