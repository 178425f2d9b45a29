"""How many weights a stored tensor stands for: packed ones unfolded, scales and buffers none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from dxwatchd.card.sources import TensorInfo

FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4"})
_INTEGERS = frozenset({"I8", "U8", "I16", "U16", "I32", "U32"})
_INDICES = frozenset({"I64", "U64", "BOOL"})
_CODES = "Qidxs"
"""What the names of QuIP#'s packed weights begin with, the only ones in integers of 64 bits."""
# fmt: off
_AUXILIARY = frozenset({
    "qzeros", "g_idx", "weight_g_idx", "weight_scale", "weight_scale_inv", "weight_scale_2", "weight_shape",
    "weight_zero_point", "weight_global_scale", "input_scale", "input_scale_inv", "input_global_scale",
    "input_zero_point", "output_scale", "k_scale", "v_scale", "q_scale", "prob_scale", "absmax", "quant_map",
    "nested_absmax", "nested_quant_map", "SCB", "weight_format", "activation_scale",
})
"""Last parts of names that hold what a quantiser stores beside the weights."""
_BUFFERS = frozenset({
    "position_ids", "token_type_ids", "inv_freq", "masked_bias", "cos_cached", "sin_cached", "running_mean",
    "running_var", "num_batches_tracked", "e_score_correction_bias", "rope_freqs", "rope_factors_long",
    "rope_factors_short", "layer_scalar", "std_bias", "std_scale",
})
"""Last parts of names (GGUF: first part) of tensors that are no parameters: nothing trains them.

The last three are Gemma-4's; `e_score_correction_bias` is DeepSeek-V3's, whose own name is `ffn.gate.bias`.
"""
# fmt: on
Bits = Callable[[str], int | None]
"""The number of bits of a packed weight, by the name of its module; None where nothing says."""


def elements(tensor: TensorInfo) -> int:
    """The product of the stored shape."""
    return math.prod(tensor.shape)


def logical_elements(tensor: TensorInfo, siblings: Mapping[str, TensorInfo], bits: Bits) -> int | None:
    """How many parameters a stored tensor stands for: 0 for scales and buffers, None where it is not known.

    Packed: mxfp4 `*_blocks` and NVFP4 and bitsandbytes 4-bit hold 2 in a byte; GPTQ and AWQ `qweight`,
    compressed-tensors `weight_packed` and MLX `weight` hold 32 / bits in an integer of 32 bits.
    """
    name, dtype = tensor.name, tensor.dtype
    module, _, last = name.rpartition(".")
    stored = elements(tensor)
    if _is_auxiliary(module, last, dtype, siblings) or is_buffer(name, tensor.shape):
        return 0
    if f"{name}.absmax" in siblings:  # bitsandbytes' 4 bits, in bytes of any dtype (bnb_4bit_quant_storage)
        return tensor.nbytes * 2
    if dtype in FLOATS:
        return stored
    if dtype in _INDICES:
        return None if last.startswith(_CODES) else 0
    if dtype in _INTEGERS:
        return _packed(tensor, siblings, bits)
    return stored  # GGUF types: the shape is the logical one


def _packed(tensor: TensorInfo, siblings: Mapping[str, TensorInfo], bits: Bits) -> int | None:
    """What a tensor of integers holds."""
    name, dtype = tensor.name, tensor.dtype
    module, _, last = name.rpartition(".")
    stored = elements(tensor)
    if dtype == "U8" and last.endswith("_blocks") and f"{name[:-7]}_scales" in siblings:
        return stored * 2
    if last in ("qweight", "weight_packed") and dtype in ("I32", "U8"):
        return stored * 2 if dtype == "U8" else _unfold(stored, bits(module))
    if last == "weight" and dtype == "U32" and f"{module}.scales" in siblings:
        return _unfold(stored, bits(module))
    if dtype == "U8" and (scale := siblings.get(f"{module}.weight_scale")):
        return stored * 2 if bits(module) == 4 or _scales_4bit(scale, stored * 2) else None
    if dtype in ("I8", "U8") and last == "weight":
        return _int8(tensor, module, siblings)
    return 0 if len(tensor.shape) < 2 else None


def is_buffer(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is a saved buffer: position numbers, rotary tables, statistics, attention masks."""
    last = name.rpartition(".")[2]
    if last in _BUFFERS or (last == "weight" and name.partition(".")[0] in _BUFFERS):
        return True
    if last == "bias" and len(shape) >= 2:  # the causal mask of GPT-2 and GPT-NeoX: (1, 1, n, n)
        return f".{name}".endswith((".attn.bias", ".attention.bias"))
    return f".{name}".endswith((".embed_positions.weights", ".ffn.gate.bias"))


def _is_auxiliary(module: str, last: str, dtype: str, siblings: Mapping[str, TensorInfo]) -> bool:
    if last in _AUXILIARY or dtype == "F8_E8M0":
        return True
    if last.startswith("quant_state") or ".quant_state" in module:
        return True
    if last == "weight":  # as most tensors of most models end: what follows is on other names
        return False
    if last in ("scales", "zeros", "biases"):
        weight = siblings.get(f"{module}.weight")
        return f"{module}.qweight" in siblings or (weight is not None and weight.dtype == "U32")
    if last.endswith("_scales"):
        return f"{module}.{last[:-7]}_blocks" in siblings
    if last == "scale":
        weight = siblings.get(f"{module}.weight")
        return weight is not None and (weight.dtype == "I8" or weight.dtype.startswith("F8"))
    return False


def _scales_4bit(scale: TensorInfo, weights: int) -> bool:
    """Whether there is a scale of 8 bits for every 16 weights (NVFP4) or 32 (MXFP4).

    BitNet has one for four ternary weights in each byte.
    """
    return scale.dtype in ("F8_E4M3", "F8_E8M0", "U8") and elements(scale) in (weights // 16, weights // 32)


def _int8(tensor: TensorInfo, module: str, siblings: Mapping[str, TensorInfo]) -> int | None:
    """One in a byte with a scale for each row; two 4-bit floats where an E8M0 scale stands for 32 of them."""
    if f"{module}.SCB" in siblings or f"{module}.weight_scale" in siblings:
        return elements(tensor)
    scale = siblings.get(f"{module}.scale")
    if scale is not None and scale.dtype == "F8_E8M0" and elements(scale) * 32 == elements(tensor) * 2:
        return elements(tensor) * 2
    return None


def _unfold(stored: int, bits: int | None) -> int | None:
    if bits is None or not 1 <= bits <= 32 or stored * 32 % bits:
        return None
    return stored * 32 // bits
