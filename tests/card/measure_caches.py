"""Measures what transformers' own caches hold, for `measured_caches.json`.

Run by hand where torch is installed (no test needs it): `python tests/card/measure_caches.py`. It builds a
tiny model of each type, runs 40 and 41 tokens through it, and writes how many bytes the cache grew by, and
how many the states of fixed size take. A sliding layer's cache is measured when its window is full;
transformers keeps one token less than the window, since the next one joins it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("measured_caches.json")

_BASE = {
    "vocab_size": 64,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
_MAMBA_2 = {
    "mamba_d_state": 8,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_n_groups": 1,
}
_DELTA = {
    "head_dim": 32,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_WINDOW = {"sliding_window": 8}

CONFIGS: list[dict[str, Any]] = [
    {"model_type": "llama", **_BASE},
    {"model_type": "qwen2", **_BASE},
    {"model_type": "qwen2", **_BASE, **_WINDOW, "use_sliding_window": True, "max_window_layers": 1},
    {"model_type": "qwen3", **_BASE, "head_dim": 32},
    {"model_type": "qwen2_moe", **_BASE, **_EXPERTS, "shared_expert_intermediate_size": 32},
    {"model_type": "mistral", **_BASE, **_WINDOW},
    {"model_type": "ministral", **_BASE, **_WINDOW, "head_dim": 16},
    {"model_type": "starcoder2", **_BASE, **_WINDOW},
    {"model_type": "phi3", **_BASE, **_WINDOW, "pad_token_id": 0},
    {"model_type": "gemma2", **_BASE, **_WINDOW, "head_dim": 32},
    {"model_type": "gemma3_text", **_BASE, **_WINDOW, "head_dim": 32, "num_hidden_layers": 7},
    {"model_type": "cohere2", **_BASE, **_WINDOW},
    {"model_type": "olmo3", **_BASE, **_WINDOW},
    {"model_type": "smollm3", **_BASE, "pad_token_id": 0},
    {"model_type": "dots1", **_BASE, **_WINDOW, "n_routed_experts": 2, "num_experts_per_tok": 1,
     "first_k_dense_replace": 4, "moe_intermediate_size": 32},
    {"model_type": "gpt_oss", **_BASE, **_WINDOW, "head_dim": 32, "num_local_experts": 4,
     "num_experts_per_tok": 2},
    {"model_type": "llama4_text", **_BASE, "attention_chunk_size": 8, "head_dim": 16,
     "num_local_experts": 2, "intermediate_size_mlp": 96},
    {"model_type": "gemma4_text", **_BASE, **_WINDOW, "head_dim": 32, "global_head_dim": 64,
     "num_global_key_value_heads": 1, "attention_k_eq_v": True, "num_kv_shared_layers": 0,
     "layer_types": ["sliding_attention", "sliding_attention", "full_attention", "full_attention"],
     "hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 64},
    {"model_type": "gemma3n_text", **_BASE, **_WINDOW, "head_dim": 32, "num_kv_shared_layers": 2,
     "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
     "laurel_rank": 4, "vocab_size_per_layer_input": 64, "hidden_size_per_layer_input": 8},
    {"model_type": "qwen3_next", **_BASE, **_DELTA, **_EXPERTS, "shared_expert_intermediate_size": 32},
    {"model_type": "qwen3_5_text", **_BASE, **_DELTA},
    {"model_type": "jamba", **_BASE, "num_hidden_layers": 8, "mamba_d_state": 8, "mamba_d_conv": 4,
     "mamba_expand": 2, "mamba_dt_rank": 4, "num_experts": 2, "use_mamba_kernels": False},
    {"model_type": "mamba", "vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 4, "state_size": 8,
     "conv_kernel": 4, "expand": 2},
    {"model_type": "falcon_mamba", "vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 4,
     "state_size": 8, "conv_kernel": 4, "expand": 2},
    {"model_type": "mamba2", "vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 4, "state_size": 8,
     "conv_kernel": 4, "expand": 2, "num_heads": 8, "head_dim": 16, "n_groups": 2},
    {"model_type": "bamba", **_BASE, **_MAMBA_2, "attn_layer_indices": [1]},
    {"model_type": "granitemoehybrid", **_BASE, **_MAMBA_2, "num_local_experts": 2, "num_experts_per_tok": 1,
     "layer_types": ["mamba", "attention", "mamba", "mamba"]},
    {"model_type": "falcon_h1", **_BASE, **_MAMBA_2, "mamba_d_ssm": 128},
    {"model_type": "nemotron_h", **_BASE, "hybrid_override_pattern": "M*-M", "ssm_state_size": 8,
     "conv_kernel": 4, "mamba_num_heads": 8, "mamba_head_dim": 16, "n_groups": 2, "head_dim": 16},
    {"model_type": "lfm2", **_BASE, "layer_types": ["conv", "full_attention", "conv", "conv"],
     "conv_L_cache": 3, "block_ff_dim": 96, "block_multiple_of": 8},
    {"model_type": "zamba2", **_BASE, "num_hidden_layers": 6, "mamba_d_state": 8, "mamba_d_conv": 4,
     "mamba_expand": 2, "mamba_ngroups": 1, "n_mamba_heads": 8, "num_mem_blocks": 1, "use_mem_rope": True,
     "adapter_rank": 8, "attention_head_dim": 32, "attention_hidden_size": 128,
     "layers_block_type": ["mamba", "hybrid", "mamba", "mamba", "hybrid", "mamba"]},
    {"model_type": "gpt_neo", "vocab_size": 64, "hidden_size": 64, "num_layers": 4, "num_heads": 4,
     "attention_types": [[["global", "local"], 2]], "window_size": 8, "max_position_embeddings": 4096},
    {"model_type": "falcon", "vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 4,
     "num_attention_heads": 4, "multi_query": True},
    {"model_type": "mpt", "vocab_size": 64, "d_model": 64, "n_heads": 4, "n_layers": 4, "max_seq_len": 64},
    {"model_type": "bloom", "vocab_size": 64, "hidden_size": 64, "n_head": 4, "n_layer": 4},
    {"model_type": "gpt2", "vocab_size": 64, "n_embd": 64, "n_head": 4, "n_layer": 4, "n_positions": 64},
    {"model_type": "gpt_neox", "vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 4,
     "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 64},
    {"model_type": "opt", "vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 4,
     "num_attention_heads": 4, "ffn_dim": 96, "word_embed_proj_dim": 64, "max_position_embeddings": 64},
]  # fmt: skip
"""config.json of tiny models; what a key leaves out is the class's own default."""


