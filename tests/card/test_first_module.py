"""Sentence-transformers whose network lies in a folder of its own: all parts of the card, with its files."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.loading.first_module import first_module
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import CardInputs, Identity, wanted_documents
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder

_TRANSFORMER = "sentence_transformers.models.Transformer"
_DOCUMENTS: dict[str, Any] = {
    "modules.json": [{"idx": 0, "path": "0_Transformer", "type": _TRANSFORMER}],
    "0_Transformer/config.json": {
        "model_type": "bert",
        "architectures": ["BertForMaskedLM"],
        "hidden_size": 64,
        "num_attention_heads": 4,
        "max_position_embeddings": 77,
    },
    "0_Transformer/tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "cls_token": "[CLS]"},
    "0_Transformer/special_tokens_map.json": {"cls_token": "<cls>"},
    "0_Transformer/sentence_bert_config.json": {"max_seq_length": 32},
}
_MODEL = ModelFolder(
    "a",
    Layout.SENTENCE_TRANSFORMERS,
    Kind.MODEL,
    (),
    (),
    ("0_Transformer",),
    tuple(ModelFile(name, 1) for name in _DOCUMENTS),
)


def card_of(documents: dict[str, Any], model: ModelFolder = _MODEL) -> Card:
    """The card of a folder with these documents."""
    return build_card(CardInputs(model, documents), Identity("a", "A", "p/a", "p/a", "sha256:0"))


def test_what_the_module_says_is_the_models() -> None:
    """Shape, context and tokenizer, each with the file that it is from."""
    card = card_of(_DOCUMENTS)
    assert (card.architecture.model_type, card.architecture.hidden_size) == ("bert", 64)
    assert (card.context.declared, card.context.effective) == (77, 32)
    assert (card.tokenizer.tokenizer_class, card.tokenizer.cls_token) == ("BertTokenizer", "<cls>")
    assert card.sources["architecture.hidden_size"] == "0_Transformer/config.json#/hidden_size"
    assert card.sources["tokenizer.cls_token"] == "0_Transformer/special_tokens_map.json#/cls_token"
    assert card.sources["sentence_transformers.max_seq_length"].startswith("0_Transformer/sentence_bert")
    said = [statement.source for statement in card.conflicts[0].statements]
    assert said == [
        "0_Transformer/special_tokens_map.json#/cls_token",
        "0_Transformer/tokenizer_config.json#/cls_token",
    ]
    named = {source.partition("#")[0].rpartition(" ")[2] for source in card.sources.values() if "#" in source}
    assert named <= set(_DOCUMENTS)


def test_its_class_tells_no_objective() -> None:
    """A masked language model that was trained on to make vectors was trained for these."""
    assert card_of(_DOCUMENTS).training_objectives == ()


def test_the_module_s_files_are_asked_for() -> None:
    """All that the card reads of them."""
    assert set(wanted_documents(_MODEL)) == set(_DOCUMENTS)


@pytest.mark.parametrize(
    ("documents", "layout"),
    [
        ({**_DOCUMENTS, "config.json": {}}, Layout.SENTENCE_TRANSFORMERS),
        (_DOCUMENTS, Layout.TRANSFORMERS),
        ({"modules.json": [{"path": ""}]}, Layout.SENTENCE_TRANSFORMERS),
        ({"modules.json": [{"path": "0_Transformer"}]}, Layout.SENTENCE_TRANSFORMERS),
        ({"modules.json": [3]}, Layout.SENTENCE_TRANSFORMERS),
        ({"modules.json": {"0": "x"}}, Layout.SENTENCE_TRANSFORMERS),
        ({}, Layout.SENTENCE_TRANSFORMERS),
    ],
)
def test_other_folders_have_theirs_at_the_top(documents: dict[str, Any], layout: Layout) -> None:
    """A config at the top prevails; nothing is taken from a module that is not there."""
    assert first_module(CardInputs(dataclasses.replace(_MODEL, layout=layout), documents)) == ""
