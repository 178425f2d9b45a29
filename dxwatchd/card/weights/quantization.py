"""What the folder says of its quantisation, in the ways in which quantisers say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from dxwatchd.card.config.config_keys import TEXT_PARTS
from dxwatchd.card.parts import Quantization
from dxwatchd.card.values import Notes, at, boolean, integer, mapping, text
from dxwatchd.card.weights.logical_weights import Bits
from dxwatchd.card.weights.quantizer_words import kv_cache_words, weight_words

Documents = Mapping[str, object]
T = TypeVar("T")

_BITS_OF_TYPE = {"fp8": 8, "mxfp4": 4, "nvfp4": 4, "fbgemm_fp8": 8, "mxfp8": 8}
_BITS_OF_ALGORITHM = {
    **dict.fromkeys(("FP8", "FP8_PB_WO", "FP8_PER_CHANNEL_PER_TOKEN", "W8A8_SQ_PER_CHANNEL", "MXFP8"), 8),
    **dict.fromkeys(("NVFP4", "NVFP4_AWQ", "W4A16_AWQ", "W4A8_AWQ", "W4A8_MXFP4_FP8", "INT4_AWQ"), 4),
}

GGUF_FILE_TYPES: Mapping[int, str] = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0",
    37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4", 40: "Q1_0",
}  # fmt: skip
"""`general.file_type` → name. Source: `llama_ftype` in llama.cpp's include/llama.h."""
_GGUF_UNQUANTISED = frozenset({"F32", "F16", "BF16"})


def _statement(documents: Documents) -> tuple[str, Mapping[str, object], str | None] | None:
    """(source, the object that describes it, the method that its place implies), first that is there."""
    config = documents.get("config.json")
    for way in ((), *TEXT_PARTS):
        for key in ("quantization_config", "compression_config"):
            found = mapping(at(config, *way, key))
            if text(found.get("quant_method")) or (found and "bits" not in found):
                return f"config.json#/{'/'.join((*way, key))}", found, None
    mlx = mapping(at(config, "quantization"))
    if integer(mlx.get("bits"), 1) and integer(mlx.get("group_size"), 1):
        return "config.json#/quantization", mlx, "mlx"
    modelopt = mapping(at(documents.get("hf_quant_config.json"), "quantization"))
    if text(modelopt.get("quant_algo")):
        return "hf_quant_config.json#/quantization", modelopt, "modelopt"
    gptq = mapping(documents.get("quantize_config.json"))
    if integer(gptq.get("bits"), 1) and "group_size" in gptq:  # transformers.js has a file of this name, too
        return "quantize_config.json", gptq, "gptq"
    awq = mapping(documents.get("quant_config.json"))
    if integer(awq.get("w_bit"), 1):
        return "quant_config.json", awq, "awq"
    return None


def quantization(documents: Documents, notes: Notes) -> Quantization | None:
    """The quantisation that config.json or a quantiser's own file states; None where none does."""
    statement = _statement(documents)
    if statement is None:
        return None
    source, stated, implied = statement
    method = text(stated.get("quant_method")) or implied
    if method is None and text(at(stated, "producer", "name")) == "modelopt":
        method = "modelopt"
    if method is None and (stated.get("load_in_4bit") is True or stated.get("load_in_8bit") is True):
        method = "bitsandbytes"
    notes.source("quantization", source)
    algorithm = text(stated.get("quant_algo"))
    nested = weight_words(stated, method)
    return Quantization(
        quant_method=method,
        quant_type=_type(stated, algorithm) or text(nested.get("name")),
        bits=_bits(stated, method, algorithm, nested),
        group_size=_first(_signed(stated.get("group_size")), _signed(stated.get("q_group_size")),
                          _signed(nested.get("group_size"))),
        weight_block_size=_block(stated.get("weight_block_size")),
        desc_act=boolean(stated.get("desc_act")),
        sym=_first(boolean(stated.get("sym")), boolean(nested.get("symmetric"))),
        zero_point=boolean(stated.get("zero_point")),
        kv_cache_quant=kv_cache_words(stated, method),
    )  # fmt: skip


def gguf_quantization(
    file_type: object, stored: str | None, source: str, notes: Notes
) -> Quantization | None:
    """The quantisation that a GGUF header's `general.file_type` names; None for plain floats.

    stored: the type that most bytes of the tensors have. It decides whether the file is quantised at all, and
    stands in for a missing or untrue file type.
    """
    number = integer(file_type)
    name = None if number is None else GGUF_FILE_TYPES.get(number)
    if stored is None or stored in _GGUF_UNQUANTISED:
        return None
    if name is None or name in _GGUF_UNQUANTISED:
        notes.source("quantization", "GGUF tensor table")
        return Quantization(quant_method="gguf", quant_type=text(stored))
    notes.source("quantization", source)
    return Quantization(quant_method="gguf", quant_type=name)


def packed_bits(documents: Documents, stated: Quantization | None) -> Bits:
    """How wide the packed weights of a module are: its own entry (MLX, GPTQModel), else the model's."""
    config = documents.get("config.json")
    own = mapping(at(config, "quantization")) or mapping(at(config, "quantization_config"))
    dynamic = mapping(at(config, "quantization_config", "dynamic")) or mapping(
        at(documents.get("quantize_config.json"), "dynamic")
    )
    groups_differ = stated is not None and stated.quant_method == "compressed-tensors" and stated.bits is None
    common = None if stated is None or dynamic or groups_differ else stated.bits

    def bits(module: str) -> int | None:
        return integer(at(own, module, "bits"), 1) or common

    return bits


def _bits(
    stated: Mapping[str, object], method: str | None, algorithm: str | None, nested: Mapping[str, object]
) -> int | None:
    for direct in (stated.get("bits"), stated.get("w_bit"), nested.get("num_bits")):
        if integer(direct, 1):
            return integer(direct, 1)
    if stated.get("load_in_4bit") is True or stated.get("_load_in_4bit") is True:
        return 4
    if stated.get("load_in_8bit") is True or stated.get("_load_in_8bit") is True:
        return 8
    return _BITS_OF_ALGORITHM.get(algorithm or "") or _BITS_OF_TYPE.get(method or "")


def _type(stated: Mapping[str, object], algorithm: str | None) -> str | None:
    if stated.get("load_in_4bit") is True:
        return text(stated.get("bnb_4bit_quant_type"))
    return algorithm or text(stated.get("fmt")) or text(stated.get("format"))


def _block(value: object) -> tuple[int, ...]:
    sizes = [integer(item, 1) for item in value[:4]] if isinstance(value, list) else []
    return tuple(size for size in sizes if size) if all(sizes) else ()


def _signed(value: object) -> int | None:
    return integer(value, -1)


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)
