"""README sections: headings, fences and comments told apart; bounded, whatever stands there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.readme import Section, without_markup
from dxwatchd.readers.readme import MAX_SECTION, MAX_SECTIONS, MAX_TITLE, read_sections
from tests.cost import GROWTH, LINEAR, growth


def read(text: str) -> list[tuple[int, str, str, str]]:
    """The sections of a text as plain tuples."""
    return [(each.level, each.heading, each.text, each.code) for each in read_sections(text.splitlines())]


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("", []),
        ("\n\n", []),
        ("before", [(0, "", "before", "")]),
        ("# A\na\n## B\nb", [(1, "A", "a", ""), (2, "B", "b", "")]),
        ("# A #\n", [(1, "A", "", "")]),
        ("#no heading", [(0, "", "#no heading", "")]),
        ("#\n", [(0, "", "#", "")]),
        ("    # code", [(0, "", "    # code", "")]),
        ("A\n===\na", [(1, "A", "a", "")]),
        ("x\n\nA\n---\na", [(0, "", "x", ""), (2, "A", "a", "")]),
        ("a\nb\n---\nc", [(0, "", "a\nb\n---\nc", "")]),
        ("| a |\n---\n", [(0, "", "| a |\n---", "")]),
        ("# A\n```\n# not B\n```\nb", [(1, "A", "b", "# not B")]),
        ("# A\n~~~\n```\n# no\n~~~\n# B", [(1, "A", "", "```\n# no"), (1, "B", "", "")]),
        ("# A\n```\na\n```python\nb\n```\nc", [(1, "A", "c", "a\n```python\nb")]),
        ("# A\n````\n```\n````\nc", [(1, "A", "c", "```")]),
        ("# A\n```\nnever closed\n# B", [(1, "A", "", "never closed\n# B")]),
        ("# A\n<!-- # B\nhidden -->shown", [(1, "A", "\nshown".strip(), "")]),
        ("# A\na <!-- x --> b <!-- y", [(1, "A", "a  b ", "")]),
        ("# A\n```\n<!-- kept -->\n```", [(1, "A", "", "<!-- kept -->")]),
        ("# [A](http://x) **b** `c`<br>", [(1, "A b c", "", "")]),
    ],
)
def test_sections(text: str, sections: list[tuple[int, str, str, str]]) -> None:
    """Levels, headings, text and code, as CommonMark tells them apart."""
    assert read(text) == sections


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("see [the paper](https://x.org/a_b) ![i](j.png)!", "see the paper !"),
        ("a **bold** and *thin* and `code`", "a bold and thin and code"),
        ("snake_case_name stays", "snake_case_name stays"),
        ("<b>tag</b><br/>s", "tag s"),
        ("5 * 3 * 2", "5 * 3 * 2"),
        ("tab\tand \x07bell", "tab and bell"),
    ],
)
def test_without_markup(line: str, words: str) -> None:
    """Words alone are left of a line, and nothing unprintable."""
    assert without_markup(line) == words


def test_bounds() -> None:
    """Long sections, headings and READMEs are cut; what was kept stays right."""
    long = read_sections(
        ["# " + "h" * 5000, "x" * (MAX_SECTION + 10), "more", "```", "c" * (MAX_SECTION * 2)]
    )
    assert [len(part) for part in long[0][1:]] == [MAX_TITLE, MAX_SECTION, MAX_SECTION]
    many = read_sections(line for at in range(MAX_SECTIONS * 2) for line in (f"# {at}", "text"))
    assert len(many) == MAX_SECTIONS
    assert many[-1].heading == str(MAX_SECTIONS - 1)


@pytest.mark.parametrize("markup", ["[", "![](", "<", "*a", "<!--", "<!---->"])
def test_no_line_takes_long(markup: str) -> None:
    """Markup that never closes is read in time that grows with its length alone."""

    def look(length: int) -> None:
        line = markup * (length // len(markup))
        read_sections([line, "# " + line])
        without_markup(line)

    assert growth(look, 500_000 // GROWTH) < LINEAR


@given(
    st.lists(
        st.text(st.sampled_from("#=-`~<!->[]()*_ ab\t\u2028"))
        | st.sampled_from(["```", "# a", "<!--", "-->", "==="])
    )
)
def test_whatever_stands_there(lines: list[str]) -> None:
    """Nothing crashes, headings are never empty but before the first, and no word appears from nowhere."""
    sections = read_sections(lines)
    for at, section in enumerate(sections):
        assert isinstance(section, Section)
        assert bool(section.heading) is (section.level > 0)
        assert section.level > 0 or at == 0
    kept = sum(len(section.text) + len(section.code) for section in sections)
    assert kept <= sum(map(len, lines)) + len(lines)
