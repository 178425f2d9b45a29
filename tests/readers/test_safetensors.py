"""safetensors headers: equal to what the format's own library writes, unmoved by what nobody should write."""

import contextlib
import io
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.safetensors import BITS, SafetensorsHeader, Tensor, read_header
from tests.cost import LINEAR, growth
from tests.readers.judging import faults_of


def packed(header: bytes | dict[str, Any], body: int = 0) -> bytes:
    """A file of this header and so many bytes of data."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(body)


def read(data: bytes) -> SafetensorsHeader:
    """Header of this file."""
    return read_header(io.BytesIO(data), len(data))


fault_of = faults_of(read)


def tensor(dtype: str, shape: list[Any], begin: Any, end: Any) -> dict[str, Any]:
    """One tensor of a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


KINDS = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
tables = st.dictionaries(
    st.text(min_size=1, max_size=12), st.tuples(st.sampled_from(sorted(KINDS)), shapes), max_size=6
)
tables = tables.filter(lambda table: "__metadata__" not in table)


@pytest.mark.oracle
@given(tables, st.none() | st.dictionaries(st.text(), st.text(), max_size=3))
def test_reads_what_the_library_writes(
    table: dict[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str] | None
) -> None:
    """Names, dtypes, shapes, metadata and the size of the whole file are as written."""
    if not table and not metadata:
        metadata = None  # of no tensors with empty metadata safetensors 0.8.0 makes invalid JSON
    data = save({name: np.zeros(shape, KINDS[kind]) for name, (kind, shape) in table.items()}, metadata)
    header = read(data)
    assert header.promised_size == len(data)
    assert header.metadata == (metadata or {})
    assert {item.name: (item.dtype, item.shape) for item in header.tensors} == table


@pytest.mark.parametrize("dtype", sorted(BITS))
def test_reads_every_dtype(dtype: str) -> None:
    """Eight elements of each dtype take as many bytes as one has bits."""
    header = read(packed({"a": tensor(dtype, [2, 4], 0, BITS[dtype])}, BITS[dtype]))
    assert header.tensors == (Tensor("a", dtype, (2, 4), BITS[dtype]),)


def test_a_file_without_tensors_is_whole() -> None:
    """No tensors at all are legal, with and without metadata, with padding behind."""
    assert read(packed(b"{}      ")).promised_size == 16
    assert read(packed({"__metadata__": {"format": "pt"}})).metadata == {"format": "pt"}
    assert read(packed({"__metadata__": None})).metadata == {}


def test_a_short_body_is_not_refused() -> None:
    """A header that is complete is read however little of the data is there; its promise tells the rest."""
    data = packed({"a": tensor("F32", [1000], 0, 4000)}, 17)
    assert read(data).promised_size == len(data) - 17 + 4000


