"""Is the models root there, may it be read, does it tell of its changes?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from shlex import quote

from dxwatchd.core.checkup.findings import About, Finding, Grade, shut_off, size
from dxwatchd.core.checkup.rights import READ, SEARCH, Kind, Person, Place, grant, said
from dxwatchd.core.text import count

_finding = partial(Finding, About.ROOT)

LITTLE = 2**30
"""Bytes of room below which hardly any model can be copied in."""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """One file system. kind: "" where the kernel does not tell; tells: whether every change sends events."""

    point: str
    kind: str
    tells: bool


@dataclass(frozen=True, slots=True)
class RootFacts:
    """The models root.

    way: every folder that leads there, and itself at the end; file_systems: the one that it lies on, and
    those below it; free, total: bytes; unreadable: paths of what a look through it found closed, as many as
    are told; closed: how many there are; in_full: whether the look came to an end.
    """

    person: Person
    path: str
    way: tuple[Place, ...]
    file_systems: tuple[FileSystem, ...] = ()
    free: int = 0
    total: int = 0
    unreadable: tuple[str, ...] = ()
    closed: int = 0
    in_full: bool = True


def judge_root(root: RootFacts) -> Iterator[Finding]:
    """What there is to say of it."""
    place = root.way[-1]
    bad = _there(root, place)
    if bad is not None:
        yield bad
    if place.kind is not Kind.FOLDER:
        return
    if bad is None:
        found = f"{root.path} is a folder that {root.person.name} may read and search"
        yield _finding(Grade.WELL, found)
        yield from _inside(root)
    yield from _events(root)
    if root.total:
        little = root.free < LITTLE
        yield _finding(
            Grade.LOOK if little else Grade.WELL,
            f"{size(root.free)} of {size(root.total)} are free there",
            "make room, or no model can be copied in" if little else "",
        )


def _there(root: RootFacts, place: Place) -> Finding | None:
    name = root.person.name
    shut = shut_off(About.ROOT, root.person, root.way[:-1], root.path)
    if shut is not None:
        return shut
    if place.kind is Kind.MISSING:
        remedy = f"mount it, bring it back, or make it: mkdir {quote(root.path)}"
        return _finding(Grade.WRONG, f"{place.path} is not there", remedy)
    if place.kind is Kind.HIDDEN:
        found = f"{root.path} cannot be looked at by whoever runs this"
        return _finding(Grade.NOT_CHECKED, found, "run this as root")
    if place.kind is not Kind.FOLDER:
        found = f"{place.path} is {place.kind.value}, not a folder"
        return _finding(Grade.WRONG, found, "name a folder as models_root")
    lacking = (READ | SEARCH) & ~place.rights
    if lacking:
        found = f"{name} may not {said(lacking)} {root.path} ({place.described})"
        return _finding(Grade.WRONG, found, f"let it: {grant(root.person, READ | SEARCH, root.path)}")
    return None


def _inside(root: RootFacts) -> Iterator[Finding]:
    part = "" if root.in_full else " of those that could be looked at in a few seconds"
    if not root.closed:
        yield _finding(Grade.WELL, f"all files and folders in it may be read{part}")
        return
    shown = ", ".join(root.unreadable) + (", …" if root.closed > len(root.unreadable) else "")
    closed = count(root.closed, "file or folder", "files and folders")
    found = f"{root.person.name} may not read {closed} in it{part}: {shown}"
    remedy = f"let everybody read what is in it: chmod -R a+rX {quote(root.path)}"
    yield _finding(Grade.WRONG, found, remedy)


def _events(root: RootFacts) -> Iterator[Finding]:
    silent = [one for one in root.file_systems if not one.tells]
    for one in silent:
        kind = f"of kind {one.kind}" if one.kind else "of unknown kind"
        found = (
            f"the file system at {one.point} is {kind}, which may send no events: it is looked at more often"
        )
        remedy = "nothing to do, unless new models must be seen faster: then shorten rescan_interval"
        yield _finding(Grade.LOOK, found, remedy)
    if root.file_systems and not silent:
        kinds = ", ".join(sorted({one.kind for one in root.file_systems}))
        found = f"its file system ({kinds}) sends events for every change"
        yield _finding(Grade.WELL, found)
