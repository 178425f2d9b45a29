"""The manifest's text → entries and every problem, with its line; proposals as text."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.entries import Status, normal_path, path_problem
from dxwatchd.core.manifest import parse
from dxwatchd.core.proposals import HEADER, Proposal, quoted, render
from dxwatchd.core.toml_lines import KeySpot, Spot, lines_of
from tests.core.making import block, named

GOOD = block(**named("a", "p/a"))


def test_a_good_entry_is_read() -> None:
    """Status, names and a tidy path; a fingerprint and overrides where there are any."""
    pinned = "sha256:" + "0" * 64
    text = block(**named("a", "./p//a/", fingerprint=pinned, license="mit")) + 'tags = ["x", "y"]\n'
    manifest = parse(text)
    assert manifest.problems == ()
    (entry,) = manifest.entries
    assert (entry.status, entry.technical_name, entry.model_name) == (Status.APPROVED, "a", "A")
    assert (entry.path, entry.fingerprint) == ("p/a", pinned)
    assert entry.overrides == {"license": "mit", "tags": ["x", "y"]}


@pytest.mark.parametrize("text", ["", "# only a comment\n", HEADER, "\ufeff"[:0], "models = []\n"])
def test_no_entries_are_no_problem(text: str) -> None:
    """An empty manifest is in order."""
    manifest = parse(text)
    assert manifest.parses
    assert manifest.entries == ()
    assert manifest.problems == ()


@pytest.mark.promise(7, "an entry with one wrong value beside a good one")
@pytest.mark.promise(10, "an entry with one wrong value: line, column and remedy are told")
@pytest.mark.parametrize(
    ("line", "said", "remedy"),
    [
        ('status = "aproved"', "is not known", 'did you mean "approved"?'),
        ("status = 1", "is not a string", "double quotes"),
        ('technical_name = "Not_OK"', "only a-z", 'write "not-ok"'),
        ('technical_name = "通义"', "only a-z", "choose one"),
        ('technical_name = "con"', "reserved", 'write "model-con"'),
        ('model_name = " x"', "begins or ends with a space", "printable"),
        ('path = "/srv/models/a"', "absolute", "relative to the models root"),
        ('path = "/models/x/a"', "absolute", 'path = "x/a"'),
        ('path = "/models/../a"', "absolute", "relative to the models root"),
        ('path = "/models"', "absolute", "relative to the models root"),
        ('path = "D:\\new"', "control characters", "write / between"),
        (f'path = "{"a" * 256}"', "too long", "relative to the models root"),
        (f'path = "{"a/" * 3000}"', "too long", "relative to the models root"),
        ('status = "APPROVED"', "is not known", 'did you mean "approved"?'),
        ('path = "../a"', '".."', "relative to the models root"),
        ('path = "."', "models root itself", "relative to the models root"),
        ('path = "a\\u001bb"', "control characters", "relative to the models root"),
        ('fingerprint = "md5:1"', "sha256:", "delete the line"),
        ("license = 5", "neither a string nor a list", "in quotes"),
    ],
)
def test_a_wrong_value_stops_its_entry_and_says_where(line: str, said: str, remedy: str) -> None:
    """The problem has the line of the key, what is wrong and what to do; the entry beside it is in force."""
    key = line.split(" =")[0]
    lines = [kept for kept in GOOD.splitlines() if not kept.startswith(f"{key} =")]
    text = "\n".join(["# first", *lines, line, "", block(**named("b"))])
    manifest = parse(text, "/models")
    assert [entry.technical_name for entry in manifest.entries] == ["b"]
    assert [broken.number for broken in manifest.broken] == [0]
    (problem,) = manifest.problems
    assert text.splitlines()[problem.line - 1] == line
    assert said in problem.message
    assert remedy in problem.remedy
    assert problem.column == len(key) + 4  # where the value begins
    assert problem.at("m.toml").startswith(f"m.toml:{problem.line}:{problem.column}: ")


@pytest.mark.parametrize("key", ["status", "technical_name", "model_name", "path"])
def test_a_missing_key_is_told_at_the_entry(key: str) -> None:
    """With the line of the header, and the line to add."""
    text = "\n\n" + "\n".join(line for line in GOOD.splitlines() if not line.startswith(f"{key} ="))
    (problem,) = parse(text).problems
    assert (problem.line, problem.column, problem.message) == (3, 1, f'"{key}" is missing')
    assert f'{key} = "…"' in problem.remedy


def test_unknown_keys_are_told_with_the_near_miss_and_stop_nothing() -> None:
    """A typo in an override does not unregister a model."""
    manifest = parse(GOOD + 'licence = "mit"\n')
    assert len(manifest.entries) == 1
    (problem,) = manifest.problems
    assert 'unknown key "licence"' in problem.message
    assert 'did you mean "license"?' in problem.remedy
    assert (problem.line, problem.column) == (6, 1)


def test_all_problems_come_at_once_in_line_order() -> None:
    """Five mistakes in three entries are five problems."""
    text = (
        block(**named("A_", "/abs", status="yes"))
        + GOOD
        + block(**named("b", model_name=""))
        + "[other]\nx = 1\n"
    )
    manifest = parse(text)
    assert [entry.technical_name for entry in manifest.entries] == ["a"]
    lines = [problem.line for problem in manifest.problems]
    assert len(lines) == 5
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('[[models]]\nstatus = "approved\n', 2, 19),
        ("[[models]\n", 1, 9),
        ("a = 1\na = 2\n", 2, 1),
        ('[[models]]\nnotes = """never closed\n\n\n', 2, 9),
    ],
)
def test_a_file_that_is_no_toml_says_line_and_column(text: str, line: int, column: int) -> None:
    """No entries, and nothing is in force; the fault comes first."""
    manifest = parse(text)
    assert not manifest.parses
    assert manifest.entries == ()
    assert (manifest.problems[0].line, manifest.problems[0].column) == (line, column)
    assert manifest.problems[0].stops


