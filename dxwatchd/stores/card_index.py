"""`index.json`: what it says of cards, removed ones included, read with care."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dxwatchd.core.naming import canonical, technical_name_problem
from dxwatchd.stores.plain_file import read_plain

INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a removed card. revision: that of the removal, one more than the card's last."""

    technical_name: str
    model_name: str
    path: str
    revision: int


@dataclass(frozen=True, slots=True)
class Line:
    """What the index says of a card."""

    digest: str
    tombstone: Tombstone


@dataclass(frozen=True, slots=True)
class Index:
    """models_root: "" in an index of dxwatchd 0.1.0; None where there is no index."""

    generation: int = 0
    sequence: int = 0
    forgotten: int = 0
    models_root: str | None = None
    lines: Mapping[str, Line] = field(default_factory=dict)
    tombstones: Mapping[str, Tombstone] = field(default_factory=dict)


def read_index(path: Path) -> Index:
    """The index, or an empty one where it is missing or damaged: it can be made again from the cards."""
    try:
        data = json.loads(read_plain(path))
        return Index(
            number(data["generation"]),
            number(data.get("sequence", 0)),
            number(data.get("forgotten_revision", 0)),
            text(data.get("models_root", "")),
            {
                canonical(line["technical_name"]): Line(text(line["digest"]), _tombstone(line))
                for line in data["models"]
            },
            {canonical(line["technical_name"]): _tombstone(line) for line in data["tombstones"]},
        )
    except DAMAGE:
        return Index()


def _tombstone(line: Mapping[str, Any]) -> Tombstone:
    return Tombstone(
        name_of(line["technical_name"]),
        text(line["model_name"]),
        text(line["path"]),
        number(line["revision"]),
    )


DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a damaged file raises; RecursionError for a hostile one."""


def text(value: object) -> str:
    """A text of a file that should have one there. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def name_of(value: object) -> str:
    """A technical name: it becomes a file's name, so a damaged one must lead nowhere else.

    Raises TypeError, ValueError.
    """
    name = text(value)
    if technical_name_problem(name):
        raise ValueError("not a technical name")
    return name


def number(value: object) -> int:
    """A number that counts something, of a file that should have one there. Raises TypeError."""
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError("not a number that counts something")
    return value
