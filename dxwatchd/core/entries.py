"""One entry of the manifest: what it holds, and every problem that one can have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from dxwatchd.core.naming import MAX_MODEL_NAME, canonical, model_name_problem, slug, technical_name_problem
from dxwatchd.core.text import is_text, printable


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

REQUIRED = ("status", "technical_name", "model_name", "path")
KEYS = frozenset({*REQUIRED, "fingerprint", "digest"}) | OVERRIDES

_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")
_DELETE = {"fingerprint": "delete the line to take what is there", "digest": "delete the line"}
MAX_OVERRIDE = 10_000
"""Characters or items of an override: more than any sane note."""


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


def read_entry(number: int, table: Mapping[str, Any]) -> tuple[Entry | None, list[Problem]]:
    """The entry that `table` is, the one of this `number` in the file, and all that is wrong with it.

    No entry where a problem stops it.
    """
    problems = [
        replace(problem, entry=number)
        for problem in (*_keys(table), *_status(table), *_names(table), *_path(table), *_rest(table))
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
    for key in table:
        if key not in KEYS:
            yield Problem(f'unknown key "{printable(key, 80)}"', near(key, KEYS), key=key, stops=False)
    for key in REQUIRED:
        if key not in table:
            yield Problem(f'"{key}" is missing', f'add a line {key} = "…"', key=key)
        elif not isinstance(table[key], str):
            yield Problem(f'"{key}" is not a string', "put it in double quotes", key=key)


def _status(table: Mapping[str, Any]) -> Iterator[Problem]:
    status = table.get("status")
    if isinstance(status, str) and status not in tuple(Status):
        shown = printable(status, 80)
        yield Problem(f'status "{shown}" is not known', near(status, tuple(Status)), key="status")


def _names(table: Mapping[str, Any]) -> Iterator[Problem]:
    technical, model = table.get("technical_name"), table.get("model_name")
    if isinstance(technical, str) and (what := technical_name_problem(technical)):
        better = slug(technical)
        remedy = f'write "{better}"' if better else 'choose one such as "qwen3-8b"'
        yield Problem(f'technical_name "{printable(technical, 80)}": {what}', remedy, key="technical_name")
    if isinstance(model, str) and (what := model_name_problem(model)):
        remedy = f"write a name of 1 to {MAX_MODEL_NAME} printable characters"
        yield Problem(f'model_name "{printable(model, 80)}": {what}', remedy, key="model_name")


def _path(table: Mapping[str, Any]) -> Iterator[Problem]:
    path = table.get("path")
    if isinstance(path, str) and (what := path_problem(normal_path(path))):
        remedy = "write the folder's path relative to the models root, with / between its parts"
        yield Problem(f'path "{printable(path, 120)}": {what}', remedy, key="path")


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
    return None


def near(word: str, known: Collection[str]) -> str:
    """What to do about a word that is none of those `known`."""
    close = get_close_matches(word[:80], sorted(known), n=1)
    return f'did you mean "{close[0]}"?' if close else f"known are {', '.join(sorted(known))}"


def text_of(table: Mapping[str, Any], key: str) -> str:
    """The string under `key`; "" for anything else."""
    value = table.get(key, "")
    return value if isinstance(value, str) else ""
