"""A manifest that is no TOML: every fault with its place and what to do, and what else is wrong beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dxwatchd.core.manifest import parse
from dxwatchd.core.toml_reading import error_in
from dxwatchd.core.toml_salvage import MOST_FAULTS
from tests.core.making import block, named

GOOD = block(**named("good", "p/good"))

BY_HAND = {
    "no quotes": ("status = approved", 10, 'write status = "approved"'),
    "no quotes, comment": ("status = approved # yes", 10, 'write status = "approved"'),
    "quote missing in front": ('path = a/b"', 8, 'write path = "a/b"'),
    "quote missing behind": ('path = "a/b', 12, 'close it with "'),
    "quote missing behind, comment": ('path = "a/b # here', 19, 'close it with "'),
    "literal quote missing": ("path = 'a/b", 12, "close it with '"),
    "mixed quotes": ("path = \"a/b'", 13, "the same quote at both ends"),
    "typographic quotes": ("model_name = “Qwen”", 14, "straight quotes"),
    "typographic quote behind": ('model_name = "Qwen”', 19, "straight quotes"),
    "German quotes": ("model_name = „Qwen“", 14, "straight quotes"),
    "full-width quotes": ("model_name = ＂Qwen＂", 14, "straight quotes"),
    "Windows path": (r'path = "Qwen\models"', 13, "write / between the folders"),
    "Windows path, U": (r'path = "C:\Users\x"', 11, "write / between the folders"),
    "backslash elsewhere": (r'notes = "a\p"', 11, r"write \\ for each"),
    "no =": ('license "mit"', 9, 'write license = "mit"'),
    "no = and no quotes": ("license mit", 9, 'write license = "mit"'),
    "colon": ("license: mit", 8, 'write license = "mit"'),
    "colon and quotes": ('license: "mit",', 8, 'write license = "mit"'),
    "arrow": ('license => "mit"', 10, 'write license = "mit"'),
    "full-width =": ('license ＝ "mit"', 9, 'write license = "mit"'),
    "words": ("this one is good", 6, "put # before it"),
    "no value": ("license =", 10, "write one in double quotes"),
    "no key": ('= "mit"', 1, 'write key = "value"'),
    "comma behind": ('license = "mit",', 16, "delete it"),
    "words behind": ('license = "mit" or so', 17, "put # before it"),
    "two on a line": ('license = "mit" notes = "x"', 17, "begin a new line"),
    "quote inside": ('model_name = "The "best" one"', 20, r"write \" for a quote"),
    "twice": ('model_name = "A"\nmodel_name = "B"', 1, "delete one of the two"),
    "list not closed": ('tags = ["a"', 8, "close it with ]"),
    "no comma in a list": ('tags = ["a" "b"]', 13, "put a comma between"),
    "two commas in a list": ('tags = ["a",,"b"]', 13, "delete the comma"),
    "list without quotes": ("tags = [a, b]", 9, "each item in double quotes"),
    "non-breaking space": ("\u00a0license = 'mit'", 1, "U+00A0 has no place here; delete it"),
    "zero-width space": ("license = \u200b'mit'", 11, "U+200B has no place here; delete it"),
    "NUL": ('license = "m\0"', 13, "U+0000"),
    "huge number": (f"license = {'9' * 5000}", 11, "smaller one, or put it in double quotes"),
    "nested": (f"tags = {'[' * 3000}", 1, "one pair of brackets"),
    "long key": (f"{'a.' * 2000}a = 1", 1, "delete this line"),
    "half a header": ("[[models]", 9, "begin each entry with a line [[models]]"),
    "header and more": ("[[models]] # new\n[[models]] x = 1", 12, "[[models]] on a line of its own"),
    "conflict": (
        "<<<<<<< HEAD\nlicense = 'a'\n=======\nlicense = 'b'\n>>>>>>> b",
        1,
        "one of the two versions",
    ),
    "single brackets": ("[models]", 1, "double brackets"),
    "never closed": ('notes = """\nmany words\n', 9, 'close it with """'),
}


@pytest.mark.promise(10, "a manifest with a slip of the pen that makes it no TOML: place and remedy are told")
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("what", BY_HAND)
def test_what_people_do_wrong_is_told_with_place_and_remedy(what: str, ends: str) -> None:
    """At the column that is wrong, with what to write instead; the entries around it are looked at too."""
    wrong, column, remedy = BY_HAND[what]
    own = wrong.split(" ")[0].strip("[]=:")
    before = "".join(f"{line}\n" for line in GOOD.splitlines() if not line.startswith(f"{own} ="))
    odd = block(**named("other", status="aproved"))
    text = (before + wrong + "\n" + odd).replace("\n", ends)
    manifest = parse(text)
    assert not manifest.parses
    said = [problem for problem in manifest.problems if remedy in problem.at("m")]
    lines = text.split(ends)
    near = lines.index(wrong.split("\n")[0])
    assert any(near < one.line <= near + 1 + wrong.count("\n") for one in said), manifest.problems
    assert any(one.column == column for one in said), said
    beside = [one for one in manifest.problems if 'did you mean "approved"' in one.remedy]
    assert [(one.line, one.column) for one in beside] == [(lines.index('status = "aproved"') + 1, 10)]


@pytest.mark.promise(7, "one fault in each of several blocks: each is told, none hides another")
def test_every_block_tells_its_own_faults(tried: Callable[[int], None]) -> None:
    """Each slip in an entry of its own, all in one file, and none of them is hidden by another."""
    text, wanted = GOOD, {}
    some = [what for what in BY_HAND if what not in ("nested", "single brackets", "half a header")]
    for what in some:
        wrong, _, remedy = BY_HAND[what]
        own = wrong.split(" ")[0].strip("[]=:")
        kept = [line for line in GOOD.splitlines() if not line.startswith(f"{own} =")]
        wanted[what] = (text.count("\n") + len(kept) + 1, remedy)
        text += "\n".join([*kept, wrong, "", ""])
    problems = parse(text).problems
    for what, (line, remedy) in wanted.items():
        last = line + BY_HAND[what][0].count("\n")
        assert any(line <= one.line <= last and remedy in one.at("m") for one in problems), what
    tried(len(some))


def test_several_faults_of_one_block_are_told() -> None:
    """Three lines without quotes are three problems, and what their lines hold is not called missing."""
    text = GOOD.replace('"', "") + GOOD
    problems = parse(text).problems
    assert [(one.line, one.column) for one in problems] == [(2, 10), (3, 18), (4, 14), (5, 8)]


@pytest.mark.parametrize("sign", [": ", " := ", " ＝ ", " ", " => "])
def test_a_line_with_a_wrong_sign_is_not_called_missing(sign: str) -> None:
    """It is there and wrong: only that is told, for each."""
    problems = parse(GOOD.replace(" = ", sign)).problems
    assert [one.line for one in problems] == [2, 3, 4, 5]
    assert all("not valid TOML" in one.message for one in problems)


def test_a_literal_string_without_its_end_is_told_where_it_is() -> None:
    """The parser looks for the quote to the end of the file; nobody else does."""
    text = GOOD.replace('"good"', "'good\"") + block(**named("other"))
    problems = parse(text).problems
    assert [one.line for one in problems] == [3]
    assert "use the same quote at both ends" in problems[0].remedy


def test_a_list_without_its_end_is_told_where_it_begins() -> None:
    """And not a second time at the next header, which the parser takes for an item."""
    problems = parse(GOOD + 'tags = ["a"\n' + block(**named("other", status="aproved"))).problems
    assert [(one.line, "list" in one.message) for one in problems] == [(6, True), (8, False)]


def test_a_string_that_is_never_closed_does_not_hide_what_follows() -> None:
    """Also where a later string's opening would close it; a header inside a whole string is no entry."""
    text = (
        block(**named("a"))
        + 'notes = """never\n'
        + block(**named("b"))
        + 'notes = """\n[[models]]\nstatus = 1\n"""\n'
        + block(**named("c", status="yes"))
    )
    problems = parse(text).problems
    assert (problems[0].line, problems[0].column) == (6, 9)
    assert 'close it with """' in problems[0].remedy
    assert 15 in [one.line for one in problems]  # where the parser itself stopped
    assert any('status "yes"' in one.message and one.line == 17 for one in problems)
    assert not any('"status" is not a string' in one.message for one in problems)


