"""The config of a CNCF ModelPack artifact: media type `application/vnd.cncf.model.config.v1+json`.

Source: modelpack/model-spec, `docs/config.md`, `specs-go/v1/config.go` and `schema/config-schema.json`, which
takes no further properties. `modelfs` is demanded, and in it the digest of every layer: here each file is a
layer of its own, as it is (the media types `...v1.raw`), so that a layer's digest is the file's; the layers
of the artifact's manifest must have the card's order.
"""

from __future__ import annotations

from pydantic import JsonValue

from dxwatchd.card.exports.digests import digests
from dxwatchd.card.exports.known import known
from dxwatchd.card.exports.languages import two_letters
from dxwatchd.card.exports.licences import licence_name, spdx_expression
from dxwatchd.card.exports.urls import is_url
from dxwatchd.card.schema import Card
from dxwatchd.card.summary import summary

_MODALITIES = ("text", "image", "audio", "video", "embedding", "other")
_PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "float64": "fp64"}
_SCALES = ((10**3, "K"), (10**6, "M"), (10**9, "B"), (10**12, "T"), (10**15, "Q"))
_RECURRENT = frozenset({"mamba", "linear_attention", "conv", "hybrid"})
"""Layer types of a network that is no transformer, or not only one."""


def modelpack(card: Card) -> dict[str, JsonValue]:
    """The config. Raises ExportError while digests are not computed."""
    return {
        "descriptor": _descriptor(card),
        "config": _config(card),
        "modelfs": {"type": "layers", "diffIds": [f"sha256:{file.sha256}" for file in digests(card)]},
    }


def param_size(parameters: int) -> str | None:
    """A number of parameters with one decimal and its scale: "8.2B"; None below a thousand.

    The count has at most one decimal, and a scale must be named: K, M, B, T or Q.
    """
    if parameters < 1000:
        return None
    rounded = [((parameters * 10 + scale // 2) // scale, letter) for scale, letter in _SCALES]
    tenths, letter = next((pair for pair in rounded if pair[0] < 10_000), rounded[-1])
    return f"{tenths // 10}.{tenths % 10}{letter}"


def _descriptor(card: Card) -> dict[str, JsonValue]:
    licence = licence_name(card)
    commits = {download.commit for download in card.integrity.provenance if download.commit}
    return known(
        {
            "name": card.technical_name,
            "title": card.model_name,
            "description": summary(card),
            "family": card.architecture.model_type,
            "version": card.version,
            "revision": commits.pop() if len(commits) == 1 else None,
            "authors": [*card.authors],
            "licenses": [spdx_expression(licence)] if licence else [],
            "datasetsURL": [dataset for dataset in card.datasets if is_url(dataset)],
        }
    )


def _config(card: Card) -> dict[str, JsonValue]:
    packing = card.quantization
    primary = next((weights.format for weights in card.weight_sets if weights.primary), None)
    return known(
        {
            "architecture": "transformer" if _is_transformer(card) else None,
            "format": primary,
            "paramSize": param_size(card.parameters.total) if card.parameters.total else None,
            "precision": _PRECISIONS.get(card.dtype, card.dtype) if card.dtype else None,
            "quantization": (packing.quant_type if packing.quant_method == "gguf" else None)
            or packing.quant_method
            if packing
            else None,
            "capabilities": _capabilities(card),
        }
    )


def _capabilities(card: Card) -> dict[str, JsonValue]:
    told = card.capabilities
    return known(
        {
            "inputTypes": [word for word in told.input_types if word in _MODALITIES],
            "outputTypes": [word for word in told.output_types if word in _MODALITIES],
            "reasoning": told.reasoning,
            "toolUsage": told.tool_usage,
            "languages": [*two_letters(card.language)],
        }
    )


def _is_transformer(card: Card) -> bool:
    """Whether it is one network, the card knows what its layers keep, and all of them are attention."""
    shape, cache = card.architecture, card.kv_cache
    kinds = {layers.layer_type for layers in cache.layers} | {*shape.attention.layer_types}
    known_layers = shape.num_attention_heads is not None and cache.bytes_per_token is not None
    return card.kind == "model" and known_layers and not kinds & _RECURRENT
