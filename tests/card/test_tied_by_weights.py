"""Whether the output layer is the embedding, where classes disagree: hand-written configs and headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.card.values import Notes
from dxwatchd.core.model import ModelFolder

_WHOLE = {"model_type": "mistral3", "text_config": {"model_type": "mistral"}}
_TABLE, _HEAD = "language_model.model.embed_tokens.weight", "language_model.lm_head.weight"


@pytest.fixture
def made(
    folder: Callable[..., ModelFolder], identity: Identity, tensor: Callable[..., Any]
) -> Callable[..., Card]:
    """The card of a folder with a config and tensors of these names, each of 10 * 4."""

    def make(config: dict[str, Any], *names: str) -> Card:
        tensors = {"model.safetensors": tuple(tensor(name, "BF16", 10, 4) for name in names)}
        return build_card(CardInputs(folder(), {"config.json": config}, tensors=tensors), identity)

    return make


def test_head_of_its_own_is_not_tied(made: Callable[..., Card]) -> None:
    """Mistral-Small-3.1 states nothing, has a head, and is counted with it."""
    card = made(_WHOLE, _TABLE, _HEAD)
    assert card.architecture.tie_word_embeddings is False
    assert (
        card.sources["architecture.tie_word_embeddings"]
        == "derived: the weights hold an lm_head of their own"
    )
    assert card.parameters.total == 80


def test_without_a_head_it_is_tied(made: Callable[..., Card]) -> None:
    """The only thing that can be: something has to give the tokens."""
    card = made(_WHOLE, _TABLE)
    assert card.architecture.tie_word_embeddings is True
    assert (
        card.sources["architecture.tie_word_embeddings"]
        == "derived: the weights hold no lm_head of their own"
    )


@pytest.mark.parametrize(
    ("more", "tied"),
    [
        ({}, None),
        ({"transformers_version": "4.52.1"}, None),
        ({"transformers_version": "5.0.0"}, True),
        ({"transformers_version": "soon"}, None),
        ({"tie_word_embeddings": False}, False),
        ({"tie_word_embeddings": True}, True),
    ],
)
def test_without_weights_the_writers_version_tells(
    made: Callable[..., Card], more: dict[str, Any], tied: bool | None
) -> None:
    """What is stated prevails; version 5 leaves out what is the whole's default, older ones say nothing."""
    card = made({**_WHOLE, **more})
    assert card.architecture.tie_word_embeddings is tied
    assert ("architecture.tie_word_embeddings" in card.sources) is (tied is not None)


@pytest.mark.parametrize("kind", ["gemma", "llama"])
def test_class_that_stands_alone_is_believed(made: Callable[..., Card], kind: str) -> None:
    """Whatever is stored: copies of the embedding are common in files of other writers."""
    card = made({"model_type": kind}, "model.embed_tokens.weight", "lm_head.weight")
    assert card.architecture.tie_word_embeddings is (kind == "gemma")


@pytest.mark.parametrize("key", ["weight_tying", "share_input_output_layers"])
def test_keys_of_other_code(key: str) -> None:
    """OLMo's and OpenELM's word for it."""
    assert architecture({key: False}, Notes()).tie_word_embeddings is False
