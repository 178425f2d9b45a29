"""ONNX models: whole or cut, and the files beside them, told from the lengths of the fields."""

import contextlib
import io
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers import onnx, protobuf
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.onnx import ExternalData, OnnxModel, read_model
from tests.readers import judging
from tests.readers.judging import Counting, faults_of

GB = 1024**3


def varint(value: int, least: int = 1) -> bytes:
    """A number as protobuf writes it, in `least` bytes or more."""
    out = bytearray()
    while value >= 0x80 or len(out) + 1 < least:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: bytes | str | int) -> bytes:
    """One field: a varint, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def entry(key: str, value: str) -> bytes:
    return field(13, field(1, key) + field(2, value))


def inline(raw: bytes = b"\1\2\3\4" * 16) -> bytes:
    """A tensor with its data."""
    return field(1, 16) + field(2, 1) + field(8, "weight") + field(9, raw)


def elsewhere(location: str | bytes = "w.bin", **numbers: object) -> bytes:
    """A tensor whose data stands in another file."""
    entries = field(13, field(1, "location") + field(2, location))
    entries += b"".join(entry(key, str(value)) for key, value in numbers.items())
    return field(1, 16) + field(2, 1) + field(8, "weight") + entries + field(14, 1)


def attribute(number: int, value: bytes) -> bytes:
    return field(5, field(1, "value") + field(number, value) + field(20, 4))


def node(attributes: bytes = b"", doc: str = "") -> bytes:
    return field(1, field(1, "x") + field(2, "y") + field(4, "Add") + attributes + field(6, doc))


def graph(*parts: bytes) -> bytes:
    return b"".join(parts) + field(2, "main") + field(11, field(1, "x"))


OPSET = field(8, field(1, "") + field(2, 17))


def model(*parts: bytes, more: bytes = b"") -> bytes:
    """A model as libraries lay it out: fields in order of their numbers."""
    return field(1, 8) + field(2, "pytorch") + field(7, graph(*parts)) + OPSET + more


WHOLE = model(
    field(5, inline()),
    field(5, elsewhere(offset=0, length=5)),
    node(attribute(5, inline()) + attribute(5, elsewhere("other"))),
)


def read(data: bytes) -> OnnxModel:
    """What is said of this file."""
    return read_model(io.BytesIO(data), len(data))


fault_of = faults_of(read)
never_whole = partial(judging.never_whole, lambda data: read(data).promised_size)


@pytest.mark.parametrize(
    "data",
    [
        model(),
        model(field(5, inline()), node()),
        model(more=field(14, field(1, "key") + field(2, "value"))),
        model(more=field(200, "a field of the future") + field(201, 5)),
        model(more=varint(202 << 3 | 5) + bytes(4) + varint(203 << 3 | 1) + bytes(8)),
        OPSET + field(7, graph()),
        OPSET + OPSET + field(7, graph()) + field(7, graph()),
    ],
)
def test_a_whole_model_promises_its_size(data: bytes) -> None:
    """In whatever order the fields are, and with fields that are not known."""
    assert read(data) == (len(data), ())


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ([elsewhere(offset=0, length=100)], [("w.bin", 100)]),
        ([elsewhere()], [("w.bin", 0)]),
        ([elsewhere(length=7)], [("w.bin", 7)]),
        ([elsewhere(offset=4096)], [("w.bin", 4096)]),
        ([elsewhere(offset=4096, length=5), elsewhere(offset=0, length=4096)], [("w.bin", 4101)]),
        ([elsewhere("b", length=1), elsewhere("a", length=2)], [("a", 2), ("b", 1)]),
        ([elsewhere("deep/er/w", length=1)], [("deep/er/w", 1)]),
        ([elsewhere("./w"), elsewhere("w", length=1)], [("w", 1)]),
        ([elsewhere(checksum="not looked at", basepath="/x", length=3)], [("w.bin", 3)]),
        ([elsewhere(offset=2**62, length=2**62)], [("w.bin", 2**63)]),
        ([elsewhere("w"), inline()], [("w", 0)]),
        ([elsewhere("ä 重み.bin", length=3)], [("ä 重み.bin", 3)]),
        ([entry("location", "../not used") + field(14, 0)], []),
        ([entry("location", "../not used")], []),
    ],
)
def test_the_least_size_of_each_file_beside_the_model(
    tensors: list[bytes], expected: list[tuple[str, int]]
) -> None:
    """The end of the tensor that ends last; files in order; what is stored inline names none."""
    data = model(*(field(5, tensor) for tensor in tensors))
    assert read(data) == (len(data), tuple(ExternalData(*item) for item in expected))


@pytest.mark.parametrize("doc", ["", "x" * 20_000], ids=["searched", "walked"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensor, doc: field(15, field(1, tensor) + field(2, inline())),
        lambda tensor, doc: field(15, field(2, tensor)),
        lambda tensor, doc: node(attribute(5, tensor), doc),
        lambda tensor, doc: node(attribute(10, inline()) + attribute(10, tensor), doc),
        lambda tensor, doc: node(attribute(6, graph(field(5, tensor))), doc),
        lambda tensor, doc: node(attribute(11, graph(node(attribute(5, tensor)))), doc),
        lambda tensor, doc: node(attribute(22, field(1, tensor)), doc),
        lambda tensor, doc: node(attribute(23, field(2, tensor)), doc),
    ],
    ids=["values", "indices", "t", "tensors", "g", "graphs", "sparse_tensor", "sparse_tensors"],
)
def test_a_tensor_is_met_wherever_it_is(wrap: Any, doc: str) -> None:
    """In all the fields that lead to tensors, in small nodes and in large ones."""
    data = model(wrap(elsewhere(length=9), doc))
    assert read(data).external == (("w.bin", 9),)


def test_a_tensor_is_met_in_a_function() -> None:
    """The library stores the constants of functions elsewhere, too."""
    inner = field(1, "f") + field(7, node(attribute(5, elsewhere(length=9)))[2:])
    assert read(model(more=field(25, inner))).external == (("w.bin", 9),)


@pytest.mark.parametrize("width", range(1, 11))
def test_numbers_may_take_more_bytes_than_they_need(width: int) -> None:
    """A tensor does not hide behind a length that is written in another way."""
    key = b"\x0a" + varint(8, width) + b"location"
    tensor = field(13, key + field(2, "../../etc/passwd")) + field(14, 1)
    assert fault_of(model(node(attribute(5, tensor)))) is Fault.MALFORMED


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/",
        ".",
        "./",
        "..",
        "../w",
        "a/../../w",
        "a/..",
        "/etc/passwd",
        "a//w",
        "a/",
        "a\\w",
        "C:\\w",
        "https://example.org/w",
        "file://w",
        "w\0",
        "w\n",
        "\x1b[31mw",
        "w\x85",
        "x" * 256,
        "ä" * 128,
        "/".join(["x" * 200] * 21),
        "x/" * 50_000 + "w",
        b"\xff\xfe",
        b"\xed\xa0\x80",
    ],
)
def test_a_file_that_is_not_below_the_folder_is_malformed(location: str | bytes) -> None:
    """Whoever follows these names never leaves the model's folder."""
    assert fault_of(model(field(5, elsewhere(location, length=1)))) is Fault.MALFORMED
    assert fault_of(model(node(attribute(5, elsewhere(location))))) is Fault.MALFORMED


