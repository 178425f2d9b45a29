"""Which reader a file of a models root gets, by its name: a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import BinaryIO, NamedTuple, TypeAlias

from dxwatchd.core import facts
from dxwatchd.core.facts import Facts
from dxwatchd.core.filenames import README
from dxwatchd.readers import container_facts, identity, json_facts, text_facts, weight_facts
from dxwatchd.readers.json_document import LIMIT, JsonDocument, read_json
from dxwatchd.readers.weight_facts import refuse_zeros

# Any JSON that is parsed and any tokenizer are hashed whole: one token changed in the middle counts.
WHOLE = LIMIT

Read: TypeAlias = Callable[[BinaryIO, int], Facts]


class Reading(NamedTuple):
    """How a file is read. weights: it holds tensors, so it may be large, and half written;
    proven_by_head: its beginning tells where it ends, so that a file of unwritten ranges is still judged.
    """

    read: Read
    weights: bool = False
    proven_by_head: bool = False


def _json(read: Callable[[JsonDocument, str], Facts], stream: BinaryIO, size: int) -> Facts:
    document = read_json(stream)
    return read(document, identity.content_digest(stream, size, whole=WHOLE))


def _plain(stream: BinaryIO, size: int) -> Facts:
    refuse_zeros(stream, 0)  # no vocabulary, template or code begins with a page of them
    return facts.Content(identity.content_digest(stream, size, whole=WHOLE))


_CONTENT = Reading(_plain)
_DOCUMENT = Reading(partial(_json, json_facts.document))
_SHARD_TABLE = Reading(partial(_json, json_facts.shard_table))
_TORCH = Reading(weight_facts.torch_facts, weights=True)


def _weights(read: Read) -> Reading:
    return Reading(read, weights=True)


NAMES: Mapping[str, Reading] = {
    "config.json": Reading(partial(_json, json_facts.config)),
    "adapter_config.json": Reading(partial(_json, json_facts.adapter_config)),
    "modules.json": Reading(partial(_json, json_facts.modules)),
    "model_index.json": Reading(partial(_json, json_facts.pipeline_index)),
    "genai_config.json": Reading(partial(_json, json_facts.genai_config)),
    "ndarray-cache.json": _SHARD_TABLE,
    "tensor-cache.json": _SHARD_TABLE,
    "checklist.chk": Reading(text_facts.checklist),
    README: Reading(text_facts.readme),
    **dict.fromkeys(
        ("params.json", "mlc-chat-config.json", "open_clip_config.json", "config_setfit.json"), _DOCUMENT
    ),
    "adapter_model.bin": _TORCH,
    "model.bin": _weights(container_facts.model_bin),
    **dict.fromkeys(
        (
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "vocab.txt",
            "merges.txt",
            "tekken.json",
            "chat_template.jinja",
            "chat_template.json",
            "generation_config.json",
            "preprocessor_config.json",
            "processor_config.json",
            "config_sentence_transformers.json",
            "sentence_bert_config.json",
            "quantize_config.json",
            "quant_config.json",
            "hf_quant_config.json",
        ),
        _CONTENT,
    ),
}
"""By exact name."""

PATTERNS: tuple[tuple[re.Pattern[str], Reading], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), reading)
    for pattern, reading in (
        # diffusers puts the variant behind: diffusion_pytorch_model.safetensors.index.fp16.json
        (
            r".*\.(safetensors|bin|h5|msgpack)\.index(\.[^.]+)?\.json",
            Reading(partial(_json, json_facts.weight_index)),
        ),
        (r".*\.onnx\.json", _DOCUMENT),
        (r".*\.safetensors", Reading(weight_facts.safetensors_facts, True, proven_by_head=True)),
        (r".*\.gguf", Reading(weight_facts.gguf_facts, True, proven_by_head=True)),
        (r".*pytorch_model.*\.bin|.*\.(pt|pth|ckpt|ot)", _TORCH),
        (r"ggml-.+\.bin", _weights(container_facts.ggml)),
        (r"openvino_.+\.bin", _weights(weight_facts.opaque_facts)),
        (r".*\.bin", _weights(weight_facts.torch_or_other_facts)),
        (r".*\.onnx", _weights(container_facts.onnx)),
        (r"openvino_.+\.xml", _weights(container_facts.openvino)),
        (r".*\.h5", _weights(container_facts.hdf5)),
        (r".*\.msgpack", _weights(container_facts.msgpack)),
        (r".*\.tflite", _weights(container_facts.tflite)),
        (r".*\.nemo", _weights(container_facts.nemo)),
        (r".*\.dduf", _weights(weight_facts.zip_facts)),
        (r".*\.(engine|plan|distcp|npz|onnx[._]data.*|data|pb|mlmodel)", _weights(weight_facts.opaque_facts)),
        (r".*vocabulary.*\.(txt|json)", _CONTENT),
        # Code that comes with a model is loaded with it, so it is part of what was approved.
        (r".*\.(model|tiktoken|spm|bpe|py|pkl|joblib)", _CONTENT),
        (r".+\.(lfs|pointer)", _CONTENT),
        # What loaders read beside it: schedulers, modules, processors, further templates and vocabularies.
        (r".*config\.json|.*\.jinja|(normalizer|emoji)\.json|bpe\.codes", _CONTENT),
    )
)
"""By the whole name, the first that fits."""

PLACES: tuple[tuple[re.Pattern[str], Reading], ...] = (
    (re.compile(r"(.*/)?models--[^/]+/refs/.+", re.DOTALL), Reading(text_facts.ref)),
    (
        re.compile(r"(.*/)?\.cache/huggingface/download/.+\.metadata", re.DOTALL),
        Reading(text_facts.hub_metadata),
    ),
)
"""By the whole path below the models root."""


@lru_cache(maxsize=65_536)  # asked of every file at every pass
def _by_name(name: str) -> Reading | None:
    exact = NAMES.get(name)
    if exact is not None:
        return exact
    return next((reading for pattern, reading in PATTERNS if pattern.fullmatch(name)), None)


def reading_of(relative: str) -> Reading | None:
    """How the file at this path below the models root is read; None where nobody reads it."""
    if "models--" in relative or ".cache/" in relative:
        placed = next((reading for pattern, reading in PLACES if pattern.fullmatch(relative)), None)
        if placed is not None:
            return placed
    return _by_name(relative.rpartition("/")[2])