def test_a_torn_last_block_is_told_at_its_last_line() -> None:
    """As an editor or a full disk leaves it."""
    for torn in ("[[", 'path = "Qw', "path =", "path", "[[mod", "[[models]]\nstatus"):
        text = GOOD + "[[models]]\n" + torn
        problems = parse(text).problems
        assert problems[0].line == text.count("\n") + 1, torn
        assert problems[0].column >= 1


def test_a_conflict_is_one_problem_and_each_side_is_not_called_double() -> None:
    """Git's marks; also with the base between; also alone."""
    ours, theirs = 'license = "a"\n', 'license = "b"\n'
    for marked in (
        f"<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> them\n",
        f"<<<<<<< HEAD\n{ours}||||||| base\n{ours}=======\n{theirs}>>>>>>> them\n",
        "<<<<<<< HEAD\n",
        ">>>>>>> them\n",
    ):
        (problem,) = parse(GOOD + marked + GOOD.replace("good", "other")).problems
        assert (problem.line, problem.column) == (6, 1)
        assert "two versions" in problem.remedy


@pytest.mark.parametrize("count", [150, 1500])
def test_of_very_many_faults_the_first_are_told(count: int) -> None:
    """Nobody reads more; the first one is among them."""
    problems = parse(GOOD.replace('"approved"', "approved") * count).problems
    assert len(problems) == MOST_FAULTS
    assert [one.line for one in problems[:3]] == [2, 7, 12]