@pytest.mark.parametrize("text", ["models = 1\n", 'models = ["a"]\n', "[models]\nx = 1\n"])
def test_models_of_another_shape_are_told(text: str) -> None:
    """A table or a list of strings is no array of tables."""
    manifest = parse(text)
    assert not manifest.parses
    assert "array of tables" in manifest.problems[-1].message


def test_an_inline_array_of_entries_is_read() -> None:
    """TOML's other way to write the same; problems then have the line of the array."""
    text = (
        'models = [{status = "approved", technical_name = "a", model_name = "A", path = "a"}, {path = "b"}]\n'
    )
    manifest = parse(text)
    assert [entry.path for entry in manifest.entries] == ["a"]
    assert {problem.line for problem in manifest.problems} == {1}


def test_lines_are_right_with_crlf_and_multi_line_strings() -> None:
    """What looks like a header inside a string is none; Windows line ends do not shift lines."""
    text = (
        '[[models]]\nnotes = """\n[[models]]\nstatus = 1\n"""\n'
        'status = "approved"\ntechnical_name = "a"\nmodel_name = "A"\npath = "a"\n'
        "\n[[models]]\nx = '''\n[[models]] '''\npath = 5\n"
    )
    for ends in ("\n", "\r\n"):
        lines = lines_of(text.replace("\n", ends), "models").tables
        assert [table.header for table in lines] == [Spot(1, 1), Spot(11, 1)]
        assert lines[1].keys == {
            "x": KeySpot(Spot(12, 1), Spot(12, 5)),
            "path": KeySpot(Spot(14, 1), Spot(14, 8)),
        }


@pytest.mark.parametrize(
    ("line", "key", "spot"),
    [
        ("  license = 5", "license", KeySpot(Spot(2, 3), Spot(2, 13))),
        ('"license"=5', "license", KeySpot(Spot(2, 1), Spot(2, 11))),
        ('"licen\\u0073e" = 5', "license", KeySpot(Spot(2, 1), Spot(2, 18))),
        ("license . x = 5", "license", KeySpot(Spot(2, 1), Spot(2, 15))),
        (" [models.license]", "license", KeySpot(Spot(2, 2), Spot(2, 2))),
        ("[[models.license.x]]", "license", KeySpot(Spot(2, 1), Spot(2, 1))),
    ],
)
def test_a_key_is_found_however_it_is_written(line: str, key: str, spot: KeySpot) -> None:
    """Indented, quoted, escaped, dotted, as a table of its own."""
    text = f"[[models]]\n{line}\n"
    assert key in tomllib.loads(text)["models"][0]
    assert lines_of(text, "models").tables[0].keys == {key: spot}


@pytest.mark.promise(7, "any text at all as the manifest: no exception")
@given(st.text(max_size=400))
def test_no_text_makes_it_raise(text: str) -> None:
    """Whatever is saved there, there are entries or problems."""
    manifest = parse(text)
    assert manifest.parses or manifest.problems


