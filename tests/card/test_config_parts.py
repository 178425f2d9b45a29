"""Architecture, context, dtype, quantisation and tokenizer from configs that break naive readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.config.context import context
from dxwatchd.card.loading.sentence_transformers import sentence_transformers
from dxwatchd.card.loading.tokenizer import tokenizer
from dxwatchd.card.parts import Context, Quantization
from dxwatchd.card.values import Notes
from dxwatchd.card.weights.dtype import config_dtype, dtype
from dxwatchd.card.weights.quantization import gguf_quantization, packed_bits, quantization

_LLAMA = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        ({"n_embd": 768, "n_head": 12, "n_layer": 12}, "hidden_size", 768),
        ({"model_type": "falcon", "multi_query": True, "num_kv_heads": 71}, "num_key_value_heads", 1),
        (
            {
                "model_type": "falcon",
                "multi_query": True,
                "new_decoder_architecture": True,
                "num_kv_heads": 8,
            },
            "num_key_value_heads",
            8,
        ),
        ({"multi_query_attention": True, "multi_query_group_num": 2}, "num_key_value_heads", 2),
        ({"multi_query_attention": False, "multi_query_group_num": 2}, "num_key_value_heads", None),
        ({"attn_config": {"kv_n_heads": 8}, "n_heads": 48}, "num_key_value_heads", 8),
        ({"padded_vocab_size": 65024}, "vocab_size", 65024),
        ({"vocab_size": -1}, "vocab_size", None),
        ({"model_type": "t5", "d_kv": 64, "d_model": 512, "num_heads": 6}, "head_dim", 64),
        (_LLAMA, "head_dim", 128),
        ({**_LLAMA, "kv_lora_rank": 512}, "head_dim", None),
        ({**_LLAMA, "model_type": "gemma"}, "head_dim", 256),
        ({**_LLAMA, "model_type": "gemma", "head_dim": None}, "head_dim", None),
        ({**_LLAMA, "hidden_size": 4097}, "head_dim", None),
        ({"head_dim": 256, "global_head_dim": 512}, "head_dim", None),
        ({"hidden_size": 1, "text_config": {"hidden_size": 2}}, "hidden_size", 2),
        ({"hidden_size": 1, "text_config": {"model_type": "persimmon"}}, "hidden_size", 1),
        ({"thinker_config": {"text_config": {"hidden_size": 3}}}, "hidden_size", 3),
        ({"encoder_ffn_dim": 4, "decoder_ffn_dim": 8}, "intermediate_size", None),
        ({"hidden_size": True}, "hidden_size", None),
        ({"hidden_size": "4096"}, "hidden_size", None),
        ({"hidden_size": 2**70}, "hidden_size", None),
        ({"hidden_size": [4096]}, "hidden_size", None),
        ({"model_type": "clip", "text_config": {"tie_word_embeddings": True}}, "tie_word_embeddings", None),
        ([1, 2], "hidden_size", None),
        (None, "hidden_size", None),
    ],
)
def test_architecture(config: object, field: str, value: int | None) -> None:
    """The field's value, and null where the file does not say."""
    notes = Notes()
    assert getattr(architecture(config, notes), field) == value
    assert (f"architecture.{field}" in notes.sources) is (value is not None)


def test_sources_point_into_the_config() -> None:
    """Each value can be looked up where it was found."""
    notes = Notes()
    config = {
        "text_config": {"hidden_size": 64, "num_attention_heads": 4, "ffn_config": {"moe_num_experts": 16}}
    }
    assert architecture(config, notes).moe is not None
    assert notes.sources["architecture.hidden_size"] == "config.json#/text_config/hidden_size"
    experts = "config.json#/text_config/ffn_config/moe_num_experts"
    assert notes.sources["architecture.moe.num_experts"] == experts
    assert notes.sources["architecture.head_dim"] == "derived: hidden_size / num_attention_heads"


@pytest.mark.parametrize(
    ("heads", "shared", "more", "kind"),
    [(32, 32, {}, "mha"), (32, 8, {}, "gqa"), (32, 1, {}, "mqa"), (32, 32, {"kv_lora_rank": 512}, "mla")],
)
def test_kind_of_attention(heads: int, shared: int, more: dict[str, int], kind: str) -> None:
    """By the heads that share keys and values."""
    config = {"num_attention_heads": heads, "num_key_value_heads": shared, **more}
    assert architecture(config, Notes()).attention.type == kind


def test_a_window_that_is_off_is_none() -> None:
    """Qwen-2.5 states a window that it does not use."""
    config = {"sliding_window": 32768, "use_sliding_window": False}
    assert architecture(config, Notes()).attention.sliding_window is None