def test_a_tensor_without_a_location_is_malformed() -> None:
    """It is said to be elsewhere, but not where."""
    assert fault_of(model(field(5, field(14, 1)))) is Fault.MALFORMED
    assert fault_of(model(node(attribute(5, field(14, 1))))) is Fault.MALFORMED


@pytest.mark.parametrize("number", ["", "-1", "1.5", "0x10", "1e3", "٣", " 1", str(2**63), "9" * 100_000])
def test_an_offset_that_is_no_number_of_bytes_is_malformed(number: str) -> None:
    """Decimal digits, and no more than a file can have."""
    assert fault_of(model(field(5, elsewhere(offset=number)))) is Fault.MALFORMED
    assert fault_of(model(field(5, elsewhere(length=number)))) is Fault.MALFORMED


def test_a_cut_model_is_never_whole() -> None:
    """At every byte, the borders between fields too."""
    never_whole(WHOLE, range(len(WHOLE)))
    assert fault_of(WHOLE[: -len(OPSET)]) is Fault.TRUNCATED
    assert fault_of(OPSET) is Fault.TRUNCATED
    assert fault_of(field(1, 8)) is Fault.TRUNCATED


def test_a_cut_model_promises_what_its_last_field_says() -> None:
    """The end of the graph while the graph is copied: the least size that the file can have."""
    assert read(WHOLE[:100]) == (len(WHOLE) - len(OPSET), ())
    assert read(WHOLE[:-1]).promised_size == len(WHOLE)
    assert [item.location for item in read(WHOLE[:-1]).external] == ["other", "w.bin"]


