"""README front matter: strings as they are written, no alias, no object, no crash."""

import contextlib
import io
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.core.readme import Section
from dxwatchd.readers import front_matter
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.front_matter import FrontMatter, read_front_matter


@pytest.fixture(params=["libyaml", "python"], autouse=True, scope="module")
def parser(request: pytest.FixtureRequest) -> Any:
    """Every test runs with both parsers: which one there is depends on how PyYAML was built."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "python":
            patch.setattr(front_matter, "_LOADER", yaml.BaseLoader)
        yield request.param


def read(text: str | bytes) -> FrontMatter:
    """Front matter of this README."""
    return read_front_matter(io.BytesIO(text.encode() if isinstance(text, str) else text))


def error_of(text: str | bytes) -> ReaderError:
    """The error that this README raises."""
    with pytest.raises(ReaderError) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("---\nlicense: no\nversion: 1.10\n---\n", {"license": "no", "version": "1.10"}),
        ("---\r\nlicense: mit\r\n---\r\n", {"license": "mit"}),
        ("\ufeff---\nlicense: mit\n---", {"license": "mit"}),
        ("---\nlanguage:\n- en\n- no\n---\n", {"language": ["en", "no"]}),
        ("---\na: {b: [1, {c: null}]}\nd:\n---\n", {"a": {"b": ["1", {"c": ""}]}, "d": ""}),
        ("---\na: [null, ~, 'null', Null, nil]\nb: ~\n---\n", {"a": ["", "", "null", "", "nil"], "b": ""}),
        ("---\na: !!python/object/apply:os.system [x]\n---\n", {"a": ["x"]}),
        ("---\ndate: 2024-01-01\n...\n", {"date": "2024-01-01"}),
        ("---\n---\n", {}),
        ("---\nprose, no mapping\n---\n", {}),
        ("---\nnever closed: 1\n", {}),
        ("\n \r\n---\nlate: 1\n---\n", {"late": "1"}),
        (" ---\nlate: 1\n---\n", {"late": "1"}),
        ("# Title\n---\nlate: 1\n---\n", {}),
        ("\n\n", {}),
        ("", {}),
    ],
)
def test_reads_fields_as_strings(text: str, fields: dict[str, Any]) -> None:
    """Every scalar stays what a person wrote, a null nothing; what is no front matter has no fields."""
    assert read(text).fields == fields


def test_reads_utf_16() -> None:
    """A README saved by a Windows editor is read as well."""
    assert read("---\nlicense: mit\n---\n# Größe".encode("utf-16")) == FrontMatter(
        {"license": "mit"}, (Section(1, "Größe", "", ""),)
    )


@pytest.mark.parametrize(
    "text", ["---\na: 1\na: 2\n---\n", "---\n? [a]\n: 1\n---\n", "---\nprose\n---\n", "---\na: 1\n"]
)
def test_oddities_give_a_warning(text: str) -> None:
    """What is read differently from how it is written is said."""
    assert read(text).warnings


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\na: &x 1\nb: *x\n---\n", 2),
        ("---\na: 1\nb: *x\n---\n", 3),
        ("\n\n---\na: 1\nb: *x\n---\n", 5),
        ("---\na: 1\nb: [\n---\n", None),
        ("---\na: 1\n\tb: 2\n---\n", 3),
        ("---\na: \0\n---\n", None),
        ("---\na: " + "[" * 5000 + "\n---\n", 2),
        ("---\na: " + "{b: " * 100 + "\n---\n", 2),
    ],
)
def test_refuses_with_the_line(text: str, line: int | None) -> None:
    """Aliases, deep nesting and broken YAML are refused, with the line in the README where it is known."""
    error = error_of(text)
    assert error.fault is Fault.MALFORMED
    assert line is None or error.line == line


def test_an_alias_bomb_costs_nothing() -> None:
    """Aliases of aliases, which stand for more than any memory holds, are refused at the first anchor."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert error_of("---\na0: &a0 [x]\n" + "\n".join(levels) + "\n---\n").fault is Fault.MALFORMED


def test_size_is_bounded() -> None:
    """More than 256 KiB of front matter are refused; of a longer README only the beginning is read."""
    assert error_of("---\na: " + "x" * 300_000 + "\n---\n").fault is Fault.TOO_LARGE
    assert read("# Title\n" + "x" * 3_000_000).title == "Title"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\na: 1\n---\n\n# Qwen3-8B\n\ntext", "Qwen3-8B"),
        ("text\n## Second\n# First #\n", "First"),
        ("```sh\n# a comment\n```\n# Title", "Title"),
        ("~~~\n```\n# a comment\n~~~\n# Title", "Title"),
        ("# [![logo](a.png)](b) **My** `model` <br/> [v2](http://c)", "My model v2"),
        ("#hashtag\n#\n# \x1b[31mred\u202e\n", "[31mred"),
        ("# " + "x" * 500, "x" * 200),
        ("# " + "[" * 100_000, "[" * 200),
        ("none", None),
    ],
)
def test_finds_the_title(text: str, title: str | None) -> None:
    """The first heading of the first level outside of code, as plain printable text."""
    assert read(text).title == title


@given(st.text(), st.booleans())
def test_random_text_raises_only_reader_errors(text: str, closed: bool) -> None:
    """Nothing else than ReaderError comes out."""
    with contextlib.suppress(ReaderError):
        read(f"---\n{text}\n---\n" if closed else text)


@given(st.binary())
def test_random_bytes_raise_only_reader_errors(data: bytes) -> None:
    """Bytes in no encoding do not raise either."""
    for raw in (data, b"---\n" + data + b"\n---\n"):
        with contextlib.suppress(ReaderError):
            read(raw)


yaml_values = st.recursive(
    st.text("abcno10:- \n#'\"", max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=6
)


@given(st.dictionaries(st.text("abc", min_size=1), yaml_values, max_size=4))
def test_reads_what_yaml_writes(fields: dict[str, Any]) -> None:
    """Strings that a YAML writer had to quote come back as they were."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    text = yaml.dump(fields, Dumper=Dumper)
    if not any(line.rstrip() in ("---", "...") for line in text.splitlines()):
        assert read(f"---\n{text}---\n").fields == fields
