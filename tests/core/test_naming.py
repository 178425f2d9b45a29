"""Names: which are allowed, when two are the same, how one is derived."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.naming import (
    MAX_TECHNICAL,
    Hints,
    canonical,
    derive,
    is_generic,
    model_name_problem,
    short_digest,
    slug,
    technical_name_problem,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [("A", "a"), ("Ａ", "a"), ("ß", "ss"), ("STRASSE", "straße"), ("ﬁne", "FINE")],
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    """Case, width, ligatures and composition do not make another name."""
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a-b", "a.b"), ("o", "0"), ("é", "e")])
def test_names_that_are_not_the_same(one: str, other: str) -> None:
    """What people read as two names stays two."""
    assert canonical(one) != canonical(other)


@given(st.text())
def test_the_canonical_form_is_final(name: str) -> None:
    """Made canonical twice, it is what it was the first time."""
    assert canonical(canonical(name)) == canonical(name)


@pytest.mark.parametrize("name", ["a", "qwen3-8b", "qwen2.5-0.5b", "0", "a" * 63])
def test_allowed_technical_names(name: str) -> None:
    """Lower-case letters, digits, inner dots and hyphens, up to 63."""
    assert technical_name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "a_b",
        "-a",
        "a-",
        ".a",
        "a.",
        "a..b",
        "a b",
        "ä",
        "a/b",
        "a\n",
        "a" * 64,
        "con",
        "nul",
        "latest",
        "index",
    ],
)
def test_refused_technical_names(name: str) -> None:
    """Anything that is no file name, DNS label and argument at once is refused with a sentence."""
    assert technical_name_problem(name)


@pytest.mark.parametrize("name", ["", "  ", " a", "a ", "a\nb", "a\x1b[31m", "a" * 201, "a\u202eb"])
def test_refused_model_names(name: str) -> None:
    """Empty, padded, over-long ones, and those with control or direction characters."""
    assert model_name_problem(name)


@pytest.mark.parametrize("name", ["Qwen3-8B", "通义千问", "Llama 3 (Instruct)", "a" * 200])
def test_allowed_model_names(name: str) -> None:
    """Any script, with spaces inside."""
    assert model_name_problem(name) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Qwen3-8B", "qwen3-8b"),
        ("Qwen/Qwen2.5-0.5B-Instruct", "qwen2.5-0.5b-instruct"),
        ("Llama_3 (final)", "llama-3-final"),
        ("Modèle Français", "modele-francais"),
        ("..hidden..", "hidden"),
        ("a--b", "a-b"),
        ("a.-b", "a-b"),
        ("con", "model-con"),
        ("LATEST", "model-latest"),
        ("通义千问", ""),
        ("---", ""),
    ],
)
def test_slugs(text: str, wanted: str) -> None:
    """Last part, ASCII, lower case, runs of the rest to one hyphen, no hyphens at the ends."""
    assert slug(text) == wanted


def test_an_over_long_name_is_cut_and_ends_in_a_digest() -> None:
    """So that two long names with the same beginning stay two."""
    one, other = slug("a" * 80 + "1"), slug("a" * 80 + "2")
    assert len(one) == len(other) == MAX_TECHNICAL
    assert one != other
    assert one.startswith("a" * 50)


@given(st.text(max_size=300))
def test_a_slug_is_allowed_or_empty(text: str) -> None:
    """Whatever it is made from."""
    made = slug(text)
    assert not made or technical_name_problem(made) is None


@pytest.mark.parametrize(
    "name", ["checkpoint-900", "final", "models", "main", "a" * 40, "0123456789" * 4, "GGUF"]
)
def test_generic_names(name: str) -> None:
    """They say where in a run or a repository it lay, not what it is."""
    assert is_generic(name)


@pytest.mark.parametrize("name", ["Qwen3-8B", "checkpoint-of-fame", "modelscope", "final-fantasy", "a" * 39])
def test_names_that_are_not_generic(name: str) -> None:
    """Words that merely contain a generic one are names."""
    assert not is_generic(name)


@pytest.mark.parametrize(
    ("hints", "technical", "model"),
    [
        (Hints("Qwen/Qwen3-8B"), "qwen3-8b", "Qwen3-8B"),
        (Hints("runs/checkpoint-900"), "runs-checkpoint-900", "runs-checkpoint-900"),
        (Hints("x/final", declared=("org/My-Model",)), "my-model", "My-Model"),
        (
            Hints("x/final", declared=("models", ".", "/home/me/secret", "Real Name")),
            "real-name",
            "Real Name",
        ),
        (Hints("final"), "final", "final"),
        (
            Hints("通义千问", "qwen2", size=3 * 2**20, fingerprint="f"),
            f"qwen2-3m-{short_digest('f')}",
            "通义千问",
        ),
    ],
)
def test_derived_names(hints: Hints, technical: str, model: str) -> None:
    """The folder's name, unless it is generic: then what its files declare, then the folder above."""
    names = derive(hints, frozenset())
    assert (names.technical_name, names.model_name) == (technical, model)
    assert names.rejected == ()


def test_a_collision_takes_the_publisher_then_a_digest() -> None:
    """And says which names it did not take."""
    hints = Hints("two/Llama-3")
    first = derive(hints, {"llama-3"})
    assert first.technical_name == "two-llama-3"
    assert first.model_name == "two/Llama-3"
    assert first.rejected == ("llama-3: taken", "Llama-3: taken")
    second = derive(hints, {"llama-3", "two-llama-3", "two/llama-3"})
    assert re.fullmatch(r"llama-3-[0-9a-f]{8}", second.technical_name)
    assert re.fullmatch(r"Llama-3 \([0-9a-f]{8}\)", second.model_name)


PARTS = st.text(min_size=1, max_size=60).filter(lambda part: "/" not in part and part.isprintable())


@given(st.lists(PARTS, min_size=1, max_size=4), st.lists(st.text(max_size=80), max_size=3), st.data())
def test_derived_names_are_always_allowed_and_free(
    parts: list[str], declared: list[str], data: st.DataObject
) -> None:
    """Of any folder, with any names taken, twenty times in a row."""
    hints = Hints("/".join(parts), declared=tuple(declared), fingerprint="f")
    taken: set[str] = set()
    for _ in range(data.draw(st.integers(1, 20))):
        names = derive(hints, taken)
        assert technical_name_problem(names.technical_name) is None
        assert model_name_problem(names.model_name) is None
        assert canonical(names.technical_name) not in taken
        assert canonical(names.model_name) not in taken
        taken |= {canonical(names.technical_name), canonical(names.model_name)}
