"""`check`: every problem of the manifest, with its place and what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dxwatchd.commands import output
from dxwatchd.commands.fresh import REMEDY, is_awaited
from dxwatchd.commands.one_folder import looks_like_a_model, models_in
from dxwatchd.commands.output import DONE, PROBLEMS
from dxwatchd.core.claims import settle
from dxwatchd.core.entries import Entry, Problem, Status, in_order
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.overlap import is_part, part_problem
from dxwatchd.core.path_hints import Inside, Names, hint
from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.snapshot import parent
from dxwatchd.core.text import printable
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.card_directory import CardDirectory
from dxwatchd.stores.manifest_file import Changed, ManifestError, Read, read

TRIES = 20
PAUSE = 0.05
"""Seconds between two tries to read a file that is being written to."""

MOST_HINTS = 50
"""Entries without their folder for which the names that are there are compared."""


EMPTIED = Problem(
    "the file is empty though models are registered",
    "bring it back; until then every card stays",
    line=1,
    column=1,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A manifest, with what is wrong and what is only odd in it. awaited: the first pass is to make it."""

    manifest: Manifest
    problems: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()
    awaited: bool = False


def check(settings: Settings, *, as_json: bool) -> int:
    """Every problem of the manifest; the settings were checked on the way here."""
    checked = examine(settings)
    _answer(settings, checked, as_json=as_json)
    return PROBLEMS if checked.problems else DONE


def examine(settings: Settings, *, look_at_places: bool = True) -> Checked:
    """Find every problem of the manifest. look_at_places: compare its paths with the models root."""
    try:
        text = _read(settings.manifest).text
    except ManifestError as error:
        if is_awaited(settings):
            return Checked(Manifest(), awaited=True)
        first = Problem(error.message, error.remedy, error.line, error.column)
        rest = parse(error.text, str(settings.models_root)).problems
        return Checked(Manifest(parses=False), (first, *rest))
    manifest = parse(text, str(settings.models_root))
    cards = CardDirectory(StateDirectory(settings.state_dir).cards)
    cards.look()
    claims = settle(manifest, cards.published())
    found = [*manifest.problems, *claims.problems]
    if cards.cards and not manifest.text.strip():
        found.append(EMPTIED)
    hints: list[Problem] = []
    inside = cache(lambda place: _names(settings.models_root, place))
    for entry in claims.entries if look_at_places else ():
        problem = _at_its_place(settings, manifest, entry, inside, hints)
        if problem is not None:
            found.append(problem)
    return Checked(manifest, tuple(sorted(found, key=in_order)), tuple(sorted(hints, key=in_order)))


def _read(path: Path) -> Read:
    """The manifest, also while somebody is saving it. Raises ManifestError."""
    for _ in range(TRIES):
        try:
            return read(path)
        except Changed:
            time.sleep(PAUSE)
    raise ManifestError("it is being written to", "try again")


def _at_its_place(
    settings: Settings, manifest: Manifest, entry: Entry, inside: Inside, hints: list[Problem]
) -> Problem | None:
    """What is wrong with the folder that an entry in force names; `hints` gets what is only odd."""
    if entry.status is Status.REJECTED:
        return None
    for place in _above(entry.path):
        if looks_like_a_model(settings.models_root / place):
            for owner in models_in(settings, place):
                if owner.path == place and is_part(entry.path, owner):
                    return part_problem(manifest, entry, owner)
    if len(hints) >= MOST_HINTS:
        return None
    said = hint(entry.path, inside)
    if said is None:
        return None
    spot = manifest.spot(entry.number, "path")
    message = f'path "{printable(entry.path, 120)}": {said.found}'
    problem = Problem(message, said.remedy, spot.line, spot.column, entry.number, "path")
    if said.kind is ReasonKind.LINK_OUTSIDE:
        return problem
    hints.append(problem)
    return None


def _above(path: str) -> Iterator[str]:
    place = parent(path)
    while place:
        yield place
        place = parent(place)


def _names(root: Path, place: str) -> Names:
    """What lies in a folder of the models root."""
    folders: set[str] = set()
    files: set[str] = set()
    links: dict[str, str] = {}
    outside: set[str] = set()
    real = Path(os.path.realpath(root))
    try:
        with os.scandir(root / place) as listing:
            items = list(listing)
    except OSError:
        return Names()
    for item in items:
        if item.is_symlink() and _is_folder(item):
            target = Path(os.path.realpath(item.path))
            if target.is_relative_to(real):
                links[item.name] = target.relative_to(real).as_posix()
            else:
                outside.add(item.name)
        elif _is_folder(item):
            folders.add(item.name)
        else:
            files.add(item.name)
    return Names(folders, files, links, outside)


def _is_folder(item: os.DirEntry[str]) -> bool:
    """Whether it is one, also where that cannot be told, as of a link that leads to itself."""
    try:
        return item.is_dir()
    except OSError:
        return False


def _answer(settings: Settings, checked: Checked, *, as_json: bool) -> None:
    manifest = checked.manifest
    if as_json:
        output.as_json(
            {
                "manifest": str(settings.manifest),
                "parses": manifest.parses,
                "entries": len(manifest.entries),
                "problems": [_as_data(one) for one in checked.problems],
                "hints": [_as_data(one) for one in checked.hints],
            }
        )
        return
    for problem in (*checked.problems, *checked.hints):
        output.say(printable(problem.at(str(settings.manifest)), 2000))
    if not manifest.parses:
        output.say("until this is mended the last good manifest stays in force, and every card with it")
    if checked.awaited:
        output.say(f"settings are in order; there is no manifest {settings.manifest} yet; {REMEDY}")
    elif not checked.problems:
        output.say(f"settings and manifest are in order, entries: {len(manifest.entries)}")


def _as_data(problem: Problem) -> dict[str, object]:
    return {
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "remedy": problem.remedy,
    }
