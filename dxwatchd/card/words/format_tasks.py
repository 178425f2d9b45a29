"""What a model is for, as formats other than transformers' tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dxwatchd.card.config.config_keys import pointer
from dxwatchd.card.sources import CardInputs, GgufMetadata
from dxwatchd.card.values import at, integer, mapping, text
from dxwatchd.core.model import Layout


class Task(NamedTuple):
    """A task and where it is from; stated: whether the folder names the task itself."""

    name: str
    source: str
    stated: bool = False


_LAYOUTS: Mapping[Layout, str] = {
    Layout.SENTENCE_TRANSFORMERS: "sentence-similarity",
    Layout.PIPER: "text-to-speech",
    Layout.WHISPER: "automatic-speech-recognition",
    Layout.OPEN_CLIP: "zero-shot-image-classification",
}
_SENTENCES = "config_sentence_transformers.json"
_PEFT = {
    "SEQ_CLS": "text-classification",
    "TOKEN_CLS": "token-classification",
    "QUESTION_ANS": "question-answering",
    "FEATURE_EXTRACTION": "feature-extraction",
}
"""PEFT's task_type → task. CAUSAL_LM is also said of adapters for models that look or listen."""
_POOLING = {1: "feature-extraction", 2: "feature-extraction", 3: "feature-extraction", 4: "text-ranking"}
"""`pooling_type` of a GGUF header (llama.cpp's enum: mean, cls, last, rank) → task."""


def format_task(inputs: CardInputs) -> Task | None:
    """The task by what is there besides a config.json of transformers; None where that tells nothing."""
    documents, layout = inputs.documents, inputs.model.layout
    if "config_setfit.json" in documents:
        return Task("text-classification", "derived: config_setfit.json")
    ranker = _ranker(documents)
    if ranker:
        return Task("text-ranking", ranker)
    if at(documents.get(_SENTENCES), "model_type") == "SparseEncoder":
        return Task("feature-extraction", f"derived: {_SENTENCES}#/model_type")
    if layout in _LAYOUTS:
        return Task(_LAYOUTS[layout], "layout")
    if layout is Layout.GGUF:
        return _gguf(inputs.gguf_metadata)
    adapted = _PEFT.get(text(at(documents.get("adapter_config.json"), "task_type")) or "")
    if layout is Layout.PEFT and adapted:
        return Task(adapted, "derived: adapter_config.json#/task_type")
    return _runtime(documents)


def _ranker(documents: Mapping[str, object]) -> str | None:
    """Where the folder says that it is a cross-encoder of sentence-transformers, which ranks texts."""
    config = documents.get("config.json")
    if "sbert_ce_default_activation_function" in mapping(config):
        return pointer("sbert_ce_default_activation_function")
    if at(documents.get(_SENTENCES), "model_type") == "CrossEncoder":
        return f"{_SENTENCES}#/model_type"
    if "activation_fn" in mapping(at(config, "sentence_transformers")):
        return pointer("sentence_transformers", "activation_fn")
    return None


def _gguf(metadata: GgufMetadata) -> Task | None:
    """By how llama.cpp pools, else by a chat template: of a model without either nothing is known."""
    name = metadata.get("general.architecture")
    pooled = _POOLING.get(integer(metadata.get(f"{name}.pooling_type")) or 0)
    if pooled:
        return Task(pooled, f"derived: {name}.pooling_type")
    if isinstance(metadata.get("tokenizer.chat_template"), str):
        return Task("text-generation", "derived: tokenizer.chat_template")
    return None


def _runtime(documents: Mapping[str, object]) -> Task | None:
    """MLC's, onnxruntime-genai's and CTranslate2's own configs, and timm's."""
    mlc = mapping(documents.get("mlc-chat-config.json"))
    if mlc.get("conv_template") and mlc.get("model_task") in (None, "chat"):
        return Task("text-generation", "derived: mlc-chat-config.json#/conv_template")
    model = mapping(at(documents.get("genai_config.json"), "model"))
    if model.get("type") == "whisper":
        return Task("automatic-speech-recognition", "derived: genai_config.json#/model/type")
    if model.get("decoder"):
        looks = bool(model.get("vision"))
        key = "vision" if looks else "decoder"
        name = "image-text-to-text" if looks else "text-generation"
        return Task(name, f"derived: genai_config.json#/model/{key}")
    config = mapping(documents.get("config.json"))
    if "alignment_heads" in config and "lang_ids" in config and "model_type" not in config:
        return Task("automatic-speech-recognition", f"derived: {pointer('lang_ids')}")
    if config.get("pretrained_cfg") and isinstance(config.get("num_classes"), int):
        name = "image-classification" if config["num_classes"] else "image-feature-extraction"
        return Task(name, f"derived: {pointer('num_classes')}")
    return None