def measure(config: dict[str, Any]) -> dict[str, int]:
    """Bytes for each further token, and of the convolutions' and the recurrent states."""
    # torch is no dependency of the tests: only whoever measures anew has it.
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import AutoConfig, AutoModelForCausalLM

    keys = {key: value for key, value in config.items() if key != "model_type"}
    built = AutoConfig.for_model(config["model_type"], **keys)
    make: Any = AutoModelForCausalLM.from_config  # it brings no types
    model = make(built, dtype=torch.bfloat16).eval()
    kept: dict[int, int] = {}
    constant = 0
    for tokens in (40, 41):
        with torch.no_grad():
            output = model(torch.zeros((1, tokens), dtype=torch.long), use_cache=True)
        cache = getattr(output, "past_key_values", None) or output.cache_params
        kept[tokens], constant = 0, 0
        for layer in cache.layers:
            for name in ("keys", "values"):
                kept[tokens] += _size(getattr(layer, name, None))
            for name in ("conv_states", "recurrent_states"):
                states = getattr(layer, name, None) or {}
                constant += sum(_size(state) for state in states.values())
    return {"bytes_per_token": kept[41] - kept[40], "state_bytes": constant, "kept_at_41": kept[41]}


def _size(tensor: Any) -> int:
    return 0 if tensor is None else int(tensor.numel() * tensor.element_size())


if __name__ == "__main__":
    rows = [{"config": config, "measured": measure(config)} for config in CONFIGS]
    lines = ",\n".join(json.dumps(row) for row in rows)
    OUT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
