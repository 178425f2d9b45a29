"""The number format of the weights that are not quantised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dxwatchd.card.config.config_keys import pointer, text_part
from dxwatchd.card.sources import TensorInfo
from dxwatchd.card.values import Notes, at, mapping
from dxwatchd.card.weights.logical_weights import logical_elements
from dxwatchd.card.weights.parameters import HEADERS

TORCH_NAMES: Mapping[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
"""Spelling of safetensors and GGUF → spelling of torch."""
_KNOWN = frozenset(TORCH_NAMES.values())


def config_dtype(config: object) -> tuple[str, str] | None:
    """The dtype that a config states (`dtype` before the older `torch_dtype`) and its source.

    An object instead of a name states one for each part: the one under "" is for the whole.
    """
    path, part = text_part(config)
    places = [((), mapping(config)), (path, part)]
    for way, place in places:
        for key in ("dtype", "torch_dtype"):
            value = place.get(key)
            if isinstance(value, Mapping):
                value = at(value, "")
            if isinstance(value, str):
                name = value.removeprefix("torch.")
                if name in _KNOWN:
                    return name, pointer(*way, key)
    return None


def stored_dtype(tensors: Mapping[str, Sequence[TensorInfo]], *, quantised: bool) -> str | None:
    """The dtype that most bytes of the weights have, in torch's spelling.

    Of a quantised model only the weights that were left alone count: those in 16 bits and more.
    """
    listed = {tensor.name: tensor for file in tensors.values() for tensor in file}
    stored: dict[str, list[TensorInfo]] = {}
    for tensor in listed.values():
        name = TORCH_NAMES.get(tensor.dtype)
        if name is not None and not (quantised and name.startswith("float8")):
            stored.setdefault(name, []).append(tensor)
    most = {name: sum(tensor.nbytes for tensor in found) for name, found in stored.items()}
    counted: dict[str, int] = {}
    for name in sorted(most, key=lambda name: most[name], reverse=True):
        others = max((counted.get(other, most[other]) for other in most if other != name), default=0)
        counted[name] = _weights_bytes(stored[name], listed, others)
        if counted[name] > others:
            return name
    return max(sorted(counted), key=lambda name: counted[name]) if any(counted.values()) else None


def _weights_bytes(found: Sequence[TensorInfo], listed: Mapping[str, TensorInfo], enough: int) -> int:
    """The bytes of those tensors that are weights, counted until they are more than `enough`."""
    total = 0
    for tensor in found:
        if logical_elements(tensor, listed, lambda _: None):
            total += tensor.nbytes
            if total > enough:
                break
    return total


def dtype(
    config: object, tensors: Mapping[str, Sequence[TensorInfo]], notes: Notes, *, quantised: bool
) -> str | None:
    """The dtype that the headers show, else the one that the config states; a contradiction is noted."""
    stored, stated = stored_dtype(tensors, quantised=quantised), config_dtype(config)
    if stored is not None:
        notes.source("dtype", HEADERS)
        if stated and stated[0] != stored:
            notes.conflict("dtype", (HEADERS, stored), (stated[1], stated[0]))
        return stored
    if stated:
        notes.source("dtype", stated[1])
        return stated[0]
    return None
