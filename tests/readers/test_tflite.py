"""TensorFlow Lite models: whole or cut, told from what their tables point to."""

import contextlib
import importlib.util
import io
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers import tflite
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.tflite import read_model
from tests.readers import judging
from tests.readers.judging import Counting, faults_of

GB = 1024**3


class Table(NamedTuple):
    """A table by the numbers of its fields; an int is a field of 8 bytes, bytes are a vector of bytes."""

    fields: Mapping[int, "int | bytes | Ints | Table | list[Table]"]


class Ints(NamedTuple):
    """A vector of numbers of 4 bytes."""

    values: tuple[int, ...]


Value = int | bytes | Ints | Table | list[Table]


class Builder:
    """Lays out a FlatBuffer: each table, then what it points to, so that all offsets go forward."""

    def __init__(self, root: Table) -> None:
        self.data = bytearray(b"\0\0\0\0TFL3")
        self._point(0, self._table(root))

    def _point(self, place: int, target: int) -> None:
        struct.pack_into("<I", self.data, place, target - place)

    def _align(self, width: int = 4) -> None:
        self.data += bytes(-len(self.data) % width)

    def _table(self, table: Table) -> int:
        self._align(8)
        count = max(table.fields, default=-1) + 1
        places, length = [0] * count, 8  # the offset to the layout, and 4 bytes that fill up
        for field, value in sorted(table.fields.items()):
            places[field] = length
            length += 8 if isinstance(value, int) else 4
        layout = len(self.data)
        self.data += struct.pack(f"<{count + 2}H", 4 + 2 * count, length, *places)
        self._align(8)
        start = len(self.data)
        self.data += struct.pack("<i", start - layout).ljust(length, b"\0")
        for field, value in table.fields.items():
            place = start + places[field]
            if isinstance(value, int):
                struct.pack_into("<Q", self.data, place, value)
            else:
                self._point(place, self._value(value))
        return start

    def _value(self, value: bytes | Ints | Table | list[Table]) -> int:
        if isinstance(value, Table):
            return self._table(value)
        self._align()
        start = len(self.data)
        if isinstance(value, bytes):
            self.data += struct.pack("<I", len(value)) + value
        elif isinstance(value, Ints):
            self.data += struct.pack(f"<I{len(value.values)}i", len(value.values), *value.values)
        else:
            self.data += struct.pack("<I", len(value)) + bytes(4 * len(value))
            for number, table in enumerate(value):
                self._point(start + 4 + 4 * number, self._table(table))
        return start


def buffer(data: bytes) -> Table:
    return Table({0: data})


def behind(offset: int, size: int) -> Table:
    """A buffer of a model above 2 GB."""
    return Table({1: offset, 2: size})


NO_BUFFER = Table({})
INTS = Ints((1, 2, 3))
QUANTIZATION = Table({0: INTS, 2: INTS, 3: b"12345678", 5: Table({0: b"custom"})})
SPARSITY = Table({0: INTS, 1: INTS, 2: [Table({3: Table({0: INTS}), 5: Table({0: b"index"})})]})
TENSOR = Table({0: INTS, 3: b"tensor", 4: QUANTIZATION, 6: SPARSITY, 7: INTS, 9: [Table({0: INTS})]})
OPERATOR = Table({0: 1, 1: INTS, 2: INTS, 4: Table({0: 3}), 5: b"options", 7: b"\1\0", 8: INTS})
SUBGRAPH = Table({0: [TENSOR, TENSOR], 1: INTS, 2: INTS, 3: [OPERATOR], 4: b"main"})
SIGNATURE = Table({0: [Table({0: b"in"})], 1: [Table({0: b"out"})], 2: b"serving_default"})


def model(buffers: list[Table] | None = None, **last: Value) -> bytes:
    """A model; `last`, by the number of a field of Model, is laid out behind all others."""
    first: dict[int, Value] = {
        0: 3,
        1: [Table({1: b"CustomOperator"})],
        2: [SUBGRAPH],
        3: b"made by hand",
        4: [NO_BUFFER, buffer(b"1234567"), buffer(b"x" * 64)] if buffers is None else buffers,
        5: INTS,
        6: [Table({0: b"min_runtime_version", 1: 1})],
        7: [SIGNATURE],
    }
    for name, value in last.items():
        first.pop(int(name[1:]), None)
        first[int(name[1:])] = value
    return bytes(Builder(Table(first)).data)


