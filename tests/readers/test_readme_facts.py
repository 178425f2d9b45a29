"""What the head of a README says of the model's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dxwatchd.core.document_facts import Readme
from dxwatchd.core.facts import Fault, Unusable
from dxwatchd.readers.opening import stat_of
from dxwatchd.readers.probe import probe
from dxwatchd.readers.text_facts import README_HEAD


def _probed(root: Path, text: str | bytes) -> object:
    path = root / "README.md"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return probe(root, "README.md", stat_of(path.stat())).facts


@pytest.mark.parametrize(
    ("text", "names", "title"),
    [
        ("# Title\n", (), "Title"),
        ("---\nlicense: mit\n---\n# Title\n", (), "Title"),
        ("---\nmodel_name: GenZ 70B\n---\n", ("GenZ 70B",), None),
        ("---\nmodel-index:\n- name: one\n  results: []\n---\n", ("one",), None),
        ("---\nmodel_name: a\nmodel-index:\n- name: b\n---\n# T\n", ("a", "b"), "T"),
        ("---\nmodel_name: a\nmodel-index:\n- name: a\n---\n", ("a",), None),
        ("---\nmodel-index:\n- name: one\n- name: two\n---\n", (), None),
        ("---\nmodel-index: one\nmodel_name: [a]\n---\n", (), None),
        ("---\nmodel-index:\n- one\n---\n", (), None),
        ("---\nmodel_name: " + "x" * 201 + "\n---\n", (), None),
        ("---\nmodel_name: ''\n---\n", (), None),
        ("---\nmodel_name: no\n---\n", ("no",), None),
        ("---\n# a comment of the front matter\nmodel_name: a\n", (), None),
        ("---\nmodel_name: [\n---\n# Title\n", (), None),
        ("---\nmodel_name: &a x\nother: *a\n---\n# Title\n", (), None),
        ("---\nmodel_name: a\nfiller: |\n" + "  x\n" * README_HEAD + "---\n# Title\n", (), None),
        (b"\xff\xfe\x00\x00", (), None),
        (b"\x00" * 5000, (), None),
        ("---\n- " + "[" * 10_000 + "\n---\n", (), None),
    ],
)
def test_names_and_title_of_a_readme(
    tmp_path: Path, text: str | bytes, names: tuple[str, ...], title: str | None
) -> None:
    """Only whole, sane values; whatever else is in the file is no error."""
    facts = _probed(tmp_path, text)
    assert isinstance(facts, Readme)
    assert (facts.names, facts.title) == (names, title)


def test_equal_readmes_have_equal_digests(tmp_path: Path) -> None:
    """And others do not, however little differs."""
    one, same, other = (_probed(tmp_path, text) for text in ("# A\n", "# A\n", "# A \n"))
    assert one == same
    assert isinstance(one, Readme)
    assert isinstance(other, Readme)
    assert one.digest != other.digest


def test_an_empty_readme_is_empty(tmp_path: Path) -> None:
    """As any empty file is; that no model depends on it is not for a reader to know."""
    facts = _probed(tmp_path, "")
    assert isinstance(facts, Unusable)
    assert facts.fault is Fault.EMPTY
