"""Generates `dxwatchd/card/config/class_defaults.json`: what transformers knows, and takes by default.

Run where the development packages are: `python tests/card/generate_class_defaults.py`. No model is built and
torch is not needed. Each class is made with nothing stated, then with one size doubled at a time: what stays
as it is is a default, and what follows another size is a rule or left out.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[2] / "dxwatchd" / "card" / "config" / "class_defaults.json"

KEYS = (
    # sizes, under the names that classes give them
    "hidden_size", "n_embd", "n_embed", "d_model",
    "intermediate_size", "n_inner", "d_ff", "ffn_dim", "ffn_hidden_size", "encoder_ffn_dim",
    "decoder_ffn_dim",
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "num_decoder_layers",
    "decoder_layers",
    "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
    "decoder_attention_heads",
    "num_key_value_heads", "num_kv_heads", "n_head_kv", "head_dim", "kv_channels", "attention_head_dim",
    "d_kv",
    "vocab_size", "tie_word_embeddings", "is_encoder_decoder", "is_decoder",
    "multi_query", "new_decoder_architecture",
    # context
    "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "max_target_positions",
    "max_source_positions", "max_sequence_length", "original_max_position_embeddings",
    # experts
    "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_experts_per_tok",
    "experts_per_token", "moe_top_k", "moe_k", "top_k_experts", "n_shared_experts", "num_shared_experts",
    "moe_num_shared_experts", "moe_intermediate_size", "num_nextn_predict_layers",
    # which layer keeps what
    "sliding_window", "sliding_window_size", "window_size", "sliding_window_pattern",
    "_sliding_window_pattern", "use_sliding_window", "max_window_layers", "full_attention_interval",
    "global_attn_every_n_layers", "attn_layer_period", "attn_layer_offset", "hybrid_override_pattern",
    "attention_chunk_size", "no_rope_layer_interval", "num_kv_shared_layers", "attention_window_size",
    "lru_width", "conv1d_width", "compress_ratio", "use_cla", "rescale_every", "slstm_at",
    # multi-head latent attention, and heads that differ by layer type
    "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "global_head_dim",
    "num_global_key_value_heads", "attention_k_eq_v", "swa_num_key_value_heads", "swa_head_dim",
    "swa_v_head_dim", "index_head_dim",
    # states of fixed size
    "state_size", "conv_kernel", "expand", "n_groups", "time_step_rank", "ssm_state_size",
    "mamba_d_state", "mamba_d_conv", "mamba_expand", "mamba_n_heads", "mamba_num_heads", "n_mamba_heads",
    "mamba_d_head", "mamba_head_dim", "mamba_headdim", "mamba_n_groups", "mamba_ngroups", "mamba_d_ssm",
    "linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim",
    "linear_conv_kernel_dim", "conv_L_cache",
)  # fmt: skip
"""The keys whose defaults a card asks for; lists of layers' types are asked for besides."""

FIELDS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim", "vocab_size", "max_position_embeddings", "num_experts", "num_experts_per_tok",
    "num_shared_experts", "moe_intermediate_size",
)  # fmt: skip
"""Fields of the card for which a class may have another key (its `attribute_map`)."""
LISTS = ("layer_types", "layers_block_type")
PARTS = ("text_config", "decoder", "generator", "text_encoder", "llm_config", "language_config")
HIDDEN = ("hidden_size", "n_embd", "n_embed", "d_model")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
MOST_LAYERS, LONGEST_PATTERN = 48, 12


_PARTS = re.compile(
    r"(.+?)((?:Text|Vision|Audio)?(?:For[A-Z]|Model|LMHead|WithLMHead|Backbone|Encoder|Decoder|Transformer"
    r"|BaseModel|DoubleHeads).*)"
)