WHOLE = model()


def promised(data: bytes) -> int:
    """The size that is said of this file."""
    return read_model(io.BytesIO(data), len(data)).promised_size


fault_of = faults_of(promised)
never_whole = partial(judging.never_whole, promised)


@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        model([]),
        model([NO_BUFFER]),
        model(_4=[buffer(b"the last")]),
        model(_1=[Table({1: b"the last"})]),
        model(_2=[SUBGRAPH]),
        model(_2=[Table({3: [Table({5: b"the last"})]})]),
        model(_2=[Table({3: [Table({4: Table({1: 5})})]})]),
        model(_2=[Table({0: [Table({4: Table({5: Table({0: b"the last"})})})]})]),
        model(_2=[Table({0: [Table({6: Table({2: [Table({3: Table({0: b"the last"})})]})})]})]),
        model(_3=b"the last"),
        model(_5=INTS),
        model(_6=[Table({0: b"the last"})]),
        model(_7=[Table({1: [Table({0: b"the last"})]})]),
        bytes(Builder(Table({4: []})).data),
    ],
)
def test_a_whole_model_promises_its_size_whatever_is_last(data: bytes) -> None:
    """Libraries lay tables out in different orders; no cut of any is whole."""
    assert promised(data) == len(data)
    never_whole(data, range(len(data)))


def test_a_cut_model_promises_what_is_met() -> None:
    """The last buffer's data while it is copied."""
    data = model(_4=[buffer(b"x" * 5000)])
    assert promised(data[:-1]) == promised(data[:-4000]) == len(data)


def test_a_model_with_something_behind_it_promises_less() -> None:
    """An archive of labels is put there, and bytes that fill the last word."""
    assert promised(WHOLE + b"PK\3\4" + bytes(100)) == len(WHOLE)
    assert promised(WHOLE + bytes(3)) == len(WHOLE)


def test_data_behind_the_tables_of_a_large_model() -> None:
    """By offset and size from the start of the file; 0 and 1 mean that there is none."""
    data = model([NO_BUFFER, behind(5000, 3 * GB), behind(10 * GB, 7), behind(1, 2**60), behind(0, 2**60)])
    assert promised(data) == 10 * GB + 7
    large = Table({0: 1, 9: 7000, 10: 20})
    assert promised(model(_2=[Table({3: [large]})])) == 7020
    assert promised(model([Table({2: 50_000})])) < 50_000


def test_a_model_not_written_to_its_end_is_told_by_its_tables_only() -> None:
    """Zeros are no table: MALFORMED. But they are an empty list, and any data: the limit of the format."""
    data = model(_2=[SUBGRAPH])
    faults = []
    for cut in range(8, len(data)):
        try:
            assert promised(data[:cut] + bytes(len(data) - cut)) <= len(data)
        except ReaderError as error:
            faults.append(error.fault)
    assert set(faults) == {Fault.MALFORMED}
    assert len(faults) > (len(data) - 8) // 2
    only_data = model(_4=[buffer(b"x" * 5000)])
    assert promised(only_data[:-4000] + bytes(4000)) == len(only_data)


