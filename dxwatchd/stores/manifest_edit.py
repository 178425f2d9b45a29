"""A person's changes to the manifest, made by a program: compare, exchange, verify.

Comments and order stay (`tomlkit`), and so do line ends, a byte order mark, mode, owner and access list. How
the new text gets in place without anybody's save being lost is in `exchange`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from dxwatchd.core.claims import settle
from dxwatchd.core.entries import Problem, normal_path, text_of
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.records import Published
from dxwatchd.core.text import printable
from dxwatchd.stores.exchange import bring_back, exchange, one_at_a_time
from dxwatchd.stores.manifest_file import ManifestError, patiently, read_whole

Change = Callable[[AoT], None]
"""Gets the tables of all entries and changes them in place. May raise ManifestError to leave all as it is."""


def edit(path: Path, change: Change) -> None:
    """Apply `change` to the manifest.

    Raises ManifestError where the file is not valid TOML, where the change would leave it invalid, or where
    others keep saving it; then nothing was changed.
    """
    target = Path(os.path.realpath(path))  # a link stays a link: what it leads to is replaced

    def step() -> None:
        seen = read_whole(path)
        exchange(target, seen.data, seen.mark + _changed(seen.text, change).encode())

    if target.parent.is_dir():
        bring_back(target)
    with one_at_a_time(target.parent):
        patiently(step)


def _changed(text: str, change: Change) -> str:
    before = parse(text)
    if not before.parses:
        problem = before.problems[0]
        raise ManifestError(f"line {problem.line}: {problem.message}", "mend the file first")
    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ManifestError(f"it cannot be read for a change: {error}", "mend the file first") from None
    if "models" not in document:
        document["models"] = tomlkit.aot()
    tables = document["models"]
    if not isinstance(tables, AoT):
        raise ManifestError("its entries are an inline array", "write them as [[models]] tables")
    change(tables)
    after = tomlkit.dumps(document)
    if not len(tables):
        after = after.replace("models = []\n", "")
    if crlf:
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    known = Counter(map(_without_lines, _problems(before)))
    for problem in _problems(parse(after)):
        known[_without_lines(problem)] -= 1
        if known[_without_lines(problem)] < 0:  # not there before, or not as often
            raise ManifestError(problem.message, problem.remedy)
    return after


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
