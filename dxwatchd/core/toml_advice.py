"""A line that is no TOML → what is wrong with it in a person's words, and what to do about it."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass

from dxwatchd.core.text import printable
from dxwatchd.core.toml_lines import OpenValue, key_of

TYPOGRAPHIC = (
    "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2032\u2033\uff02\uff07\u0060\u00b4"
)
"""Quotes of word processors and web pages, which TOML does not know as such."""

CONFLICT = re.compile(r"(<{7}|\|{7}|={7}|>{7})(?![<|=>])")
"""What begins a line that git wrote into a file which two people changed."""

_START = re.compile(r"\s*(?P<key>[\w.-]+)\s*(?P<sign>:=|[:\uff1d\uff1a]|=)?\s*(?P<rest>.*)", re.DOTALL)
_BAD_ESCAPE = re.compile(r'\\(?![btnfre"\\]|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})|\\U(?!000[0-9A-Fa-f]{5}|0010)')
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Advice:
    """What to tell. column: a better one than the parser's, 0 where it has none."""

    message: str
    remedy: str
    column: int = 0


CONFLICT_ADVICE = Advice(
    "a conflict that git left in the file",
    "keep one of the two versions, and delete the other with the lines <<<<<<<, ======= and >>>>>>>",
    1,
)

SINGLE_BRACKETS = Advice("[models] is one table, and not one of many", "write [[models]], in double brackets")


def advise(said: str, line: str, column: int) -> Advice:
    """said: the parser's words; line: where it stopped, at this column (1-based; behind the end: none)."""
    for look in (_odd_character, _escape, _string, _twice, _nesting, _header, _key, _value, _tail):
        advice = look(said, line, column)
        if advice is not None:
            return advice
    return Advice(said, "mend this line, or put # before it if it is a comment")


def _odd_character(_said: str, line: str, column: int) -> Advice | None:
    char = line[column - 1 : column]
    if char and char in TYPOGRAPHIC:
        return _straight(column)
    if char == "\ufeff":
        return Advice("a byte order mark", "save the file as UTF-8 without one", column)
    hidden = char and (not char.isprintable() or (char != " " and unicodedata.category(char) == "Zs"))
    if hidden and char not in "\t\r":
        what = f"the invisible character U+{ord(char):04X}"
        return Advice(f"{what} has no place here", "delete it, and type the line anew if need be", column)
    if char == "\r" and column < len(line):
        return Advice("a carriage return inside a line", "end lines with a line feed", column)
    return None


def _straight(column: int) -> Advice:
    return Advice(
        "typographic quotes, as word processors make them",
        'type straight quotes at both ends instead: "…"',
        column,
    )


def _escape(said: str, line: str, column: int) -> Advice | None:
    if not any(word in said for word in ("nescaped", "hex value", "Escaped")):
        return None
    found = _BAD_ESCAPE.search(line, line.find("=") + 1)
    between = "write / between the folders" if key_of(line) == "path" else "write \\\\ for each \\"
    return Advice(
        "in double quotes a \\ begins an escape, and this is none",
        f"{between}, or use single quotes, in which \\ means itself",
        found.start() + 1 if found is not None else column,
    )


def _string(said: str, line: str, _column: int) -> Advice | None:
    """A string that does not end where it should."""
    if not any(
        word in said for word in ("Illegal character", "Unterminated", 'Expected "\'"', "Expected '\"'")
    ):
        return None
    value = OpenValue()
    quote = value.read(line, 0)
    if value.string:
        return Advice("a string that never ends", f"close it with {value.string}")
    if not quote:
        return None
    began = line.find(quote) + 1
    end = line.rstrip()[-1:]
    if any(char in TYPOGRAPHIC for char in line[began:]):
        odd = next(at for at, char in enumerate(line) if at >= began and char in TYPOGRAPHIC)
        return _straight(odd + 1)
    if end != quote and end in "\"'" and len(line.rstrip()) > began:
        return Advice(
            f"a string that begins with {quote} and ends with {end}", "use the same quote at both ends"
        )
    return Advice("a string that does not end on its line", f"close it with {quote}")


