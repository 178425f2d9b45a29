"""The manifest's text → entries and every problem in it.

The daemon only reads and appends; what changes an existing entry is a person's act and lives elsewhere.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import lru_cache

from dxwatchd.core.entries import Broken, Entry, Problem, near, normal_path, read_entry, text_of
from dxwatchd.core.naming import canonical
from dxwatchd.core.text import printable
from dxwatchd.core.toml_lines import Lines, lines_of


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest.

    parses: whether it is TOML of the right shape at all (else there are no entries);
    text: what it was read from, for the lines of its entries.
    """

    entries: tuple[Entry, ...] = ()
    broken: tuple[Broken, ...] = ()
    problems: tuple[Problem, ...] = ()
    parses: bool = True
    text: str = field(default="", repr=False)

    def line(self, number: int, key: str = "") -> int:
        """The line of an entry, or of one of its keys where it has it; 0 where that cannot be told."""
        return _line(_lines(self.text), number, key)

    def at_path(self, path: str) -> Entry | None:
        """The entry of the folder at `path`."""
        return next((entry for entry in self.entries if entry.path == path), None)

    def named(self, technical_name: str) -> Entry | None:
        """The entry of this technical name, compared as canonical forms."""
        wanted = canonical(technical_name)
        return next((entry for entry in self.entries if entry.keys[0] == wanted), None)


def parse(text: str) -> Manifest:
    """Read a manifest's text. Never raises: what is wrong is in `problems`, with lines, in file order."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return Manifest(problems=(_syntax(error, text),), parses=False, text=text)
    problems = [
        Problem(f'unknown key "{printable(key, 80)}"', near(key, ("models",)), key=key, stops=False)
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
        entry, wrong = read_entry(number, table)
        problems.extend(wrong)
        if entry is not None:
            entries.append(entry)
        else:
            technical, model = text_of(table, "technical_name"), text_of(table, "model_name")
            broken.append(Broken(number, technical, model, normal_path(text_of(table, "path"))))
    return Manifest(tuple(entries), tuple(broken), tuple(_placed(problems, text)), text=text)


@lru_cache(maxsize=4)
def _lines(text: str) -> Lines:
    return lines_of(text, "models")


def _line(lines: Lines, number: int, key: str) -> int:
    if not 0 <= number < len(lines.tables):
        return lines.top.get("models", 0)  # an inline array
    return lines.tables[number].keys.get(key, lines.tables[number].header)


def _placed(problems: list[Problem], text: str) -> list[Problem]:
    """The problems with the lines they stand on, in that order."""
    if not problems:
        return []
    lines = _lines(text)
    placed = [
        replace(problem, line=lines.top.get(problem.key, 0))
        if problem.entry is None
        else replace(problem, line=_line(lines, problem.entry, problem.key))
        for problem in problems
    ]
    return sorted(placed, key=lambda problem: (problem.line, problem.message))


_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def _syntax(error: Exception, text: str) -> Problem:
    message = "tables are nested too deeply" if isinstance(error, RecursionError) else str(error)
    place = _PLACE.search(message)
    line, column = 0, 0
    if place is not None:
        message = message[: place.start()]
        line = int(place[1]) if place[1] else text.count("\n") + 1
        column = int(place[2]) if place[2] else 0
    return Problem(
        f"not valid TOML: {printable(message, 200)}",
        "mend this line; until then the last good manifest stays in force",
        line=line,
        column=column,
    )
