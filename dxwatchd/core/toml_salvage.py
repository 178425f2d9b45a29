"""A text that is no TOML → every fault in it, and what can be read of it all the same.

The parser stops at the first fault. Here each `[[models]]` block is read by itself, so that one fault does
not hide the others, nor what is wrong with the entries beside it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from dxwatchd.core.toml_advice import CONFLICT, CONFLICT_ADVICE, SINGLE_BRACKETS, Advice, advise
from dxwatchd.core.toml_lines import OpenValue, key_of, lines_of
from dxwatchd.core.toml_reading import error_in

MOST_FAULTS = 100
"""Of one text: who has more mends the first and looks again."""

_MOST_OF_ONE_BLOCK = 10
_MOST_JOINED = 50
"""Blocks that are looked through for the end of a string that a block leaves open."""

_BEGINS = re.compile(r"\s*\[\[?\s*([\"']?)models\1\s*\]{0,2}\s*(#.*)?$")
_WORD = re.compile(r"""\s*["']?([\w-]+)""")
_SINGLE = re.compile(r"(\s*)\[(\s*([\"']?)models\3\s*)\](\s*(?:#.*)?)$")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. line, column: 1-based; advice: what to tell."""

    line: int
    column: int
    advice: Advice


@dataclass(slots=True)
class Salvage:
    """What is left of a text.

    faults: in line order; text: parses, with every line in its place and the faulty ones empty;
    lost: the keys of the emptied lines, by the line of their block's header.
    """

    faults: list[Fault] = field(default_factory=list)
    text: str = ""
    lost: dict[int, set[str]] = field(default_factory=dict)


def salvage(text: str) -> Salvage:
    """Take a text apart that `tomllib` refuses. Among the faults is where it stopped."""
    work = _Work(text)
    work.conflicts()
    blocks = work.blocks()
    work.mend(blocks)
    work.mend_whole(blocks)
    work.add_first(text)
    work.made.faults.sort(key=lambda fault: (fault.line, fault.column))
    return work.made


class _Work:
    """The lines of a text while they are mended one after the other."""

    def __init__(self, text: str) -> None:
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.made = Salvage()

    @property
    def full(self) -> bool:
        return len(self.made.faults) >= MOST_FAULTS

    def note(self, line: int, column: int, advice: Advice) -> None:
        """Note a fault; line: its index."""
        self.made.faults.append(Fault(line + 1, max(1, advice.column or column), advice))

    def blank(self, start: int, end: int) -> None:
        self.lines[start:end] = [""] * (end - start)

    def conflicts(self) -> None:
        """Of what git could not join, one version is enough to see what else is wrong."""
        begun = second = -1
        for number, line in enumerate(self.lines):
            mark = CONFLICT.match(line)
            if mark is None:
                if second >= 0:
                    self.lines[number] = ""
                continue
            if mark[0][0] == "<" or begun < 0:
                if not self.full:
                    self.note(number, 1, CONFLICT_ADVICE)
                begun = number
            if mark[0][0] in "|=" and mark[0][0] != "<":
                second = number
            if mark[0][0] == ">":
                begun = second = -1
            self.lines[number] = ""

    def blocks(self) -> list[tuple[int, int]]:
        """The text in pieces that should each parse by itself: from one header to the next."""
        starts = [0, *(at for at, line in enumerate(self.lines) if at and _BEGINS.match(line))]
        ends = [*starts[1:], len(self.lines)]
        found: list[tuple[int, int]] = []
        number = 0
        while number < len(starts):
            last = self._string_ends(starts, ends, number)
            found.append((starts[number], ends[last]))
            number = last + 1
        return found

    def _string_ends(self, starts: list[int], ends: list[int], number: int) -> int:
        """The piece in which a string ends that this piece leaves open; itself where there is none."""
        value = OpenValue()
        for line in self.lines[starts[number] : ends[number]]:
            value.read(line, 0)
        quote = value.string
        begun = lines_of(self._text(starts[number], ends[number]), "models").unclosed if quote else None
        if begun is None:
            return number
        for later in range(number + 1, min(number + _MOST_JOINED, len(starts))):
            for at in range(starts[later], ends[later]):
                if quote in self.lines[at]:
                    # a line `key = """` begins the next string: the one before was never closed
                    opens = key_of(self.lines[at]) and self.lines[at].count(quote) == 1
                    whole = error_in(self._text(starts[number] + begun.line - 1, at + 1)) is None
                    return later if whole and not opens else number
        return number

    def _text(self, start: int, end: int) -> str:
        return "\n".join(self.lines[start:end])

    def mend(self, blocks: list[tuple[int, int]]) -> None:
        """Find the faults of each block and empty what cannot be read."""
        for start, _ in blocks:
            single = _SINGLE.match(self.lines[start])
            if single is not None and not self.full:
                self.note(start, len(single[1]) + 1, SINGLE_BRACKETS)
                self.lines[start] = f"{single[1]}[[{single[2]}]]{single[4]}"
        first, ends = 0, [end for _, end in blocks]
        while first < len(blocks) and not self.full:
            start = blocks[first][0]
            error = error_in(self._text(start, ends[-1]))
            if error is None:
                return
            # all before the block in which the parser stopped is in order, unless something in it was
            # left open and reached as far as there
            stopped = max(first, min(bisect_right(ends, start + error[1] - 1), len(blocks) - 1))
            self._mend_some(blocks[first:stopped])
            self._mend_block(*blocks[stopped])
            first = stopped + 1
        if first < len(blocks):
            self.blank(blocks[first][0], ends[-1])

    def _mend_some(self, blocks: list[tuple[int, int]]) -> None:
        """Find the faulty ones among blocks of which most are in order."""
        waiting = [blocks]
        while waiting:
            some = waiting.pop()
            if not some or error_in(self._text(some[0][0], some[-1][1])) is None:
                continue
            if len(some) == 1:
                self._mend_block(*some[0])
            else:
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]

    def _mend_block(self, start: int, end: int) -> None:
        for _ in range(_MOST_OF_ONE_BLOCK):
            error = error_in(self._text(start, end))
            if error is None:
                return
            words, line, column = error
            at = min(start + line - 1, end - 1)
            self.note(at, column, advise(words, self.lines[at], column))
            if self.full or not self._stands_alone(start, at):
                break
            begins = _WORD.match(self.lines[at])  # a key, also where no = stands behind it
            self.made.lost.setdefault(start + 1, set()).update(begins.groups() if begins is not None else ())
            self.lines[at] = ""
        self.blank(start, end)

    def _stands_alone(self, start: int, at: int) -> bool:
        """Whether a line can be left out without making others wrong."""
        line = self.lines[at]
        if at == start and _BEGINS.match(line):
            return False
        if any(mark in line for mark in ('"""', "'''", "[", "{", "]", "}")):
            return False
        return lines_of(self._text(start, at), "models").unclosed is None

    def mend_whole(self, blocks: list[tuple[int, int]]) -> None:
        """Leave out blocks that only together are wrong, until the rest parses."""
        for _ in range(_MOST_OF_ONE_BLOCK):
            text = self._text(0, len(self.lines))
            error = error_in(text)
            if error is None:
                self.made.text = text
                return
            words, line, column = error
            if not self.full:
                self.note(line - 1, column, advise(words, self.lines[line - 1], column))
            start, end = next((one for one in blocks if one[0] < line <= one[1]), blocks[-1])
            if not any(self.lines[start:end]):
                break
            self.blank(start, end)
        self.made.text = ""

    def add_first(self, text: str) -> None:
        """Where the parser itself stopped must be among what is told."""
        error = error_in(text)
        if error is None:
            return
        words, line, column = error
        stopped = text.split("\n")[line - 1]
        advice = advise(words, stopped, column)
        if any(fault.line == line for fault in self.made.faults):
            return
        above = any(
            fault.line < line and fault.advice.message == advice.message for fault in self.made.faults
        )
        if above and _BEGINS.match(stopped):
            return  # a list that was left open further up, told where it begins, has this header for an item
        self.note(line - 1, column, advice)