_YARN = {"rope_type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}


@pytest.mark.parametrize(
    ("config", "limit", "length", "wanted"),
    [
        pytest.param({"n_positions": 1024, "n_ctx": 1024}, None, None, (1024, 1024, 1024), id="gpt2"),
        pytest.param({"model_type": "t5", "n_positions": 512}, 512, None, (None, None, None), id="t5"),
        pytest.param({"max_target_positions": 448}, None, None, (448, 448, 448), id="whisper"),
        pytest.param({"text_config": {"max_position_embeddings": 77}}, 77, None, (77, 77, 77), id="clip"),
        pytest.param(
            {"max_position_embeddings": 163840, "rope_scaling": _YARN},
            131072,
            None,
            (163840, 4096, 163840),
            id="yarn",
        ),
        pytest.param(
            {
                "max_position_embeddings": 131072,
                "original_max_position_embeddings": 4096,
                "rope_scaling": {"type": "su"},
            },
            None,
            None,
            (131072, 4096, 4096),
            id="longrope",
        ),
        pytest.param(
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {
                    "rope_type": "llama3",
                    "factor": 8.0,
                    "original_max_position_embeddings": 8192,
                },
            },
            None,
            None,
            (131072, 8192, 131072),
            id="llama3",
        ),
        pytest.param(
            {"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
            None,
            None,
            (131072, 131072, 131072),
            id="gemma3",
        ),
        pytest.param(
            {
                "max_position_embeddings": 32768,
                "rope_parameters": {"full_attention": {**_YARN, "factor": 4, "rope_type": "default"}},
            },
            None,
            None,
            (32768, 32768, 32768),
            id="by-layer-type",
        ),
        pytest.param(
            {"model_type": "roberta", "pad_token_id": 1, "max_position_embeddings": 514},
            None,
            None,
            (514, 514, 512),
            id="roberta",
        ),
        pytest.param({"max_position_embeddings": 512}, 512, 256, (512, 512, 256), id="sentence-transformers"),
        pytest.param({"max_position_embeddings": 4096}, 2048, None, (4096, 4096, 2048), id="tokenizer"),
        pytest.param({"max_position_embeddings": 0}, None, None, (None, None, None), id="zero"),
        pytest.param({}, 2048, None, (None, None, None), id="silent"),
    ],
)
def test_context(
    config: dict[str, Any], limit: int | None, length: int | None, wanted: tuple[int | None, ...]
) -> None:
    """Declared, native and effective, with the rule that made it."""
    made = context(config, limit, length, Notes())
    assert (made.declared, made.native, made.effective) == wanted
    assert (made.rule is None) is (made.effective is None)


def test_no_context_is_all_null() -> None:
    """Whatever stands where the config should be."""
    assert context("config", None, None, Notes()) == Context()


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"torch_dtype": "bfloat16"}, "bfloat16"),
        ({"dtype": "float16", "torch_dtype": "float32"}, "float16"),
        ({"torch_dtype": "torch.float16"}, "float16"),
        ({"dtype": {"": "bfloat16", "vision_config": "float32"}}, "bfloat16"),
        ({"text_config": {"dtype": "bfloat16"}}, "bfloat16"),
        ({"dtype": "fp8"}, None),
        ({"dtype": ["float16"]}, None),
        ({}, None),
    ],
)
def test_dtype_of_a_config(config: object, name: str | None) -> None:
    """By its newer key first; what torch does not know is none."""
    found = config_dtype(config)
    assert (found and found[0]) == name


def test_headers_prevail_over_the_config(tensor: Callable[..., Any]) -> None:
    """The contradiction is listed, not hidden."""
    notes = Notes()
    tensors = {"model.safetensors": (tensor("a.weight", "F32", 4, 4),)}
    assert dtype({"torch_dtype": "float16"}, tensors, notes, quantised=False) == "float32"
    assert notes.conflicts == [
        ("dtype", (("weight file headers", "float32"), ("config.json#/torch_dtype", "float16")))
    ]


def test_dtype_of_a_quantised_model_is_that_of_the_rest(tensor: Callable[..., Any]) -> None:
    """FP8 weights are the quantisation; without one they are the dtype. Scales never count."""
    weights = (
        tensor("a.weight", "F8_E4M3", 64, 64),
        tensor("a.weight_scale_inv", "F32", 64, 64),
        tensor("norm.weight", "BF16", 64),
    )
    tensors = {"model.safetensors": weights}
    assert dtype({}, tensors, Notes(), quantised=True) == "bfloat16"
    assert dtype({}, tensors, Notes(), quantised=False) == "float8_e4m3fn"