PIECES = (
    "[[models]]\n",
    "[models]\n",
    'status = "approved"\n',
    'path = "a"\n',
    'path = """\n',
    '"""\n',
    "'''\n",
    "technical_name = ",
    '"x"\n',
    "[[",
    "]]\n",
    "# c\n",
    "\n",
    "{}",
    "= 1e999\n",
    "a.b.c = 1\n",
)
TOML_LIKE = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(TOML_LIKE)
def test_no_half_manifest_makes_it_raise(text: str) -> None:
    """Nor do pieces of a manifest in any order."""
    parse(text)


def test_deep_nesting_is_a_problem_and_no_crash() -> None:
    """A hundred thousand brackets are told like any other mistake."""
    manifest = parse("a = " + "[" * 100_000)
    assert not manifest.parses


HOSTILE = st.text(min_size=1, max_size=60).filter(
    lambda text: not any(0xD800 <= ord(char) <= 0xDFFF for char in text)
)


@pytest.mark.promise(7, "hostile names in a proposal: the manifest stays valid TOML")
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_a_proposal_reads_back_as_what_was_proposed(name: str, path: str, found: str, rejected: str) -> None:
    """Whatever names, paths and findings hold: no text escapes its string or its comment."""
    proposal = Proposal("a", name, path, "sha256:" + "0" * 64, found, (rejected,))
    tables = tomllib.loads(HEADER + render((proposal, proposal), "2026-11-23"))["models"]
    assert len(tables) == 2
    for table in tables:
        assert table == {
            "status": "proposed",
            "technical_name": "a",
            "model_name": name,
            "path": path,
            "fingerprint": "sha256:" + "0" * 64,
        }


@given(st.text(max_size=100).filter(lambda text: not any(0xD800 <= ord(char) <= 0xDFFF for char in text)))
def test_quoting_is_toml(text: str) -> None:
    """Every string comes back as it was."""
    assert tomllib.loads(f"x = {quoted(text)}")["x"] == text


@pytest.mark.parametrize(
    ("written", "meant"),
    [("a", "a"), ("./a/", "a"), ("a//b", "a/b"), ("a/./b", "a/b"), ("/a", "/a"), ("", "")],
)
def test_paths_are_tidied_without_changing_their_meaning(written: str, meant: str) -> None:
    """Slashes and dots that people add by habit are no other path; an absolute one stays absolute."""
    assert normal_path(written) == meant
    assert path_problem("a/b") is None


STRAY = {
    "misspelt": ("[[modles]]", "begin each entry with a line [[models]]"),
    "without its s": ("[[model]]", "begin each entry with a line [[models]]"),
    "in capitals": ("[[MODELS]]", "begin each entry with a line [[models]]"),
    "single too": ("[model]", "begin each entry with a line [[models]]"),
    "gone": ("", "put a line [[models]] before the first line of this entry"),
}


@pytest.mark.promise(7, "an entry whose header is misspelt or gone: only that one is not in force")
@pytest.mark.parametrize("how", STRAY)
def test_an_entry_without_its_header_keeps_what_is_its_own(how: str) -> None:
    """Nobody meant to remove it: it counts as a broken one, with the remedy, and the others stay in force."""
    header, remedy = STRAY[how]
    stray = block(**named("lost")).replace("[[models]]", header)
    manifest = parse("# a comment\n" + stray + block(**named("kept")))
    assert manifest.parses
    assert [entry.technical_name for entry in manifest.entries] == ["kept"]
    (broken,) = manifest.broken
    assert (broken.technical_name, broken.path) == ("lost", parse(block(**named("lost"))).entries[0].path)
    problem = manifest.problems[0]
    assert (problem.entry, problem.stops, problem.remedy) == (broken.number, True, remedy)
    assert (problem.line, problem.column) == (2 if header else 3, 1)
    assert manifest.spot(broken.number, "path").line == problem.line


@pytest.mark.parametrize(
    "text", ["[other]\nx = 1\n", 'notes = "x"\n', "x = [[1], {path = 2}]\n", "path = 1\n"]
)
def test_other_top_level_keys_are_no_entries(text: str) -> None:
    """They name neither a model nor a folder: unknown keys, and nothing else."""
    manifest = parse(text + block(**named("kept")))
    assert not manifest.broken
    assert not manifest.strays
    assert [one.stops for one in manifest.problems] == [False]
