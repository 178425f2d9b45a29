"""Manifests that nobody would write: no exception, every problem in its place, bounded time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.claims import settle
from dxwatchd.core.manifest import Manifest, parse
from tests.core.making import block, card, manifest, named, published

NUMBER = 12
BLOCKS = tuple(block(**named(f"m{number}", f"p/m{number}")) for number in range(NUMBER))
CARDS = published(*(card(f"m{number}", f"p/m{number}") for number in range(NUMBER)))

VALUES = (
    *("1979-05-27T07:32:00Z", "25:61:00", "nan", "-inf", "true", "0x" + "f" * 6000, "1e400", "[[], {}]"),
    *('{a = {b = "c"}}', '"\\ud800"', '"\\u0000"', '"' + "x" * 20_000 + '"', "9" * 5_000, "'''\n'''", '"""'),
    *("[" * 400 + "]" * 400, "{a=" * 400, "“a”", '"a', "a", ""),
)
KEYS = (
    "status",
    "path",
    "model_name",
    "technical_name",
    "fingerprint",
    "tags",
    "x" * 5_000,
    "a.b",
    '"\\n"',
    "é",
)


def _holds(text: str, parsed: Manifest) -> None:
    """What is true of any text."""
    lines = text.split("\n")
    claims = settle(parsed, CARDS)
    for problem in (*parsed.problems, *claims.problems):
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert problem.remedy
    assert parsed.parses or parsed.problems[0].stops


@pytest.mark.promise(7, "a manifest of random bytes: no exception, each problem has its place")
@given(st.binary(max_size=300))
def test_bytes_that_are_no_manifest(data: bytes) -> None:
    """Whatever can be decoded is read."""
    text = data.decode(errors="ignore")
    _holds(text, parse(text))


@pytest.mark.promise(7, "a good manifest with a few characters changed: untouched entries stay in force")
@given(st.data())
def test_a_mutated_manifest_keeps_the_entries_that_were_not_touched(data: st.DataObject) -> None:
    """As long as it parses: whatever one block became, the eleven others are what they were."""
    hit = data.draw(st.integers(0, NUMBER - 1))
    text = BLOCKS[hit]
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 12)))
    put = data.draw(st.text("ab\"'=[]{}#\\\n \t.,0é", max_size=8))
    torn = text[:at] + put + text[end:]
    whole = "".join((*BLOCKS[:hit], torn, *BLOCKS[hit + 1 :]))
    parsed = parse(whole)
    _holds(whole, parsed)
    if parsed.parses and torn.startswith("[[models]]\n") and torn.endswith("\n"):
        kept = {entry.technical_name for entry in settle(parsed, CARDS).entries}
        assert {f"m{number}" for number in range(NUMBER) if number != hit} <= kept


@pytest.mark.promise(7, "entries with keys and values of every hostile kind among good ones")
@given(
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=5), st.integers(0, NUMBER)
)
def test_hostile_values_stop_their_own_entry_only(pairs: list[tuple[str, str]], place: int) -> None:
    """Dates, infinities, numbers of thousands of digits, deep nesting, giant strings."""
    bad = "[[models]]\n" + "".join(f"{key} = {value}\n" for key, value in pairs)
    text = "".join((*BLOCKS[:place], bad, *BLOCKS[place:]))
    parsed = parse(text)
    _holds(text, parsed)
    if parsed.parses:
        assert len(settle(parsed, CARDS).entries) == NUMBER


@pytest.mark.promise(7, "one bad entry among three hundred, of each kind: the others are in force")
def test_one_bad_entry_among_many_stops_only_itself(tried: Callable[[int], None]) -> None:
    """Wrong in every way that an entry can be, at the beginning, in the middle and at the end."""
    good = [named(f"m{number}") for number in range(299)]
    bad: list[dict[str, str]] = [
        named("x", status="aproved"),
        named("X_"),
        named("x", "/absolute"),
        named("x", "../up"),
        named("x", fingerprint="none"),
        {"status": "approved"},
        named("m5", "elsewhere", model_name="Else"),
        named("other", "m5", model_name="Other"),
        named("another", "elsewhere", model_name="Ｍ５"),
    ]
    cards = published(*(card(f"m{number}") for number in range(299)))
    for wrong in bad:
        for at in (0, 150, 299):
            parsed = manifest(*good[:at], wrong, *good[at:])
            claims = settle(parsed, cards)
            assert [entry.technical_name for entry in claims.entries] == [
                one["technical_name"] for one in good
            ]
            assert len({one.entry for one in (*parsed.problems, *claims.problems)}) == 1
    tried(3 * len(bad))


GIANTS = {
    "100,000 entries": lambda: "".join(block(**named(f"m{number}")) for number in range(100_000)),
    "10,000 entries and a fault in the last": lambda: (
        "".join(block(**named(f"m{number}")) for number in range(10_000)) + "x"
    ),
    "20,000 faults": lambda: "".join(BLOCKS[number % NUMBER].replace('"', "") for number in range(20_000)),
    "5,000 strings that never end": lambda: "".join(
        BLOCKS[number % NUMBER] + ('notes = """\n' if number % 2 else "notes = '''\n")
        for number in range(5_000)
    ),
    "20,000 open lists": lambda: (BLOCKS[0] + "tags = [\n") * 20_000,
    "20,000 equal entries": lambda: BLOCKS[0] * 20_000,
    "20,000 unknown keys": lambda: BLOCKS[0] + "".join(f"key{number} = 1\n" for number in range(20_000)),
    "a key of a million parts": lambda: "a." * 1_000_000 + "a = 1",
    "a million brackets": lambda: "a = " + "[" * 1_000_000,
    "a million quotes": lambda: '"' * 1_000_000,
    "a million spaces": lambda: " " * 1_000_000 + "x",
    "a million backslashes": lambda: 'a = "' + "\\" * 1_000_001,
    "a header of a million letters": lambda: "[[" + "a" * 1_000_000,
    "a million colons": lambda: ":" * 1_000_000,
    "a number of a million digits": lambda: "a = " + "9" * 1_000_000,
    "100,000 conflict marks": lambda: "<<<<<<< a\n" * 100_000,
}


@pytest.mark.timeout(300)
@pytest.mark.promise(7, "giant manifests of sixteen shapes: read in a time that grows with the size only")
@pytest.mark.parametrize("what", GIANTS)
def test_a_giant_is_read_in_bounded_time(what: str) -> None:
    """Whatever would take the square of its size would not end here."""
    text = GIANTS[what]()
    _holds(text, parse(text))
