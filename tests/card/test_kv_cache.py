"""The key-value cache, against what transformers' own caches were measured to hold, and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.config.context import context
from dxwatchd.card.config.kv_cache import cache_dtype, kv_cache
from dxwatchd.card.config.layer_rules import LayerType
from dxwatchd.card.config.layers import layer_types
from dxwatchd.card.gguf.kv_cache import gguf_kv_cache
from dxwatchd.card.gguf.network import gguf_architecture
from dxwatchd.card.parts import KvCache, Quantization
from dxwatchd.card.values import Notes

MEASURED = json.loads(Path(__file__).with_name("measured_caches.json").read_bytes())
_BARE = {"num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}


def cache_of(
    config: dict[str, Any],
    dtype: str | None = "bfloat16",
    packing: Quantization | None = None,
    notes: Notes | None = None,
) -> KvCache:
    """The cache of a config.json, with everything that the other parts make of it."""
    notes = notes if notes is not None else Notes()
    shape = architecture(config, notes)
    return kv_cache(config, shape, context(config, None, None, notes), dtype, packing, notes)


def decoder(**keys: object) -> dict[str, Any]:
    """A config.json of a decoder with 4 layers and 2 key-value heads of 16."""
    return {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **_BARE, **keys}


@pytest.mark.parametrize(
    "row", MEASURED, ids=[f"{row['config']['model_type']}-{i}" for i, row in enumerate(MEASURED)]
)
def test_cache_is_what_transformers_keeps(row: dict[str, Any]) -> None:
    """Each further token, every window once it is full, and the states of fixed size.

    transformers keeps one token less than the window: the next one joins it.
    """
    config, measured = dict(row["config"]), row["measured"]
    config["architectures"] = ["AForCausalLM"]
    cache = cache_of(config)
    assert cache.bytes_per_token == measured["bytes_per_token"]
    window = config.get("sliding_window") or config.get("attention_chunk_size") or 1
    kept = 0
    for layer in cache.layers:
        full = layer.constant_bytes
        windowed = layer.layer_type in (LayerType.SLIDING, LayerType.CHUNKED)
        kept += full * (window - 1) // window if windowed else full
    assert kept == measured["kept_at_41"] - 41 * measured["bytes_per_token"] + measured["state_bytes"]


@pytest.mark.parametrize(
    ("config", "bytes_per_token", "constant_bytes"),
    [
        pytest.param(
            {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "num_hidden_layers": 36,
             "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128},
            147_456, 0, id="Qwen3-8B"),
        pytest.param(
            {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "num_hidden_layers": 61,
             "hidden_size": 7168, "num_attention_heads": 128, "num_key_value_heads": 128,
             "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
             "num_nextn_predict_layers": 1},
            70_272, 0, id="DeepSeek-V3, multi-head latent attention"),
        pytest.param(
            {"model_type": "longcat_flash", "architectures": ["LongcatFlashForCausalLM"], "num_layers": 28,
             "hidden_size": 6144, "num_attention_heads": 64, "kv_lora_rank": 512, "qk_rope_head_dim": 64},
            28 * 2 * (512 + 64) * 2, 0, id="LongCat-Flash, two attentions in each layer"),
        pytest.param(
            {"model_type": "falcon", "architectures": ["FalconForCausalLM"], "num_hidden_layers": 32,
             "hidden_size": 4544, "num_attention_heads": 71, "multi_query": True,
             "new_decoder_architecture": False},
            8_192, 0, id="Falcon-7B, one key-value head"),
        pytest.param(
            {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "num_hidden_layers": 32,
             "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8,
             "sliding_window": 4096, "max_position_embeddings": 32768, "head_dim": 128},
            0, 32 * 2 * 8 * 128 * 2 * 4096, id="Mistral-7B v0.1, a window in every layer"),
        pytest.param(
            {"model_type": "bert", "architectures": ["BertModel"], "num_hidden_layers": 12,
             "hidden_size": 768, "num_attention_heads": 12},
            0, 0, id="BERT keeps nothing"),
        pytest.param(
            {"model_type": "clip", "architectures": ["CLIPModel"], "text_config": {"hidden_size": 768},
             "vision_config": {"hidden_size": 1024}},
            0, 0, id="CLIP keeps nothing"),
        pytest.param(
            {"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"], "d_model": 384,
             "is_encoder_decoder": True, "decoder_layers": 4, "decoder_attention_heads": 6,
             "encoder_layers": 4, "encoder_attention_heads": 6, "num_hidden_layers": 4,
             "max_source_positions": 1500, "max_target_positions": 448},
            4 * 2 * 6 * 64 * 2, 4 * 2 * 6 * 64 * 2 * 1500, id="Whisper, with all of its 30 seconds"),
    ],
)  # fmt: skip
def test_known_models(config: dict[str, Any], bytes_per_token: int, constant_bytes: int) -> None:
    """The figures that their publishers and servers give, in 16 bits."""
    cache = cache_of(config)
    assert (cache.bytes_per_token, cache.constant_bytes) == (bytes_per_token, constant_bytes)


F, S, C, L, M, N, X = (
    LayerType.FULL,
    LayerType.SLIDING,
    LayerType.CHUNKED,
    LayerType.LINEAR,
    LayerType.MAMBA,
    LayerType.NONE,
    LayerType.CROSS,
)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (F, F, F, F)),
        ({"full_attention_interval": 4}, (L, L, L, F)),
        ({"sliding_window_pattern": 2, "sliding_window": 8}, (S, F, S, F)),
        ({"sliding_window_pattern": "LLG", "sliding_window": 8}, (S, S, F, S)),
        ({"sliding_window_pattern": "LLX", "sliding_window": 8}, None),
        ({"attn_layer_period": 4, "attn_layer_offset": 2}, (M, M, F, M)),
        ({"attn_layer_period": 0, "attn_layer_offset": 2}, (F, F, F, F)),
        ({"attn_layer_indices": [0, 3]}, (F, M, M, F)),
        ({"cross_attention_layers": [1]}, (F, X, F, F)),
        ({"hybrid_override_pattern": "M*-E"}, (M, F, N, N)),
        ({"hybrid_override_pattern": "M*-"}, None),
        ({"hybrid_override_pattern": "M*?E"}, None),
        ({"attn_type_list": [1, 0, 0, 1]}, (F, L, L, F)),
        ({"layer_types": ["full_attention", "sliding_attention"] * 2, "sliding_window": 8}, (F, S, F, S)),
        ({"layer_types": ["full_attention"]}, None),
        ({"layer_types": ["full_attention", "telepathy"] * 2}, None),
        ({"layer_types": ["full_attention", 7] * 2}, None),
        ({"use_sliding_window": False, "sliding_window": 8}, (F, F, F, F)),
        ({"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 3}, (F, F, F, S)),
        ({"use_sliding_window": True, "sliding_window": 8}, None),
        ({"model_type": "qwen2_moe", "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 3},
         (S, F, S, F)),
        ({"model_type": "qwen3_moe", "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 3},
         (S, S, S, S)),
        ({"model_type": "mistral", "sliding_window": 8}, (S, S, S, S)),
        ({"model_type": "mistral", "sliding_window": 100_000}, (F, F, F, F)),
        ({"model_type": "brand_new", "sliding_window": 8}, None),
        ({"model_type": "brand_new", "rwkv_version": 7}, None),
        ({"model_type": "brand_new", "compress_ratios": [4, 128]}, None),
        ({"model_type": "llama4_text", "attention_chunk_size": 8}, (C, C, C, F)),
        ({"model_type": "llama4_text", "attention_chunk_size": 8, "no_rope_layers": [1, 0, 0, 1]},
         (C, F, F, C)),
        ({"num_kv_shared_layers": 2}, (F, F, N, N)),
        ({"model_type": "mamba"}, (M, M, M, M)),
    ],
)  # fmt: skip
def test_kind_of_each_layer(config: dict[str, Any], expected: tuple[LayerType, ...] | None) -> None:
    """The rules by which configs tell it; what is not understood is unknown, never taken for plain."""
    found = layer_types({"model_type": "a-type", **config}, 4, 32_768)
    assert (None if found is None else found[0]) == expected


def test_layers_of_several_shapes() -> None:
    """DeciLM: key-value heads differ from layer to layer, and some layers have none."""
    blocks: list[Any] = [
        {"attention": {"n_heads_in_group": 2}},
        {"attention": {"no_op": True, "n_heads_in_group": None}},
        {"attention": {"n_heads_in_group": 4}},
        {"attention": {"replace_with_linear": True}},
    ]
    cache = cache_of(decoder(num_key_value_heads=None, block_configs=blocks))
    assert cache.bytes_per_token == (2 + 1) * 2 * 16 * 2
    assert cache.layers[0].layers == 2
    broken = [*blocks, {"attention": {"n_heads_in_group": 3}}]
    assert cache_of(decoder(block_configs=broken)).bytes_per_token is None
    assert cache_of(decoder(num_key_value_heads=None, block_configs=[{}])).bytes_per_token is None


def test_own_widths_by_layer_type() -> None:
    """Keys and values of unlike width, and sliding layers with heads of their own."""
    assert cache_of(decoder(head_dim=24, v_head_dim=16)).bytes_per_token == 4 * 2 * (24 + 16) * 2
    mixed = decoder(
        layer_types=["full_attention", "sliding_attention"] * 2, sliding_window=8,
        swa_num_key_value_heads=1, swa_head_dim=8, max_position_embeddings=64,
    )  # fmt: skip
    cache = cache_of(mixed)
    assert (cache.bytes_per_token, cache.constant_bytes) == (2 * 2 * 2 * 16 * 2, 2 * 1 * 2 * 8 * 2 * 8)


@pytest.mark.parametrize(
    ("dtype", "quantised", "expected"),
    [
        ("float32", None, "float32"),
        ("bfloat16", None, "bfloat16"),
        ("bfloat16", "FP8", "float8_e4m3fn"),
        ("bfloat16", "NVFP4", "bfloat16"),
        ("float64", None, None),
        (None, None, None),
    ],
)
def test_dtype_of_the_cache(dtype: str | None, quantised: str | None, expected: str | None) -> None:
    """The model's own, unless its quantiser made one of 8 bits; an unknown one is not guessed."""
    packing = Quantization(kv_cache_quant=quantised) if quantised else None
    assert cache_dtype(dtype, packing) == expected


