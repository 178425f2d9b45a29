"""TOML as the standard parser reads it, in bounded time, and where it stops."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from dxwatchd.core.toml_lines import OpenValue, lines_of

MOST_PARTS = 1_000
"""Dots outside of strings on one line. The parser takes a time that is the square of a key's parts."""

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_LONG_NUMBER = re.compile(r"(?<![0-9_\"'\w])[0-9][0-9_]{4299,}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')


class LongKeyError(ValueError):
    """A line that nobody wrote by hand, and that would take minutes to read."""

    def __init__(self, line: int) -> None:
        super().__init__("a key of more than a thousand parts")
        self.line = line


def loads(text: str) -> dict[str, Any]:
    """The data of a TOML text. Raises ValueError, RecursionError."""
    if text.count(".") > MOST_PARTS:
        _refuse_long_keys(text)
    return tomllib.loads(text)


def _refuse_long_keys(text: str) -> None:
    lines = text.split("\n")
    if all(line.count(".") <= MOST_PARTS for line in lines):
        return
    value = OpenValue()
    for number, line in enumerate(lines, start=1):
        if not value.string and not line.lstrip().startswith("#") and line.count(".") > MOST_PARTS:
            bare = _STRING.sub("", line.partition("#")[0] if not {'"', "'"} & set(line) else line)
            if bare.count(".") > MOST_PARTS:
                raise LongKeyError(number)
        value.read(line, 0)


def error_in(text: str) -> tuple[str, int, int] | None:
    """What the parser says of a text: its words, line and column; None where it takes it."""
    try:
        loads(text)
    except LongKeyError as error:
        return str(error), error.line, 1
    except RecursionError:
        return "brackets are nested too deeply", *_deepest(text)
    except ValueError as error:
        words = str(error)
        place = _PLACE.search(words)
        if place is None:  # the interpreter's own words, of a number that it does not read
            number = _LONG_NUMBER.search(text)
            return "a number of thousands of digits", *_spot(text, number.start() if number else 0)
        words = words[: place.start()]
        if place[1]:
            return words, int(place[1]), int(place[2])
        begun = lines_of(text, "models").unclosed
        if begun is not None:
            return words, begun.line, begun.column
        torn = _torn(text)
        if torn is not None:
            return words, *torn
        end = text.rstrip()
        return words, *_spot(text, len(end))
    return None


def _torn(text: str) -> tuple[int, int] | None:
    """The end of the first line in which a string should end and does not: the parser looks for its end in
    the lines that follow, and tells the last of them.
    """
    value = OpenValue()
    for number, line in enumerate(text.split("\n"), start=1):
        if value.read(line, 0):
            return number, len(line.rstrip("\r")) + 1
    return None


def _spot(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _deepest(text: str) -> tuple[int, int]:
    """The line on which brackets are deepest, and the column of its first one."""
    value, found, most = OpenValue(), 1, 0
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        value.read(line, 0)
        deep = max(value.depth, line.count("["), line.count("{"), line.count("."))
        if deep > most:
            found, most = number, deep
    return found, max(1, len(lines[found - 1]) - len(lines[found - 1].lstrip("[{ \t")) + 1)
