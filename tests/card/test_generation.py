"""Generation defaults: the file as it is, else where other configs keep them; never half a list."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.loading.generation import generation_config
from dxwatchd.card.sources import CardInputs
from dxwatchd.card.values import Notes
from dxwatchd.core.model import Kind, Layout, ModelFolder

_FOLDER = ModelFolder("a", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())


def test_the_file_prevails_and_is_whole() -> None:
    """Whisper's lists are longer than others may be; the config's keys add nothing to a file."""
    stated = {
        "suppress_tokens": list(range(90)),
        "lang_to_id": {f"<|{at}|>": at for at in range(99)},
        "top_p": 0.9,
    }
    notes = Notes()
    documents = {"generation_config.json": stated, "config.json": {"eos_token_id": 2}}
    assert generation_config(CardInputs(_FOLDER, documents), "", notes) == stated
    assert notes.sources == {"generation_config": "generation_config.json"}
    assert notes.warnings == []


@pytest.mark.parametrize(
    ("documents", "wanted", "sources"),
    [
        (
            {
                "config.json": {
                    "eos_token_id": [1, 106],
                    "temperature": 0.7,
                    "hidden_size": 8,
                    "pad_token_id": None,
                }
            },
            {"eos_token_id": [1, 106], "temperature": 0.7},
            {"eos_token_id": "config.json#/eos_token_id", "temperature": "config.json#/temperature"},
        ),
        (
            {"config.json": {"eos_token_id": 1, "text_config": {"eos_token_id": 2, "bos_token_id": 3}}},
            {"eos_token_id": 1, "bos_token_id": 3},
            {
                "eos_token_id": "config.json#/eos_token_id",
                "bos_token_id": "config.json#/text_config/bos_token_id",
            },
        ),
        (
            {"genai_config.json": {"model": {"eos_token_id": 5}, "search": {"top_k": 50, "num_beams": None}}},
            {"eos_token_id": 5, "top_k": 50},
            {
                "eos_token_id": "genai_config.json#/model/eos_token_id",
                "top_k": "genai_config.json#/search/top_k",
            },
        ),
        (
            {"mlc-chat-config.json": {"temperature": 0.65, "context_window_size": 8192}},
            {"temperature": 0.65},
            {"temperature": "mlc-chat-config.json#/temperature"},
        ),
        ({"config.json": {}}, None, {}),
        ({"config.json": "x", "generation_config.json": [1]}, None, {}),
        ({}, None, {}),
    ],
)
def test_without_a_file(
    documents: dict[str, object], wanted: dict[str, object] | None, sources: dict[str, str]
) -> None:
    """Each value with where it stands; the whole config before its text part; null states nothing."""
    notes = Notes()
    assert generation_config(CardInputs(_FOLDER, documents), "", notes) == wanted
    assert notes.sources == {f"generation_config.{key}": source for key, source in sources.items()}


def test_what_does_not_fit_is_left_out_and_said() -> None:
    """A list that is too long, a number that is none, a depth that nobody means."""
    deep: object = 1
    for _ in range(50):
        deep = [deep]
    stated = {"long": list(range(10_000)), "deep": deep, "huge": 2**70, "text": "x" * 10_000, "good": 1}
    for key in ("long", "deep", "huge", "text"):
        notes = Notes()
        documents = {"generation_config.json": {"good": 1, key: stated[key]}}
        assert generation_config(CardInputs(_FOLDER, documents), "", notes) == {"good": 1}
        assert len(notes.warnings) == 1
        assert key in notes.warnings[0]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_any_file(stated: object) -> None:
    """What is taken is what was stated, or it is left out with a warning."""
    notes = Notes()
    found = generation_config(CardInputs(_FOLDER, {"generation_config.json": stated}), "", notes)
    if not isinstance(stated, dict) or not stated:
        assert found is None
    else:
        assert len(found or {}) + len(notes.warnings) <= len(stated) + 1


@pytest.mark.oracle
@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gpt2", "bos_token_id": 50256, "eos_token_id": 50256, "n_embd": 8},
        {"model_type": "llama", "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "top_p": None},
        {"model_type": "bart", "num_beams": 4, "forced_bos_token_id": 0, "decoder_start_token_id": 2},
        {"model_type": "whisper", "suppress_tokens": list(range(88)), "begin_suppress_tokens": [220, 50257]},
        {
            "model_type": "gemma3",
            "eos_token_id": [1, 106],
            "text_config": {"eos_token_id": 1, "pad_token_id": 0},
        },
    ],
)
def test_transformers_makes_the_same_of_a_config(config: dict[str, object]) -> None:
    """`GenerationConfig.from_model_config` sets what we state for a folder without the file."""
    from transformers import GenerationConfig

    unset = GenerationConfig.from_dict({}).to_dict()
    oracle = GenerationConfig.from_model_config(copy.deepcopy(config)).to_dict()
    found = generation_config(CardInputs(_FOLDER, {"config.json": config}), "", Notes())
    assert found == {key: oracle[key] for key in unset if oracle[key] != unset[key] and key[0] != "_"}
