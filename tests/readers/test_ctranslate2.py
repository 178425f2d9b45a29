"""CTranslate2's model.bin: its end is told by walking from variable to variable."""

import contextlib
import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.ctranslate2 import read_model
from dxwatchd.readers.errors import ReaderError
from tests.readers.judging import Counting, faults_of, from_anywhere, wholeness

SPEC = "TransformerSpec"


def text(value: bytes | str) -> bytes:
    """A string as the format writes it."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<H", len(raw) + 1) + raw + b"\0"


def variable(version: int, name: str, shape: tuple[int, ...] = (2, 3), item: int = 4) -> bytes:
    """A float32, int16 or int8 variable that is not all zeros."""
    count = 1
    for extent in shape:
        count *= extent
    head = text(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape)
    kind = {4: 0, 1: 1, 2: 2}[item]
    length = (kind, count * item) if version >= 4 else (item, count)
    return head + struct.pack("<BI", *length) + b"\x11" * (count * item)


def start(version: int = 6, variables: int = 3, spec: str = SPEC) -> bytes:
    """All before the first variable."""
    named = text(spec) + struct.pack("<I", 7) if version >= 2 else b""
    return struct.pack("<I", version) + named + struct.pack("<I", variables)


def model(version: int = 6) -> bytes:
    """A whole file of three variables, the last of them a scalar, and one alias."""
    made = start(version)
    made += variable(version, "decoder/embeddings/weight") + variable(version, "encoder/bias", (5,), 2)
    made += variable(version, "flag", (), 1)
    if version >= 3:
        made += struct.pack("<I", 1) + text("decoder/projection/weight") + text("decoder/embeddings/weight")
    return made


read = from_anywhere(read_model)
fault_of = faults_of(read)


is_whole = wholeness(read)


@pytest.mark.parametrize("version", range(1, 7))
def test_a_whole_file_promises_its_size(version: int) -> None:
    """In every version of the format."""
    data = model(version)
    assert read(data) == (SPEC if version >= 2 else "", len(data), 3)


@pytest.mark.parametrize("version", range(1, 7))
def test_every_cut_promises_more_than_there_is(version: int) -> None:
    """Wherever it is cut: never more than the true size, and only four bytes are too few to tell."""
    data = model(version)
    assert fault_of(b"") is Fault.EMPTY
    for size in range(1, 4):
        assert fault_of(data[:size]) is Fault.TRUNCATED
    for size in range(4, len(data)):
        assert size < read(data[:size]).promised_size <= len(data)


@pytest.mark.parametrize("version", range(1, 7))
def test_a_grown_file_promises_its_own_size(version: int) -> None:
    """What was appended is not a part of it."""
    data = model(version)
    assert read(data + b"\0\xff more").promised_size == len(data)


@pytest.mark.parametrize("version", range(1, 7))
def test_zeros_instead_of_the_rest_are_not_whole(version: int) -> None:
    """A preallocated copy is refused, unless no more than the content of the last variable is missing."""
    data = model(version)
    last = data.rindex(b"flag\0") + 5 + 3 if version < 3 else data.rindex(b"decoder/embeddings")
    for size in range(last):
        assert not is_whole(data[:size] + bytes(len(data) - size)), size


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        bytes(100),
        struct.pack("<I", 7) + model()[4:],
        struct.pack(">I", 6) + model()[4:],
        struct.pack("<2I", 1, 0) + bytes(100),  # these two are raw integers, as any program's
        struct.pack("<4I", 1, 2, 3, 4),
        struct.pack("<IIH", 1, 2_000_000, 5) + b"name\0",
        start(spec="two words"),
        start(spec="a/path"),
        struct.pack("<IHB", 6, 1, 0) + bytes(100),
        struct.pack("<IH", 6, 9000) + b"A" * 9000,
        struct.pack("<IH", 6, 5) + b"Spec!" + bytes(100),
        start() + text("bad\x01name"),
        start() + text("name")[:-1] + b"x" + bytes(100),
        start(3) + text("w") + struct.pack("<BBI", 0, 3, 1) + bytes(3),  # an item of three bytes
        start() + text("w") + struct.pack("<BIBI", 1, 5, 0, 19) + bytes(19),  # 5 float32 take 20 bytes
        b"PK\x03\x04" + bytes(100),
        b"version https://git-lfs.github.com/spec/v1",
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """Other files that begin with a small number, and strings, types and lengths that cannot be."""
    assert fault_of(data) is Fault.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        start(variables=0),
        start() + bytes(100),
        start() + variable(6, "a") + bytes(100),
        start() + text("w") + struct.pack("<BIBI", 1, 5, 0, 0) + bytes(20),
    ],
)
def test_zeros_in_the_place_of_structure_are_truncated(data: bytes) -> None:
    """Once the specification is named, zeros are what was not copied yet."""
    assert fault_of(data) is Fault.TRUNCATED


@pytest.mark.parametrize("data", [start(variables=1_000_001), start(variables=2**32 - 1)])
def test_too_many_variables_are_refused(data: bytes) -> None:
    """A count beyond the bound is not believed."""
    assert fault_of(data) is Fault.TOO_LARGE


def test_too_many_aliases_are_refused() -> None:
    """The same bound as for the variables."""
    data = start(variables=1) + variable(6, "a") + struct.pack("<I", 1_000_001)
    assert fault_of(data) is Fault.TOO_LARGE


def test_an_unknown_type_is_taken_by_its_length() -> None:
    """A later release may write types that are not known here; the length is enough."""
    data = start(variables=1) + text("w") + struct.pack("<BIBI", 1, 5, 99, 7) + bytes(7) + bytes(4)
    assert read(data).promised_size == len(data)


def test_255_dimensions_are_one_product() -> None:
    """The rank is a byte: the largest product has an end."""
    data = start(variables=1) + text("w") + struct.pack("<B255IBI", 255, *[2**32 - 1] * 255, 0, 9)
    assert fault_of(data) is Fault.MALFORMED


def test_content_is_stepped_over(tmp_path: Path) -> None:
    """Of a sparse file of 60 GB a few kilobytes are read."""
    length = 2**32 - 4
    path = tmp_path / "model.bin"
    with path.open("wb") as made:
        made.write(start(variables=16))
        for number in range(16):
            made.write(text(f"layer_{number}") + struct.pack("<BIBI", 1, length // 4, 0, length))
            made.seek(length, io.SEEK_CUR)
        made.write(struct.pack("<I", 0))
        size = made.tell()
    with Counting(path) as stream:
        assert read_model(stream, size) == (SPEC, size, 16)
    assert stream.count < size // 1000


def test_endless_structure_is_refused() -> None:
    """Names and shapes of more than 64 MB in all are nobody's."""
    one = text("n" * 4000) + struct.pack("<B255IBI", 255, *[0] * 255, 0, 0)
    data = start(variables=1_000_000) + one * 13_500
    assert fault_of(data) is Fault.TOO_LARGE


