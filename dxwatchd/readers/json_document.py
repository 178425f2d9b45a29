"""JSON as it is found in model folders: broken in known ways, sometimes hostile.

What is only unusual (a byte order mark, UTF-16, NaN, duplicate keys) is read with a warning. What cannot
be read is refused with the line and a plain sentence. Time and memory are bounded by the size of the file,
the number of its values and the depth of its nesting.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.reading import bytes_left, read_up_to

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

LIMIT = 64 * 1024 * 1024  # bytes; the index of the largest known model has 10 MB
MAX_DEPTH = 100  # levels; real configs have less than 10
MAX_VALUES = 4_000_000  # a parsed value takes up to 72 bytes of memory, so about 300 MB at the worst
MAX_DIGITS = 100  # of an integer: still a finite float, so no arithmetic on it can overflow
MAX_WARNINGS = 20

_SURROGATE = re.compile("[\ud800-\udfff]")
_CUT_NUMBER = re.compile(r"(\.|[eE][+-]?)$")
_CUT_ESCAPE = re.compile(r"[^\"]{0,6}$")
_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A parsed document. warnings: sentences about what was read differently from how it is written."""

    value: JsonValue
    warnings: tuple[str, ...] = ()


def read_json(stream: BinaryIO, *, limit: int = LIMIT) -> JsonDocument:
    """Parses the stream from where it stands to its end. limit: in bytes.

    NaN, infinite numbers and integers of more than `MAX_DIGITS` digits become None; of duplicate keys the
    last wins; halves of surrogate pairs become U+FFFD. Each of these with a warning.

    Raises ReaderError: EMPTY without a byte; TRUNCATED where the document ends early or in zeros; TOO_LARGE
    beyond the limit or with too many values; MALFORMED with the line; UNREADABLE.
    """
    size = bytes_left(stream)
    if size > limit:
        raise ReaderError(Fault.TOO_LARGE, f"The file has more than {limit} bytes.")
    data = read_up_to(stream, size)
    if not data:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    text = _decoded(data)
    check_values(text)
    warnings = _Warnings()
    value = _parsed(text, warnings)
    _check_depth(value)
    if "\\u" in text and _has_surrogates(value):  # only an escape can bring one in
        value = _without_surrogates(value)
        warnings.append("A string holds half of a surrogate pair, which was replaced.")
    return JsonDocument(value, warnings.sentences())


def as_object(document: JsonDocument) -> dict[str, JsonValue]:
    """The document's value. Raises ReaderError: MALFORMED where that is not an object."""
    if not isinstance(document.value, dict):
        kind = "a list" if isinstance(document.value, list) else json.dumps(document.value)[:40]
        raise ReaderError(Fault.MALFORMED, f"The JSON must be an object {{...}}, but it is {kind}.", 1)
    return document.value


def check_values(text: str) -> None:
    """Raises ReaderError: TOO_LARGE where parsing JSON `text` could take too much memory.

    Every value but the first follows one of these characters; those in strings only make the bound tighter.
    """
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise ReaderError(Fault.TOO_LARGE, f"The JSON has more than {MAX_VALUES} values.")


def _decoded(data: bytes) -> str:
    """The text, in whichever Unicode encoding RFC 4627 and its byte order mark say."""
    encoding = json.detect_encoding(data)
    if not data.strip(b"\0"):
        raise ReaderError(Fault.TRUNCATED, "The file is filled with zeros: allocated, but not yet written.")
    if encoding.startswith("utf-8") and data.endswith(b"\0"):
        raise ReaderError(Fault.TRUNCATED, "The file ends in zeros: its end is not yet written.")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        # A character cut in two at the very end is what a copy looks like that is under way.
        cut = error.reason in ("unexpected end of data", "truncated data") and error.end == len(data)
        if cut:
            raise ReaderError(Fault.TRUNCATED, "The file ends within a character.", line) from error
        message = f"Byte {error.start} is not valid {encoding.upper()} text."
        raise ReaderError(Fault.MALFORMED, message, line) from error


class _Warnings:
    """The first `MAX_WARNINGS` distinct sentences, and how many there were beyond."""

    def __init__(self) -> None:
        self._kept: dict[str, None] = {}  # in order, without repetition
        self._beyond = 0

    def append(self, sentence: str) -> None:
        if len(self._kept) < MAX_WARNINGS:
            self._kept[sentence] = None
        elif sentence not in self._kept:
            self._beyond += 1

    def sentences(self) -> tuple[str, ...]:
        return (*self._kept, *([f"And {self._beyond} more such warnings."] if self._beyond else []))


class _Lenient:
    """What the parser calls for each value that may be written in an unusual way."""

    def __init__(self, warnings: _Warnings) -> None:
        self._warnings = warnings

    def constant(self, name: str) -> None:
        self._warnings.append(f"{name} is not a number in JSON; it was read as null.")

    def integer(self, digits: str) -> int | None:
        if len(digits) <= MAX_DIGITS:
            return int(digits)
        self._warnings.append(f"An integer of {len(digits)} digits was read as null.")
        return None

    def real(self, digits: str) -> float | None:
        number = float(digits)
        if math.isfinite(number):
            return number
        self._warnings.append(f"The number {quoted(digits, 20)} is too large; it was read as null.")
        return None

    def pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            met: set[str] = set()
            for key, _ in items:
                if key in met:
                    self._warnings.append(f"The key {quoted(key)} stands there twice; the last one counts.")
                met.add(key)
        return made


def _parsed(text: str, warnings: _Warnings) -> JsonValue:
    lenient = _Lenient(warnings)
    try:
        value: JsonValue = json.loads(
            text,
            parse_constant=lenient.constant,
            parse_int=lenient.integer,
            parse_float=lenient.real,
            object_pairs_hook=lenient.pairs,
        )
    except json.JSONDecodeError as error:
        raise _explained(text, error) from error
    except RecursionError as error:
        raise _too_deep() from error
    return value


def _explained(text: str, error: json.JSONDecodeError) -> ReaderError:
    """The parser's error as ours: cut off, or wrong."""
    rest = text[error.pos : error.pos + 16]
    ends_early = (
        error.msg.startswith("Unterminated string")
        or not text[error.pos :].strip()
        or any(literal.startswith(rest) for literal in _LITERALS)
        or _CUT_NUMBER.match(rest) is not None
        or (error.msg.startswith("Invalid \\") and _CUT_ESCAPE.match(rest) is not None)
    )
    if ends_early:
        return ReaderError(Fault.TRUNCATED, "The JSON ends before it is complete.", error.lineno)
    message = f"The JSON is not valid at column {error.colno}: {error.msg}."
    if rest.startswith(("//", "/*", "#")):
        message += " JSON allows no comments."
    return ReaderError(Fault.MALFORMED, message, error.lineno)


def _too_deep() -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"The JSON is nested more than {MAX_DEPTH} levels deep.")


def _check_depth(value: JsonValue) -> None:
    """Level by level, not by recursion: the parser accepts deeper nesting than others can walk."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                deeper += [inner for inner in item.values() if isinstance(inner, (dict, list))]
            elif isinstance(item, list):
                deeper += [inner for inner in item if isinstance(inner, (dict, list))]
        if not deeper:
            return
        level = deeper
    raise _too_deep()


def _has_surrogates(value: JsonValue) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_surrogates(key) or _has_surrogates(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_surrogates, value))


def _without_surrogates(value: JsonValue) -> JsonValue:
    """The same value, fit to be encoded as UTF-8."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", key): _without_surrogates(inner) for key, inner in value.items()}
    return list(map(_without_surrogates, value)) if isinstance(value, list) else value
