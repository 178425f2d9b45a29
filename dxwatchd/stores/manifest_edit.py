"""A person's changes to the manifest, made by a program: compare, exchange, verify.

Comments and order stay (`tomlkit`), and so do line ends, a byte order mark, mode, owner and access list. How
the new text gets in place without anybody's save being lost is in `exchange`.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Comment, Item, Null, Table, Whitespace

from dxwatchd.core.claims import settle
from dxwatchd.core.entries import Problem, normal_path, text_of
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.records import Published
from dxwatchd.core.text import printable
from dxwatchd.stores.exchange import bring_back, exchange, one_at_a_time
from dxwatchd.stores.manifest_file import Changed, ManifestError, patiently, read_whole

Change = Callable[[AoT], None]
"""Gets the tables of all entries and changes them in place. May raise ManifestError to leave all as it is."""


def edit(path: Path, change: Change) -> None:
    """Apply `change` to the manifest.

    Raises ManifestError where the file is not valid TOML, where the change would leave it invalid, or where
    others keep saving it; then nothing was changed.
    """
    target = Path(os.path.realpath(path))  # a link stays a link: what it leads to is replaced

    def step() -> None:
        if target.parent.is_dir() and not bring_back(target):
            raise Changed  # what a try before left aside is still written to
        with one_at_a_time(target.parent):
            seen = read_whole(path)
            exchange(target, seen.data, seen.mark + _changed(seen.text, change).encode())

    patiently(step)


def _changed(text: str, change: Change) -> str:
    before = parse(text)
    if not before.parses:
        problem = before.problems[0]
        raise ManifestError(f"line {problem.line}: {problem.message}", "mend the file first")
    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    glue = "" if not text or text.endswith("\n") else "\n"  # else what is added would go on in the last line
    try:
        document = tomlkit.parse(text + glue)
    except TOMLKitError as error:
        raise ManifestError(f"it cannot be read for a change: {error}", "mend the file first") from None
    if "models" not in document:
        document["models"] = tomlkit.aot()
    tables = document["models"]
    if not isinstance(tables, AoT):
        raise ManifestError("its entries are an inline array", "write them as [[models]] tables")
    there = list(tables)
    change(tables)
    rest = _hand_on(there, tables)
    wanted = {key: value for key, value in tomllib.loads(text).items() if key != "models"}
    if len(tables):
        wanted["models"] = [table.unwrap() for table in tables]
    else:
        document.remove("models")
    after = tomlkit.dumps(document) + rest
    if glue and after.rpartition("\n")[0].endswith(text.rpartition("\n")[2]):
        after = after.removesuffix(glue)
    if crlf:
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    _insist_on(wanted, after)
    known = Counter(map(_without_lines, _problems(before)))
    for problem in _problems(parse(after)):
        known[_without_lines(problem)] -= 1
        if known[_without_lines(problem)] < 0:  # not there before, or not as often
            raise ManifestError(problem.message, problem.remedy)
    return after


def _insist_on(wanted: Mapping[str, Any], after: str) -> None:
    """Refuse a text that does not say exactly what it was to say: a table inside others may confuse."""
    try:
        same = _plain(tomllib.loads(after)) == _plain(wanted)
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise ManifestError("other lines of the file would suffer from this", "make the change in an editor")


def _plain(data: object) -> str:
    """Data so that it can be compared: a nan is not equal to itself, keys may come in any order, and a string
    of several lines has their ends for one reader and line feeds for the other.
    """
    return json.dumps(data, sort_keys=True, default=str).replace("\\r\\n", "\\n")


def _hand_on(before: Sequence[Table], tables: AoT) -> str:
    """Give what a person wrote between two entries to the next one, where the first of them was deleted.

    Returns what stands behind the last one.
    """
    left = {id(table) for table in tables}
    between = ""
    for table in before:
        if id(table) in left:
            table.trivia.indent = between + table.trivia.indent
            between = ""
        else:
            between += _behind(table)
    return between


def _behind(table: Table) -> str:
    """The comments behind an entry that are no part of it: those after an empty line."""
    last: Item = table
    lines: list[str] = []
    while isinstance(last, Table | AoT):
        body = last.value.body if isinstance(last, Table) else [(None, one) for one in last.body]
        items = [item for _, item in body if not isinstance(item, Null)]
        trivia = list(takewhile(lambda item: isinstance(item, Comment | Whitespace), reversed(items)))
        # not by splitlines: to Unicode some characters of a comment end lines, to TOML they do not
        lines = re.findall(r"[^\n]*\n|[^\n]+", "".join(item.as_string() for item in reversed(trivia)))
        if trivia or not items:
            break
        last = items[-1]
    empty = next((at for at, line in enumerate(lines) if not line.strip()), len(lines))
    first = next((at for at in range(empty, len(lines)) if lines[at].strip()), 0)
    return "".join(lines[first - 1 :]) if first else ""


def _problems(manifest: Manifest) -> tuple[Problem, ...]:
    """Every problem, names that collide included: whose card is published plays no part in an edit."""
    return (*manifest.problems, *settle(manifest, Published()).problems)


def _without_lines(problem: Problem) -> tuple[str, str]:
    """The problem whatever line it is on: a change above it moves it."""
    return problem.key, re.sub(r"\bline \d+", "line", problem.message)


def table_of(tables: AoT, technical_name: str, path: str | None = None, number: int = -1) -> Table:
    """The table of an entry: its name may stand at another path too, pasted or not changed yet.

    path: the entry's, None where any is meant; number: where it stood when it was read, which tells tables of
    the same name and path apart. Raises ManifestError where there is none.
    """
    found = [at for at, table in enumerate(tables) if says(table, technical_name, path)]
    if found:
        return tables[number if number in found else found[0]]
    where = "" if path is None else f' at the path "{printable(path, 120)}"'
    raise ManifestError(
        f'no entry has the technical name "{technical_name}"{where}', "`dxwatchd status` shows them all"
    )


def says(table: object, technical_name: str, path: str | None) -> bool:
    """Whether a table gives this name and this path, whatever else is wrong with it."""
    if not isinstance(table, Table) or table.get("technical_name") != technical_name:
        return False
    return path is None or normal_path(text_of(table, "path")) == path


def put(table: Table, values: Mapping[str, Any]) -> None:
    """Set keys of an entry; a value of None removes the key."""
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif table.get(key) != value:
            table[key] = value
