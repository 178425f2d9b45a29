"""Configs of publishers' own code, each by hand, with what that code makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.config.context import context
from dxwatchd.card.config.kv_cache import kv_cache
from dxwatchd.card.parts import KvCache, Moe
from dxwatchd.card.values import Notes

_SIZES = {"hidden_size": 5120, "num_attention_heads": 40, "num_hidden_layers": 40}
_SHORT = {"d_model": 64, "n_heads": 4}


@pytest.mark.parametrize(
    ("config", "heads"),
    [
        pytest.param({"model_type": "baichuan", **_SIZES}, 40, id="Baichuan shares none"),
        pytest.param({"model_type": "qwen", "kv_channels": 128, **_SIZES}, 40, id="the first Qwen"),
        pytest.param({"model_type": "phi-msft", "n_embd": 2560, "n_head": 32, "n_head_kv": None}, 32,
                     id="Phi-2 of its first days, which states that it has no number of them"),
        pytest.param({"model_type": "phi-msft", "n_embd": 2560, "n_head": 32, "n_head_kv": 8}, 8,
                     id="the same with groups"),
        pytest.param({"model_type": "internlm", "num_key_value_heads": "eight", **_SIZES}, None,
                     id="a number that is none"),
        pytest.param({"model_type": "chatglm", "inner_hidden_size": 16384, **_SIZES}, 40, id="ChatGLM-6B"),
        pytest.param({"model_type": "chatglm", **_SIZES}, None, id="a ChatGLM that does not say which"),
        pytest.param({"model_type": "chatglm", "multi_query_attention": True, "multi_query_group_num": 2,
                      **_SIZES}, 2, id="ChatGLM2-6B"),
        pytest.param({"model_type": "plamo", "n_shared_head": 8, **_SIZES}, 5, id="PLaMo-13B"),
        pytest.param({"model_type": "plamo", "n_shared_head": 7, **_SIZES}, None, id="PLaMo, not divided"),
        pytest.param({"model_type": "codeshell", "n_head": 32, "num_query_groups": 8}, 8, id="CodeShell-7B"),
        pytest.param({"num_multi_query_heads": 8, **_SIZES}, 8, id="CogVLM2, which has no model type"),
        pytest.param({"model_type": "gpt2", "n_head": 16, "attention_head_type": "multiquery"}, 1,
                     id="SantaCoder calls itself GPT-2"),
        pytest.param({"model_type": "mpt", **_SHORT,
                      "attn_config": {"attn_type": "multiquery_attention"}}, 1, id="MPT, one shared head"),
        pytest.param({"model_type": "mpt", **_SHORT,
                      "attn_config": {"attn_type": "multihead_attention"}}, 4, id="MPT-7B"),
        pytest.param({"model_type": "hf_olmo", **_SHORT, "multi_query_attention": False}, 4,
                     id="OLMo of its first days"),
        pytest.param({"model_type": "hf_olmo", **_SHORT, "multi_query_attention": True}, 1,
                     id="the same with one shared head"),
        pytest.param({"model_type": "somebody's own", **_SIZES}, None, id="code that is not known"),
    ],
)  # fmt: skip
def test_key_value_heads_of_code_that_transformers_does_not_have(
    config: dict[str, Any], heads: int | None
) -> None:
    """As many as the publisher's code makes, from its own keys; null where it might be any number."""
    notes = Notes()
    assert architecture(config, notes).num_key_value_heads == heads
    assert ("architecture.num_key_value_heads" in notes.sources) is (heads is not None)


@pytest.mark.parametrize(("off", "width"), [({"use_mla": False}, 128), ({"kv_lora_rank": 512}, None)])
def test_heads_of_deepseek_without_latent_attention(off: dict[str, Any], width: int | None) -> None:
    """DeepSeek-VL2's small one and DeepSeek-OCR attend as Llama does; elsewhere no one width is told."""
    part = {"model_type": "deepseek_v2", **_SIZES, "v_head_dim": 0, "qk_rope_head_dim": 0, **off}
    assert architecture({"language_config": part}, Notes()).head_dim == width


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        ({"model_type": "phi3small", "ff_intermediate_size": 14336}, "intermediate_size", 14336),
        ({"model_type": "hunyuan", "attention_head_dim": 128, "hidden_size": 6400, "num_attention_heads": 80},
         "head_dim", 128),
        ({"model_type": "openelm", "model_dim": 1280, "num_transformer_layers": 16}, "hidden_size", 1280),
        ({"model_type": "openelm", "model_dim": 1280, "num_transformer_layers": 16}, "num_hidden_layers", 16),
        ({"num_hidden_layers": 3, "intermediate_size": [8, 8, 8]}, "intermediate_size", 8),
        ({"num_hidden_layers": 3, "intermediate_size": [8, 8, 16]}, "intermediate_size", None),
        ({"num_hidden_layers": 3, "intermediate_size": [8, 8]}, "intermediate_size", None),
        ({"intermediate_size": [8, 8]}, "intermediate_size", None),
        ({"num_hidden_layers": [8, 8]}, "num_hidden_layers", None),
        ({"num_hidden_layers": 2, "num_experts": 64, "moe_topk": [8, 8], "num_shared_expert": [1, 1],
          "moe_intermediate_size": [3072, 3072]}, "moe",
         Moe(num_experts=64, num_experts_per_tok=8, num_shared_experts=1, moe_intermediate_size=3072)),
        ({"num_experts": 8, "num_selected_experts": 1}, "moe", Moe(num_experts=8, num_experts_per_tok=1)),
    ],
)  # fmt: skip
def test_sizes_by_publishers_own_keys(config: dict[str, Any], field: str, value: object) -> None:
    """Keys of one publisher, and lists that give one number for each layer where it is the same in all."""
    assert getattr(architecture(config, Notes()), field) == value


