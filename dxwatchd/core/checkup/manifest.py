"""Can the daemon read and append to the manifest, can people change it, and is it in order?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from shlex import quote

from dxwatchd.core.checkup.findings import About, Finding, Grade, shut_off
from dxwatchd.core.checkup.rights import (
    READ,
    SEARCH,
    WRITE,
    Kind,
    Person,
    Place,
    grant,
    nearest,
    said,
)
from dxwatchd.core.entries import Problem
from dxwatchd.core.text import count

_finding = partial(Finding, About.MANIFEST)

_OF_GROUP, _OF_OTHERS, _SET_GROUP, _STICKY = 0o020, 0o002, 0o2000, 0o1000


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """The manifest.

    way: as of the root; awaited: whether the first pass is to make it; problems, hints: what `check` finds;
    entries: how many can be used; compared: whether its paths were compared with the models root.
    """

    person: Person
    path: str
    way: tuple[Place, ...]
    awaited: bool = False
    problems: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()
    entries: int = 0
    compared: bool = True


def judge_manifest(manifest: ManifestFacts) -> Iterator[Finding]:
    """What there is to say of it."""
    file, folder = manifest.way[-1], manifest.way[-2]
    shut = shut_off(About.MANIFEST, manifest.person, manifest.way[:-1], manifest.path)
    if shut is not None:
        yield shut
    elif file.kind is Kind.HIDDEN:
        found = f"{manifest.path} cannot be looked at by whoever runs this"
        yield _finding(Grade.NOT_CHECKED, found, "run this as root, or as a user who may approve")
        return
    else:
        yield from _rights(manifest, file, folder)
    yield from _content(manifest)
    if shut is None and folder.kind is Kind.FOLDER:
        yield from _approvers(manifest, file, folder)


def _rights(manifest: ManifestFacts, file: Place, folder: Place) -> Iterator[Finding]:
    name = manifest.person.name
    if file.kind is Kind.MISSING:
        folder = nearest(manifest.way)
        if folder.kind is Kind.FOLDER and not folder.rights & WRITE:
            found = f"{manifest.path} is not there, and {name} may not make it in {folder.path}"
            remedy = f"let it: {grant(manifest.person, READ | WRITE | SEARCH, folder.path)}"
            yield _finding(Grade.WRONG, f"{found} ({folder.described})", remedy)
        return
    lacking = (READ | WRITE) & ~file.rights
    if file.kind is Kind.FILE and lacking:
        found = f"{name} may not {said(lacking)} {manifest.path} ({file.described})"
        yield _finding(Grade.WRONG, found, f"let it: {grant(manifest.person, READ | WRITE, manifest.path)}")


def _content(manifest: ManifestFacts) -> Iterator[Finding]:
    for problem in manifest.problems:
        yield _finding(Grade.WRONG, f"{_at(problem, manifest.path)}: {problem.message}", problem.remedy)
    for hint in manifest.hints:
        yield _finding(Grade.LOOK, f"{_at(hint, manifest.path)}: {hint.message}", hint.remedy)
    if manifest.awaited:
        yield _finding(Grade.WELL, f"{manifest.path} is not there yet; the first pass makes it")
    elif not manifest.problems:
        entries = count(manifest.entries, "entry", "entries")
        yield _finding(Grade.WELL, f"{manifest.path} is in order: {entries}")
    if manifest.entries and not manifest.compared:
        found = "its paths were not compared with the models root, which cannot be looked at"
        yield _finding(Grade.NOT_CHECKED, found)


def _approvers(manifest: ManifestFacts, file: Place, folder: Place) -> Iterator[Finding]:
    """Who may change it: a command replaces the file, and so do most editors, which takes the folder."""
    if folder.mode & _OF_OTHERS and not folder.mode & _STICKY:
        found = f"everybody on this machine may replace the manifest, as {folder.path} is open to all"
        yield _finding(Grade.LOOK, found, f"chmod o-w {quote(folder.path)}")
    if file.kind is Kind.FILE and file.mode & _OF_OTHERS:
        found = f"everybody on this machine may approve: {manifest.path} is open to all"
        yield _finding(Grade.LOOK, found, f"chmod o-w {quote(manifest.path)}")
    if not folder.mode & _OF_GROUP:
        who = "only root" if folder.owner == "root" else f"{folder.owner} and root"
        yield _finding(Grade.WELL, f"{who} may change it")
        return
    before = f"members of {folder.group} may replace it"
    if folder.mode & _STICKY and file.kind is Kind.FILE:
        found = f"{folder.path} is sticky: only {file.owner} and root can put another file in its place"
        yield _finding(Grade.LOOK, found, f"chmod -t {quote(folder.path)}")
    elif not folder.mode & _SET_GROUP:
        found = (
            f"{before}, but the new file is their own group's, and others of {folder.group} are locked out"
        )
        yield _finding(Grade.LOOK, found, f"chmod g+s {quote(folder.path)}")
    elif file.kind is Kind.FILE and (file.group != folder.group or not file.mode & _OF_GROUP):
        found = f"{before}, but not write to it in place ({file.described})"
        remedy = f"chgrp {folder.group} {quote(manifest.path)} && chmod g+rw {quote(manifest.path)}"
        yield _finding(Grade.LOOK, found, remedy)
    else:
        yield _finding(Grade.WELL, f"{folder.owner}, root and members of {folder.group} may change it")


def _at(problem: Problem, path: str) -> str:
    if not problem.line:
        return path
    return f"line {problem.line}" + (f", column {problem.column}" if problem.column else "")
