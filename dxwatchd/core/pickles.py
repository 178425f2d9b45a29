"""What the pickles of a file import, as their opcodes tell it: plain values."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "unknown"
"""Stands for an import whose name the opcodes only compute, or fetch from a registry of the program that
loads them. A name that is known has a dot in it."""


@dataclass(frozen=True, slots=True)
class PickleContent:
    """All pickles of one file together.

    globals: `module.name` of everything that they import, as written there, sorted, each once, and `UNKNOWN`;
    complete: whether all of them were read to their end; problem: one sentence on why not, else "".
    """

    globals: tuple[str, ...] = ()
    complete: bool = True
    problem: str = ""
