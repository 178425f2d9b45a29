"""The manifest's text → entries and every problem in it.

The daemon only reads and appends; what changes an existing entry is a person's act and lives elsewhere.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from dxwatchd.core.entries import (
    KEYS,
    Broken,
    Entry,
    Problem,
    in_order,
    near,
    normal_path,
    read_entry,
    text_of,
)
from dxwatchd.core.naming import canonical
from dxwatchd.core.text import printable
from dxwatchd.core.toml_lines import KeySpot, Lines, Spot, lines_of
from dxwatchd.core.toml_reading import loads
from dxwatchd.core.toml_salvage import Salvage, salvage


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest.

    parses: whether it is TOML of the right shape at all (else there are no entries);
    text: what it was read from, for the lines of its entries;
    strays: broken entries that stand under no [[models]], by number, with the top-level key they stand at.
    """

    entries: tuple[Entry, ...] = ()
    broken: tuple[Broken, ...] = ()
    problems: tuple[Problem, ...] = ()
    parses: bool = True
    text: str = field(default="", repr=False)
    strays: Mapping[int, str] = field(default_factory=dict)

    def spot(self, number: int, key: str = "") -> Spot:
        """Where an entry, or the value of one of its keys, stands; zeros where that cannot be told."""
        if number in self.strays:
            return _lines(self.text).top.get(self.strays[number], _NOWHERE).key
        return _spot(_lines(self.text), number, key)

    def at_path(self, path: str) -> Entry | None:
        """The entry of the folder at `path`."""
        return next((entry for entry in self.entries if entry.path == path), None)

    def named(self, technical_name: str) -> Entry | None:
        """The entry of this technical name, compared as canonical forms."""
        wanted = canonical(technical_name)
        return next((entry for entry in self.entries if entry.keys[0] == wanted), None)


def parse(text: str, root: str = "") -> Manifest:
    """Read a manifest's text. Never raises: what is wrong is in `problems`, with lines, in file order.

    root: the models root, which paths are relative to. Of a file that does not parse there are no entries;
    its faults come first, then what is wrong with those of its entries that can be read.
    """
    try:
        data = loads(text)
    except (ValueError, RecursionError):
        return Manifest(problems=_of_no_toml(text, root), parses=False, text=text)
    problems = [
        Problem(f'unknown key "{printable(key, 80)}"', _meant(data, key), key=key, of_key=True, stops=False)
        for key in data
        if key != "models"
    ]
    tables = data.get("models", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        shape = Problem(
            '"models" is not an array of tables', "begin each entry with a line [[models]]", key="models"
        )
        # what is wrong with the whole file comes first
        return Manifest(problems=(*_placed([shape], text), *_placed(problems, text)), parses=False, text=text)
    entries: list[Entry] = []
    broken: list[Broken] = []
    for number, table in enumerate(tables):
        entry, wrong = read_entry(number, table, root)
        problems.extend(wrong)
        if entry is not None:
            entries.append(entry)
        else:
            broken.append(_broken(number, table))
    strays = dict(enumerate(_strays(data), start=len(tables)))
    broken.extend(_broken(number, table) for number, (_, table) in strays.items())
    keys = {number: key for number, (key, _) in strays.items()}
    first = {key: number for number, key in reversed(keys.items())}
    problems = [_of_stray(problem, first) for problem in problems]
    return Manifest(
        tuple(entries), tuple(broken), tuple(_placed(problems, text, keys)), text=text, strays=keys
    )


def _broken(number: int, table: Mapping[str, Any]) -> Broken:
    technical, model = text_of(table, "technical_name"), text_of(table, "model_name")
    return Broken(number, technical, model, normal_path(text_of(table, "path")))


def _is_entry(value: object) -> bool:
    """Whether a table was meant to be an entry: it names a model or its folder."""
    return isinstance(value, dict) and bool(text_of(value, "technical_name") or text_of(value, "path"))


def _strays(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Entries whose header is misspelt or gone, with the top-level key at which each begins.

    Nobody meant to remove them: they keep their cards and folders, as other broken ones do.
    """
    if _is_entry(data):
        yield next(key for key in data if key in KEYS), data
    for key, value in data.items():
        if key != "models":
            yield from (
                (key, one) for one in (value if isinstance(value, list) else [value]) if _is_entry(one)
            )


def _meant(data: Mapping[str, Any], key: str) -> str:
    """What to do about a top-level key that is not `models`."""
    if key in KEYS and _is_entry(data):
        return "put a line [[models]] before the first line of this entry"
    return near(key, frozenset({"models"}))


def _of_stray(problem: Problem, strays: Mapping[str, int]) -> Problem:
    """A problem of the file, as that of the broken entry whose header is what is wrong."""
    number = strays.get(problem.key)
    if problem.entry is not None or number is None:
        return problem
    remedy = problem.remedy if problem.key in KEYS else "begin each entry with a line [[models]]"
    return replace(problem, entry=number, remedy=remedy, stops=True)


def _of_no_toml(text: str, root: str) -> tuple[Problem, ...]:
    """Every problem of a text that is no TOML."""
    left = salvage(text)
    faults = [
        Problem(
            f"not valid TOML: {printable(fault.advice.message, 200)}",
            fault.advice.remedy,
            fault.line,
            fault.column,
        )
        for fault in left.faults
    ]
    if left.text:
        faults.extend(problem for problem in parse(left.text, root).problems if not _is_lost(problem, left))
    return tuple(faults)


def _is_lost(problem: Problem, left: Salvage) -> bool:
    """Whether a key is only missing because its line could not be read."""
    return problem.key in left.lost.get(problem.line, ())


@lru_cache(maxsize=4)
def _lines(text: str) -> Lines:
    return lines_of(text, "models")


_NOWHERE = KeySpot(Spot(), Spot())


def _spot(lines: Lines, number: int, key: str, *, of_key: bool = False) -> Spot:
    """Where to look for what is wrong with an entry: at its key or value, or else at its header."""
    if not 0 <= number < len(lines.tables):
        return lines.top.get("models", _NOWHERE).key  # an inline array
    table = lines.tables[number]
    there = table.keys.get(key)
    if there is None:
        return table.header
    return there.key if of_key else there.value


def _placed(problems: list[Problem], text: str, strays: Container[int] = ()) -> list[Problem]:
    """The problems with the places they are at, in that order."""
    if not problems:
        return []
    lines = _lines(text)
    placed = []
    for problem in problems:
        if problem.entry is None or problem.entry in strays:
            spot = lines.top.get(problem.key, _NOWHERE).key
        else:
            spot = _spot(lines, problem.entry, problem.key, of_key=problem.of_key)
        placed.append(replace(problem, line=spot.line, column=spot.column))
    return sorted(placed, key=in_order)
