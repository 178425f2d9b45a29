"""Configs that break naive readers, each with the figure that is right: the whole way to the card.

What a part does with the same traps is tested where the part is: names and places of sizes, context, dtype
and quantisation in test_config_parts, packed weights and buffers in test_parameters, kinds of layers and what
transformers' caches hold in test_kv_cache, single layers' own sizes in test_per_layer, the readers' refusals
in readers/test_json_document and readers/test_front_matter. Here each trap meets the card, by a config in its
own words and by its family of the corpus.
"""

from __future__ import annotations

import math
import re
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.cardmaking import make_card
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.reasons import ReasonKind as Why
from dxwatchd.core.reasons import State
from tests.card.conftest import Family, Tensor
from tests.e2e.test_names import tiny_model
from tests.layouts.conftest import look
from tests.test_cardmaking import card_of

_IDENTITY = Identity("a", "A", "p/a", "p/a", "sha256:0")
_BF16 = {"torch_dtype": "bfloat16"}
Make = Callable[..., Tensor]
Folder = Callable[..., ModelFolder]


def value(card: Card, path: str) -> object:
    """What stands at a path of names in the card."""
    found: Any = card
    for name in path.split("."):
        found = None if found is None else getattr(found, name)
    return found


def values(card: Card, wanted: dict[str, object]) -> dict[str, object]:
    """What the card has in the places of `wanted`."""
    return {path: value(card, path) for path in wanted}


_FALCON = {"model_type": "falcon", "architectures": ["FalconForCausalLM"], "vocab_size": 65024, **_BF16}
_DEEPSEEK = {
    "model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "hidden_size": 7168,
    "intermediate_size": 18432, "num_hidden_layers": 61, "num_attention_heads": 128, "vocab_size": 129280,
    "num_key_value_heads": 128, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128, "v_head_dim": 128, "n_routed_experts": 256, "num_experts_per_tok": 8,
    "n_shared_experts": 1, "moe_intermediate_size": 2048, "first_k_dense_replace": 3,
    "num_nextn_predict_layers": 1, "tie_word_embeddings": False, "max_position_embeddings": 163840,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}, **_BF16,
}  # fmt: skip
_PHI3 = {
    "model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "hidden_size": 3072, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 131072, **_BF16,
}  # fmt: skip
_QWEN3_8B = {
    "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "num_hidden_layers": 36,
    "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, **_BF16,
}  # fmt: skip
_GEMMA4 = {
    "model_type": "gemma4_text", "num_hidden_layers": 6, "hidden_size": 2816, "num_attention_heads": 16,
    "num_key_value_heads": 8, "num_global_key_value_heads": 2, "attention_k_eq_v": True, "head_dim": 256,
    "global_head_dim": 512, "sliding_window": 1024, "max_position_embeddings": 262144,
    "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
}  # fmt: skip

