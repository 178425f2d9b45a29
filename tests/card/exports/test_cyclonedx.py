"""The bill of materials, judged by CycloneDX's own library."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given

from dxwatchd.card.exports.cyclonedx import cyclonedx
from dxwatchd.card.parts import Ancestor, Integrity
from dxwatchd.card.schema import Card
from tests.card.exports.making import bare_card, cards, digest, digested, full_card

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def _bill(card: Card) -> dict[str, Any]:
    made: dict[str, Any] = cyclonedx(card)
    return made


def _component(card: Card) -> dict[str, Any]:
    found: dict[str, Any] = _bill(card)["metadata"]["component"]
    return found


def _complaint(card: Card) -> object:
    return VALIDATOR.validate_str(json.dumps(cyclonedx(card)))


def test_a_known_model_is_a_component_with_a_model_card() -> None:
    """Its architecture, datasets, what goes in and out, and its limitations where CycloneDX has them."""
    component = _component(full_card())
    assert component["type"] == "machine-learning-model"
    assert (component["name"], component["version"]) == ("Qwen3-8B-Instruct", "3.0")
    assert component["bom-ref"] == "qwen3-8b-instruct"
    assert component["authors"] == [{"name": "Qwen Team"}, {"name": "Doe, Jane"}]
    assert component["modelCard"] == {
        "modelParameters": {
            "task": "text-generation",
            "architectureFamily": "qwen3",
            "modelArchitecture": "Qwen3ForCausalLM",
            "datasets": [
                {"type": "dataset", "name": "some/corpus"},
                {"type": "dataset", "name": "https://example.org/data"},
            ],
            "inputs": [{"format": "text"}],
            "outputs": [{"format": "text"}],
        },
        "considerations": {"technicalLimitations": ["It may be wrong."]},
    }
    assert component["externalReferences"] == [
        {"type": "documentation", "url": "https://arxiv.org/abs/2505.09388"},
        {"type": "license", "url": "https://example.org/Qwen3-8B/LICENSE"},
    ]


@pytest.mark.oracle
@pytest.mark.parametrize("card", [full_card(), digested(full_card()), bare_card(), bare_card(files=())])
def test_the_strict_validator_takes_it(card: Card) -> None:
    """A full card, one with digests, one that knows nothing, and one without files."""
    assert _complaint(card) is None


def test_files_are_components_with_their_digests() -> None:
    """One each, hashed where the digest is known, with its size."""
    with_digests, without = (_component(card)["components"] for card in (digested(full_card()), full_card()))
    assert with_digests[1] == {
        "type": "file",
        "name": "config.json",
        "hashes": [{"alg": "SHA-256", "content": digest("config.json").removeprefix("sha256:")}],
        "properties": [{"name": "dxwatchd:size", "value": "700"}],
    }
    assert [file["name"] for file in without] == [file["name"] for file in with_digests]
    assert not any("hashes" in file for file in without)


@pytest.mark.parametrize(
    ("changes", "licences"),
    [
        (
            {"license_link": "https://example.org/L"},
            [{"license": {"id": "Apache-2.0", "url": "https://example.org/L"}}],
        ),
        ({"license_link": "LICENSE"}, [{"license": {"id": "Apache-2.0"}}]),
        ({"license": "llama3.1", "license_link": None}, [{"license": {"name": "llama3.1"}}]),
        (
            {"license": "other", "license_name": "bria-rmbg-1.4", "license_link": None},
            [{"license": {"name": "bria-rmbg-1.4"}}],
        ),
        ({"license": None}, None),
    ],
)
def test_a_licence_is_an_spdx_identifier_or_a_name(changes: dict[str, object], licences: object) -> None:
    """Never an identifier that the list does not have; a link only where it is one."""
    assert _component(full_card(**changes)).get("licenses") == licences


def test_ancestors_are_the_lineage() -> None:
    """With the relation, and the registered name where there is one."""
    assert _component(full_card())["pedigree"]["ancestors"] == [
        {
            "type": "machine-learning-model",
            "name": "Qwen/Qwen3-8B-Base",
            "properties": [
                {"name": "dxwatchd:relation", "value": "finetune"},
                {"name": "dxwatchd:technical_name", "value": "qwen3-8b-base"},
            ],
        }
    ]
    unresolved = full_card(lineage=(Ancestor(name="org/base", source="README.md"),))
    assert _component(unresolved)["pedigree"]["ancestors"] == [
        {"type": "machine-learning-model", "name": "org/base"}
    ]


def test_base_models_stand_in_for_a_lineage() -> None:
    """Where it is not known, what the folder states as its base is an ancestor."""
    ancestors = _component(full_card(lineage=()))["pedigree"]["ancestors"]
    assert [(one["name"], one["properties"][0]["value"]) for one in ancestors] == [
        ("Qwen/Qwen3-8B-Base", "finetune")
    ]
    assert "pedigree" not in _component(bare_card())


def test_safety_facts_are_properties() -> None:
    """What loading the model would run is told under the card's own names."""
    integrity = Integrity(pickle_present=True, disallowed_globals=("os.system", "posix.popen"))
    found = {one["name"]: one["value"] for one in _component(full_card(integrity=integrity))["properties"]}
    assert found["dxwatchd:integrity.pickle_present"] == "true"
    assert found["dxwatchd:integrity.disallowed_globals"] == "os.system, posix.popen"
    assert found["dxwatchd:custom_code.required"] == "false"
    assert found["dxwatchd:parameters.total"] == "8190735360"


def test_the_serial_number_follows_from_name_and_content() -> None:
    """A later revision is a later version of the same bill; other content or another name is another bill."""
    first, later = _bill(full_card()), _bill(full_card(revision=4))
    assert UUID(first["serialNumber"]).version == 5
    assert first["serialNumber"] == later["serialNumber"]
    assert (first["version"], later["version"]) == (3, 4)
    for change in ({"fingerprint": digest("other")}, {"technical_name": "other"}):
        assert _bill(full_card(**change))["serialNumber"] != first["serialNumber"]


def test_there_is_no_time_in_it() -> None:
    """The same card gives the same bill at any time."""
    assert "timestamp" not in _bill(full_card())["metadata"]
    assert cyclonedx(full_card()) == cyclonedx(full_card())


def test_an_overlong_version_is_left_out() -> None:
    """The schema takes 1024 characters."""
    assert "version" not in _component(full_card(version="1" * 1025))


@pytest.mark.oracle
def test_every_family_is_valid(corpus_cards: tuple[Card, ...]) -> None:
    """The strict validator finds nothing over the whole corpus."""
    for card in corpus_cards:
        assert _complaint(card) is None, card.technical_name


@pytest.mark.oracle
@given(cards())
def test_any_card_is_valid(card: Card) -> None:
    """Whatever the folder says of itself."""
    assert _complaint(card) is None
