"""The manifest's text → entries and every problem in it; and the text of a new proposal.

The daemon only reads and appends; what changes an existing entry is a person's act and lives elsewhere.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Any

from dxwatchd.core.naming import MAX_MODEL_NAME, canonical, model_name_problem, slug, technical_name_problem
from dxwatchd.core.text import is_text, printable
from dxwatchd.core.toml_lines import TableLines, table_lines


class Status(StrEnum):
    """What a person decided."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


OVERRIDES = frozenset(
    {"model_usage_type", "template", "license", "license_name", "license_link", "language", "tags", "tasks"}
    | {"pipeline_tag", "library_name", "datasets", "base_model", "base_model_relation"}
    | {"authors", "limitations", "notes"}
)
"""Keys that replace what was read from the folder; the card says so."""

KEYS = frozenset({"status", "technical_name", "model_name", "path", "fingerprint"}) | OVERRIDES

_FINGERPRINT = re.compile(r"^sha256:[0-9a-f]{64}$")
MAX_OVERRIDE = 10_000
"""Characters or items of an override; more than any sane note."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the manifest that a person should mend.

    line, column: 1-based, 0 where there is none to tell; message: what is wrong; remedy: what to do;
    stops: whether the entry (or, with `entry` None, the whole file) is not in force because of it.
    """

    message: str
    remedy: str
    line: int = 0
    column: int = 0
    entry: int | None = None
    key: str = ""
    stops: bool = True

    def at(self, file: str) -> str:
        """`FILE:LINE:COLUMN: message; remedy`, as compilers and editors write it."""
        place = ":".join(str(part) for part in (file, self.line, self.column) if part)
        return f"{place}: {self.message}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One `[[models]]` table that can be used.

    number: its position in the file, from 0; overrides: what a person wants the card to say.
    """

    number: int
    status: Status
    technical_name: str
    model_name: str
    path: str
    fingerprint: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, str]:
        """The canonical technical name and model name."""
        return canonical(self.technical_name), canonical(self.model_name)


@dataclass(frozen=True, slots=True)
class Broken:
    """What is still known of an entry that cannot be used: it keeps its card and its folder from others."""

    number: int
    technical_name: str = ""
    model_name: str = ""
    path: str = ""


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
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        return Manifest(problems=(_syntax(error, text),), parses=False, text=text)
    problems = [
        Problem(f'unknown key "{printable(key, 80)}"', _near(key, ("models",)), key=key, stops=False)
        for key in data
        if key != "models"
    ]
    tables = data.get("models", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        shape = Problem(
            '"models" is not an array of tables', "begin each entry with a line [[models]]", key="models"
        )
        return Manifest(problems=tuple(_placed([*problems, shape], text)), parses=False, text=text)
    entries: list[Entry] = []
    broken: list[Broken] = []
    for number, table in enumerate(tables):
        entry, wrong = _entry(number, table)
        problems.extend(wrong)
        if entry is not None:
            entries.append(entry)
        else:
            broken.append(
                Broken(number, *(_text(table, key) for key in ("technical_name", "model_name", "path")))
            )
    placed = tuple(_placed(problems, text)) if problems else ()
    return Manifest(tuple(entries), tuple(broken), placed, text=text)


@lru_cache(maxsize=4)
def _lines(text: str) -> list[TableLines]:
    return table_lines(text, "models")


def _line(lines: list[TableLines], number: int, key: str) -> int:
    if number >= len(lines):
        return 0
    return lines[number].keys.get(key, lines[number].header)


def _placed(problems: list[Problem], text: str) -> list[Problem]:
    """The problems with the lines they stand on, in that order."""
    placed = [
        problem
        if problem.entry is None
        else replace(problem, line=_line(_lines(text), problem.entry, problem.key))
        for problem in problems
    ]
    return sorted(placed, key=lambda problem: (problem.line, problem.message))


_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def _syntax(error: Exception, text: str) -> Problem:
    message = "tables are nested too deeply" if isinstance(error, RecursionError) else str(error)
    place = _PLACE.search(message)
    line, column = text.count("\n") + 1, 0
    if place is not None:
        message = message[: place.start()]
        if place[1]:
            line, column = int(place[1]), int(place[2])
    return Problem(
        f"not valid TOML: {printable(message, 200)}",
        "mend this line; until then the last good manifest stays in force",
        line=line,
        column=column,
    )


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    return value if isinstance(value, str) else ""


def _entry(number: int, table: Mapping[str, Any]) -> tuple[Entry | None, list[Problem]]:
    problems: list[Problem] = []

    def wrong(key: str, message: str, remedy: str, *, stops: bool = True) -> None:
        problems.append(Problem(message, remedy, entry=number, key=key, stops=stops))

    for key in table:
        if key not in KEYS:
            wrong(key, f'unknown key "{printable(key, 80)}"', _near(key, KEYS), stops=False)
    for key in ("status", "technical_name", "model_name", "path"):
        if key not in table:
            wrong(key, f'"{key}" is missing', f'add a line {key} = "…"')
        elif not isinstance(table[key], str):
            wrong(key, f'"{key}" is not a string', "put it in double quotes")
    status = _text(table, "status")
    if status and status not in tuple(Status):
        wrong("status", f'status "{printable(status, 80)}" is not known', _near(status, tuple(Status)))
    technical = _text(table, "technical_name")
    if isinstance(table.get("technical_name"), str) and (what := technical_name_problem(technical)):
        better = slug(technical)
        remedy = f'write "{better}"' if better else 'choose one such as "qwen3-8b"'
        wrong("technical_name", f'technical_name "{printable(technical, 80)}": {what}', remedy)
    model = _text(table, "model_name")
    if isinstance(table.get("model_name"), str) and (what := model_name_problem(model)):
        remedy = f"write a name of 1 to {MAX_MODEL_NAME} printable characters"
        wrong("model_name", f'model_name "{printable(model, 80)}": {what}', remedy)
    path = normal_path(_text(table, "path"))
    if isinstance(table.get("path"), str) and (what := path_problem(path)):
        remedy = "write the folder's path relative to the models root, with / between its parts"
        wrong("path", f'path "{printable(path, 120)}": {what}', remedy)
    pinned = table.get("fingerprint")
    if pinned is not None and (not isinstance(pinned, str) or _FINGERPRINT.match(pinned) is None):
        wrong(
            "fingerprint",
            "fingerprint is not sha256: and 64 hexadecimal digits",
            "delete the line to take what is there",
        )
    overrides = {key: table[key] for key in sorted(OVERRIDES & table.keys())}
    for key, value in overrides.items():
        if not _is_override(value):
            wrong(key, f'"{key}" is neither a string nor a list of strings', "put it in double quotes")
    if any(problem.stops for problem in problems):
        return None, problems
    return Entry(number, Status(status), technical, model, path, pinned, overrides), problems


def _is_override(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_OVERRIDE
    return isinstance(value, list) and len(value) <= 1000 and all(isinstance(item, str) for item in value)


def normal_path(path: str) -> str:
    """A path without the harmless extras that people write: `./`, doubled and final slashes."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def path_problem(path: str) -> str | None:
    """What is wrong with an entry's path, as a sentence; None where nothing is."""
    if not path:
        return "it names the models root itself"
    if path.startswith("/"):
        return "it is absolute"
    if ".." in path.split("/"):
        return 'it holds ".."'
    if not is_text(path):
        return "it holds control characters"
    return None


