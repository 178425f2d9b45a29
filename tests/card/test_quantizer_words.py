"""What quantisers say inside of their own objects, each as its writer does."""

from __future__ import annotations

from typing import Any

import pytest

from dxwatchd.card.values import Notes
from dxwatchd.card.weights.quantization import quantization
from tests.card.test_transformers_oracle import card_of

_HQQ = {"nbits": 3, "group_size": 64, "axis": 1}
_TORCHAO = {"_type": "Int4WeightOnlyConfig", "_version": 1, "_data": {"group_size": 128}}
_FLOATS = {"dynamic": False, "num_bits": 8, "type": "float"}


def _quark(weight: object, **layers: object) -> dict[str, Any]:
    return {"quant_method": "quark", "global_quant_config": {"weight": weight}, "layer_quant_config": layers}


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": _HQQ}}, (3, 64, None)),
        ({"quant_method": "hqq"}, (None, None, None)),
        (_quark({"dtype": "fp4", "group_size": 32}), (4, 32, "fp4")),
        (_quark({"dtype": "fp8_e4m3"}), (8, None, "fp8_e4m3")),
        (_quark([{"dtype": "fp8_e4m3"}, {"dtype": "int4"}]), (None, None, None)),
        (_quark({"dtype": "fp4"}, mlp={"weight": {"dtype": "int8"}}), (None, None, None)),
        ({"quant_method": "eetq", "weights": "int8"}, (8, None, "int8")),
        ({"quant_method": "quanto", "weights": "float8"}, (8, None, "float8")),
        ({"quant_method": "aqlm", "num_codebooks": 1, "nbits_per_codebook": 16, "in_group_size": 8,
          "out_group_size": 1}, (2, None, None)),
        ({"quant_method": "aqlm", "num_codebooks": 1, "nbits_per_codebook": 15, "in_group_size": 8,
          "out_group_size": 1}, (None, None, None)),
        ({"quant_method": "torchao", "quant_type": "int8_weight_only"}, (8, None, "int8_weight_only")),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only",
          "quant_type_kwargs": {"group_size": 32}}, (4, 32, "int4_weight_only")),
        ({"quant_method": "torchao", "quant_type": {"default": _TORCHAO}}, (4, 128, "Int4WeightOnlyConfig")),
        ({"quant_method": "torchao", "quant_type": "autoquant"}, (None, None, "autoquant")),
        ({"quant_algo": "W4A8_AWQ", "producer": {"name": "modelopt"}}, (4, None, "W4A8_AWQ")),
    ],
)  # fmt: skip
def test_bits_groups_and_kind(
    stated: dict[str, Any], words: tuple[int | None, int | None, str | None]
) -> None:
    """As the quantiser's own config class reads its objects; null where layers or steps differ."""
    found = quantization({"config.json": {"quantization_config": stated}}, Notes())
    assert found is not None
    assert (found.bits, found.group_size, found.quant_type) == words
    assert found.quant_method == stated.get("quant_method", "modelopt")


@pytest.mark.parametrize(
    ("stated", "word"),
    [
        ({"quant_method": "modelopt", "kv_cache_scheme": _FLOATS}, "FP8"),
        ({"quant_method": "modelopt", "kv_cache_scheme": "FP8"}, "FP8"),
        ({"quant_method": "modelopt", "kv_cache_scheme": {**_FLOATS, "dynamic": True}}, None),
        ({"quant_method": "modelopt", "kv_cache_scheme": {**_FLOATS, "num_bits": 4}}, None),
        ({"quant_method": "modelopt", "kv_cache_quant_algo": "NVFP4"}, "NVFP4"),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": {**_FLOATS, "dynamic": True}}, "FP8"),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": None}, None),
        ({"quant_method": "fp8", "kv_cache_scheme": _FLOATS}, None),
    ],
)
def test_format_of_the_cache(stated: dict[str, Any], word: str | None) -> None:
    """Of eight bits where a server that reads the file makes it so."""
    found = quantization({"config.json": {"quantization_config": stated}}, Notes())
    assert found is not None
    assert found.kv_cache_quant == word


def test_cache_of_eight_bits_leaves_states_of_fixed_size_as_they_are() -> None:
    """Only what is kept for every token is halved; null where the state's dtype is not known."""
    hybrid = {"model_type": "qwen3_next", "architectures": ["Qwen3NextForCausalLM"], "dtype": "bfloat16"}
    packed = {"quant_method": "modelopt", "quant_algo": "NVFP4", "kv_cache_scheme": _FLOATS}
    plain = card_of(hybrid).kv_cache
    halved = card_of({**hybrid, "quantization_config": packed}).kv_cache
    assert plain.bytes_per_token
    assert halved.bytes_per_token == plain.bytes_per_token // 2
    assert halved.constant_bytes == plain.constant_bytes
    unknown = card_of({**hybrid, "dtype": None, "quantization_config": packed}).kv_cache
    assert (unknown.bytes_per_token, unknown.constant_bytes) == (None, None)
