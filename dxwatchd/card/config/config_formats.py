"""Formats of configs other than transformers' own, and where each states what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dxwatchd.card.values import mapping

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Format:
    """Where a format's config states what.

    file: its name; marks: keys that all must be there; within: the way to the object that the fields are in;
    fields: field of the architecture → key, "/" leading into an object; experts: likewise of `Moe`;
    name: the way to the model type, architecture: to the class; length: to the context, native: to the one
    before positions were scaled.
    """

    file: str
    marks: tuple[str, ...]
    fields: Fields
    within: str = ""
    experts: Fields = field(default_factory=dict)
    name: str | None = None
    architecture: str | None = None
    length: tuple[str, ...] = ()
    native: str | None = None


_PARAMS_FIELDS = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "num_key_value_heads": "n_kv_heads",
    "vocab_size": "vocab_size",
}
_SAME = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
)

FORMATS: tuple[Format, ...] = (
    # Mistral's, and Meta's for LLaMA: mistral_inference/args.py, llama/model.py
    Format(
        "params.json",
        ("dim", "n_layers"),
        {**_PARAMS_FIELDS, "intermediate_size": "hidden_dim", "head_dim": "head_dim"},
        experts={"num_experts": "moe/num_experts", "num_experts_per_tok": "moe/num_experts_per_tok"},
        length=("max_position_embeddings", "max_seq_len", "model_max_length"),
        native="yarn/original_max_position_embeddings",
    ),
    # DeepSeek's own inference code: ModelArgs of inference/model.py in DeepSeek-V3
    Format(
        "config.json",
        ("dim", "n_layers", "inter_dim"),
        {**_PARAMS_FIELDS, "intermediate_size": "inter_dim"},
        experts={
            "num_experts": "n_routed_experts",
            "num_experts_per_tok": "n_activated_experts",
            "num_shared_experts": "n_shared_experts",
            "moe_intermediate_size": "moe_inter_dim",
        },
        length=("max_seq_len",),
    ),
    # timm: timm/models/_hub.py, save_config_for_hf
    Format(
        "config.json",
        ("architecture", "pretrained_cfg"),
        {"hidden_size": "num_features"},
        architecture="architecture",
    ),
    # TensorRT-LLM: PretrainedConfig
    Format(
        "config.json",
        ("pretrained_config",),
        {**{name: name for name in _SAME}, "head_dim": "head_size"},
        within="pretrained_config",
        experts={"num_experts": "moe/num_experts", "num_experts_per_tok": "moe/top_k"},
        architecture="architecture",
        length=("max_position_embeddings",),
    ),
    # MLC, by its generator mlc_llm/interface/gen_config.py
    Format(
        "mlc-chat-config.json",
        ("model_config",),
        {name: name for name in _SAME},
        within="model_config",
        name="../model_type",
        length=("../context_window_size", "context_window_size"),
    ),
    # onnxruntime-genai: src/config.h
    Format(
        "genai_config.json",
        ("model",),
        {
            **{name: f"decoder/{name}" for name in _SAME},
            "head_dim": "decoder/head_size",
            "vocab_size": "vocab_size",
        },
        within="model",
        name="type",
        length=("context_length",),
    ),
    # OpenCLIP: src/open_clip/model.py, CLIPTextCfg
    Format(
        "open_clip_config.json",
        ("model_cfg",),
        {
            "hidden_size": "text_cfg/width",
            "num_hidden_layers": "text_cfg/layers",
            "num_attention_heads": "text_cfg/heads",
            "vocab_size": "text_cfg/vocab_size",
        },
        within="model_cfg",
        length=("text_cfg/context_length",),
    ),
)


def other_config(documents: Mapping[str, object]) -> Format | None:
    """The first format whose config is there; a config.json with `model_type` is of none of them."""
    for each in FORMATS:
        config = mapping(documents.get(each.file))
        if all(config.get(mark) not in (None, {}) for mark in each.marks) and (
            each.file != "config.json" or not config.get("model_type")
        ):
            return each
    return None
