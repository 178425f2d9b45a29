"""Names: which are allowed, when two are the same, and what a text is as a technical name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.naming import (
    MAX_TECHNICAL,
    canonical,
    is_generic,
    model_name_problem,
    slug,
    technical_name_problem,
)


@pytest.mark.promise(6, "names that differ in case, width, ligatures or composition only")
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


@pytest.mark.promise(6, "any name at all made canonical twice")
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
        "com1.v2",
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
        ("Aux.2", "model-aux.2"),
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
    "name",
    [
        "checkpoint-900",
        "global_step1200",
        "final",
        "merged_model",
        "models",
        "main",
        "a" * 40,
        "0123456789" * 4,
        "GGUF",
        "Model ID",
        "Table of Contents",
        "🚀",
        *(
            "sft",
            "lora_model",
            "reward_model",
            "fine-tuned",
            "last-checkpoint",
            "checkpoint-best",
            "my_awesome_model",
        ),
        *(
            "epoch=3-step=1000",
            "epoch_0_model",
            "iter_0001000",
            "merged_16bit",
            "cuda-fp16",
            "int4",
            "q4_k_m",
            "4-bit",
        ),
        *(
            "7B",
            "1",
            "v1.0",
            "2024-05-01_12-30",
            "train_2024-05-20-10-11-12",
            "2b-it",
            "medium",
            "New Folder (2)",
        ),
    ],
)
def test_generic_names(name: str) -> None:
    """They say where in a run or a repository it lay, not what it is."""
    assert is_generic(name)


@pytest.mark.parametrize(
    "name",
    [
        *("Qwen3-8B", "checkpoint-of-fame", "modelscope", "final-fantasy", "a" * 39, "Step-3", "my-model"),
        *("gpt2", "opus-mt-en-de", "bge-m3", "t5-small", "42dot", "01-ai", "phi-2", "o1", "sft-llama", "4x4"),
    ],
)
def test_names_that_are_not_generic(name: str) -> None:
    """Words that merely contain a generic one are names."""
    assert not is_generic(name)
