"""The header of a safetensors file.

Layout: 8 bytes header length (unsigned, little endian), the header (a JSON object, padded with spaces),
the tensors' bytes without holes. Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO, NamedTuple, NoReturn

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.json_document import check_values
from dxwatchd.readers.reading import read_exactly

MAX_HEADER = 100_000_000  # bytes; the format's own bound
MAX_DIMENSIONS = 64  # NumPy's bound; the format has none, but a product of millions of factors has no end
MAX_EXTENT = 2**63 - 1  # of one dimension

BITS: Mapping[str, int] = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
"""Bits that one element of each dtype takes."""


class Tensor(NamedTuple):
    """One tensor. dtype: a key of `BITS`; nbytes: what it takes in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What a header says.

    metadata: `__metadata__`; tensors: in the header's order; header_length: in bytes, without the 8 before
    it; promised_size: the exact size of a whole file in bytes.
    """

    metadata: Mapping[str, str]
    tensors: tuple[Tensor, ...]
    header_length: int
    promised_size: int


def read_header(stream: BinaryIO, size: int) -> SafetensorsHeader:
    """Reads the header of a file of `size` bytes from a stream at its start.

    A file shorter or longer than `promised_size` is not refused: judging that is not reading.

    Raises ReaderError: TRUNCATED where the header itself is not complete; MALFORMED where it breaks the
    format's rules; TOO_LARGE with too many values; UNREADABLE.
    """
    if size < 8:
        raise ReaderError(Fault.TRUNCATED, f"The file has {size} bytes and its header's length takes 8.")
    length = int.from_bytes(read_exactly(stream, 8), "little")
    if length == 0:
        raise ReaderError(Fault.TRUNCATED, "The file begins with zeros: its header is not yet written.")
    if length > MAX_HEADER:
        raise ReaderError(
            Fault.MALFORMED,
            f"This is not a safetensors file: its header would have {length} bytes, "
            f"and {MAX_HEADER} is the format's bound.",
        )
    if length > size - 8:
        raise ReaderError(
            Fault.TRUNCATED, f"The header has {length} bytes, but only {size - 8} of the file follow."
        )
    raw = read_exactly(stream, length)
    table = _parsed(raw)
    metadata = _metadata(table.pop("__metadata__", None))
    tensors, end = _tensors(table)
    return SafetensorsHeader(metadata, tensors, length, 8 + length + end)


def _parsed(raw: bytes) -> dict[str, Any]:
    if b"\0" in raw:
        raise ReaderError(Fault.TRUNCATED, "The header holds zeros: it is not yet wholly written.")
    if not raw.startswith(b"{"):
        raise ReaderError(Fault.MALFORMED, "This is not a safetensors file: its header is not JSON.")
    try:
        text = raw.decode()
        check_values(text)
        table = json.loads(text, parse_constant=_refuse_constant)
        if "\\" in text or text.count('"') != _quotes(table):
            # Only then may a key stand there twice, and only this slower way of parsing tells.
            table = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
            "".join(table).encode()  # half of a surrogate pair is not a name
    except (ValueError, RecursionError) as error:
        # Not `error` itself: it may quote the whole header.
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:200]
        raise ReaderError(Fault.MALFORMED, f"The header is not valid JSON: {reason}.") from error
    made: dict[str, Any] = table
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(items)
    if len(made) < len(items):
        twice = next(name for name, count in Counter(name for name, _ in items).items() if count > 1)
        raise ValueError(f"the name {quoted(twice)} stands there twice")
    return made


def _quotes(table: Mapping[str, Any]) -> int:
    """How many quotation marks a header without escapes has if no key in it stands there twice.

    Ten for each tensor: its name, three keys and the dtype. Every further key or string adds two.
    """
    metadata = table.get("__metadata__")
    if "__metadata__" not in table:
        return 10 * len(table)
    return 10 * (len(table) - 1) + 2 + (4 * len(metadata) if isinstance(metadata, dict) else 0)


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ReaderError(Fault.MALFORMED, "The header's __metadata__ must map strings to strings.")
    return {_encodable(key): _encodable(item) for key, item in value.items()}


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _tensors(table: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], int]:
    """All tensors, and where the last one's data ends, in bytes from the start of the data."""
    tensors: list[Tensor] = []
    spans: list[tuple[int, int]] = []
    for name, info in table.items():
        try:
            dtype, shape, (begin, end) = info["dtype"], info["shape"], info["data_offsets"]
            bits = BITS[dtype]
            if type(shape) is not list or len(shape) > MAX_DIMENSIONS:
                _refuse(name, info)
            for extent in shape:
                # `type`, not isinstance: True is an int to Python and not to the format
                if type(extent) is not int or not 0 <= extent <= MAX_EXTENT:
                    _refuse(name, info)
            bits *= prod(shape)
            if type(begin) is not int or type(end) is not int or bits & 7 or bits != 8 * (end - begin):
                _refuse(name, info)
        except (LookupError, TypeError, ValueError):
            _refuse(name, info)
        tensors.append(Tensor(name, dtype, tuple(shape), end - begin))
        spans.append((begin, end))
    return tuple(tensors), _end(spans)


def _end(spans: list[tuple[int, int]]) -> int:
    """The end of the last span. Raises ReaderError: MALFORMED unless they follow each other from 0 on."""
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            what = "overlap" if begin < position else "leave a hole"
            raise ReaderError(Fault.MALFORMED, f"The tensors' data_offsets {what} at {position}.")
        if end > MAX_EXTENT:
            raise ReaderError(Fault.MALFORMED, "The tensors' data_offsets lie beyond any file's end.")
        position = end
    return position


def _refuse(name: str, info: Any) -> NoReturn:
    """Says what is wrong with a tensor of which something is."""
    what = "its dtype, shape and data_offsets are not given as the format demands"
    if isinstance(info, dict):
        dtype, shape = info.get("dtype"), info.get("shape")
        if isinstance(dtype, str) and dtype not in BITS:
            what = f"its dtype {quoted(dtype, 40)} is not known"
        elif isinstance(shape, list) and len(shape) > MAX_DIMENSIONS:
            what = f"it has {len(shape)} dimensions"
        elif isinstance(shape, list) and all(type(extent) is int and extent >= 0 for extent in shape):
            what = "its data_offsets do not fit its shape and dtype"
    raise ReaderError(Fault.MALFORMED, f"Tensor {quoted(name)} is not valid: {what}.")
