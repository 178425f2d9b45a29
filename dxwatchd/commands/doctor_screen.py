"""What `doctor` shows: by what it is about, each finding with its grade, below it what to do."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version

from rich.console import Console
from rich.text import Text

from dxwatchd.commands import output
from dxwatchd.core.checkup.findings import About, Finding, Grade, worst
from dxwatchd.core.checkup.rights import Person
from dxwatchd.core.text import printable

STYLES = {Grade.WELL: "green", Grade.NOT_CHECKED: "dim", Grade.LOOK: "yellow", Grade.WRONG: "bold red"}
WIDTH = max(map(len, Grade)) + 4
"""Columns before the text."""

MOST = 2000
"""Characters of one text."""


def show(findings: Iterable[Finding], person: Person) -> None:
    """For a person; on a terminal long lines go on below their text, elsewhere each stays one line."""
    findings = list(findings)
    made = output.console()
    output.say(f"dxwatchd {version('dxwatchd')}, Python {platform.python_version()}, {_kernel()}")
    output.say(f"rights are those of {printable(person.name)}, {person.why}")
    for about in About:
        of_it = [finding for finding in findings if finding.about is about]
        if of_it:
            made.print()
            made.print(Text(about.value, style="bold"))
        for finding in of_it:
            _line(made, finding.grade.value, STYLES[finding.grade], finding.found)
            if finding.remedy:
                _line(made, "", "", f"→ {finding.remedy}")
    made.print()
    made.print(_sum(findings))


def _line(made: Console, label: str, style: str, text: str) -> None:
    whole = Text(printable(text, MOST))
    lines = list(whole.wrap(made, max(made.width - WIDTH - 1, 20))) if made.is_terminal else [whole]
    for number, line in enumerate(lines):
        before = Text(f"  {label if not number else '':<{WIDTH - 2}}", style=style)
        line.rstrip()
        if not label and number:
            before = Text(" " * (WIDTH + 2))
        made.print(before, line, sep="")


def _sum(findings: list[Finding]) -> Text:
    counts = Counter(finding.grade for finding in findings)
    told = ", ".join(f"{counts[grade]} {grade.value}" for grade in reversed(Grade) if counts[grade])
    grade = worst(findings)
    return Text(told, style=STYLES[grade])


def _kernel() -> str:
    return f"{platform.system()} {platform.release()}"


def as_json(findings: Iterable[Finding], person: Person) -> None:
    """For a program."""
    findings = list(findings)
    output.as_json(
        {
            "version": version("dxwatchd"),
            "python": platform.python_version(),
            "rights_of": {"user": person.name, "uid": person.user, "why": person.why},
            "worst": worst(findings).value,
            "findings": [
                {
                    "about": finding.about.value,
                    "grade": finding.grade.value,
                    "found": printable(finding.found, MOST),
                    "remedy": printable(finding.remedy, MOST),
                }
                for finding in findings
            ],
        }
    )
