"""Where the tables and keys of a TOML text stand, which the standard parser does not tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PART = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_HEADER = re.compile(rf"\s*\[(?P<array>\[?)\s*(?P<name>{_PART})\s*(?P<end>\]?)")
_KEY = re.compile(rf"\s*(?P<key>{_PART})\s*[=.]")


@dataclass(slots=True)
class TableLines:
    """One `[[table]]`: the line of its header and of each of its keys, all 1-based."""

    header: int
    keys: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Lines:
    """tables: every `[[table]]` of the name asked for, in order; top: the line of every top-level key."""

    tables: list[TableLines] = field(default_factory=list)
    top: dict[str, int] = field(default_factory=dict)


def lines_of(text: str, name: str) -> Lines:
    """The lines of a valid TOML text; an inline array of tables called `name` has none of its own.

    What looks like a header or a key inside a multi-line string or array is not taken for one.
    """
    found = Lines()
    keys: dict[str, int] | None = found.top
    value = _Value()
    for number, line in enumerate(text.split("\n"), start=1):
        start = 0
        if not value.open:
            header, key = _HEADER.match(line), _KEY.match(line)
            if header is not None:
                keys = None
                found.top.setdefault(_bare(header["name"]), number)
                if header["array"] and header["end"] and _bare(header["name"]) == name:
                    found.tables.append(TableLines(number))
                    keys = found.tables[-1].keys
                continue
            if key is not None:
                if keys is not None:
                    keys.setdefault(_bare(key["key"]), number)
                start = key.end()
        value.read(line, start)
    return found


def _bare(key: str) -> str:
    return key[1:-1] if key[0] in "\"'" else key


class _Value:
    """How far a value goes: the string and the brackets that the lines read so far leave open."""

    def __init__(self) -> None:
        self.string = ""
        self.depth = 0

    @property
    def open(self) -> bool:
        return bool(self.string) or self.depth > 0

    def read(self, line: str, start: int) -> None:
        at = start
        while at < len(line):
            char = line[at]
            if self.string:
                at = self._in_string(line, at)
            elif char == "#":
                return
            elif char in "\"'":
                self.string = char * 3 if line.startswith(char * 3, at) else char
                at += len(self.string)
            else:
                self.depth += (char in "[{") - (char in "]}")
                at += 1
        if len(self.string) == 1:
            self.string = ""  # only the others go on in the next line

    def _in_string(self, line: str, at: int) -> int:
        """The place behind the next character of a string, or behind its end."""
        if line[at] == "\\" and self.string[0] == '"':
            return at + 2
        if not line.startswith(self.string, at):
            return at + 1
        end = at + len(self.string)
        if len(self.string) == 3:  # a fourth and fifth quote belong to the string and stand before its end
            while end < at + 5 and line.startswith(self.string[0], end):
                end += 1
        self.string = ""
        return end