def test_order_of_names_is_free() -> None:
    """The data's order need not be the header's."""
    assert len(read(packed({"b": tensor("U8", [4], 4, 8), "a": tensor("U8", [4], 0, 4)}, 8)).tensors) == 2


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ({"a": tensor("F31", [1], 0, 4)}, Fault.MALFORMED),
        ({"a": tensor("F32", [1], 0, 5)}, Fault.MALFORMED),
        ({"a": tensor("F32", [1], 4, 8)}, Fault.MALFORMED),
        ({"a": tensor("F32", [1], 4, 0)}, Fault.MALFORMED),
        ({"a": tensor("F32", [1], -4, 0)}, Fault.MALFORMED),
        ({"a": tensor("F32", [-1], 0, -4)}, Fault.MALFORMED),
        ({"a": tensor("F32", [1.0], 0, 4)}, Fault.MALFORMED),
        ({"a": tensor("F32", [True], 0, 4)}, Fault.MALFORMED),
        ({"a": tensor("F32", [1], False, 4)}, Fault.MALFORMED),
        ({"a": tensor("F32", [1], "0", "4")}, Fault.MALFORMED),
        ({"a": {"dtype": "U8", "shape": "", "data_offsets": [0, 1]}}, Fault.MALFORMED),
        ({"a": {"dtype": ["U8"], "shape": [], "data_offsets": [0, 1]}}, Fault.MALFORMED),
        ({"a": {"dtype": "U8", "shape": [], "data_offsets": [0, 1, 2]}}, Fault.MALFORMED),
        ({"a": {"dtype": "U8", "shape": []}}, Fault.MALFORMED),
        ({"a": []}, Fault.MALFORMED),
        ({"a": tensor("F4", [3], 0, 2)}, Fault.MALFORMED),
        ({"a": tensor("F6_E2M3", [2], 0, 2)}, Fault.MALFORMED),
        ({"a": tensor("U8", [2**62, 2**62], 0, 2**124)}, Fault.MALFORMED),
        ({"a": tensor("U8", [2**64], 0, 2**64)}, Fault.MALFORMED),
        ({"a": tensor("U8", [1] * 100_000, 0, 1)}, Fault.MALFORMED),
        ({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, Fault.MALFORMED),
        ({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 5, 9)}, Fault.MALFORMED),
        ({"__metadata__": {"a": 1}}, Fault.MALFORMED),
        ({"__metadata__": "text"}, Fault.MALFORMED),
        (b"[]", Fault.MALFORMED),
        (b" {}", Fault.MALFORMED),
        (b"{", Fault.MALFORMED),
        (b'{"a": NaN}', Fault.MALFORMED),
        (b'{"a": "\xff"}', Fault.MALFORMED),
        (b'{"a":' * 5000, Fault.MALFORMED),
        (rb'{"\ud800": {"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', Fault.MALFORMED),
        (b"{}" + b"\0" * 6, Fault.TRUNCATED),
        (b"{" + b"[]," * 5_000_000, Fault.TOO_LARGE),
    ],
)
def test_refuses_what_breaks_the_format(header: bytes | dict[str, Any], fault: Fault) -> None:
    """Every rule of the format is held, and every bound."""
    assert fault_of(packed(header, 16)) is fault


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        b'{"a":5,"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        rb'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        b'{"a":{"dtype":"F64","dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        b'{"__metadata__":{"a":"1","a":"2"}}',
        b'{"__metadata__":{},"__metadata__":{}}',
    ],
)
def test_refuses_duplicate_names(header: bytes) -> None:
    """A name that stands there twice is refused, also written differently, also within a tensor."""
    assert fault_of(packed(header)) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", Fault.TRUNCATED),
        (b"\x01\0\0", Fault.TRUNCATED),
        (bytes(4096), Fault.TRUNCATED),
        (packed({"a": tensor("U8", [4], 0, 4)})[:-1], Fault.TRUNCATED),
        (b"<!DOCTYPE html>", Fault.MALFORMED),
        ((100_000_001).to_bytes(8, "little") + b"{}", Fault.MALFORMED),
    ],
)
def test_refuses_incomplete_headers(data: bytes, fault: Fault) -> None:
    """A header that is not all there is TRUNCATED; a length that no header has is another format's file."""
    assert fault_of(data) is fault


def test_memory_does_not_follow_a_claim() -> None:
    """A header that claims 2**60 bytes, in a file that claims to be larger still, costs nothing."""
    stream = io.BytesIO((2**60).to_bytes(8, "little") + b"{}")
    tracemalloc.start()
    try:
        with pytest.raises(ReaderError):
            read_header(stream, 2**62)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_many_names_do_not_take_quadratic_time() -> None:
    """Duplicates among eighty thousand names are found in time that grows with their number alone."""
    one = '"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'

    def look(count: int) -> None:
        names = [*map(str, range(count)), str(count - 1)]
        assert fault_of(packed(("{" + ",".join(map(one.format, names)) + "}").encode())) is Fault.MALFORMED

    assert growth(look, 10_000) < LINEAR


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_random_bytes_raise_only_reader_errors(start: bytes, header: bytes) -> None:
    """Nothing else than ReaderError comes out."""
    for data in (start, packed(header), packed(b"{" + header)):
        with contextlib.suppress(ReaderError):
            read(data)


@given(tables, st.data())
def test_mutated_files_raise_only_reader_errors(
    table: dict[str, tuple[str, tuple[int, ...]]], data: st.DataObject
) -> None:
    """A changed or cut file gives other tensors or a ReaderError, and what it gives is consistent."""
    raw = bytearray(save({name: np.zeros(shape, KINDS[kind]) for name, (kind, shape) in table.items()}))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        header = read(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except ReaderError:
        return
    assert header.promised_size == 8 + header.header_length + sum(item.nbytes for item in header.tensors)