def _twice(said: str, line: str, _column: int) -> Advice | None:
    if not any(word in said for word in ("overwrite", "twice", "Cannot mutate", "immutable")):
        return None
    key = key_of(line)
    if not key:
        return Advice(
            "another line makes something else of this table",
            "write [[models]], in double brackets, wherever an entry begins; give other tables once",
        )
    return Advice(
        f'the key "{printable(key, _SHOWN)}" is there twice',
        "delete one of the two, or begin the next entry with a line [[models]]",
        len(line) - len(line.lstrip()) + 1,
    )


def _header(said: str, line: str, _column: int) -> Advice | None:
    if not line.lstrip().startswith("["):
        return None
    if "newline" in said:
        return Advice("a header with something else on its line", "write [[models]] on a line of its own")
    return Advice(said, "begin each entry with a line [[models]] and nothing else on it")


def _key(said: str, line: str, _column: int) -> Advice | None:
    """Nothing that gives a key a value."""
    begins = _START.match(line)
    if line.lstrip().startswith("="):
        return Advice("no key before the =", 'write key = "value"')
    if begins is None or begins["sign"] == "=" or "newline" in said:
        return None
    if "Expected '='" not in said and "statement" not in said:
        return None
    key, rest = begins["key"], begins["rest"].strip()
    if begins["sign"]:
        sign = begins["sign"]
        return Advice(f"{sign} instead of =", f"write {_pair(key, rest)}", begins.start("sign") + 1)
    if rest and " " not in rest.strip("\"'"):
        return Advice("no = between key and value", f"write {_pair(key, rest)}")
    return Advice(
        "a line that gives no key a value", 'write key = "value", or put # before it if it is a comment'
    )


def _value(said: str, line: str, column: int) -> Advice | None:
    if "Invalid value" not in said:
        return None
    key, rest = key_of(line), line[column - 1 :].strip()
    alone = "=" in line and not line[line.find("=") + 1 : column - 1].strip()
    if not rest:
        return Advice("no value behind the =", 'write one in double quotes: "…"')
    if rest[0] in ",]}":
        return Advice("a value is missing here", "delete the comma too much, or write the value")
    word = rest.partition("#")[0].strip()
    if key and rest[0] == ">":
        return Advice("=> instead of =", f"write {_pair(key, rest[1:].strip())}")
    if key and alone:
        return Advice(f"the value {printable(word, _SHOWN)} has no quotes", f"write {_pair(key, word)}")
    return Advice(f"{said}: {printable(word, _SHOWN)}", "put each item in double quotes, with , between")


def _pair(key: str, value: str) -> str:
    """`key = "value"` as it should be."""
    bare = value.partition("#")[0] if value[:1] not in "\"'" else value
    bare = bare.strip().strip(",;").strip("\"'" + TYPOGRAPHIC)
    shown = json.dumps(printable(bare, _SHOWN), ensure_ascii=False) if bare else '"…"'
    return f"{printable(key, _SHOWN)} = {shown}"


def _tail(said: str, line: str, column: int) -> Advice | None:
    """Something behind a value that is whole."""
    if "newline" not in said:
        return None
    rest = line[column - 1 :].strip()
    if rest in (",", ";"):
        return Advice(f"{rest} behind the value", "delete it: each line ends without one")
    if '"' in rest and "=" not in rest:
        return Advice(
            f"the string ends before {printable(rest, _SHOWN)}", 'write \\" for a quote inside a string'
        )
    return Advice(
        f"{printable(rest, _SHOWN)} behind the value",
        "begin a new line there, or put # before it if it is a comment",
    )


def _nesting(said: str, _line: str, _column: int) -> Advice | None:
    if "Unclosed array" in said:
        return Advice("a list that is not closed", "close it with ], and put a comma between its items")
    if "Unclosed inline table" in said:
        return Advice("a table in { } that is not closed", "close it with }, on the line that it begins on")
    if "thousand parts" in said:
        return Advice(said, "no key of an entry has a dot: delete this line")
    if "digits" in said:
        return Advice(said, "write a smaller one, or put it in double quotes")
    if "nested" in said:
        return Advice(said, "no value of an entry needs more than one pair of brackets")
    return None
