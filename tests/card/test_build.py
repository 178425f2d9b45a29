"""Whole cards: identity, overrides, summary, hostile input, files."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dxwatchd.card.build import build_card
from dxwatchd.card.overrides import OVERRIDABLE, apply_overrides
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, json_schema, parse
from dxwatchd.card.sources import CardInputs, Identity, wanted_documents, wanted_texts
from dxwatchd.card.summary import human_count, human_size, summary
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder, WeightFormat, WeightSet

_FOLDER = ModelFolder(
    "a", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), (ModelFile("m.safetensors", 15 * 2**30),)
)
_IDENTITY = Identity("a", "A", "p/a", "p/a", "sha256:0")


class _Tensor(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int


def test_an_empty_folder_gives_a_card_of_nulls(folder: Callable[..., ModelFolder]) -> None:
    """Nothing is guessed; only the layout is known."""
    card = build_card(CardInputs(folder()), _IDENTITY)
    assert card.architecture.model_type is None
    assert card.parameters.total is None
    assert card.context.rule is None
    assert set(card.sources) == {"library_name"}
    assert card.warnings == ()


def test_schema_key_and_order() -> None:
    """The file begins with its schema, ends with a newline and is plain ASCII."""
    data = dump(build_card(CardInputs(_FOLDER), dataclasses.replace(_IDENTITY, model_name="通义千问")))
    assert data.startswith(b'{\n  "schema": "dxwatchd.card/v1",\n  "technical_name": "a",')
    assert data.endswith(b"}\n")
    assert data.isascii()
    assert parse(data).model_name == "通义千问"


def test_values_of_other_types_are_refused() -> None:
    """What a key may hold is read as strictly as it is written (keys of later releases are passed over)."""
    plain = json.loads(dump(build_card(CardInputs(_FOLDER), _IDENTITY)))
    for wrong in (
        {"revision": "1"},
        {"revision": 0},
        {"availability": "gone"},
        {"schema": "v0"},
    ):
        with pytest.raises(ValidationError):
            parse(json.dumps({**plain, **wrong}).encode())


def test_json_schema_accepts_a_card() -> None:
    """What `schema` prints describes what is written."""
    card = build_card(CardInputs(_FOLDER), _IDENTITY)
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(dump(card)))


def test_gguf(folder: Callable[..., ModelFolder]) -> None:
    """The header takes the place of config.json."""
    metadata: dict[str, int | float | bool | str] = {
        "general.architecture": "llama",
        "general.file_type": 15,
        "general.license": "mit",
        "llama.embedding_length": 64,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.block_count": 3,
        "llama.context_length": 2048,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.chat_template": "{{ tools }}",
    }
    tensors = (
        _Tensor("blk.0.attn_q.weight", "Q4_K", (256, 4), 576),
        _Tensor("rope_freqs.weight", "F32", (8,), 32),
    )
    card = build_card(
        CardInputs(
            folder(Layout.GGUF),
            tensors={"x-Q4_K_M.gguf": tensors},
            gguf_metadata=metadata,
            gguf_arrays={"tokenizer.ggml.tokens": 32000},
        ),
        _IDENTITY,
    )
    shape = card.architecture
    assert (shape.model_type, shape.hidden_size, shape.num_hidden_layers) == ("llama", 64, 3)
    assert (shape.num_key_value_heads, shape.head_dim, shape.vocab_size) == (2, 16, 32000)
    assert (card.context.declared, card.license, card.dtype) == (2048, "mit", None)
    assert card.quantization is not None
    assert card.quantization.quant_type == "Q4_K_M"
    assert card.parameters.total == 1024
    assert card.tokenizer.chat_templates[0].flags == ("tools",)
    assert card.sources["architecture.hidden_size"] == "x-Q4_K_M.gguf#llama.embedding_length"


def test_adapter(folder: Callable[..., ModelFolder]) -> None:
    """What PEFT states; the base is not resolved here."""
    config = {"peft_type": "LORA", "r": 16, "lora_alpha": 32, "target_modules": ["v", "q"], "use_dora": False}
    inputs = CardInputs(
        folder(Layout.PEFT, Kind.ADAPTER),
        documents={"adapter_config.json": config},
        front_matter={"license": "mit"},
    )
    card = build_card(inputs, _IDENTITY)
    assert card.adapter is not None
    assert (card.adapter.r, card.adapter.lora_alpha, card.adapter.target_modules) == (16, 32.0, ("q", "v"))
    assert card.sources["adapter.r"] == "adapter_config.json#/r"
    assert card.license == "mit"
    assert card.sources["license"] == "README.md#license"


def _adapter(folder: Callable[..., ModelFolder], **config: object) -> Card:
    documents = {"adapter_config.json": {"peft_type": "LORA", **config}}
    return build_card(CardInputs(folder(Layout.PEFT, Kind.ADAPTER), documents=documents), _IDENTITY)


@pytest.mark.parametrize(
    ("stated", "modules"),
    [
        ("all-linear", ("all-linear",)),
        ("|".join([r"(?:.*?language.*?\.q_proj)"] * 12), ("|".join([r"(?:.*?language.*?\.q_proj)"] * 12),)),
        ([f"model.layers.{at:03}.q_proj" for at in range(700)],) * 2,
        ([f"{at}" for at in range(5000)], ()),
        (["q", 3, None], ("q",)),
        ("x" * 3000, ()),
        (None, ()),
    ],
)
def test_target_modules_of_an_adapter(
    folder: Callable[..., ModelFolder], stated: object, modules: Sequence[str]
) -> None:
    """A list is whole or not there, and so is a regular expression, however long trainers write them."""
    card = _adapter(folder, target_modules=stated)
    assert card.adapter is not None
    assert card.adapter.target_modules == tuple(modules)
    assert bool(card.warnings) is (isinstance(stated, list) and len(stated) == 5000)


def test_what_servers_ask_of_an_adapter(folder: Callable[..., ModelFolder]) -> None:
    """Ranks by module, what is saved in full, other methods' keys; nothing of what is of another kind."""
    stated = {
        "rank_pattern": {"o_proj": 32},
        "alpha_pattern": {"o_proj": 64},
        "modules_to_save": ["lm_head", "embed_tokens"],
        "target_parameters": ["mlp.experts.gate_up_proj"],
        "alpha": 8,
        "target_r": 4,
        "bias": "none",
        "revision": "main",
        "peft_version": "0.18.0",
    }
    card = _adapter(folder, **stated)
    assert card.adapter is not None
    said = card.adapter.model_dump(include=set(stated), mode="json")
    assert said == {**stated, "modules_to_save": ["embed_tokens", "lm_head"]}
    assert all(card.sources[f"adapter.{key}"] == f"adapter_config.json#/{key}" for key in stated)
    masks = _adapter(folder, rank_pattern={"q": [True, False]}, alpha_pattern={"q": "x"})
    assert masks.adapter is not None
    assert (masks.adapter.rank_pattern, masks.adapter.alpha_pattern) == ({}, {})
    assert [warning for warning in masks.warnings if "_pattern" in warning] == [
        "adapter_config.json: not every entry of alpha_pattern is a number by module; they were left out"
    ]