LINES = (
    *GOOD.splitlines(),
    *(line for wrong, *_ in BY_HAND.values() if len(wrong) < 200 for line in wrong.split("\n")),
    *("[[models]]", "[other]", "[models.x]", "# note", "", "]", "}", "models = []", "\ufeff"),
    *('"""', "'''", 'x = """a"""'),
)


@pytest.mark.promise(7, "manifests of random lines, good and bad: no exception, each problem has its place")
@given(st.lists(st.sampled_from(LINES), max_size=25), st.sampled_from(["\n", "\r\n"]))
@example(['notes = """', "[[models]]", 'notes = """', 'notes = """'], "\n")  # two of three begin, or two end
def test_where_the_parser_stops_is_always_told_and_nothing_of_a_file_that_parses(
    lines: list[str], ends: str
) -> None:
    """Whatever is mixed: faults only where the parser sees one, that one among them, all inside the text."""
    text = ends.join(lines)
    manifest = parse(text)
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        error = error_in(text)
        assert error is not None
        assert not manifest.parses
        assert manifest.problems[0].message.startswith("not valid TOML")
        told = [one.line for one in manifest.problems if one.message.startswith("not valid TOML")]
        # a header as an item of a list: the list is told where it begins
        as_item = "models" in lines[error[1] - 1] and "[" in lines[error[1] - 1] and min(told) < error[1]
        assert error[1] in told or as_item, (error, manifest.problems)
    else:
        assert error_in(text) is None
        assert not any("not valid TOML" in one.message for one in manifest.problems)
    for problem in manifest.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(text.split("\n")[problem.line - 1]) + 1
        assert problem.remedy


def test_single_brackets_before_double_ones_are_told_at_both() -> None:
    """The parser stops at the good header, since the bad one made a table of the name."""
    places = [(one.line, one.column) for one in parse(GOOD.replace("[[models]]", "[models]") + GOOD).problems]
    assert places[:1] == [(1, 1)]
    assert 6 in [line for line, _ in places]
