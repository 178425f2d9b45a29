"""How the weights are packed, in the words of quantisers that say it inside of their own objects.

Source: transformers' utils/quantization_config.py (`HqqConfig`, `QuantoConfig`, `EetqConfig`, `AqlmConfig`,
`TorchAoConfig`), AMD Quark's and compressed-tensors' quantization_config, vLLM's
utils/torch_utils.py (`get_kv_cache_quant_algo_string`) and layers/attention/attention.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dxwatchd.card.values import at, integer, mapping, text

Stated = Mapping[str, object]
Words = Mapping[str, object]
"""Keys of compressed-tensors: `num_bits`, `group_size`, `symmetric`; and `name`, the quantiser's own word."""

_WIDTH = re.compile(r"^(?:u?int|float|fp|mxfp|mx_?fp|nvfp|nf)_?([1-9][0-9]?)(?![0-9])", re.IGNORECASE)


def weight_words(stated: Stated, method: str | None) -> Words:
    """What a quantiser says of its weights; {} where it says it in general keys, or not at all."""
    read = _READERS.get(method or "")
    return _of_groups(stated) or (read(stated) if read else {})


def kv_cache_words(stated: Stated, method: str | None) -> str | None:
    """The format of the cache that a quantiser's scales are for, which servers then keep.

    compressed-tensors, and ModelOpt in its newer files, have an object for it; of ModelOpt's servers take the
    static floats of 8 bits only.
    """
    scheme = stated.get("kv_cache_scheme")
    if scheme and method in ("modelopt", "compressed-tensors"):
        floats = (at(scheme, "num_bits"), at(scheme, "type")) == (8, "float")
        static = method != "modelopt" or at(scheme, "dynamic") is False
        return "FP8" if floats and static else text(scheme)
    return text(stated.get("kv_cache_quant_algo"))


def _of_groups(stated: Stated) -> Words:
    """`weights` of compressed-tensors' and ModelOpt's config groups, where all groups say the same."""
    groups = list(mapping(stated.get("config_groups")).values())[:64]
    weights = [mapping(at(group, "weights")) for group in groups]
    if not weights:
        return {}
    keys = ("num_bits", "group_size", "symmetric")
    same = {key for key in keys if all(each.get(key) == weights[0].get(key) for each in weights)}
    return {key: weights[0].get(key) for key in same}


def _hqq(stated: Stated) -> Words:
    packed = mapping(at(stated, "quant_config", "weight_quant_params"))
    return {"num_bits": packed.get("nbits"), "group_size": packed.get("group_size")}


def _quark(stated: Stated) -> Words:
    """One kind of weights for all layers; a list is of several steps, and layers may have their own."""
    weight = mapping(at(stated, "global_quant_config", "weight"))
    if stated.get("layer_quant_config"):
        return {}
    name = text(weight.get("dtype"))
    return {"num_bits": _width(name), "group_size": weight.get("group_size"), "name": name}


def _by_word(stated: Stated) -> Words:
    """EETQ's and quanto's `weights`: "int8", "float8"."""
    name = text(stated.get("weights"))
    return {"num_bits": _width(name), "name": name}


def _aqlm(stated: Stated) -> Words:
    """The indices' bits for each weight: codebooks * bits of an index / weights that share it."""
    keys = ("num_codebooks", "nbits_per_codebook", "in_group_size", "out_group_size")
    books, bits, width, height = (integer(stated.get(key), 1) for key in keys)
    if not (books and bits and width and height) or (books * bits) % (width * height):
        return {}
    return {"num_bits": books * bits // (width * height)}


def _torchao(stated: Stated) -> Words:
    """`quant_type`: a word with its arguments beside it, or the name of a class and its values."""
    stated_type = stated.get("quant_type")
    if isinstance(stated_type, Mapping):
        name, values = text(at(stated_type, "default", "_type")), at(stated_type, "default", "_data")
    else:
        name, values = text(stated_type), stated.get("quant_type_kwargs")
    return {"num_bits": _width(name), "group_size": at(values, "group_size"), "name": name}


def _width(name: str | None) -> int | None:
    """The bits that a word begins with: "int4_weight_only", "Int8WeightOnlyConfig", "fp8_e4m3"."""
    found = _WIDTH.match(name or "")
    return int(found[1]) if found else None


_READERS: Mapping[str, Callable[[Stated], Words]] = {
    "hqq": _hqq,
    "quark": _quark,
    "eetq": _by_word,
    "quanto": _by_word,
    "aqlm": _aqlm,
    "torchao": _torchao,
}
