"""One entry of the manifest: what it holds, and every problem that one can have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Any

from dxwatchd.core.naming import MAX_MODEL_NAME, canonical, model_name_problem, slug, technical_name_problem
from dxwatchd.core.text import is_text, printable


class Status(StrEnum):
    """What a person decided."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


STATUSES = frozenset(status.value for status in Status)

OVERRIDES = frozenset(
    {"model_usage_type", "template", "license", "license_name", "license_link", "language", "tags", "tasks"}
    | {"pipeline_tag", "library_name", "datasets", "base_model", "base_model_relation"}
    | {"authors", "limitations", "notes"}
)
"""Keys that replace what was read from the folder; the card says so."""

REQUIRED = ("status", "technical_name", "model_name", "path")
KEYS = frozenset({*REQUIRED, "fingerprint", "digest"}) | OVERRIDES

_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")
_DELETE = {"fingerprint": "delete the line to take what is there", "digest": "delete the line"}

MAX_PART, MAX_PATH = 255, 4_095
"""Bytes of a file's name and of a path: NAME_MAX of Linux, and PATH_MAX without the zero byte at its end.
No folder that lies anywhere has a longer path, so none is proposed that could not be approved."""

MOST_UNKNOWN = 20
"""Unknown keys of one entry that are told one by one."""

MAX_OVERRIDE = 10_000
"""Characters or items of an override: more than any sane note."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the manifest that a person should mend.

    line, column: 1-based, 0 where there is none to tell; message: what is wrong; remedy: what to do;
    key: the key it is about; of_key: whether it is the key itself and not its value;
    stops: whether the entry (or, with `entry` None, the whole file) is not in force because of it.
    """

    message: str
    remedy: str
    line: int = 0
    column: int = 0
    entry: int | None = None
    key: str = ""
    of_key: bool = False
    stops: bool = True

    def at(self, file: str) -> str:
        """`FILE:LINE:COLUMN: message; remedy`, as compilers and editors write it."""
        place = ":".join(str(part) for part in (file, self.line, self.column) if part)
        return f"{place}: {self.message}; {self.remedy}"


def in_order(problem: Problem) -> tuple[int, int, str]:
    """Sorts problems as a person reads the file."""
    return problem.line, problem.column, problem.message


@dataclass(frozen=True, slots=True)
class Entry:
    """One `[[models]]` table that can be used.

    number: its position in the file, from 0; digest: of the bytes that were approved under the fingerprint,
    where that alone does not tell them from others (it counts only beside one: deleting the line
    `fingerprint` takes what is there); overrides: what a person wants the card to say.
    """

    number: int
    status: Status
    technical_name: str
    model_name: str
    path: str
    fingerprint: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    digest: str | None = None

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


def read_entry(number: int, table: Mapping[str, Any], root: str = "") -> tuple[Entry | None, list[Problem]]:
    """The entry that `table` is, the one of this `number` in the file, and all that is wrong with it.

    root: the models root, for what to do about a path below it that is given whole.
    No entry where a problem stops it.
    """
    problems = [
        replace(problem, entry=number)
        for problem in (*_keys(table), *_status(table), *_names(table), *_path(table, root), *_rest(table))
    ]
    if any(problem.stops for problem in problems):
        return None, problems
    entry = Entry(
        number,
        Status(table["status"]),
        table["technical_name"],
        table["model_name"],
        normal_path(table["path"]),
        table.get("fingerprint"),
        {key: table[key] for key in sorted(OVERRIDES & table.keys())},
        table.get("digest") if "fingerprint" in table else None,
    )
    return entry, problems


