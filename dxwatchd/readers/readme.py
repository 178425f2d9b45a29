"""The lines of a README → its sections. Nothing is rendered: headings, fences and comments are told apart.

Source of what is a heading, a fence, a comment: https://spec.commonmark.org/0.31.2/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dxwatchd.core.readme import Section, without_markup

MAX_SECTIONS = 500  # real READMEs have less than 100; what comes after is not read
MAX_SECTION = 64 * 1024  # characters of a section's text, and of its code, that are kept
MAX_HEADING = 1000  # characters of a heading that are looked at
MAX_TITLE = 200  # characters of it that are kept

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")


def read_sections(lines: Iterable[str]) -> tuple[Section, ...]:
    """The sections in order. A fence or a comment that nothing closes goes on to the end."""
    found: list[Section] = []
    open_one = _Open(0, "")
    for inside_code, line in _without_comments(lines):
        heading = None if inside_code else _heading(line, open_one)
        if heading is None:
            open_one.add(line, code=inside_code)
            continue
        if open_one.level or open_one.has_content():
            found.append(open_one.section())
        open_one = _Open(*heading)
        if len(found) >= MAX_SECTIONS:
            return tuple(found)
    if open_one.level or open_one.has_content():
        found.append(open_one.section())
    return tuple(found)


class _Open:
    """The section that is being read."""

    def __init__(self, level: int, heading: str) -> None:
        self.level = level
        self._heading = heading
        self._lines: tuple[list[str], list[str]] = ([], [])  # text, code
        self._left = [MAX_SECTION, MAX_SECTION]

    def add(self, line: str, *, code: bool) -> None:
        """One more line, or as much of it as may be kept."""
        kept = line[: self._left[code]]
        if self._left[code] > 0:
            self._lines[code].append(kept)
        self._left[code] -= len(kept) + 1

    def last(self) -> str | None:
        """The last line, if it is a paragraph of one line, and None otherwise."""
        text = self._lines[0]
        if not text or not text[-1].strip() or text[-1].startswith(("    ", "\t", "|", "-", ">", "*")):
            return None
        return text[-1] if len(text) == 1 or not text[-2].strip() else None

    def take_last(self) -> None:
        """The last line was a heading and belongs to the next section."""
        self._lines[0].pop()

    def has_content(self) -> bool:
        return any(line.strip() for lines in self._lines for line in lines)

    def section(self) -> Section:
        text, code = ("\n".join(lines).strip("\n") for lines in self._lines)
        return Section(self.level, self._heading, text, code)


def _heading(line: str, open_one: _Open) -> tuple[int, str] | None:
    """Level and text of the heading that `line` is, or that it makes of the line before."""
    match = _HEADING.match(line[:MAX_HEADING])
    if match:
        text = _title(match[2].rstrip("# \t"))
        return (len(match[1]), text) if text else None
    underline = _UNDERLINE.match(line) if len(line) <= MAX_HEADING else None
    before = open_one.last() if underline else None
    if underline is None or before is None:
        return None
    text = _title(before[:MAX_HEADING])
    if not text:
        return None
    open_one.take_last()
    return (1 if underline[1].startswith("=") else 2), text


def _title(text: str) -> str:
    return without_markup(text)[:MAX_TITLE].rstrip()


def _without_comments(lines: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Each line without what stands in HTML comments, and whether it is inside a fence."""
    fence, commented = None, False
    for line in lines:
        if fence is not None:
            closing = _FENCE.match(line)
            if closing and closing[1].startswith(fence) and not closing[2].strip():
                fence = None
            else:
                yield True, line
            continue
        shown, commented = _outside(line, commented)
        opening = _FENCE.match(shown)
        if opening:
            fence = opening[1]
        else:
            yield False, shown


def _outside(line: str, commented: bool) -> tuple[str, bool]:
    """What of `line` is outside of comments, and whether one goes on behind it."""
    kept: list[str] = []
    at = 0  # in the line, which is not cut: a megabyte of comments would be copied once for each of them
    while at < len(line):
        mark = "-->" if commented else "<!--"
        found = line.find(mark, at)
        end = found if found >= 0 else len(line)
        if not commented:
            kept.append(line[at:end])
        if found >= 0:
            commented = not commented
        at = end + len(mark)
    return "".join(kept), commented
