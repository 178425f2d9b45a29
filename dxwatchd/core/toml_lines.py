"""Where the tables and keys of a TOML text stand, which the standard parser does not tell."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field

_PART = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_HEADER = re.compile(rf"\s*(?P<open>\[\[?)\s*(?P<name>{_PART}(?:\s*\.\s*{_PART})*)\s*(?P<close>\]{{0,2}})")
_KEY = re.compile(rf"\s*(?P<key>{_PART})(?:\s*\.\s*{_PART})*\s*=[ \t]*")
_EACH_PART = re.compile(_PART)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a text, 1-based; 0 where there is none to tell."""

    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class KeySpot:
    """Where a key stands, and where its value begins."""

    key: Spot
    value: Spot


@dataclass(slots=True)
class TableLines:
    """One `[[table]]`: where its header and each of its keys stand."""

    header: Spot
    keys: dict[str, KeySpot] = field(default_factory=dict)


@dataclass(slots=True)
class Lines:
    """tables: every `[[table]]` of the name asked for, in order; top: every top-level key;
    unclosed: where a value begins that does not end (in a text that is no TOML).
    """

    tables: list[TableLines] = field(default_factory=list)
    top: dict[str, KeySpot] = field(default_factory=dict)
    unclosed: Spot | None = None


def lines_of(text: str, name: str) -> Lines:
    """The places in a TOML text; an inline array of tables called `name` has none of its own.

    What looks like a header or a key inside a multi-line string or array is not taken for one.
    """
    found = Lines()
    keys: dict[str, KeySpot] | None = found.top
    value = OpenValue()
    began = Spot()
    for number, line in enumerate(text.split("\n"), start=1):
        start = 0
        if not value.open:
            header = _HEADER.match(line)
            if header is not None:
                keys = _under(found, header, number, name)
                continue
            key = _KEY.match(line)
            if key is not None:
                start = key.end()
            began = Spot(number, start + 1)
            if key is not None and keys is not None:
                keys.setdefault(_bare(key["key"]), KeySpot(Spot(number, key.start("key") + 1), began))
        value.read(line, start)
    found.unclosed = began if value.open else None
    return found


def _under(found: Lines, header: re.Match[str], number: int, name: str) -> dict[str, KeySpot] | None:
    """Note a header. Returns where the keys that follow it belong; None where nobody asks for them."""
    parts = [_bare(part) for part in _EACH_PART.findall(header["name"])]
    spot = Spot(number, header.start("open") + 1)
    found.top.setdefault(parts[0], KeySpot(spot, spot))
    if parts[0] != name:
        return None
    if len(parts) > 1:  # [models.x]: the key x of the last table
        if found.tables:
            found.tables[-1].keys.setdefault(parts[1], KeySpot(spot, spot))
        return None
    if header["open"] != "[[" or header["close"] != "]]":
        return None
    found.tables.append(TableLines(spot))
    return found.tables[-1].keys


def key_of(line: str) -> str:
    """The key that a line gives a value to; "" where it does not."""
    key = _KEY.match(line)
    return _bare(key["key"]) if key is not None else ""


def _bare(key: str) -> str:
    """A key without its quotes and escapes."""
    if key[0] not in "\"'":
        return key
    if "\\" in key and key[0] == '"':
        try:
            return next(iter(tomllib.loads(f"{key} = 0")))
        except ValueError:
            return key[1:-1]
    return key[1:-1]


_MARK = re.compile(r"""[#\[\]{}]|"(?:"")?|'(?:'')?""")
_ENDS = {
    '"': re.compile(r'\\.?|"'),
    "'": re.compile(r"'"),
    # a fourth and fifth quote belong to the string and stand before its end
    '"""': re.compile(r'\\.?|"{3,5}'),
    "'''": re.compile(r"'{3,5}"),
}


class OpenValue:
    """How far a value goes: the string and the brackets that the lines read so far leave open."""

    def __init__(self) -> None:
        self.string = ""
        self.depth = 0

    @property
    def open(self) -> bool:
        """Whether the value goes on in the next line."""
        return bool(self.string) or self.depth > 0

    def read(self, line: str, start: int) -> str:
        """Read on from `start` in the next line. Returns the quote of a string that should end in it and
        does not, "" where all is well.
        """
        at = start
        while True:
            if self.string:
                at = self._end_of_string(line, at)
                if at < 0:
                    break
            mark = _MARK.search(line, at)
            if mark is None or mark[0] == "#":
                break
            at = mark.end()
            if mark[0] in "[]{}":
                self.depth += 1 if mark[0] in "[{" else -1
            else:
                self.string = mark[0]
        left = self.string if len(self.string) == 1 else ""
        if left:
            self.string = ""  # only the others go on in the next line
        return left

    def _end_of_string(self, line: str, at: int) -> int:
        """The place behind the end of the string; -1 where it does not end in this line."""
        for found in _ENDS[self.string].finditer(line, at):
            if found[0][0] != "\\":
                self.string = ""
                return found.end()
        return -1