def test_unknown_stays_unknown() -> None:
    """Without dtype, sizes or a reason to think that it writes text there is no figure, and no crash."""
    assert cache_of(decoder(), dtype=None) == KvCache()
    notes = Notes()
    assert cache_of(decoder(num_key_value_heads=None, model_type="x"), notes=notes) == KvCache()
    assert any("does not tell the sizes" in warning for warning in notes.warnings)
    assert cache_of({**decoder(), "architectures": ["SomethingForTheEyes"]}) == KvCache()
    assert cache_of(decoder(head_dim=2**62, num_key_value_heads=2**62)) == KvCache()


def test_what_is_left_out_is_said() -> None:
    """Images' cross-attention, the indexer of sparse attention, and the input of an encoder."""
    notes = Notes()
    cache_of(decoder(cross_attention_layers=[1]), notes=notes)
    cache_of(decoder(index_head_dim=128), notes=notes)
    t5 = {"model_type": "t5", "is_encoder_decoder": True, "d_model": 64, "num_heads": 4, "d_kv": 16,
          "num_layers": 2, "num_decoder_layers": 2}  # fmt: skip
    cache = cache_of(t5, notes=notes)
    assert cache.bytes_per_token == 2 * 4 * (16 + 16) * 2
    assert [layer.layer_type for layer in cache.layers] == ["full_attention", "cross_attention"]
    said = " ".join(notes.warnings)
    assert all(word in said for word in ("cross-attention", "indexer", "every token of the input"))