def test_pipeline_components(folder: Callable[..., ModelFolder]) -> None:
    """Pairs of library and class; nulls and private keys are none."""
    index = {
        "_class_name": "P",
        "unet": ["diffusers", "UNet"],
        "safety_checker": [None, None],
        "_x": ["a", "b"],
    }
    inputs = CardInputs(folder(Layout.DIFFUSERS, Kind.PIPELINE), documents={"model_index.json": index})
    assert [each.name for each in build_card(inputs, _IDENTITY).components] == ["unet"]


@pytest.mark.parametrize(
    ("architecture", "more", "usage"),
    [
        ("Qwen3ForCausalLM", {}, "chat"),
        ("MolmoForCausalLM", {"vision_config": {"hidden_size": 1}}, "vision-language"),
        ("LlavaForConditionalGeneration", {"image_token_index": 7}, "vision-language"),
        ("T5ForConditionalGeneration", {}, None),
        ("CLIPModel", {"vision_config": {"hidden_size": 1}}, None),
        ("BertForMaskedLM", {}, None),
        ("BertModel", {}, None),
    ],
)
def test_usage_type(
    folder: Callable[..., ModelFolder], architecture: str, more: dict[str, object], usage: str | None
) -> None:
    """The platform's default is for text generation only."""
    config = {"architectures": [architecture], **more}
    assert build_card(CardInputs(folder(), {"config.json": config}), _IDENTITY).model_usage_type == usage


