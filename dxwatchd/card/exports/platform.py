"""The row of DeepExtension's `base_model` table, which its training and inference services read.

Source: the table's columns. Every column has its key, null where the card does not know. The default that the
table has for `model_usage_type` ("chat") is no knowledge of this model, so that it is not written here: an
insert that wants it leaves out what is null. The database's own columns are left out: `id`, `co_id` (the
company that registers), `created_at`, `created_by`, `updated_at` and `updated_by`.

Never answered, since no folder says: `model_created_at`, `inference_python_file` and `deploy_config` (the
platform's own files), and `deployment_tools`, codes of the platform.
"""

from __future__ import annotations

from pydantic import JsonValue

from dxwatchd.card.exports.licences import licence_name
from dxwatchd.card.schema import Card

_SERVED_LAYOUTS = frozenset({"transformers", "mistral", "gguf"})
"""What inference servers load as it is (vLLM, SGLang, llama.cpp)."""
_SERVED_USES = frozenset({"chat", "vision-language"})
_RUNTIMES = frozenset(
    {
        "ctranslate2", "dduf", "gguf", "ggml", "llama", "llama.cpp", "mistral", "mlc", "mlc-llm", "onnx",
        "onnxruntime", "onnxruntime-genai", "openvino", "piper", "tensorrt-llm", "tflite", "transformers.js",
        "vllm", "whisper",
    }
)  # fmt: skip
"""Libraries, and layouts in place of one, that run models and train none."""


def platform(card: Card) -> dict[str, JsonValue]:
    """The row, keys in the table's order.

    path: relative to the models root; disk_size_gb: a text, in units of 2**30 bytes as the platform counts
    (Qwen3-8B: "15.27"); tasks: the pipeline tag where nothing else is stated; training_framework: the library
    that the folder is made for, unless that only runs models; inference_support: true for a language model in
    a layout that inference servers load, else null.
    """
    return {
        "model_name": card.model_name,
        "technic_name": card.technical_name,
        "path": card.path,
        "model_version": card.version,
        "model_type": card.architecture.model_type,
        "architectures": [*card.architecture.architectures],
        "pretraining_datasets": [*card.datasets],
        "training_objectives": [*card.training_objectives],
        "model_language": ", ".join(card.language) or None,
        "tasks": [*card.tasks] or ([card.pipeline_tag] if card.pipeline_tag else []),
        "tags": [*card.tags],
        "license": licence_name(card),
        "training_framework": None if card.library_name in _RUNTIMES else card.library_name,
        "limitations": card.limitations,
        "authors": "; ".join(card.authors) or None,
        "model_created_at": None,
        "model_references": "\n".join(card.references) or None,
        "disk_size_gb": _gibibytes(card.size) if card.files else None,
        "template": card.template,
        "model_usage_type": card.model_usage_type,
        "inference_python_file": None,
        "deploy_config": None,
        "inference_support": True if _is_served(card) else None,
        "deployment_tools": None,
    }


def _is_served(card: Card) -> bool:
    return (
        card.kind == "model"
        and card.layout in _SERVED_LAYOUTS
        and card.model_usage_type in _SERVED_USES
        and any(weights.primary for weights in card.weight_sets)
    )


def _gibibytes(size: int) -> str:
    """Two decimals, more for what would be "0.00" (3 MiB: "0.003")."""
    value = size / 2**30
    decimals = next((count for count in range(2, 9) if round(value, count)), 2)
    return f"{value:.{decimals}f}"
