"""The globals that torch's own restricted unpickler allows, which is all that weights need.

`torch.load(weights_only=True)`, the default since PyTorch 2.6, refuses every other one. That a pickle names
nothing else does not make it safe: only such a loader does.
Source: https://github.com/pytorch/pytorch/blob/main/torch/_weights_only_unpickler.py (`_get_allowed_globals`,
`_tensor_rebuild_functions`); its lists come from torch/storage.py (`_dtype_to_storage_type_map`,
`_new_dtypes`), torch/__init__.py and torch/cuda/__init__.py (`_storage_classes`), and
torch/csrc/utils/tensor_types.cpp (`all_declared_types`).
"""

from __future__ import annotations

_PLAIN = (
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
    *("builtins.bytearray", "builtins.set", "builtins.complex"),
    *("torch.nn.parameter.Parameter", "torch.serialization._get_layout"),
    *("torch.Size", "torch.Tensor", "torch.device"),
    "torch._tensor._rebuild_from_type_v2",
)
_PYTHON_2 = ("__builtin__.bytearray", "__builtin__.set", "__builtin__.complex")
"""As protocols before 3 spell the same: torch maps the module's old name to its new one."""

_REBUILD = (
    *("parameter", "parameter_with_state", "qtensor", "tensor", "tensor_v2", "tensor_v3", "sparse_tensor"),
    *("meta_tensor_no_storage", "wrapper_subclass", "device_tensor_from_numpy"),
    "device_tensor_from_cpu_tensor",
)
_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"),
    *("complex128", "complex64", "complex32", "quint8", "qint8", "qint32", "quint4x2", "quint2x4"),
    *("float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "float8_e8m0fnu"),
    *("float4_e2m1fn_x2", "bits8", "bits16", "bits1x8", "bits2x4", "bits4x2"),
    *("uint16", "uint32", "uint64"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)),
)
_QUANTISATION = (
    *("per_tensor_affine", "per_tensor_symmetric", "per_channel_affine", "per_channel_symmetric"),
    "per_channel_affine_float_qparams",
)
_TYPES = ("Byte", "Char", "Double", "Float", "Int", "Long", "Short", "Half", "Bool", "BFloat16")
_COMPLEX = ("ComplexDouble", "ComplexFloat")
_QUANTISED = ("QUInt8", "QInt8", "QInt32", "QUInt4x2", "QUInt2x4")

ALLOWED: frozenset[str] = frozenset(
    {
        *_PLAIN,
        *_PYTHON_2,
        *(f"torch._utils._rebuild_{name}" for name in _REBUILD),
        *(f"torch.{name}" for name in (*_DTYPES, *_QUANTISATION)),
        *(f"torch.{name}Storage" for name in (*_TYPES, *_COMPLEX, *_QUANTISED)),
        *(f"torch.cuda.{name}Storage" for name in (*_TYPES, *_COMPLEX)),
        *("torch.storage.UntypedStorage", "torch.storage.TypedStorage"),
        *(f"{module}.{name}Tensor" for module in ("torch", "torch.cuda") for name in _TYPES),
        *(
            f"{module}.{name}Tensor"
            for module in ("torch.sparse", "torch.cuda.sparse")
            for name in _TYPES
            if name != "Bool"
        ),
    }
)
"""As `module.name`."""
