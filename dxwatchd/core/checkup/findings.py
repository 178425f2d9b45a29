"""What one check found, and how well that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dxwatchd.core.checkup.rights import SEARCH, Person, Place, closed_at, grant


class Grade(StrEnum):
    """How well a thing is, from best to worst. NOT_CHECKED: nobody can tell, which counts as no trouble."""

    WELL = "well"
    NOT_CHECKED = "not checked"
    LOOK = "worth a look"
    WRONG = "wrong"


class About(StrEnum):
    """What a check is about, in the order in which people are told."""

    SETTINGS = "settings"
    ROOT = "models root"
    STATE = "state directory"
    MANIFEST = "manifest"
    DAEMON = "daemon"
    SERVICE = "service"
    LIMITS = "limits"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. found: what it is like, in plain words; remedy: "" for nothing to do."""

    about: About
    grade: Grade
    found: str
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Grade:
    """The worst grade among findings."""
    grades = list(Grade)
    return max((finding.grade for finding in findings), key=grades.index, default=Grade.WELL)


def shut_off(about: About, person: Person, way: Iterable[Place], path: str) -> Finding | None:
    """What keeps a person from going to `path`; None where nothing does. way: the folders that lead there."""
    closed = closed_at(way)
    if closed is None:
        return None
    found = f"{person.name} may not go through {closed.path} ({closed.described}) to {path}"
    return Finding(about, Grade.WRONG, found, f"let it: {grant(person, SEARCH, closed.path)}")


def size(number: int) -> str:
    """A size in binary units, as people read it."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
