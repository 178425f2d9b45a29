"""The element types of GGUF tensors and metadata, as data.

Source: https://github.com/ggml-org/ggml/blob/master/include/ggml.h (`enum ggml_type`),
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (metadata value types).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TensorType(NamedTuple):
    """A tensor's element type. block: elements that are packed together; nbytes: what one block takes."""

    name: str
    block: int
    nbytes: int


TENSOR_TYPES: Mapping[int, TensorType] = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    9: TensorType("Q8_1", 32, 40),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
}
"""By the number in the file. The gaps are types that ggml has withdrawn."""


class ScalarType(NamedTuple):
    """A metadata value of fixed size. code: for `struct`; nbytes: its size."""

    name: str
    code: str
    nbytes: int


SCALAR_TYPES: Mapping[int, ScalarType] = {
    0: ScalarType("uint8", "B", 1),
    1: ScalarType("int8", "b", 1),
    2: ScalarType("uint16", "H", 2),
    3: ScalarType("int16", "h", 2),
    4: ScalarType("uint32", "I", 4),
    5: ScalarType("int32", "i", 4),
    6: ScalarType("float32", "f", 4),
    7: ScalarType("bool", "?", 1),
    10: ScalarType("uint64", "Q", 8),
    11: ScalarType("int64", "q", 8),
    12: ScalarType("float64", "d", 8),
}
STRING = 8
ARRAY = 9
