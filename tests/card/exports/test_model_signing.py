"""The manifest that OpenSSF Model Signing signs, judged as its verifier does."""

from __future__ import annotations

import hashlib
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from dxwatchd.card.exports.model_signing import model_signing
from dxwatchd.card.exports.problems import ExportError
from dxwatchd.card.parts import FilePart
from dxwatchd.card.schema import Card
from tests.card.exports.making import cards, digest, digested, full_card

_HEX = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
SCHEMA = {
    "type": "object",
    "required": ["_type", "subject", "predicateType", "predicate"],
    "additionalProperties": False,
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "digest"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "digest": {
                        "type": "object",
                        "required": ["sha256"],
                        "additionalProperties": False,
                        "properties": {"sha256": _HEX},
                    },
                },
            },
        },
        "predicateType": {"const": "https://model_signing/signature/v1.0"},
        "predicate": {
            "type": "object",
            "required": ["serialization", "resources"],
            "additionalProperties": False,
            "properties": {
                "serialization": {
                    "type": "object",
                    "required": ["method", "hash_type", "allow_symlinks"],
                    "properties": {
                        "method": {"const": "files"},
                        "hash_type": {"const": "sha256"},
                        "allow_symlinks": {"type": "boolean"},
                        "ignore_paths": {"type": "array", "items": {"type": "string"}},
                    },
                },
                "resources": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "algorithm", "digest"],
                        "additionalProperties": False,
                        "properties": {
                            "name": {"type": "string"},
                            "algorithm": {"const": "sha256"},
                            "digest": _HEX,
                        },
                    },
                },
            },
        },
    },
}
"""An in-toto Statement v1 with the predicate of Model Signing 1.0."""


def _statement(card: Card) -> dict[str, Any]:
    made: dict[str, Any] = model_signing(card)
    return made


def _judge(statement: dict[str, Any]) -> list[str]:
    """What a verifier does before it looks at files: the root digest is that of the resources."""
    jsonschema.validate(statement, SCHEMA)
    root = hashlib.sha256()
    for resource in statement["predicate"]["resources"]:
        root.update(bytes.fromhex(resource["digest"]))
    assert statement["subject"][0]["digest"]["sha256"] == root.hexdigest()
    return [resource["name"] for resource in statement["predicate"]["resources"]]


def test_a_known_model_is_listed_file_by_file() -> None:
    """Each file with the digest of its bytes, under the model's name."""
    statement = _statement(digested(full_card()))
    assert _judge(statement) == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
    assert statement["subject"][0]["name"] == "qwen3-8b-instruct"
    assert statement["predicate"]["resources"][1] == {
        "name": "config.json",
        "algorithm": "sha256",
        "digest": digest("config.json").removeprefix("sha256:"),
    }


def test_the_order_is_that_of_paths() -> None:
    """Part by part, as pathlib compares: "a/b" before "a.txt", although "/" comes after "."."""
    names = ("a.txt", "a/b", "a/b.c", "a/b/c", "B", "é")
    card = digested(full_card(files=tuple(FilePart(name=name, size=1) for name in names)))
    assert _judge(_statement(card)) == ["B", "a/b", "a/b/c", "a/b.c", "a.txt", "é"]


def test_what_the_library_ignores_is_left_out() -> None:
    """Git's own files are, by the library's default; a file of such a name further down is not."""
    names = (".gitattributes", ".gitignore", ".github/x.yml", "sub/.gitignore", "model.safetensors")
    card = digested(full_card(files=tuple(FilePart(name=name, size=1) for name in names)))
    statement = _statement(card)
    assert _judge(statement) == ["model.safetensors", "sub/.gitignore"]
    assert set(statement["predicate"]["serialization"]["ignore_paths"]) >= {".gitattributes", ".cache"}


@pytest.mark.parametrize("wrong", [None, "sha256:abc", "sha1:" + "0" * 64, "0" * 64])
def test_a_digest_of_another_kind_is_none(wrong: str | None) -> None:
    """Each file without a SHA-256 is a problem of its own."""
    files = (FilePart(name="a", size=1, digest=wrong), FilePart(name="b", size=1, digest=digest("b")))
    with pytest.raises(ExportError) as caught:
        model_signing(full_card(files=files))
    assert caught.value.problems == ("a: its SHA-256 is not computed yet",)


def test_every_family_can_be_signed(corpus_cards: tuple[Card, ...]) -> None:
    """Over the whole corpus, each file once."""
    for card in corpus_cards:
        names = _judge(_statement(card))
        assert len(set(names)) == len(names) > 0


@given(cards())
def test_any_card_with_digests_can_be_signed(card: Card) -> None:
    """Whatever its files are called."""
    if card.files:
        _judge(_statement(digested(card)))