def cache_of(**config: Any) -> KvCache:
    """What a network of four layers with four heads of 16 keeps in 16 bits, but for what is told."""
    sizes = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 4, "num_key_value_heads": 2}
    whole = {"architectures": ["AForCausalLM"], **({} if "decoder" in config else sizes), **config}
    shape = architecture(whole, Notes())
    return kv_cache(whole, shape, context(whole, None, None, Notes()), "bfloat16", None, Notes())


_KDA = {"num_heads": 4, "head_dim": 8, "short_conv_kernel_size": 4}
_LATENT = {"model_type": "kimi_linear", "kv_lora_rank": 32, "qk_rope_head_dim": 8}
_MIMO = {"model_type": "mimo_v2_flash", "sliding_window": 10}


@pytest.mark.parametrize(
    ("config", "growing", "constant"),
    [
        pytest.param({**_LATENT, "linear_attn_config": {
                         **_KDA, "full_attn_layers": [4], "kda_layers": [1, 2, 3]}},
                     (32 + 8) * 2, 3 * (3 * 4 * 8 * 4 * 2 + 4 * 8 * 8 * 4), id="Kimi-Linear"),
        pytest.param({**_LATENT, "linear_attn_config": {
                         **_KDA, "full_attn_layers": [4], "kda_layers": [1, 2]}},
                     None, None, id="Kimi-Linear with a layer of no kind"),
        pytest.param({**_LATENT, "linear_attn_config": {"full_attn_layers": [4], "kda_layers": [1, 2, 3]}},
                     None, None, id="Kimi-Linear without sizes"),
        pytest.param({**_MIMO, "head_dim": 24, "v_head_dim": 16,
                      "swa_head_dim": 24, "swa_v_head_dim": 16, "swa_num_key_value_heads": 4,
                      "hybrid_layer_pattern": [0, 1, 1, 0]},
                     2 * 2 * (24 + 16) * 2, 2 * 4 * (24 + 16) * 2 * 10, id="MiMo-V2"),
        pytest.param({**_MIMO, "hybrid_layer_pattern": [0, 1, 2, 0]},
                     None, None, id="MiMo-V2 with a kind that is not known"),
        pytest.param({"model_type": "deci", "num_key_value_heads": None,
                      "num_key_value_heads_per_layer": [4, 2, 1, 1]}, (4 + 2 + 1 + 1) * 2 * 16 * 2, 0,
                     id="DeciLM"),
        pytest.param({"model_type": "openelm", "head_dim": 8, "num_key_value_heads": None,
                      "num_kv_heads": [3, 3, 4, 4]}, (3 + 3 + 4 + 4) * 2 * 8 * 2, 0, id="OpenELM"),
        pytest.param({"model_type": "openelm", "num_key_value_heads": None, "num_kv_heads": [3, 0, 4, 4]},
                     None, None, id="OpenELM with a number that is none"),
        pytest.param({"model_type": "openelm", "num_key_value_heads": None, "num_kv_heads": [3, 3]},
                     None, None, id="OpenELM with too few numbers"),
        pytest.param({"model_type": "hunyuan", "use_cla": True, "cla_share_factor": 2},
                     2 * 2 * 2 * 16 * 2, 0, id="Hunyuan, where every other layer keeps"),
        pytest.param({"model_type": "recurrent_gemma", "attention_window_size": 10, "lru_width": 80,
                      "conv1d_width": 4, "block_types": ["recurrent", "attention"]},
                     0, 2 * (2 * 2 * 16 * 2 * 10) + 2 * (80 * 3 * 2 + 80 * 4), id="RecurrentGemma"),
        pytest.param({"model_type": "recurrent_gemma", "block_types": ["else"]}, None, None,
                     id="RecurrentGemma with a kind that is not known"),
        pytest.param({"model_type": "minimax_m1", "head_dim": 16, "attn_type_list": [0, 0, 0, 1]},
                     2 * 2 * 16 * 2, 3 * 4 * 16 * 16 * 2, id="MiniMax-M1's lightning attention"),
        pytest.param({"model_type": "glm_moe_dsa", "kv_lora_rank": 32, "qk_rope_head_dim": 8,
                      "layer_types": ["deepseek_sparse_attention"] * 4},
                     4 * (32 + 8) * 2, 0, id="sparse attention keeps all that it may look at"),
    ],
)  # fmt: skip
def test_cache_of_layers_by_publishers_own_keys(
    config: dict[str, Any], growing: int | None, constant: int | None
) -> None:
    """By hand, from the formulas of each kind of layer; null where a layer's kind or size is not told."""
    cache = cache_of(**config)
    assert (cache.bytes_per_token, cache.constant_bytes) == (growing, constant)


