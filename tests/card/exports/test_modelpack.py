"""The config of a ModelPack artifact."""

from __future__ import annotations

import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.exports.modelpack import modelpack, param_size
from dxwatchd.card.exports.problems import ExportError
from dxwatchd.card.parts import Architecture, Attention, KvCache, KvLayers, Provenance, Quantization
from dxwatchd.card.schema import Card
from tests.card.exports.making import COMMIT, bare_card, cards, digest, digested, full_card
from tests.card.exports.modelpack_schema import SCHEMA

_SCALES = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12, "Q": 10**15}


def test_a_known_model_is_described() -> None:
    """Names, licence as SPDX writes it, two-letter languages, one layer for each file in the card's order."""
    assert modelpack(digested(full_card())) == {
        "descriptor": {
            "name": "qwen3-8b-instruct",
            "title": "Qwen3-8B-Instruct",
            "description": "transformers, 8.19 B parameters, bfloat16, 15.3 GiB, apache-2.0",
            "family": "qwen3",
            "version": "3.0",
            "revision": COMMIT,
            "authors": ["Qwen Team", "Doe, Jane"],
            "licenses": ["Apache-2.0"],
            "datasetsURL": ["https://example.org/data"],
        },
        "config": {
            "architecture": "transformer",
            "format": "safetensors",
            "paramSize": "8.2B",
            "precision": "bf16",
            "capabilities": {
                "inputTypes": ["text"],
                "outputTypes": ["text"],
                "reasoning": True,
                "toolUsage": True,
                "languages": ["en", "zh", "de"],
            },
        },
        "modelfs": {
            "type": "layers",
            "diffIds": [
                digest(name) for name in ("README.md", "config.json", "model.safetensors", "tokenizer.json")
            ],
        },
    }


def test_what_is_not_known_is_left_out() -> None:
    """The specification has no nulls."""
    made = modelpack(digested(bare_card()))
    assert made["config"] == {}
    assert made["descriptor"] == {"name": "bare", "title": "Bare", "description": "transformers, 2 B"}


def test_every_missing_digest_is_told_at_once() -> None:
    """The specification demands them; the problem names each file and what to do."""
    card = full_card()
    files = (card.files[0].model_copy(update={"digest": digest("x")}), *card.files[1:])
    with pytest.raises(ExportError) as caught:
        modelpack(card.model_copy(update={"files": files}))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert "dxwatchd status" in caught.value.remedy


def test_a_card_without_files_has_no_layers() -> None:
    """An artifact has at least one."""
    with pytest.raises(ExportError, match="lists no files"):
        modelpack(full_card(files=()))


@pytest.mark.parametrize(
    ("parameters", "written"),
    [
        (999, None),
        (1000, "1.0K"),
        (124_439_808, "124.4M"),
        (999_949_999, "999.9M"),
        (999_950_000, "1.0B"),
        (8_190_735_360, "8.2B"),
        (684_531_386_000, "684.5B"),
        (1_026_000_000_000, "1.0T"),
        (2**62, "4611.7Q"),
    ],
)
def test_parameters_are_written_with_one_decimal_and_a_scale(parameters: int, written: str | None) -> None:
    """A count below a thousand has no scale, so that it cannot be written at all."""
    assert param_size(parameters) == written


@given(st.integers(1000, 10**17))
def test_the_written_size_is_near_the_number(parameters: int) -> None:
    """Off by at most half a tenth of its scale, with a count below a thousand but for the largest scale."""
    written = param_size(parameters)
    assert written is not None
    count, scale = float(written[:-1]), _SCALES[written[-1]]
    assert abs(count * scale - parameters) <= scale * 0.0500001
    assert 1 <= count < 1000 or scale == 10**15


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"dtype": "float16"}, "precision", "fp16"),
        ({"dtype": "float8_e4m3fn"}, "precision", "float8_e4m3fn"),
        ({"quantization": Quantization(quant_method="awq", bits=4)}, "quantization", "awq"),
        ({"quantization": Quantization(quant_method="gguf", quant_type="Q4_K_M")}, "quantization", "Q4_K_M"),
        ({"quantization": Quantization(quant_method="gguf")}, "quantization", "gguf"),
        ({"quantization": Quantization()}, "quantization", None),
        ({"weight_sets": ()}, "format", None),
        ({"kv_cache": KvCache()}, "architecture", None),
        ({"kind": "pipeline"}, "architecture", None),
        ({"architecture": Architecture(model_type="mamba")}, "architecture", None),
        (
            {
                "kv_cache": KvCache(
                    bytes_per_token=1, layers=(KvLayers(layer_type="mamba", layers=28, constant_bytes=1),)
                )
            },
            "architecture",
            None,
        ),
        (
            {
                "architecture": Architecture(
                    num_attention_heads=8, attention=Attention(layer_types=("linear_attention",))
                )
            },
            "architecture",
            None,
        ),
    ],
)
def test_technical_words(changes: dict[str, object], key: str, value: str | None) -> None:
    """Precision as ModelPack spells it, the quantisation's technique, "transformer" only for a pure one."""
    config = modelpack(digested(full_card(**changes)))["config"]
    assert isinstance(config, dict)
    assert config.get(key) == value


def test_two_revisions_are_none() -> None:
    """Files of different commits have no common revision."""
    card = digested(full_card())
    notes = tuple(Provenance(source="huggingface", commit=commit, files=2) for commit in ("a", "b"))
    mixed = card.model_copy(update={"integrity": card.integrity.model_copy(update={"provenance": notes})})
    descriptor = modelpack(mixed)["descriptor"]
    assert isinstance(descriptor, dict)
    assert "revision" not in descriptor


def test_every_family_fits_the_schema(corpus_cards: tuple[Card, ...]) -> None:
    """Over the whole corpus, and the languages of some are told."""
    spoken = 0
    for card in corpus_cards:
        made = modelpack(card)
        jsonschema.validate(made, SCHEMA)
        spoken += '"languages"' in str(made).replace("'", '"')
    assert spoken > 5


@given(cards())
def test_any_card_fits_the_schema_or_lacks_digests(card: Card) -> None:
    """Whatever the folder says of itself; licences are SPDX expressions."""
    if any(file.digest is None for file in card.files) or not card.files:
        with pytest.raises(ExportError) as caught:
            modelpack(card)
        assert len(caught.value.problems) == max(1, sum(file.digest is None for file in card.files))
        return
    made = modelpack(card)
    jsonschema.validate(made, SCHEMA)
    descriptor = made["descriptor"]
    assert isinstance(descriptor, dict)
    licences = descriptor.get("licenses", [])
    assert isinstance(licences, list)
    assert all(re.fullmatch(r"[A-Za-z0-9.+-]+", str(licence)) for licence in licences)