def test_overrides_prevail_and_are_marked() -> None:
    """What a person says stands, with its source; what is of the wrong type is reported."""
    overrides = {"license": "mit", "tags": ["a"], "tasks": "chat", "notes": 5, "x_team": {"when": object()}}
    card = build_card(
        CardInputs(_FOLDER, front_matter={"license": "apache-2.0"}),
        dataclasses.replace(_IDENTITY, overrides=overrides),
    )
    assert (card.license, card.tags, card.tasks, card.notes) == ("mit", ("a",), ("chat",), None)
    assert card.sources["license"] == "manifest"
    assert card.warnings == ("the manifest's notes is not a text",)
    assert set(card.overrides) == set(overrides)
    assert parse(dump(card)) == card
    assert apply_overrides(card, {}).overrides == {}


@pytest.mark.parametrize("key", OVERRIDABLE)
def test_each_descriptive_field_can_be_overridden(key: str) -> None:
    """The entry's word replaces the card's field of the same name."""
    identity = dataclasses.replace(_IDENTITY, overrides={key: "as a person says"})
    card = build_card(CardInputs(_FOLDER), identity)
    assert getattr(card, key) in ("as a person says", ("as a person says",))
    assert card.sources[key] == "manifest"
    assert parse(dump(card)) == card


def test_several_licences_are_none() -> None:
    """Which one holds is for a person to say."""
    card = build_card(CardInputs(_FOLDER, front_matter={"license": ["mit", "gpl-3.0"]}), _IDENTITY)
    assert card.license is None
    assert card.warnings == ("the README states several licences: mit, gpl-3.0",)


def test_summary_is_one_harmless_line() -> None:
    """It goes into a comment of a file that is parsed."""
    tensors = {"m.safetensors": (_Tensor("w.weight", "BF16", (8190, 10**6), 2 * 8190 * 10**6),)}
    inputs = CardInputs(_FOLDER, tensors=tensors, front_matter={"license": "apache-2.0"})
    assert summary(build_card(inputs, _IDENTITY)) == (
        "transformers, 8.19 B parameters, bfloat16, 15.0 GiB, apache-2.0"
    )
    hostile = CardInputs(_FOLDER, front_matter={"license": "mit\n[[models]]\r\x1b[31m\u2028é" + "x" * 100})
    line = summary(build_card(hostile, _IDENTITY))
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= 120


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (999, "999"),
        (22_713_216, "22.7 M"),
        (8_190_735_360, "8.19 B"),
        (671_026_404_352, "671 B"),
        (10**12, "1.00 T"),
    ],
)
def test_human_count(number: int, words: str) -> None:
    """Three digits."""
    assert human_count(number) == f"{words} parameters"


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "gptq 4-bit"),
        ({"quant_method": "fp8", "fmt": "e4m3"}, "fp8"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "NVFP4"),
    ],
)
def test_summary_names_the_quantisation(
    folder: Callable[..., ModelFolder], stated: dict[str, object], words: str
) -> None:
    """In a word or two."""
    inputs = CardInputs(folder(), {"config.json": {"quantization_config": stated}})
    assert summary(build_card(inputs, _IDENTITY)) == f"transformers, {words}, 0 B"


def test_human_size() -> None:
    """Three digits, in units of 1024."""
    assert (human_size(0), human_size(2048), human_size(int(15.3 * 2**30))) == ("0 B", "2.00 KiB", "15.3 GiB")


def test_wanted_files() -> None:
    """Only what is there is asked for; components' configs, too."""
    names = ("1_Pooling/config.json", "additional_chat_templates/rag.jinja", "config.json", "other.json")
    files = tuple(ModelFile(name, 1) for name in names)
    model = ModelFolder("a", Layout.SENTENCE_TRANSFORMERS, Kind.MODEL, (), (), ("1_Pooling",), files)
    assert wanted_documents(model) == ("config.json", "1_Pooling/config.json")
    assert wanted_texts(model) == ("additional_chat_templates/rag.jinja",)