def test_layers_of_modernbert_begin_with_one_that_sees_all() -> None:
    """Each third from the first on, by the key of its older configs."""
    config = {"model_type": "modernbert", "global_attn_every_n_layers": 3, "num_hidden_layers": 5}
    words = architecture(config, Notes()).attention.layer_types
    assert [word.partition("_")[0] for word in words] == ["full", "sliding", "sliding", "full", "sliding"]


def test_layers_of_nemotron_h_are_counted_where_no_number_is_stated() -> None:
    """The class takes the length of its list; a number in the file prevails."""
    config = {"model_type": "nemotron_h", "layers_block_type": ["mamba", "moe", "attention"]}
    notes = Notes()
    assert architecture(config, notes).num_hidden_layers == 3
    assert notes.sources["architecture.num_hidden_layers"] == "config.json#/layers_block_type"
    assert architecture({**config, "num_hidden_layers": 4}, Notes()).num_hidden_layers == 4


@pytest.mark.parametrize(
    ("config", "growing"),
    [
        pytest.param({"model_type": "t5", "architectures": ["T5EncoderModel"], "is_encoder_decoder": True}, 0,
                     id="the encoder of T5 by itself"),
        pytest.param({"model_type": "gemma3_text", "architectures": ["Gemma3TextModel"],
                      "use_bidirectional_attention": True}, 0, id="EmbeddingGemma"),
        pytest.param({"model_type": "new", "architectures": ["NewModel"]}, 0, id="gte-multilingual"),
        pytest.param({"model_type": "minicpmv", "architectures": ["MiniCPMV"]}, 4 * 2 * 2 * 16 * 2,
                     id="MiniCPM-V writes"),
        pytest.param({"model_type": "vision-encoder-decoder", "is_encoder_decoder": True,
                      "decoder": {"model_type": "mbart", "d_model": 64, "decoder_layers": 2,
                                  "decoder_attention_heads": 4, "is_encoder_decoder": False}},
                     2 * 2 * 64 * 2, id="Donut, whose decoder says that it is no encoder and decoder"),
        pytest.param({"model_type": "vision-encoder-decoder", "is_encoder_decoder": True,
                      "decoder": {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4}},
                     2 * 2 * 64 * 2, id="GPT-2 as a decoder"),
    ],
)  # fmt: skip
def test_what_writes_and_what_only_reads(config: dict[str, Any], growing: int) -> None:
    """What reads everything at once keeps nothing, whatever its family; a decoder does."""
    assert cache_of(**config).bytes_per_token == growing


def test_glm_of_2022_takes_nothing_from_the_class_of_its_name() -> None:
    """Neither the grouped heads of GLM-4 nor its width, but what GLM-10B states."""
    config = {"model_type": "glm", "hidden_size": 4096, "num_attention_heads": 64, "num_layers": 48}
    shape = architecture({**config, "block_position_encoding": True}, Notes())
    assert (shape.num_key_value_heads, shape.head_dim, shape.intermediate_size) == (64, 64, None)
    assert shape.tie_word_embeddings is None
    assert architecture(config, Notes()).num_key_value_heads == 2


def test_window_of_phi_4_multimodal_that_holds_everything() -> None:
    """Its own code has Phi-3's: a window beyond the length keeps what full attention keeps."""
    cache = cache_of(model_type="phi4mm", sliding_window=262144, max_position_embeddings=131072)
    assert (cache.bytes_per_token, cache.constant_bytes) == (4 * 2 * 2 * 16 * 2, 0)