ROWS = [
    ("GPT-2's short names",
     {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 768, "n_head": 12, "n_layer": 12,
      "n_positions": 1024, "n_ctx": 1024, "vocab_size": 50257},
     {"architecture.hidden_size": 768, "architecture.num_attention_heads": 12, "context.declared": 1024,
      "architecture.num_hidden_layers": 12, "architecture.head_dim": 64}),
    ("Falcon-7B shares one head",
     {**_FALCON, "hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32, "num_kv_heads": 71,
      "multi_query": True, "new_decoder_architecture": False},
     {"architecture.num_key_value_heads": 1, "architecture.attention.type": "mqa",
      "architecture.head_dim": 64, "kv_cache.bytes_per_token": 32 * 2 * 1 * 64 * 2}),
    ("Falcon-40B shares eight",
     {**_FALCON, "hidden_size": 8192, "num_attention_heads": 128, "num_hidden_layers": 60, "num_kv_heads": 8,
      "multi_query": True, "new_decoder_architecture": True},
     {"architecture.num_key_value_heads": 8, "architecture.attention.type": "gqa",
      "kv_cache.bytes_per_token": 60 * 2 * 8 * 64 * 2}),
    ("ChatGLM3's own names",
     {"model_type": "chatglm", "architectures": ["ChatGLMModel"], "num_layers": 28, "hidden_size": 4096,
      "padded_vocab_size": 65024, "kv_channels": 128, "num_attention_heads": 32, "seq_length": 8192,
      "multi_query_attention": True, "multi_query_group_num": 2, "torch_dtype": "float16"},
     {"architecture.num_hidden_layers": 28, "architecture.num_key_value_heads": 2,
      "architecture.head_dim": 128, "architecture.vocab_size": 65024, "context.declared": 8192,
      "kv_cache.bytes_per_token": 28 * 2 * 2 * 128 * 2}),
    ("MPT's nested attention",
     {"model_type": "mpt", "architectures": ["MPTForCausalLM"], "d_model": 4096, "n_heads": 32,
      "n_layers": 32, "max_seq_len": 2048, "attn_config": {"kv_n_heads": 8}, "vocab_size": 50432, **_BF16},
     {"architecture.hidden_size": 4096, "architecture.num_attention_heads": 32,
      "architecture.num_key_value_heads": 8, "context.declared": 2048,
      "kv_cache.bytes_per_token": 32 * 2 * 8 * 128 * 2}),
    ("DBRX's nested experts",
     {"model_type": "dbrx", "architectures": ["DbrxForCausalLM"], "d_model": 6144, "n_heads": 48,
      "n_layers": 40, "max_seq_len": 32768, "attn_config": {"kv_n_heads": 8},
      "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4}, **_BF16},
     {"architecture.moe.num_experts": 16, "architecture.moe.num_experts_per_tok": 4,
      "architecture.num_key_value_heads": 8, "architecture.intermediate_size": 10752}),
    ("T5 has a width of head of its own and no absolute context",
     {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True,
      "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_heads": 6, "num_layers": 8, "num_decoder_layers": 8,
      "n_positions": 512, "torch_dtype": "float32"},
     {"architecture.head_dim": 64, "context.declared": None, "context.effective": None,
      "kv_cache.bytes_per_token": 8 * 2 * 6 * 64 * 4}),
    ("Whisper writes 448 tokens",
     {"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"], "d_model": 768,
      "is_encoder_decoder": True, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 12,
      "decoder_attention_heads": 12, "max_source_positions": 1500, "max_target_positions": 448,
      "torch_dtype": "float16"},
     {"context.declared": 448, "context.effective": 448, "kv_cache.bytes_per_token": 12 * 2 * 12 * 64 * 2}),
    ("CLIP reads 77 tokens and keeps none",
     {"model_type": "clip", "architectures": ["CLIPModel"], "torch_dtype": "float32", "projection_dim": 768,
      "text_config": {"model_type": "clip_text_model", "max_position_embeddings": 77, "hidden_size": 768,
                      "num_attention_heads": 12, "num_hidden_layers": 12},
      "vision_config": {"hidden_size": 1024, "num_hidden_layers": 24}},
     {"context.declared": 77, "architecture.hidden_size": 768, "architecture.num_hidden_layers": 12,
      "kv_cache.bytes_per_token": 0, "kv_cache.constant_bytes": 0, "model_usage_type": None}),
    ("DeepSeek-V3 keeps its cache compressed",
     _DEEPSEEK,
     {"architecture.num_hidden_layers": 61, "architecture.moe.num_experts": 256,
      "architecture.attention.type": "mla", "kv_cache.bytes_per_token": 70_272,
      "context.native": 4096, "context.effective": 163840}),
    ("Qwen3-8B",
     _QWEN3_8B,
     {"kv_cache.bytes_per_token": 147_456}),
    ("Mixtral calls its experts local",
     {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 14336},
     {"architecture.moe.num_experts": 8, "architecture.moe.num_experts_per_tok": 2}),
    ("Qwen2-MoE has experts beside a shared one",
     {"model_type": "qwen2_moe", "num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 1408,
      "shared_expert_intermediate_size": 5632, "intermediate_size": 5632},
     {"architecture.moe.num_experts": 60, "architecture.moe.num_experts_per_tok": 4,
      "architecture.moe.moe_intermediate_size": 1408}),
    ("Qwen3-Next: 12 of 48 layers grow, by the interval",
     {"model_type": "qwen3_next", "architectures": ["Qwen3NextForCausalLM"], "num_hidden_layers": 48,
      "full_attention_interval": 4, "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2,
      "head_dim": 256, "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
      "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4, **_BF16},
     {"kv_cache.bytes_per_token": 12 * 2 * 2 * 256 * 2,
      "kv_cache.constant_bytes": 36 * ((2 * 16 * 128 + 32 * 128) * 4 * 2 + 32 * 128 * 128 * 4)}),
    ("Jamba: one of eight layers grows",
     {"model_type": "jamba", "architectures": ["JambaForCausalLM"], "num_hidden_layers": 32,
      "attn_layer_period": 8, "attn_layer_offset": 4, "hidden_size": 4096, "num_attention_heads": 32,
      "num_key_value_heads": 8, "mamba_d_conv": 4, "mamba_d_state": 16, "mamba_expand": 2,
      "num_experts": 16, "num_experts_per_tok": 2, **_BF16},
     {"kv_cache.bytes_per_token": 4 * 2 * 8 * 128 * 2,
      "kv_cache.constant_bytes": 28 * (8192 * 4 * 2 + 8192 * 16 * 4)}),
    ("Mamba: none grows",
     {"model_type": "mamba", "architectures": ["MambaForCausalLM"], "num_hidden_layers": 64,
      "hidden_size": 2560, "intermediate_size": 5120, "conv_kernel": 4, "state_size": 16,
      "torch_dtype": "float32"},
     {"kv_cache.bytes_per_token": 0, "kv_cache.constant_bytes": 64 * (5120 * 4 * 4 + 5120 * 16 * 4),
      "context.declared": None, "architecture.num_attention_heads": None}),
    ("Gemma-4: the layers of full attention are wider, and share keys and values",
     {"model_type": "gemma4", "architectures": ["Gemma4ForConditionalGeneration"], "text_config": _GEMMA4,
      "vision_config": {"hidden_size": 768}, "dtype": "bfloat16"},
     {"architecture.head_dim": None, "architecture.num_key_value_heads": None,
      "kv_cache.bytes_per_token": 1 * 2 * (512 + 512) * 2,
      "kv_cache.constant_bytes": 5 * 8 * (256 + 256) * 2 * 1024}),
    ("Llama-4: three of four layers see a chunk",
     {"model_type": "llama4", "architectures": ["Llama4ForConditionalGeneration"], **_BF16,
      "text_config": {"model_type": "llama4_text", "num_hidden_layers": 48, "attention_chunk_size": 8192,
                      "hidden_size": 5120, "num_attention_heads": 40, "num_key_value_heads": 8,
                      "head_dim": 128, "max_position_embeddings": 10485760, "no_rope_layers": []},
      "vision_config": {"hidden_size": 1408}},
     {"kv_cache.bytes_per_token": 12 * 2 * 8 * 128 * 2,
      "kv_cache.constant_bytes": 36 * 2 * 8 * 128 * 2 * 8192}),
    ("gpt-oss: every other layer has a window",
     {"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "num_hidden_layers": 24,
      "hidden_size": 2880, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
      "sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"] * 12,
      "max_position_embeddings": 131072, "num_local_experts": 32, "num_experts_per_tok": 4,
      "quantization_config": {"quant_method": "mxfp4"}, **_BF16},
     {"kv_cache.bytes_per_token": 12 * 2 * 8 * 64 * 2,
      "kv_cache.constant_bytes": 12 * 2 * 8 * 64 * 2 * 128,
      "architecture.moe.num_experts": 32, "quantization.bits": 4}),
    *(
        (f"Phi-3 128k, scaled by {kind} under `{key}`",
         {**_PHI3, "original_max_position_embeddings": 4096, "sliding_window": 262144,
          "rope_scaling": {key: kind, "long_factor": [1.0], "short_factor": [1.0]}},
         {"context.declared": 131072, "context.native": 4096, "context.effective": 4096,
          "kv_cache.bytes_per_token": 32 * 2 * 32 * 96 * 2})
        for key, kind in (("type", "su"), ("type", "longrope"), ("rope_type", "longrope"))
    ),
    ("Phi-3 128k as transformers writes it since version 5",
     {**_PHI3, "rope_parameters": {"rope_type": "longrope", "original_max_position_embeddings": 4096}},
     {"context.declared": 131072, "context.native": 4096, "context.effective": 4096}),
    ("rope_parameters for each kind of layer",
     {"max_position_embeddings": 131072,
      "rope_parameters": {
          "sliding_attention": {"rope_type": "default"},
          "full_attention": {"rope_type": "yarn", "factor": 32, "original_max_position_embeddings": 4096}}},
     {"context.declared": 131072, "context.native": 4096, "context.effective": 131072}),
    ("dtype before torch_dtype", {"torch_dtype": "float32", "dtype": "bfloat16"}, {"dtype": "bfloat16"}),
    ("dtype by part", {"dtype": {"": "float16", "vision_config": "float32"}}, {"dtype": "float16"}),
    ("no dtype", {"model_type": "bert", "architectures": ["BertModel"]}, {"dtype": None}),
    ("a vocabulary of -1", {"model_type": "llama", "vocab_size": -1}, {"architecture.vocab_size": None}),
]  # fmt: skip