# fmt: off
_KEYS = st.sampled_from([
    "model_type", "architectures", "hidden_size", "num_attention_heads", "num_key_value_heads", "text_config",
    "rope_scaling", "rope_parameters", "full_attention", "factor", "quantization_config", "quantization",
    "bits", "group_size", "quant_method", "dtype", "torch_dtype", "layer_types", "max_position_embeddings",
    "num_experts", "num_experts_per_tok", "chat_template", "template", "name", "eos_token", "content", "r",
    "lora_alpha", "target_modules", "type", "path", "kv_lora_rank", "model_max_length", "config_groups",
    "weights", "weight_block_size", "license", "tags", "base_model",
]) | st.text(max_size=8)
# fmt: on
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**80), max_value=2**80)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["\ud800", "yarn", "gptq", "falcon", "float16", "s.models.Pooling", "x" * 5000])
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=25,
)
# fmt: off
_NAMES = st.sampled_from([
    "config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json",
    "modules.json", "adapter_config.json", "quantize_config.json", "quant_config.json",
    "hf_quant_config.json",
    "model_index.json", "chat_template.json", "sentence_bert_config.json",
])
# fmt: on
_DTYPES = st.sampled_from(
    ["BF16", "F32", "U8", "I8", "U32", "I32", "F8_E4M3", "F8_E8M0", "F4", "Q4_K", "\ud800?"]
)
_PARTS = st.sampled_from(
    [
        "weight",
        "qweight",
        "scales",
        "lm_head",
        "embed_tokens",
        "experts",
        "bias",
        "attn",
        "x_blocks",
        "x_scales",
        "",
    ]
)
_TENSORS = st.builds(
    lambda parts, dtype, shape: _Tensor(".".join(parts), dtype, tuple(shape), math.prod(shape)),
    st.lists(_PARTS, max_size=4),
    _DTYPES,
    st.lists(st.integers(min_value=0, max_value=2**40), max_size=4),
)
_GGUF = st.dictionaries(
    st.sampled_from(
        ["general.architecture", "general.file_type", "llama.block_count", "tokenizer.chat_template"]
    ),
    st.integers() | st.floats() | st.booleans() | st.sampled_from(["llama", "\ud800"]),
)
_WEIGHTS = (WeightSet(WeightFormat.SAFETENSORS, ("m.safetensors", "\udcff"), None, primary=True),)


@settings(max_examples=200, deadline=None)
@given(
    layout=st.sampled_from(Layout),
    kind=st.sampled_from(Kind),
    documents=st.dictionaries(_NAMES, _JSON),
    front=st.dictionaries(_KEYS, _JSON, max_size=5),
    tensors=st.lists(_TENSORS, max_size=6),
    metadata=_GGUF,
    overrides=st.dictionaries(st.sampled_from(["license", "tags", "notes", "other"]), _JSON),
)
def test_no_folder_makes_it_raise(
    layout: Layout,
    kind: Kind,
    documents: dict[str, object],
    front: dict[str, object],
    tensors: list[_Tensor],
    metadata: dict[str, Any],
    overrides: dict[str, object],
) -> None:
    """Whatever JSON, headers and README hold: a card, that survives its own file and fits in one line."""
    inputs = CardInputs(
        model=ModelFolder("a\udcff", layout, kind, (), _WEIGHTS, (), (ModelFile("\udcff", 2**62),)),
        documents=documents,
        texts={"chat_template.jinja": "\ud800"},
        front_matter=front,
        tensors={"m.safetensors": tensors},
        gguf_metadata=metadata,
        warnings=("a\nb\ud800",),
    )
    card = build_card(inputs, dataclasses.replace(_IDENTITY, path="a\udcff", overrides=overrides))
    assert parse(dump(card)) == card
    assert dump(parse(dump(card))) == dump(card)
    assert len(summary(card)) <= 120