def test_a_stream_shorter_than_its_size_is_truncated() -> None:
    """A file that shrinks while it is read ends in the reader's own error."""
    data = model()
    with pytest.raises(ReaderError) as caught:
        read_model(io.BytesIO(data[:40]), len(data))
    assert caught.value.fault is Fault.TRUNCATED


@given(st.binary(max_size=300), st.sampled_from([b"", start(1), start(3), start(6)]))
def test_random_bytes_raise_only_reader_errors(data: bytes, head: bytes) -> None:
    """Nothing else than ReaderError comes out."""
    with contextlib.suppress(ReaderError):
        assert read(head + data).promised_size > 0


@given(st.data(), st.integers(1, 6))
def test_mutated_files_raise_only_reader_errors(data: st.DataObject, version: int) -> None:
    """Bytes changed anywhere in a true file, and a cut behind them."""
    raw = bytearray(model(version))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        assert read(bytes(raw[: data.draw(st.integers(0, len(raw)))])).promised_size > 0


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=4), st.sampled_from([1, 2, 4])), min_size=1),
    st.integers(1, 6),
    st.integers(1, 10_000),
)
def test_no_cut_of_any_model_is_whole(
    shapes: list[tuple[list[int], int]], version: int, missing: int
) -> None:
    """For variables of any number and shape."""
    data = start(version, len(shapes))
    data += b"".join(variable(version, f"v{n}", tuple(shape), item) for n, (shape, item) in enumerate(shapes))
    data += struct.pack("<I", 0) if version >= 3 else b""
    assert read(data).promised_size == len(data)
    assert not is_whole(data[: max(0, len(data) - missing)])