@pytest.mark.parametrize(
    "data",
    [
        b"<html></html>",
        b"PK\3\4\0\0\0\0",
        bytes(100),
        b"\x1c\0\0\0TFL2" + bytes(100),
        b"\x1c\0\0\0TFL",
        b"\x1c\0\0\0X",
        b"\0\0\0\0TFL3" + bytes(100),
        b"\x07\0\0\0TFL3" + bytes(100),
        b"\x08\0\0\0TFL3" + bytes(100),
        b"\x08\0\0\0TFL3" + struct.pack("<i", 8) + bytes(100),
        b"\x08\0\0\0TFL3" + struct.pack("<i", 2**31 - 1) + bytes(100),
        b"\x10\0\0\0TFL3" + struct.pack("<HHi", 3, 4, 8) + bytes(100),
        b"\x10\0\0\0TFL3" + struct.pack("<4Hi", 5, 4, 0, 0, 8) + bytes(100),
        b"\x10\0\0\0TFL3" + struct.pack("<4Hi", 4, 3, 0, 0, 8) + bytes(100),
        bytes(Builder(Table({0: 3})).data),
        bytes(Builder(Table({})).data),
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """No identifier, a table without a layout, a model without buffers."""
    with pytest.raises(ReaderError) as caught:
        promised(data)
    assert caught.value.fault in (Fault.MALFORMED, Fault.TRUNCATED)
    assert len(data) in (5, 7) or caught.value.fault is Fault.MALFORMED


def test_too_few_bytes_to_tell() -> None:
    """EMPTY without any, then TRUNCATED to the end of the identifier."""
    assert fault_of(b"") is Fault.EMPTY
    for cut in range(1, 8):
        assert fault_of(WHOLE[:cut]) is Fault.TRUNCATED
    assert promised(WHOLE[:8]) > 8


def patched(place: int, form: str, value: int) -> bytes:
    """The smallest model, one number of it changed."""
    data = bytearray(Builder(Table({4: [Table({0: b"data", 1: 2, 2: 3})]})).data)
    struct.pack_into(form, data, place, value)
    return bytes(data)


# The smallest model: layout of Model at 8, its table at 24, the list of buffers at 36, the layout of the
# one Buffer at 48, its table at 64, its data at 92.
def test_the_smallest_model_lies_as_these_tests_say() -> None:
    """The places that the next test changes."""
    data = patched(0, "<I", 24)
    assert data == bytes(Builder(Table({4: [Table({0: b"data", 1: 2, 2: 3})]})).data)
    assert struct.unpack_from("<2H", data, 8) == (14, 12)
    assert struct.unpack_from("<i", data, 24) == (16,)
    assert struct.unpack_from("<2I", data, 36) == (1, 24)
    assert struct.unpack_from("<5H", data, 48) == (10, 28, 8, 12, 20)
    assert data[92:] == b"\4\0\0\0data"
    assert promised(data) == 100


@pytest.mark.parametrize(
    ("place", "form", "value", "expected"),
    [
        (0, "<I", 2**32 - 1, 2**32 + 3),  # the root table
        (24, "<i", -(2**31), 2**31 + 28),  # a layout far behind its table
        (8, "<H", 65_534, 8 + 65_534),  # a long layout
        (10, "<H", 65_535, 24 + 65_535),  # a long table
        (36, "<I", 2**32 - 1, 40 + 4 * (2**32 - 1)),  # many buffers
        (40, "<I", 2**32 - 1, 40 + 2**32 + 3),  # a buffer far behind
        (92, "<I", 2**32 - 1, 96 + 2**32 - 1),  # a large buffer
        (72, "<I", 2**32 - 1, 72 + 2**32 + 3),  # its data far behind
        (84, "<Q", 2**62, 2**62 + 2),  # data behind the tables
        (84, "<Q", 2**64 - 1, None),
        (76, "<Q", 2**63, None),
        (24, "<i", 17, None),
        (40, "<I", 0, None),
        (72, "<I", 0, None),
        (8, "<H", 0, None),
        (8, "<H", 13, None),
        (50, "<H", 3, None),
        (52, "<H", 3, None),  # a field over the table's own offset
        (52, "<H", 25, None),  # a field over the table's end
        (56, "<H", 21, None),
        (56, "<H", 65_535, None),
        (16, "<H", 0, 100),
    ],
)
def test_giant_and_false_numbers(place: int, form: str, value: int, expected: int | None) -> None:
    """What points beyond the end is a promise; what cannot be is MALFORMED."""
    data = patched(place, form, value)
    if expected is None:
        assert fault_of(data) is Fault.MALFORMED
    else:
        assert promised(data) == expected


def test_many_buffers_are_read_quickly() -> None:
    """A hundred thousand that are one and the same table."""
    count = 100_000
    data = bytearray(Builder(Table({4: [NO_BUFFER]})).data)
    shared = len(data) - 8
    # The list moves to the end, and every element of it points forward to a table behind it.
    start = len(data)
    struct.pack_into("<I", data, 32, start - 32)
    table = start + 4 + 4 * count + 4
    data += struct.pack("<I", count)
    data += b"".join(struct.pack("<I", table - (start + 4 + 4 * number)) for number in range(count))
    data += struct.pack("<HHi", 4, 4, 4)
    assert shared > 0
    assert promised(bytes(data)) == len(data)


@pytest.mark.parametrize(
    ("bound", "most"),
    [("MAX_BUFFERS", 2), ("MAX_TABLES", 10), ("MAX_PAGES", 0)],
    ids=lambda bound: str(bound),
)
def test_more_than_the_bound_is_too_large(bound: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers, tables of all kinds, pages read."""
    monkeypatch.setattr(tflite, bound, most)
    assert fault_of(WHOLE) is Fault.TOO_LARGE


def test_no_payload_is_read(tmp_path: Path) -> None:
    """A file of 60 GB is judged by a few pages."""
    path = tmp_path / "model.tflite"
    data = model([NO_BUFFER, *(behind(GB + number * 20 * GB, 20 * GB) for number in range(3))])
    with path.open("wb") as file:
        file.write(data)
        file.truncate(61 * GB)
    with Counting(path) as stream:
        assert read_model(stream, 61 * GB).promised_size == 61 * GB
        assert stream.count < 64 * 1024


def test_tables_may_lie_across_pages() -> None:
    """Wherever a page ends, the same is found."""
    for filler in range(8192 - len(WHOLE), 8192 + 200, 61):
        data = model([buffer(b"x" * filler), buffer(b"1"), buffer(b"x" * 9000), buffer(b"the last")])
        assert promised(data) >= len(data) - 7
        never_whole(data, iter(range(len(data) - 400, len(data) - 8, 13)))


def test_the_stream_may_be_anywhere_and_shrink() -> None:
    """It is read from its start; bytes that are gone meanwhile are missed."""
    stream = io.BytesIO(WHOLE)
    stream.seek(50)
    assert read_model(stream, len(WHOLE)).promised_size == len(WHOLE)
    for cut in range(len(WHOLE)):
        with pytest.raises(ReaderError) as caught:
            read_model(io.BytesIO(WHOLE[:cut]), len(WHOLE))
        assert caught.value.fault is Fault.TRUNCATED


@given(st.binary(max_size=300), st.integers(8, 60))
def test_any_bytes_raise_only_reader_errors(data: bytes, root: int) -> None:
    """Alone, or behind an offset and the identifier."""
    for raw in (data, struct.pack("<I", root) + b"TFL3" + data):
        with contextlib.suppress(ReaderError):
            assert 0 < promised(raw) < 2**64


@given(st.data())
def test_mutated_models_raise_only_reader_errors(data: st.DataObject) -> None:
    """Changed bytes anywhere."""
    raw = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        assert 0 < promised(bytes(raw)) < 2**64


@pytest.mark.oracle
def test_what_the_converter_wrote_is_whole() -> None:
    """Models that others made, quantized and not; no cut of them is whole."""
    spec = importlib.util.find_spec("pymicro_wakeword")
    if spec is None or spec.origin is None:
        pytest.skip("the package pymicro-wakeword is not installed: requirements-test-models.lock has it")
    paths = sorted(Path(spec.origin).parent.rglob("*.tflite"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        assert promised(data) == len(data)
        cuts = {len(data) - back for back in range(1, 200)} | set(range(1, len(data), len(data) // 100))
        never_whole(data, iter(cuts))


@pytest.mark.oracle
def test_the_hand_made_model_is_one() -> None:
    """What this test file makes by hand is read by the library that is made from the schema."""
    library = pytest.importorskip("tflite")
    read = library.Model.GetRootAs(WHOLE, 0)
    assert read.BuffersLength() == 3
    assert bytes(read.Buffers(1).DataAsNumpy()) == b"1234567"
    subgraph = read.Subgraphs(0)
    assert subgraph.Name() == b"main"
    assert subgraph.Tensors(1).Quantization().ScaleLength() == 3
    assert subgraph.Tensors(0).Sparsity().DimMetadata(0).ArrayIndices() is not None
    assert subgraph.Operators(0).CustomOptionsLength() == 7
    assert read.SignatureDefs(0).SignatureKey() == b"serving_default"