def table() -> dict[str, Any]:
    """One entry for each model type that transformers knows."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    logging.disable(logging.WARNING)  # classes complain of sizes that do not fit together
    try:
        types = {kind: _entry(CONFIG_MAPPING[kind]) for kind in sorted(CONFIG_MAPPING.keys())}
    finally:
        logging.disable(logging.NOTSET)
    families, heads = taken_apart(model_classes())
    return {
        "transformers": transformers.__version__,
        "families": sorted(families),
        "heads": sorted(heads),
        "model_types": types,
    }


def model_classes() -> set[str]:
    """The classes behind all `AutoModel…` classes."""
    module = importlib.import_module("transformers.models.auto.modeling_auto")
    found: set[str] = set()
    for key, mapping in vars(module).items():
        if key.startswith("MODEL_") and key.endswith("_MAPPING_NAMES"):
            for value in mapping.values():
                found.update((value,) if isinstance(value, str) else value)
    return found


def taken_apart(names: Iterable[str]) -> tuple[set[str], set[str]]:
    """Families and heads of these classes, "LlamaForCausalLM" into "llama" and "forcausallm".

    All names together would be five times as much. One that has no known head is left out.
    """
    matches = [match for match in map(_PARTS.fullmatch, names) if match is not None]
    return {match[1].lower() for match in matches}, {match[2].lower() for match in matches}


def _entry(config_class: Any) -> dict[str, Any]:
    bare = _made(config_class)
    if bare is None:
        return {"class": config_class.__name__, "defaults": {}}
    probes = list(_probes(config_class, bare))
    same = {key: bare[key] for key in KEYS if _is_plain(bare.get(key)) and _stays(key, bare, probes)}
    widths = {own.get("head_dim") for own in (bare.get("per_layer_config") or {}).values()}
    if len(widths) == 1 and isinstance(width := widths.pop(), int):
        same["global_head_dim"] = width  # the key by which Gemma-4 states it is not among its attributes
    entry: dict[str, Any] = {"class": config_class.__name__, "defaults": same}
    if names := {field: key for field, key in config_class.attribute_map.items() if field in FIELDS}:
        entry["names"] = names
    rules = _rules(bare, probes)
    if rules:
        entry["rules"] = rules
    if patterns := {key: found for key in LISTS if (found := _pattern(config_class, bare, key))}:
        entry["patterns"] = patterns
    if parts := {part: kind for part in PARTS if (kind := _model_type(bare.get(part)))}:
        entry["parts"] = parts
    return entry


def _stays(key: str, bare: Mapping[str, Any], probes: list[tuple[str, dict[str, Any]]]) -> bool:
    return all(made.get(key) == bare[key] for changed, made in probes if key != changed)


def _made(config_class: Any, **stated: Any) -> dict[str, Any] | None:
    try:
        made: dict[str, Any] = config_class(**stated).to_dict()
    except Exception as error:  # noqa: BLE001 - a class may refuse in any way what does not fit together
        if not stated:
            sys.stderr.write(f"{config_class.__name__} has no defaults: {str(error)[:100]}\n")
        return None
    return made


def _probes(config_class: Any, bare: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The class with one size doubled; (the size's key, what comes of it)."""
    for names in (HIDDEN, HEADS, LAYERS):
        key = next((name for name in names if isinstance(bare.get(name), int)), None)
        if key is not None and (made := _made(config_class, **{key: bare[key] * 2})) is not None:
            yield key, made


def _rules(bare: Mapping[str, Any], probes: list[tuple[str, dict[str, Any]]]) -> dict[str, str]:
    """The sizes that follow others in everything that was made."""
    everything = [bare, *(made for _, made in probes)]
    if {key for key, _ in probes}.isdisjoint(HEADS) or {key for key, _ in probes}.isdisjoint(HIDDEN):
        return {}
    found = {}
    for field, keys, rule, value in (
        ("num_key_value_heads", ("num_key_value_heads", "num_kv_heads"), "num_attention_heads", _heads),
        ("intermediate_size", ("intermediate_size", "ffn_hidden_size"), "4 * hidden_size", _four_times),
    ):
        key = next((name for name in keys if isinstance(bare.get(name), int)), None)
        if key and all(one.get(key) == value(one) for one in everything):
            found[field] = rule
    return found


def _first(made: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((made[name] for name in names if isinstance(made.get(name), int)), 0)


def _heads(made: Mapping[str, Any]) -> int:
    return _first(made, HEADS)


def _four_times(made: Mapping[str, Any]) -> int:
    return 4 * _first(made, HIDDEN)


def _pattern(config_class: Any, bare: Mapping[str, Any], key: str) -> list[str]:
    """The words that repeat from the first layer on, whatever the number of layers; [] where none do."""
    layers = next((name for name in LAYERS if isinstance(bare.get(name), int)), None)
    if layers is None or not isinstance(bare.get(key), list):
        return []
    lists = []
    for count in range(1, MOST_LAYERS + 1):
        made = _made(config_class, **{layers: count})
        if made is None or not isinstance(made.get(key), list) or len(made[key]) != count:
            return []
        lists.append(made[key])
    for length in range(1, LONGEST_PATTERN + 1):
        words = lists[-1][:length]
        if all(word == words[at % length] for one in lists for at, word in enumerate(one)):
            return [str(word) for word in words]
    return []


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | str) or (isinstance(value, float) and value == value)


def _model_type(part: Any) -> str | None:
    return part.get("model_type") or None if isinstance(part, dict) else None


def text(made: Mapping[str, Any]) -> str:
    """The table as it is checked in: one line a model type."""
    types = made["model_types"].items()
    lines = ",\n".join(f'    "{kind}": {json.dumps(entry, sort_keys=True)}' for kind, entry in types)
    plain = "".join(f'  "{key}": {json.dumps(made[key])},\n' for key in ("transformers", "families", "heads"))
    return f'{{\n{plain}  "model_types": {{\n{lines}\n  }}\n}}\n'


if __name__ == "__main__":
    OUT.write_text(text(table()), encoding="utf-8")