@pytest.mark.parametrize(("config", "wanted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_config_that_breaks_naive_readers(
    folder: Folder, config: dict[str, Any], wanted: dict[str, object]
) -> None:
    """Read under the names and by the rules of its own family; what it does not say is null."""
    card = build_card(CardInputs(folder(), {"config.json": config}), _IDENTITY)
    assert values(card, wanted) == wanted


FAMILIES: list[tuple[str, dict[str, object]]] = [
    ("gpt2-spanish", {"architecture.num_hidden_layers": 12, "context.declared": 1024}),
    ("gpt2-xl", {"architecture.num_hidden_layers": 48, "architecture.head_dim": 64}),
    ("falcon-40b", {"architecture.num_key_value_heads": 8, "kv_cache.bytes_per_token": 122_880}),
    ("chatglm3-6b", {"architecture.num_hidden_layers": 28, "architecture.num_key_value_heads": 2,
                     "architecture.head_dim": 128, "kv_cache.bytes_per_token": 28_672}),
    ("dbrx-132b-trimmed", {"architecture.moe.num_experts": 16, "architecture.num_key_value_heads": 12}),
    ("flan-t5-large", {"architecture.head_dim": 64, "context.declared": None}),
    ("whisper-small-nb", {"context.declared": 448}),
    ("clip-vit-l14", {"context.declared": 77, "kv_cache.bytes_per_token": 0}),
    ("deepseek-v3", {"architecture.num_hidden_layers": 61, "architecture.moe.num_experts": 256,
                     "parameters.total": 671_026_404_352, "kv_cache.bytes_per_token": 70_272}),
    ("mixtral-8x7b", {"architecture.moe.num_experts": 8, "parameters.total": 46_702_792_704,
                      "parameters.active": 12_879_925_248}),
    ("mamba-2.8b", {"kv_cache.bytes_per_token": 0}),
    ("llama4-scout", {"kv_cache.bytes_per_token": 12 * 2 * 8 * 128 * 2}),
    ("gpt-oss-20b", {"parameters.total": 20_914_757_184, "quantization.quant_method": "mxfp4"}),
    ("phi3-mini-128k", {"context.declared": 131072, "context.native": 4096, "context.effective": 4096}),
    ("bert-base-uncased", {"dtype": "float32", "kv_cache.bytes_per_token": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wanted"), FAMILIES, ids=[name for name, _ in FAMILIES])
def test_family_of_the_corpus(family: Callable[[str], Family], name: str, wanted: dict[str, object]) -> None:
    """The same traps in the files that the publishers wrote."""
    assert values(build_card(family(name).inputs, _IDENTITY), wanted) == wanted


def _counted(folder: Folder, config: dict[str, Any], tensors: Iterable[Tensor]) -> Card:
    return build_card(
        CardInputs(folder(), {"config.json": config}, tensors={"m.safetensors": tuple(tensors)}), _IDENTITY
    )


def test_gpt2_has_124_million_parameters(folder: Folder, tensor: Make) -> None:
    """Its stored masks would make 137.0 M of them, its stored output layer 163.0 M."""
    wide = 768
    tensors = [tensor("wte.weight", "F32", 50257, wide), tensor("wpe.weight", "F32", 1024, wide)]
    tensors += [tensor("lm_head.weight", "F32", 50257, wide)]
    tensors += [tensor(f"ln_f.{part}", "F32", wide) for part in ("weight", "bias")]
    for layer in range(12):
        at = f"h.{layer}"
        tensors += [tensor(f"{at}.attn.bias", "F32", 1, 1, 1024, 1024)]
        tensors += [tensor(f"{at}.attn.masked_bias", "F32")]
        for name, rows, columns in (
            ("attn.c_attn", wide, 3 * wide), ("attn.c_proj", wide, wide),
            ("mlp.c_fc", wide, 4 * wide), ("mlp.c_proj", 4 * wide, wide),
        ):  # fmt: skip
            tensors += [tensor(f"{at}.{name}.weight", "F32", rows, columns)]
            tensors += [tensor(f"{at}.{name}.bias", "F32", columns)]
        for norm in ("ln_1", "ln_2"):
            tensors += [tensor(f"{at}.{norm}.{part}", "F32", wide) for part in ("weight", "bias")]
    card = _counted(folder, {"model_type": "gpt2"}, tensors)
    assert card.parameters.total == 124_439_808
    assert card.parameters.stored_elements == 124_439_808 + 50257 * wide + 12 * (1024 * 1024 + 1)


def _deepseek(tensor: Make) -> Iterable[Tensor]:
    wide, inner = 7168, 2048

    def weight(name: str, rows: int, columns: int) -> Iterable[Tensor]:
        yield tensor(f"{name}.weight", "F8_E4M3", rows, columns)
        yield tensor(f"{name}.weight_scale_inv", "F32", math.ceil(rows / 128), math.ceil(columns / 128))

    def feed_forward(name: str, width: int) -> Iterable[Tensor]:
        yield from weight(f"{name}.gate_proj", width, wide)
        yield from weight(f"{name}.up_proj", width, wide)
        yield from weight(f"{name}.down_proj", wide, width)

    yield tensor("model.embed_tokens.weight", "BF16", 129280, wide)
    yield tensor("lm_head.weight", "BF16", 129280, wide)
    yield tensor("model.norm.weight", "BF16", wide)
    for layer in range(62):
        at = f"model.layers.{layer}"
        yield from weight(f"{at}.self_attn.q_a_proj", 1536, wide)
        yield from weight(f"{at}.self_attn.q_b_proj", 128 * 192, 1536)
        yield from weight(f"{at}.self_attn.kv_a_proj_with_mqa", 576, wide)
        yield from weight(f"{at}.self_attn.kv_b_proj", 128 * 256, 512)
        yield from weight(f"{at}.self_attn.o_proj", wide, 128 * 128)
        for norm, width in (
            ("self_attn.q_a_layernorm", 1536), ("self_attn.kv_a_layernorm", 512),
            ("input_layernorm", wide), ("post_attention_layernorm", wide),
        ):  # fmt: skip
            yield tensor(f"{at}.{norm}.weight", "BF16", width)
        if layer < 3:
            yield from feed_forward(f"{at}.mlp", 18432)
            continue
        yield tensor(f"{at}.mlp.gate.weight", "BF16", 256, wide)
        yield tensor(f"{at}.mlp.gate.e_score_correction_bias", "F32", 256)
        yield from feed_forward(f"{at}.mlp.shared_experts", inner)
        for expert in range(256):
            yield from feed_forward(f"{at}.mlp.experts.{expert}", inner)
    at = "model.layers.61"
    yield tensor(f"{at}.embed_tokens.weight", "BF16", 129280, wide)
    yield tensor(f"{at}.shared_head.head.weight", "BF16", 129280, wide)
    yield tensor(f"{at}.eh_proj.weight", "BF16", wide, 2 * wide)
    for norm in ("enorm", "hnorm", "shared_head.norm"):
        yield tensor(f"{at}.{norm}.weight", "BF16", wide)


def test_deepseek_v3_has_671_billion_parameters_and_14_that_predict_ahead(
    folder: Folder, tensor: Make
) -> None:
    """685 B on the disk with the scales, of which 37 B work on a token: the publisher's figures.

    Its 14 B are 13.46, with a copy of the embedding and of the output layer.
    """
    card = _counted(folder, _DEEPSEEK, _deepseek(tensor))
    made = card.parameters
    assert made.total is not None
    assert made.multi_token_prediction is not None
    assert made.stored_elements is not None
    assert made.total - made.multi_token_prediction == 671_026_404_352
    assert made.multi_token_prediction == 13_463_426_048
    assert round(made.stored_elements / 10**9) == 685
    assert made.active is not None
    assert round(made.active / 10**9, 1) == 37.6  # 36.7 without the embedding, of which a token takes a row
    assert card.dtype == "bfloat16"


def test_gpt_oss_20b_has_20_91_billion_parameters(folder: Folder, tensor: Make) -> None:
    """Two in each byte of the blocks; scales are none."""
    wide, experts = 2880, 32
    tensors = [tensor(name, "BF16", 201088, wide) for name in ("model.embed_tokens.weight", "lm_head.weight")]
    tensors += [tensor("model.norm.weight", "BF16", wide)]
    for layer in range(24):
        at = f"model.layers.{layer}"
        for name, rows, columns in (("q", 4096, wide), ("k", 512, wide), ("v", 512, wide), ("o", wide, 4096)):
            tensors += [tensor(f"{at}.self_attn.{name}_proj.weight", "BF16", rows, columns)]
            tensors += [tensor(f"{at}.self_attn.{name}_proj.bias", "BF16", rows)]
        tensors += [tensor(f"{at}.self_attn.sinks", "BF16", 64)]
        tensors += [tensor(f"{at}.{n}_layernorm.weight", "BF16", wide) for n in ("input", "post_attention")]
        tensors += [tensor(f"{at}.mlp.router.weight", "BF16", experts, wide)]
        tensors += [tensor(f"{at}.mlp.router.bias", "BF16", experts)]
        for name, rows in (("gate_up", 2 * wide), ("down", wide)):
            at_experts = f"{at}.mlp.experts.{name}_proj"
            tensors += [tensor(f"{at_experts}_blocks", "U8", experts, rows, 90, 16)]
            tensors += [tensor(f"{at_experts}_scales", "U8", experts, rows, 90)]
            tensors += [tensor(f"{at_experts}_bias", "BF16", experts, rows)]
    config = {
        "model_type": "gpt_oss", "num_local_experts": 32, "num_experts_per_tok": 4,
        "tie_word_embeddings": False, "quantization_config": {"quant_method": "mxfp4"},
    }  # fmt: skip
    made = _counted(folder, config, tensors).parameters
    assert made.total == 20_914_757_184
    assert made.active is not None
    assert round(made.active / 10**9, 1) == 4.2  # the publisher's 3.6 leaves the embedding out


def test_shared_experts_of_qwen2_moe_are_always_active(folder: Folder, tensor: Make) -> None:
    """Only the routed ones are divided by what a token uses."""
    tensors = [
        *(tensor(f"model.layers.0.mlp.experts.{n}.up_proj.weight", "BF16", 8, 16) for n in range(60)),
        tensor("model.layers.0.mlp.shared_expert.up_proj.weight", "BF16", 32, 16),
        tensor("model.layers.0.mlp.shared_expert_gate.weight", "BF16", 1, 16),
    ]
    config = {"model_type": "qwen2_moe", "num_experts": 60, "num_experts_per_tok": 4}
    made = _counted(folder, config, tensors).parameters
    assert (made.total, made.active) == (60 * 128 + 512 + 16, 4 * 128 + 512 + 16)


def test_gemma3_without_its_sizes_has_none_or_its_class_s(folder: Folder) -> None:
    """The published 4B states neither heads nor vocabulary: a guess from another family would be wrong."""
    config = {
        "model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
                        "num_hidden_layers": 34, "sliding_window": 1024,
                        "rope_scaling": {"factor": 8.0, "rope_type": "linear"}},
        "vision_config": {"hidden_size": 1152, "num_attention_heads": 16, "num_hidden_layers": 27}, **_BF16,
    }  # fmt: skip
    card = build_card(CardInputs(folder(), {"config.json": config}), _IDENTITY)
    shape = card.architecture
    assert (shape.hidden_size, shape.num_hidden_layers, shape.attention.sliding_window) == (2560, 34, 1024)
    defaults = {
        "architecture.num_attention_heads": (shape.num_attention_heads, 8),
        "architecture.num_key_value_heads": (shape.num_key_value_heads, 4),
        "architecture.head_dim": (shape.head_dim, 256),
        "architecture.vocab_size": (shape.vocab_size, 262208),
        "context.declared": (card.context.declared, 131072),
    }
    for field, (got, default) in defaults.items():
        assert got in (None, default)
        assert got is None or card.sources[field].startswith("default: transformers Gemma3TextConfig")
    assert card.kv_cache.bytes_per_token in (None, 5 * 2 * 4 * 256 * 2)


# Files that are odd, through a real folder.


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(
            b'{"rope_theta": Infinity, "attention_dropout": NaN, ', "not a number|infinite|NaN", id="NaN"
        ),
        pytest.param(b'{"hidden_size": 1, "hidden_size": 2, ', "hidden_size", id="twice"),
        pytest.param(b'{"max_window_layers": ' + b"9" * 5000 + b", ", "digits|large|long", id="5000 digits"),
    ],
)
def test_odd_but_readable_config(tmp_path: Path, data: bytes, said: str) -> None:
    """The rest of the file is read, and the card says what was odd."""
    tiny_model(tmp_path / "m", 1)
    path = tmp_path / "m" / "config.json"
    path.write_bytes(data + path.read_bytes().lstrip()[1:])
    assert look(tmp_path).verdicts["m"].whole
    card = card_of(tmp_path)
    assert (card.architecture.hidden_size, card.architecture.vocab_size) == (8, 16)
    assert any(re.search(said, warning) for warning in card.warnings), card.warnings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_config_in_any_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    """As Windows editors save it: with a byte order mark, or in two bytes a character."""
    tiny_model(tmp_path / "m", 1)
    path = tmp_path / "m" / "config.json"
    path.write_bytes(path.read_text("utf-8").encode(encoding))
    assert look(tmp_path).verdicts["m"].whole
    card = card_of(tmp_path)
    assert (card.architecture.hidden_size, card.context.declared) == (8, 128)


@pytest.mark.parametrize(
    ("data", "kind", "state", "told"),
    [
        pytest.param(b"", Why.EMPTY, State.COPYING, "", id="0 bytes"),
        pytest.param(b"[1, 2]", Why.MALFORMED, State.INVALID, "", id="list"),
        pytest.param(b"null", Why.MALFORMED, State.INVALID, "", id="null"),
        pytest.param(b'{\n// sizes\n"hidden_size": 8}', Why.MALFORMED, State.INVALID, "line 2", id="comment"),
        pytest.param(b'{"a": ' + b"[" * 100_000, Why.MALFORMED, State.INVALID, "", id="100k levels"),
    ],
)
def test_config_that_cannot_be_used(tmp_path: Path, data: bytes, kind: Why, state: State, told: str) -> None:
    """It is asked for again while it may still be copied; else the file and the line are named."""
    tiny_model(tmp_path / "m", 1)
    (tmp_path / "m" / "config.json").write_bytes(data)
    seen = look(tmp_path)
    reasons = [reason for reason in seen.reasons() if reason.file == "config.json"]
    assert [reason.kind for reason in reasons] == [kind]
    assert told in str(reasons[0])
    assert reasons[0].remedy
    assert seen.state("m") is state


def test_licence_no_is_no_boolean(tmp_path: Path) -> None:
    """YAML 1.1 would make False of it, and of Norwegian; a version of 1.10 would become 1.1."""
    tiny_model(tmp_path / "m", 1)
    (tmp_path / "m" / "README.md").write_text("---\nlicense: no\nlanguage: [no, en]\ntags: [1.10]\n---\n")
    card = card_of(tmp_path)
    assert (card.license, card.language, card.tags) == ("no", ("no", "en"), ("1.10",))


def test_alias_bomb_in_a_readme_is_refused(tmp_path: Path) -> None:
    """The card is there, with a warning instead of a licence."""
    tiny_model(tmp_path / "m", 1)
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (tmp_path / "m" / "README.md").write_text(
        "---\nlicense: mit\na0: &a0 [x]\n" + "\n".join(levels) + "\n---\n"
    )
    card = card_of(tmp_path)
    assert card.license is None
    assert any(warning.startswith("README.md: ") for warning in card.warnings)


def _peak(root: Path) -> int:
    """Most bytes that Python holds at once while it looks at the root and makes the card."""
    tracemalloc.start()
    try:
        look(root)
        card_of(root)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_large_tokenizer_is_never_parsed(tmp_path: Path) -> None:
    """30 MB that turn out to be no JSON are only hashed, and not even missed by the card.

    Parsing them would take hundreds of megabytes, and would find the fault.
    """
    tiny_model(tmp_path / "m", 1)
    before = _peak(tmp_path)
    path = tmp_path / "m" / "tokenizer.json"
    path.write_bytes(b'{"model": {"vocab": {' + b'"token": 1, ' * 2_600_000)
    assert path.stat().st_size > 30_000_000
    assert _peak(tmp_path) - before < 5_000_000
    seen = look(tmp_path)
    assert seen.verdicts["m"].whole
    card = card_of(tmp_path)
    assert not any("tokenizer" in warning for warning in card.warnings)
    assert {file.name: file.size for file in card.files}["tokenizer.json"] == path.stat().st_size
    path.unlink()
    assert make_card(tmp_path, seen.models["m"], _IDENTITY).warnings == card.warnings