def _near(word: str, known: Mapping[str, Any] | frozenset[str] | tuple[str, ...]) -> str:
    close = get_close_matches(word, sorted(known), n=1)
    return f'did you mean "{close[0]}"?' if close else f"known are {', '.join(sorted(known))}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block to be appended. found: the comment's words on what was found; rejected: names not taken, and why."""

    technical_name: str
    model_name: str
    path: str
    fingerprint: str
    found: str = ""
    rejected: tuple[str, ...] = ()


def render(proposals: tuple[Proposal, ...], date: str) -> str:
    """The text of new blocks, each beginning with an empty line. date: ISO 8601, for the comment."""
    return "".join(_block(proposal, date) for proposal in proposals)


def _block(proposal: Proposal, date: str) -> str:
    lines = [
        "",
        "[[models]]",
        'status = "proposed"              # "approved" registers it; "rejected" stops the asking',
        f"technical_name = {quoted(proposal.technical_name)}",
        f"model_name = {quoted(proposal.model_name)}",
        f"path = {quoted(proposal.path)}",
        f"fingerprint = {quoted(proposal.fingerprint)}",
        f"# found {date}: {printable(proposal.found, 200)}",
    ]
    lines.extend(f"# not taken: {printable(name, 200)}" for name in proposal.rejected)
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """`text` as a TOML basic string (TOML 1.0, String: JSON's escapes, and DEL escaped too)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


HEADER = """\
# The manifest of dxwatchd: which model folders are registered, and under which names.
#
# A new model folder is proposed by a block at the end of this file. To register it, change its
#     status = "proposed"   to   status = "approved"
# and save. "rejected" stops the asking. Names may be changed before; both are unique across the system.
# A block may also be written by hand before the folder is there: it waits for it.
# The same from a shell: dxwatchd approve NAME, dxwatchd reject NAME, dxwatchd add TECHNICAL_NAME MODEL_NAME PATH
"""
"""What a new manifest begins with."""
