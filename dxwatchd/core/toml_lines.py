"""Where the tables and keys of a TOML text stand, which the standard parser does not tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEADER = re.compile(r"^\s*\[\[\s*(?P<name>[A-Za-z0-9_\-\"']+)\s*\]\]")
_OTHER_HEADER = re.compile(r"^\s*\[(?!\[)")
_KEY = re.compile(r"^\s*(?P<key>\"[^\"]*\"|'[^']*'|[A-Za-z0-9_\-]+)\s*(?:=|\.)")


@dataclass(slots=True)
class TableLines:
    """One `[[table]]`: the line of its header and of each of its keys, all 1-based."""

    header: int
    keys: dict[str, int] = field(default_factory=dict)


def table_lines(text: str, name: str) -> list[TableLines]:
    """The lines of every `[[name]]` of a text, in order; an inline array of tables gives none.

    Multi-line strings are skipped over, so that what looks like a header inside one is not taken for one.
    """
    tables: list[TableLines] = []
    inside = False
    closing: str | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if closing is not None:
            closing = _after_multiline(line, closing)
            continue
        header = _HEADER.match(line)
        if header is not None:
            inside = header["name"].strip("\"'") == name
            if inside:
                tables.append(TableLines(number))
        elif _OTHER_HEADER.match(line):
            inside = False
        elif inside and (key := _KEY.match(line)) is not None:
            tables[-1].keys.setdefault(key["key"].strip("\"'"), number)
        closing = _opens_multiline(line)
    return tables


def _opens_multiline(line: str) -> str | None:
    """The delimiter of a multi-line string that this line leaves open."""
    at = 0
    while at < len(line):
        char = line[at]
        if char == "#":
            return None
        if char not in "\"'":
            at += 1
            continue
        if line.startswith(char * 3, at):
            end = _end_of(line, at + 3, char * 3)
            if end is None:
                return char * 3
            at = end
        else:
            end = _end_of(line, at + 1, char)
            at = len(line) if end is None else end
    return None


def _after_multiline(line: str, closing: str) -> str | None:
    end = _end_of(line, 0, closing)
    return closing if end is None else _opens_multiline(line[end:])


def _end_of(line: str, start: int, delimiter: str) -> int | None:
    """The place behind the next `delimiter`; backslashes escape only in strings of double quotes."""
    at = start
    while at < len(line):
        if line[at] == "\\" and delimiter[0] == '"':
            at += 2
        elif line.startswith(delimiter, at):
            return at + len(delimiter)
        else:
            at += 1
    return None