def _keys(table: Mapping[str, Any]) -> Iterator[Problem]:
    unknown = [key for key in table if key not in KEYS]
    for key in unknown[:MOST_UNKNOWN]:
        what = f'unknown key "{printable(key, 80)}"'
        yield Problem(what, near(key, KEYS), key=key, of_key=True, stops=False)
    if len(unknown) > MOST_UNKNOWN:
        more = f"{len(unknown) - MOST_UNKNOWN:,} unknown keys more"
        yield Problem(more, "delete them", key=unknown[MOST_UNKNOWN], of_key=True, stops=False)
    for key in REQUIRED:
        if key not in table:
            yield Problem(f'"{key}" is missing', f'add a line {key} = "…"', key=key)
        elif not isinstance(table[key], str):
            yield Problem(f'"{key}" is not a string', "put it in double quotes", key=key)


def _status(table: Mapping[str, Any]) -> Iterator[Problem]:
    status = table.get("status")
    if isinstance(status, str) and status not in STATUSES:
        yield Problem(f'status "{printable(status, 80)}" is not known', near(status, STATUSES), key="status")


def _names(table: Mapping[str, Any]) -> Iterator[Problem]:
    technical, model = table.get("technical_name"), table.get("model_name")
    if isinstance(technical, str) and (what := technical_name_problem(technical)):
        better = slug(technical)
        remedy = f'write "{better}"' if better else 'choose one such as "qwen3-8b"'
        yield Problem(f'technical_name "{printable(technical, 80)}": {what}', remedy, key="technical_name")
    if isinstance(model, str) and (what := model_name_problem(model)):
        remedy = f"write a name of 1 to {MAX_MODEL_NAME} printable characters"
        yield Problem(f'model_name "{printable(model, 80)}": {what}', remedy, key="model_name")


def _path(table: Mapping[str, Any], root: str) -> Iterator[Problem]:
    path = table.get("path")
    if isinstance(path, str) and (what := path_problem(normal_path(path))):
        yield Problem(f'path "{printable(path, 120)}": {what}', _path_remedy(path, root), key="path")


def _path_remedy(path: str, root: str) -> str:
    """What to do about a path that cannot be an entry's."""
    below = normal_path(path).removeprefix(f"{root}/") if root else path
    if root and below != normal_path(path) and not path_problem(below):
        return f'write it relative to the models root: path = "{printable(below, 120)}"'
    if any(char in path for char in "\b\t\n\f\r"):
        return "write / between the folders: in double quotes, \\ makes a control character of some letters"
    return "write the folder's path relative to the models root, with / between its parts"


def _rest(table: Mapping[str, Any]) -> Iterator[Problem]:
    for key in _DELETE:
        pinned = table.get(key, "sha256:" + 64 * "0")
        if not isinstance(pinned, str) or _FINGERPRINT.fullmatch(pinned) is None:
            what = f"{key} is not sha256: and 64 hexadecimal digits"
            yield Problem(what, _DELETE[key], key=key)
    if "digest" in table and "fingerprint" not in table:
        yield Problem('"digest" says nothing without "fingerprint"', "delete it", key="digest", stops=False)
    for key in sorted(OVERRIDES & table.keys()):
        items = table[key] if isinstance(table[key], list) else [table[key]]
        if not all(isinstance(item, str) for item in items):
            yield Problem(f'"{key}" is neither a string nor a list of strings', "put it in quotes", key=key)
        elif max(len(items), *map(len, items), 0) > MAX_OVERRIDE:
            yield Problem(f'"{key}" is longer than {MAX_OVERRIDE:,} characters', "shorten it", key=key)


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
    if len(path.encode()) > MAX_PATH or any(len(part.encode()) > MAX_PART for part in path.split("/")):
        return f"it is too long for any file system, which takes {MAX_PART} bytes for each name"
    return None


@lru_cache(maxsize=1024)
def near(word: str, known: frozenset[str]) -> str:
    """What to do about a word that is none of those `known`."""
    close = get_close_matches(word[:80].casefold(), sorted(known), n=1)
    return f'did you mean "{close[0]}"?' if close else f"known are {', '.join(sorted(known))}"


def text_of(table: Mapping[str, Any], key: str) -> str:
    """The string under `key`; "" for anything else."""
    value = table.get(key, "")
    return value if isinstance(value, str) else ""