def test_a_cut_at_a_border_behind_the_operator_set_is_not_seen() -> None:
    """The limit of the format: nothing tells how many fields there are."""
    second = field(8, field(1, "com.microsoft") + field(2, 1))
    data = model(more=second)
    unseen = len(data) - len(second)
    never_whole(data, set(range(len(data))) - {unseen})
    assert read(data[:unseen]).promised_size == unseen


def test_a_model_that_is_not_written_to_its_end_is_truncated() -> None:
    """A preallocated file: the size is right, zeros stand where fields should be."""
    for cut in range(1, len(WHOLE) - len(OPSET)):
        with pytest.raises(ReaderError):
            read(WHOLE[:cut] + bytes(len(WHOLE) - cut))
    assert fault_of(WHOLE[: -len(OPSET)] + bytes(len(OPSET))) is Fault.TRUNCATED
    assert fault_of(WHOLE + bytes(1)) is Fault.TRUNCATED
    assert fault_of(bytes(5000)) is Fault.TRUNCATED
    assert fault_of(b"") is Fault.EMPTY


@pytest.mark.parametrize("more", [b"<", b"\x07", b"garbage", b"\xff" * 20, b"\x06\x06", b"\x3b"])
def test_a_model_with_something_behind_it_is_malformed(more: bytes) -> None:
    """What cannot be a field."""
    assert fault_of(WHOLE + more) is Fault.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b"<html></html>",
        b"<!DOCTYPE html>",
        b"PK\3\4" + bytes(100),
        b"\x80\x02}q\0.",
        b"version https://git-lfs.github.com/spec/v1\n",
        b'{"error": "not found"}',
        b"\x7fELF",
        b"GGUF\3\0\0\0",
        b"\x89HDF\r\n\x1a\n",
        field(7, 5),
        field(8, 5),
        field(1, "text"),
        field(200, "a field of the future") + WHOLE,
        varint(2**29 << 3 | 2) + b"\0",
        b"\x80" * 11,
        b"\x08" + b"\xff" * 11,
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """Not the fields of a model."""
    assert fault_of(data) is Fault.MALFORMED


@pytest.mark.parametrize("length", [10**6, 2**31, 2**40, 2**62])
def test_a_giant_length_is_a_promise_at_the_top_and_an_error_within(length: int) -> None:
    """Nothing of that size is read or kept."""
    start = field(1, 8)
    top = start + b"\x3a" + varint(length)
    assert read(top).promised_size == len(top) + length
    assert fault_of(model(b"\x2a" + varint(length))) is Fault.MALFORMED
    assert fault_of(model(field(5, b"\x4a" + varint(length)))) is Fault.MALFORMED
    assert fault_of(model(field(5, field(13, b"\x0a" + varint(length)) + field(14, 1)))) is Fault.MALFORMED


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**70 - 1])
def test_a_length_that_no_file_has_is_malformed(length: int) -> None:
    """Also at the top."""
    assert fault_of(b"\x3a" + varint(length)) is Fault.MALFORMED