@pytest.mark.parametrize(
    ("documents", "wanted"),
    [
        ({"config.json": {}}, None),
        ({"config.json": {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}},
         Quantization(quant_method="fp8", bits=8, weight_block_size=(128, 128))),
        ({"config.json": {"quantization_config": {"quant_method": "gptq", "bits": 3, "group_size": -1}}},
         Quantization(quant_method="gptq", bits=3, group_size=-1)),
        ({"config.json": {"text_config": {"quantization_config": {"quant_method": "mxfp4"}}}},
         Quantization(quant_method="mxfp4", bits=4)),
        ({"config.json": {"quantization": {"group_size": 64, "bits": 4},
                          "quantization_config": {"group_size": 64, "bits": 4}}},
         Quantization(quant_method="mlx", bits=4, group_size=64)),
        ({"config.json": {"quantization_config": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}}},
         Quantization(quant_method="bitsandbytes", quant_type="nf4", bits=4)),
        ({"quantize_config.json": {"bits": 4, "group_size": 128, "sym": True}},
         Quantization(quant_method="gptq", bits=4, group_size=128, sym=True)),
        ({"quantize_config.json": {"per_channel": True, "per_model_config": {}}}, None),
        ({"quant_config.json": {"w_bit": 4, "q_group_size": 128}},
         Quantization(quant_method="awq", bits=4, group_size=128)),
        ({"hf_quant_config.json": {"quantization": {"quant_algo": "NVFP4", "group_size": 16}}},
         Quantization(quant_method="modelopt", quant_type="NVFP4", bits=4, group_size=16)),
        ({"config.json": {"quantization_config": "gptq"}}, None),
        ({"config.json": {"quantization_config": {"quant_method": 4, "bits": "four"}}}, None),
    ],
)  # fmt: skip
def test_quantization(documents: dict[str, object], wanted: Quantization | None) -> None:
    """In all the places in which quantisers say it."""
    assert quantization(documents, Notes()) == wanted


def test_bits_of_a_module_prevail() -> None:
    """MLX states other bits for single modules."""
    config = {"quantization": {"bits": 4, "group_size": 64, "model.embed_tokens": {"bits": 8}}}
    documents = {"config.json": config}
    bits = packed_bits(documents, quantization(documents, Notes()))
    assert (bits("model.embed_tokens"), bits("lm_head")) == (8, 4)


@pytest.mark.parametrize(
    ("file_type", "stored", "quant_type"),
    [(15, "Q4_K", "Q4_K_M"), (1, "F16", None), (None, "Q8_0", "Q8_0"), (1, "Q8_0", "Q8_0"), (15, None, None)],
)
def test_gguf_file_type(file_type: int | None, stored: str | None, quant_type: str | None) -> None:
    """The tensors decide whether anything is quantised; the header names the kind."""
    found = gguf_quantization(file_type, stored, "x.gguf#general.file_type", Notes())
    assert (found and found.quant_type) == quant_type


def test_tokenizer_limits_and_tokens() -> None:
    """A placeholder is no limit; a token may be a text or an object."""
    config = {"tokenizer_class": "T", "model_max_length": 10**30, "eos_token": {"content": "</s>"}}
    made = tokenizer(
        {"tokenizer_config.json": config, "special_tokens_map.json": {"bos_token": "<s>"}}, {}, Notes()
    )
    assert (made.tokenizer_class, made.model_max_length) == ("T", None)
    assert (made.bos_token, made.eos_token, made.pad_token) == ("<s>", "</s>", None)


def test_chat_templates_of_a_file_prevail() -> None:
    """Hashed and searched, never rendered."""
    documents = {"tokenizer_config.json": {"chat_template": "{{ old }}"}}
    made = tokenizer(documents, {"chat_template.jinja": "{% if tools %}<think>"}, Notes()).chat_templates
    assert [(each.name, each.source, each.flags) for each in made] == [
        ("default", "chat_template.jinja", ("tools", "thinking"))
    ]
    named = [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}, {"name": 1}]
    listed = tokenizer({"tokenizer_config.json": {"chat_template": named}}, {}, Notes()).chat_templates
    assert [each.name for each in listed] == ["default", "rag"]


def test_sentence_transformers_modules() -> None:
    """A dense layer behind the pooling changes the dimension; two modes of pooling double it."""
    modules = [
        {"path": "1_Pooling", "type": "s.models.Pooling"},
        {"path": "2_Dense", "type": "s.models.Dense"},
    ]
    pooling = {
        "word_embedding_dimension": 8,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": True,
    }
    documents: dict[str, object] = {"modules.json": modules[:1], "1_Pooling/config.json": pooling}
    found = sentence_transformers(documents, Notes())
    assert found is not None
    assert (found.pooling_mode, found.embedding_dimension, found.normalize) == ("cls+mean", 16, False)
    found = sentence_transformers(
        {**documents, "modules.json": modules, "2_Dense/config.json": {"out_features": 4}}, Notes()
    )
    assert found is not None
    assert found.embedding_dimension == 4