_KEYS = st.sampled_from([
    "model_type", "layer_types", "sliding_window", "attention_chunk_size", "num_hidden_layers",
    "head_dim", "v_head_dim", "num_key_value_heads", "num_attention_heads", "hidden_size",
    "attn_type_list", "block_configs", "kv_lora_rank", "qk_rope_head_dim",
    "hybrid_override_pattern", "attn_layer_period", "attn_layer_offset", "full_attention_interval",
    "mamba_d_state", "mamba_d_conv", "mamba_n_heads", "linear_num_value_heads",
    "use_sliding_window", "max_window_layers", "no_rope_layers", "num_kv_shared_layers",
    "is_encoder_decoder", "decoder_layers", "d_kv", "sliding_window_pattern",
])  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["mamba", "llama4_text", "full_attention", "M*", "jamba"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(_KEYS, _VALUES, max_size=12))
def test_any_config_gives_an_answer(config: dict[str, Any]) -> None:
    """Whatever a config holds, there is a bounded figure or none."""
    cache = cache_of({"architectures": ["XForCausalLM"], **config})
    assert cache.bytes_per_token is None or 0 <= cache.bytes_per_token < 2**63


_LLAMA = {
    "general.architecture": "llama", "llama.block_count": 32, "llama.embedding_length": 4096,
    "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "arrays", "expected"),
    [
        (_LLAMA, {}, 131_072),
        ({**_LLAMA, "llama.attention.key_length": 64, "llama.attention.value_length": 32}, {},
         32 * 8 * 96 * 2),
        ({**_LLAMA, "llama.attention.sliding_window": 4096}, {}, None),
        ({**_LLAMA, "llama.ssm.state_size": 16}, {}, None),
        ({k: v for k, v in _LLAMA.items() if "kv" not in k}, {"llama.attention.head_count_kv": 32}, None),
        ({"general.architecture": "bert", "bert.block_count": 12}, {}, 0),
        ({}, {}, None),
        (
            {"general.architecture": "deepseek2", "deepseek2.block_count": 61,
             "deepseek2.embedding_length": 7168, "deepseek2.attention.head_count": 128,
             "deepseek2.attention.head_count_kv": 1, "deepseek2.attention.kv_lora_rank": 512,
             "deepseek2.rope.dimension_count": 64, "deepseek2.attention.key_length": 576,
             "deepseek2.attention.key_length_mla": 192},
            {}, 70_272,
        ),
    ],
)  # fmt: skip
def test_cache_of_a_gguf_file(metadata: dict[str, Any], arrays: dict[str, int], expected: int | None) -> None:
    """In 16 bits, as llama.cpp keeps it; nothing where its own tables decide which layer keeps what."""
    notes = Notes()
    shape = gguf_architecture(metadata, arrays, "a.gguf", notes)
    assert gguf_kv_cache(metadata, arrays, shape, "a.gguf", notes).bytes_per_token == expected
