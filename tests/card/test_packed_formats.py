"""Weights as each quantiser packs them, of drawn sizes: counted for what they stand for, or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dxwatchd.card.build import build_card
from dxwatchd.card.parts import Parameters
from dxwatchd.card.sources import CardInputs
from dxwatchd.core.model import Kind, Layout, ModelFolder
from tests.card.conftest import IDENTITY, Tensor

_FOLDER = ModelFolder("a", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())
_BITS = {"U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "F16": 16, "BF16": 16, "I64": 64}


class Linear(NamedTuple):
    """One linear layer. group: inputs that share a scale; bits: of one weight."""

    name: str
    inputs: int
    outputs: int
    group: int
    bits: int


def _t(name: str, dtype: str, *shape: int) -> Tensor:
    return Tensor(name, dtype, shape, math.prod(shape) * _BITS.get(dtype, 32) // 8)


def _gptq(one: Linear) -> Iterator[Tensor]:
    groups = one.inputs // one.group
    yield _t(f"{one.name}.qweight", "I32", one.inputs * one.bits // 32, one.outputs)
    yield _t(f"{one.name}.qzeros", "I32", groups, one.outputs * one.bits // 32)
    yield _t(f"{one.name}.scales", "F16", groups, one.outputs)
    yield _t(f"{one.name}.g_idx", "I32", one.inputs)


def _awq(one: Linear) -> Iterator[Tensor]:
    groups = one.inputs // one.group
    yield _t(f"{one.name}.qweight", "I32", one.inputs, one.outputs * one.bits // 32)
    yield _t(f"{one.name}.qzeros", "I32", groups, one.outputs * one.bits // 32)
    yield _t(f"{one.name}.scales", "F16", groups, one.outputs)


def _pack_quantized(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight_packed", "I32", one.outputs, one.inputs * one.bits // 32)
    yield _t(f"{one.name}.weight_scale", "BF16", one.outputs, one.inputs // one.group)
    yield _t(f"{one.name}.weight_zero_point", "I32", one.outputs // 8, one.inputs // one.group)
    yield _t(f"{one.name}.weight_shape", "I64", 2)
    yield _t(f"{one.name}.weight_g_idx", "I32", one.inputs)


def _int8(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "I8", one.outputs, one.inputs)
    yield _t(f"{one.name}.weight_scale", "BF16", one.outputs, 1)


def _nvfp4_packed(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight_packed", "U8", one.outputs, one.inputs // 2)
    yield _t(f"{one.name}.weight_scale", "F8_E4M3", one.outputs, one.inputs // 16)
    yield _t(f"{one.name}.weight_global_scale", "F32", 1)
    yield _t(f"{one.name}.input_global_scale", "F32", 1)


def _nvfp4_modelopt(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "U8", one.outputs, one.inputs // 2)
    yield _t(f"{one.name}.weight_scale", "F8_E4M3", one.outputs, one.inputs // 16)
    for scale in ("weight_scale_2", "input_scale", "k_scale", "v_scale"):
        yield _t(f"{one.name}.{scale}", "F32")


def _mxfp4_quark(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "U8", one.outputs, one.inputs // 2)
    yield _t(f"{one.name}.weight_scale", "U8", one.outputs, one.inputs // 32)


def _mlx(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "U32", one.outputs, one.inputs * one.bits // 32)
    yield _t(f"{one.name}.scales", "BF16", one.outputs, one.inputs // one.group)
    yield _t(f"{one.name}.biases", "BF16", one.outputs, one.inputs // one.group)


def _bnb_4bit(storage: str) -> Callable[[Linear], Iterator[Tensor]]:
    def packed(one: Linear) -> Iterator[Tensor]:
        weights = one.inputs * one.outputs
        yield _t(f"{one.name}.weight", storage, weights * 4 // _BITS.get(storage, 32), 1)
        yield _t(f"{one.name}.weight.absmax", "U8", weights // 64)
        yield _t(f"{one.name}.weight.quant_map", "F32", 16)
        yield _t(f"{one.name}.weight.nested_absmax", "F32", 1)
        yield _t(f"{one.name}.weight.nested_quant_map", "F32", 256)
        yield _t(f"{one.name}.weight.quant_state.bitsandbytes__nf4", "U8", 84)

    return packed


def _bnb_8bit(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "I8", one.outputs, one.inputs)
    yield _t(f"{one.name}.SCB", "F32", one.outputs)
    yield _t(f"{one.name}.weight_format", "U8")


def _mxfp4_blocks(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}_blocks", "U8", 4, one.outputs // 4, one.inputs // 32, 16)
    yield _t(f"{one.name}_scales", "U8", 4, one.outputs // 4, one.inputs // 32)


def _fp4_in_int8(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "I8", one.outputs, one.inputs // 2)
    yield _t(f"{one.name}.scale", "F8_E8M0", one.outputs, one.inputs // 32)


def _fp8_blocks(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "F8_E4M3", one.outputs, one.inputs)
    yield _t(f"{one.name}.weight_scale_inv", "F32", -(-one.outputs // 128), -(-one.inputs // 128))


def _fp8(one: Linear) -> Iterator[Tensor]:
    yield _t(f"{one.name}.weight", "F8_E4M3", one.outputs, one.inputs)
    yield _t(f"{one.name}.weight_scale", "BF16", one.outputs, 1)
    yield _t(f"{one.name}.input_scale", "BF16", 1)


def _method(name: str, **more: object) -> Mapping[str, object]:
    return {"quantization_config": {"quant_method": name, **more}}


def _groups(bits: int) -> Mapping[str, object]:
    return _method("compressed-tensors", config_groups={"group_0": {"weights": {"num_bits": bits}}})


class Format(NamedTuple):
    """A way of packing. config: what config.json says with weights of so many bits."""

    name: str
    tensors: Callable[[Linear], Iterator[Tensor]]
    bits: tuple[int, ...]
    config: Callable[[int], Mapping[str, object]]


FORMATS = (
    Format("gptq", _gptq, (2, 3, 4, 8), lambda bits: _method("gptq", bits=bits, group_size=32)),
    Format("awq", _awq, (4,), lambda bits: _method("awq", bits=bits, group_size=32)),
    Format("compressed-tensors", _pack_quantized, (2, 4, 8), _groups),
    Format("compressed-tensors int8", _int8, (8,), _groups),
    Format("compressed-tensors nvfp4", _nvfp4_packed, (4,), _groups),
    Format("modelopt nvfp4", _nvfp4_modelopt, (4,), lambda _: _method("modelopt", quant_algo="NVFP4")),
    Format("quark mxfp4", _mxfp4_quark, (4,), lambda _: _method("quark")),
    Format("mlx", _mlx, (2, 3, 4, 6, 8), lambda bits: {"quantization": {"bits": bits, "group_size": 32}}),
    Format("bitsandbytes 4-bit", _bnb_4bit("U8"), (4,), lambda _: _method("bitsandbytes", load_in_4bit=True)),
    Format("bitsandbytes 4-bit in bfloat16", _bnb_4bit("BF16"), (4,),
           lambda _: _method("bitsandbytes", load_in_4bit=True, bnb_4bit_quant_storage="bfloat16")),
    Format("bitsandbytes 4-bit in float32", _bnb_4bit("F32"), (4,),
           lambda _: _method("bitsandbytes", load_in_4bit=True, bnb_4bit_quant_storage="float32")),
    Format("bitsandbytes 8-bit", _bnb_8bit, (8,), lambda _: _method("bitsandbytes", load_in_8bit=True)),
    Format("mxfp4", _mxfp4_blocks, (4,), lambda _: _method("mxfp4")),
    Format("fp4 in int8", _fp4_in_int8, (4,), lambda _: _method("fp8")),
    Format("fp8 blocks", _fp8_blocks, (8,), lambda _: _method("fp8", weight_block_size=[128, 128])),
    Format("fp8", _fp8, (8,), lambda _: _groups(8)),
)  # fmt: skip

_SIZES = st.lists(
    st.tuples(st.integers(1, 12).map(lambda n: n * 32), st.integers(1, 12).map(lambda n: n * 32)),
    min_size=1,
    max_size=6,
)


def counted(config: Mapping[str, object], tensors: list[Tensor]) -> Parameters:
    """What the card says of these tensors."""
    inputs = CardInputs(_FOLDER, {"config.json": config}, tensors={"model.safetensors": tensors})
    return build_card(inputs, IDENTITY).parameters


@pytest.mark.parametrize("packing", FORMATS, ids=lambda packing: packing.name)
@settings(max_examples=30)
@given(chance=st.data(), sizes=_SIZES, rest=st.integers(1, 500))
def test_packed_weights_are_counted_exactly(
    packing: Format, chance: Any, sizes: list[tuple[int, int]], rest: int
) -> None:
    """Whatever the sizes and bits: the weights before they were packed, and what was left alone."""
    bits = chance.draw(st.sampled_from(packing.bits))
    tensors = [_t("model.norm.weight", "BF16", rest)]
    for number, (inputs, outputs) in enumerate(sizes):
        tensors += packing.tensors(Linear(f"model.layers.{number}.up_proj", inputs, outputs, 32, bits))
    made = counted(packing.config(bits), tensors)
    assert made.total == rest + sum(inputs * outputs for inputs, outputs in sizes)
    assert made.exact
    assert made.stored_elements == sum(math.prod(tensor.shape) for tensor in tensors)
    assert made.bytes == sum(tensor.nbytes for tensor in tensors)


def _one(*tensors: tuple[Any, ...]) -> list[Tensor]:
    return [_t(f"model.layers.0.up_proj.{name}", *rest) for name, *rest in tensors]


@pytest.mark.parametrize(
    ("config", "tensors"),
    [
        pytest.param(_method("bitnet"), _one(("weight", "U8", 64, 256), ("weight_scale", "BF16", 1)),
                     id="bitnet: four ternary weights in a byte"),
        pytest.param(_method("quip", codebook="E8P12"), _one(("Qidxs", "I64", 64, 32), ("SU", "F16", 256)),
                     id="QuIP#: indices into a lattice"),
        pytest.param(_method("aqlm"), _one(("codes", "I16", 64, 32, 1), ("codebooks", "F16", 1, 256, 1, 8)),
                     id="AQLM: indices into codebooks"),
        pytest.param(_method("exl2"), _one(("q_weight", "I32", 32, 64), ("q_scale", "I32", 8, 8)), id="EXL2"),
        pytest.param(_method("exl3"), _one(("trellis", "I16", 4, 4, 64), ("suh", "F16", 64)), id="EXL3"),
        pytest.param(_method("hqq"), _one(("W_q", "U8", 64, 32), ("scale", "F16", 64, 1)), id="HQQ"),
        pytest.param(_method("vptq"), _one(("indices", "I32", 1, 64, 32), ("centroids.weight", "F16", 1, 64)),
                     id="VPTQ"),
        pytest.param(_method("quanto"), _one(("weight._data", "I8", 64, 64), ("weight._scale", "F16", 64, 1)),
                     id="quanto"),
        pytest.param(_method("gptq"), _one(("qweight", "I32", 8, 64), ("scales", "F16", 1, 64)),
                     id="GPTQ without its bits"),
        pytest.param(_method("gptq", bits=4, dynamic={"+:.*up.*": {"bits": 8}}),
                     _one(("qweight", "I32", 8, 64), ("scales", "F16", 1, 64)), id="GPTQ of mixed bits"),
        pytest.param({}, _one(("weight", "U32", 64, 8), ("scales", "BF16", 64, 1)), id="MLX without bits"),
        pytest.param({}, _one(("B", "I32", 4, 128), ("s", "F16", 1, 64)), id="Marlin"),
        pytest.param(_groups(4), _one(("weight_packed", "I32", 64, 8), ("meta", "I16", 64, 8)),
                     id="packed and sparse"),
        pytest.param({}, _one(("bitmask", "U8", 64, 8), ("compressed", "BF16", 200)), id="sparse by a mask"),
    ],
)  # fmt: skip
def test_unknown_packing_is_not_counted(config: Mapping[str, object], tensors: list[Tensor]) -> None:
    """No total, nothing active, and not called exact; what is stored is known all the same."""
    made = counted(config, [*tensors, _t("model.norm.weight", "BF16", 5)])
    assert (made.total, made.active, made.by_dtype, made.exact) == (None, None, {}, False)
    assert made.stored_elements == 5 + sum(math.prod(tensor.shape) for tensor in tensors)
