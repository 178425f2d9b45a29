"""How commands answer: tables and sentences for people, JSON for programs, problems for both."""

from __future__ import annotations

import errno
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dxwatchd.core.text import printable
from dxwatchd.journald import is_journal, with_priority
from dxwatchd.troubles import GOES_ON, describe

DONE, PROBLEMS, USAGE, CANNOT = 0, 1, 2, 3
"""Exit codes: done, problems found, wrong usage, cannot run."""

LABEL_WIDTH = 14
"""Columns of the labels in `labelled`."""

STATE_STYLES = {
    "registered": "green",
    "available": "green",
    "proposed": "cyan",
    "copying": "yellow",
    "incomplete": "yellow",
    "drifted": "magenta",
    "missing": "red",
    "conflict": "red",
    "invalid": "red",
    "unreadable": "red",
    "rejected": "dim",
}


class CommandError(Exception):
    """A command cannot do what it is asked. code: the exit code; remedy: what to do."""

    def __init__(self, message: str, remedy: str = "", *, code: int = CANNOT) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.code = code


def cannot_use(folder: Path, error: OSError) -> CommandError:
    """The state directory refuses."""
    if error.errno in _RIGHTS:
        return CommandError(
            f"{error.filename or folder}: {error.strerror}",
            f"give the user that runs this the right to write to {folder}",
        )
    return CommandError(describe(error, folder))


def refused(error: OSError, path: Path, what: str = "") -> CommandError:
    """Nothing could be written to `path` or beside it. what: what does not happen, before the reason."""
    before = f"{what}: " if what else ""
    if error.errno == errno.EPERM:  # who may write to a file may all the same not replace it
        remedy = "run this as its owner or as root: its folder may be sticky; or `lsattr` shows it is locked"
        return CommandError(f"{before}{path}: {error.strerror}", remedy)
    if error.errno in _RIGHTS:
        return CommandError(
            f"{before}{path}: {error.strerror}", "run this as a user who may write to it and its folder"
        )
    told = describe(OSError(error.errno, error.strerror, str(path)), path).removesuffix(GOES_ON)
    return CommandError(f"{before}{told}", "nothing was changed; try again then")


_RIGHTS = (errno.EACCES, errno.EPERM)


def console(*, stderr: bool = False) -> Console:
    """The console: as wide as the terminal; wide and plain where the output goes elsewhere."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, soft_wrap=True, width=200, no_color=True)
    return made


def say(text: str) -> None:
    """One line for a person, on standard output."""
    console().print(escape(text))


def complain(text: str) -> None:
    """One line on standard error."""
    console(stderr=True).print(escape(text))


def fail(text: str) -> None:
    """One line of why a command cannot be done; an error in the journal, where a service is that command."""
    complain(with_priority(text, logging.ERROR) if is_journal(sys.stderr) else text)


def as_json(data: Any) -> None:
    """Data for a program."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=True) + "\n")


def state(name: str) -> str:
    """A state's name, in its colour."""
    style = STATE_STYLES.get(name)
    return f"[{style}]{name}[/]" if style else escape(name)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()
) -> None:
    """A table. Cells are markup: escape what comes from outside. right: columns of numbers."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    console().print(made)


def labelled(groups: Iterable[Iterable[tuple[str, str]]]) -> None:
    """Groups of labelled lines with an empty line between. Text from outside: printable, never markup.

    On a terminal long lines go on below their text; elsewhere each stays one line.
    """
    made = console()
    for number, group in enumerate(groups):
        if number:
            made.print()
        for label, text in group:
            lines = [Text(text)]
            if made.is_terminal:
                lines = list(Text(text).wrap(made, max(made.width - LABEL_WIDTH - 1, 20)))
            for at, line in enumerate(lines):
                made.print(Text(f"{label if not at else '':<{LABEL_WIDTH}} ", style="bold"), line, sep="")


def cell(text: object) -> str:
    """A value from outside as a cell: printable, on one line, without markup."""
    return escape(printable(str(text), 300)) if text not in (None, "") else "–"


def human_size(size: int | None) -> str:
    """A size in binary units."""
    if size is None:
        return "–"
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError(size)