def nested(depth: int) -> bytes:
    """As many graphs, each in the one before, and a tensor in the last."""
    inner = graph(field(5, elsewhere(length=1)))
    for _ in range(depth - 1):
        inner = graph(node(attribute(6, inner)))
    return field(7, inner) + OPSET


def test_graphs_in_graphs_are_followed_to_a_bound() -> None:
    """Sixteen; then TOO_LARGE, however many there are."""
    assert read(nested(16)).external == (("w.bin", 1),)
    assert fault_of(nested(17)) is Fault.TOO_LARGE
    assert fault_of(nested(2000)) is Fault.TOO_LARGE


@pytest.mark.parametrize(
    ("bound", "most", "data"),
    [
        ("MAX_FIELDS", 100, field(1, 8) * 101),
        ("MAX_FIELDS", 100, model(field(5, field(1, 1) * 101))),
        ("MAX_FILES", 3, model(*(field(5, elsewhere(str(name))) for name in range(4)))),
        ("MAX_NAMES", 30, model(*(field(5, elsewhere(letter * 16)) for letter in "ab"))),
        ("MAX_READ", 10_000, model(*[node()] * 2000)),
    ],
)
def test_more_than_the_bound_is_too_large(
    bound: str, most: int, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields, files, the bytes of their names, bytes read."""
    read(data) if data.endswith(OPSET) else None
    monkeypatch.setattr(onnx if hasattr(onnx, bound) else protobuf, bound, most)
    assert fault_of(data) is Fault.TOO_LARGE


def test_the_bounds_themselves_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there may be, met again and again."""
    monkeypatch.setattr(onnx, "MAX_FILES", 3)
    data = model(*(field(5, elsewhere(str(name % 3))) for name in range(30)))
    assert len(read(data).external) == 3


def test_no_payload_is_read(tmp_path: Path) -> None:
    """A file of 60 GB, all of it in tensors, is judged by a few pages."""
    # The lengths are known beforehand, so that the payloads can be holes.
    payload, path = 20 * GB, tmp_path / "model.onnx"
    head = field(8, "weight") + b"\x4a" + varint(payload)
    tail = field(13, field(1, "location") + field(2, "w")) + field(14, 1)
    start = b"\x2a" + varint(len(head) + payload + len(tail))
    inner = 3 * (len(start) + len(head) + payload + len(tail))
    with path.open("wb") as file:
        file.write(field(1, 8) + b"\x3a" + varint(inner))
        for _ in range(3):
            file.write(start + head)
            file.seek(payload, 1)
            file.write(tail)
        file.write(OPSET)
    size = path.stat().st_size
    with Counting(path) as stream:
        assert read_model(stream, size) == (size, (("w", 0),))
        assert stream.count < 5 * 4096


def test_hostile_models_take_little_memory() -> None:
    """Neither long names nor many are kept beyond the bounds."""
    names = [elsewhere(f"{number:05}" + "ä" * 120) for number in range(9000)]
    for data in (
        model(field(5, elsewhere("x" * 30_000_000))),
        model(*(field(5, name) for name in names)),
        model(node(attribute(5, elsewhere("x" * 30_000_000)))),
    ):
        tracemalloc.start()
        try:
            with contextlib.suppress(ReaderError):
                read(data)
            assert tracemalloc.get_traced_memory()[1] < 16 * 1024**2
        finally:
            tracemalloc.stop()


def test_the_stream_may_be_anywhere() -> None:
    """It is read from its start."""
    stream = io.BytesIO(WHOLE)
    stream.seek(50)
    assert read_model(stream, len(WHOLE)).promised_size == len(WHOLE)


def test_a_file_that_shrinks_meanwhile_is_truncated() -> None:
    """The size is the listing's; the bytes are fewer. What is passed over unread is not missed."""
    for cut in range(len(WHOLE) - len(OPSET)):
        with pytest.raises(ReaderError) as caught:
            read_model(io.BytesIO(WHOLE[:cut]), len(WHOLE))
        assert caught.value.fault is Fault.TRUNCATED


def test_a_refusal_of_the_operating_system_is_unreadable() -> None:
    """OSError never comes out."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(ReaderError) as caught:
        read_model(Broken(), 100)
    assert caught.value.fault is Fault.UNREADABLE


@pytest.mark.parametrize("padding", [4096 - 30, 4096, 4096 * 3 - 20, 256 * 1024])
def test_a_field_may_lie_across_two_reads(padding: int) -> None:
    """Wherever the window ends, the same is found."""
    for shift in range(40):
        data = model(*[node()] * 3, node(doc="x" * (padding + shift)), field(5, elsewhere(length=3)), node())
        assert read(data) == (len(data), (("w.bin", 3),))


@given(st.binary(max_size=400))
def test_any_bytes_raise_only_reader_errors(data: bytes) -> None:
    """Alone, as a graph and as a tensor."""
    for raw in (data, model(data), model(field(5, data)), model(node(attribute(5, data + elsewhere())))):
        with contextlib.suppress(ReaderError):
            read(raw)


@given(st.data())
def test_mutated_models_raise_only_reader_errors(data: st.DataObject) -> None:
    """Changed bytes anywhere; what is found has plain names."""
    raw = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        for item in read(bytes(raw)).external:
            assert not {"", ".", ".."} & set(item.location.split("/"))
            assert 0 <= item.size < 2**64


def library_model(count: int = 3, values: int = 2000) -> Any:
    """A model with initializers, a constant and a branch, as the library makes it."""
    library = pytest.importorskip("onnx")
    numpy = pytest.importorskip("numpy")
    helper, numpy_helper, number = library.helper, library.numpy_helper, library.TensorProto.FLOAT

    def weight(name: str) -> Any:
        return numpy_helper.from_array(numpy.arange(values, dtype=numpy.float32), name)

    out = [helper.make_tensor_value_info("y", number, None)]
    constant = helper.make_node("Constant", [], ["y"], value=weight("constant"))
    branch = helper.make_graph([constant], "branch", [], out, initializer=[weight("within")])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
        helper.make_node("Conv", ["x", "w0"], ["z"], name="/location/Conv", strides=[1, 1]),
    ]
    weights = [weight(f"w{index}") for index in range(count)]
    made = helper.make_graph(nodes, "main", [], out, initializer=weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.oracle
def test_what_the_library_writes_is_whole() -> None:
    """And no cut of it is."""
    data = library_model(values=60).SerializeToString()
    assert read(data) == (len(data), ())
    never_whole(data, range(len(data)))


@pytest.mark.oracle
@pytest.mark.parametrize("one_file", [True, False])
@pytest.mark.parametrize("attributes", [True, False])
def test_the_files_that_the_library_writes_beside_a_model(
    tmp_path: Path, one_file: bool, attributes: bool
) -> None:
    """The least size is the true one: the library writes nothing behind the last tensor."""
    library = pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    library.save(
        library_model(),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=one_file,
        location="model.onnx_data" if one_file else None,
        size_threshold=0,
        convert_attribute=attributes,
    )
    data = path.read_bytes()
    beside = {file.name: file.stat().st_size for file in tmp_path.iterdir() if file != path}
    assert len(beside) >= 1
    found = read(data)
    assert found.promised_size == len(data)
    assert dict(found.external) == beside
    never_whole(data, range(len(data)))


@pytest.mark.oracle
def test_the_hand_made_model_is_one() -> None:
    """What this test file makes by hand is read by the library, with the same tensors elsewhere."""
    library = pytest.importorskip("onnx")
    loaded = library.load_model_from_string(WHOLE)
    assert [tensor.data_location for tensor in loaded.graph.initializer] == [0, 1]
    assert loaded.graph.node[0].attribute[1].t.external_data[0].value == "other"
    assert loaded.opset_import[0].version == 17
