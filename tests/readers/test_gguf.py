"""GGUF headers: equal to what the format's own package writes and reads, bounded whatever they claim."""

import contextlib
import io
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.gguf import GgufArray, GgufHeader, GgufTensor, read_header
from dxwatchd.readers.gguf_types import TENSOR_TYPES
from tests.cost import GROWTH, LINEAR, growth
from tests.readers.judging import faults_of

Write = Callable[..., bytes]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Makes a file with the format's own writer."""

    def made(fill: Callable[[gguf.GGUFWriter], object], **options: Any) -> bytes:
        path = tmp_path / "made.gguf"
        writer = gguf.GGUFWriter(path, "llama", **options)
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()

    return made


def read(data: bytes) -> GgufHeader:
    """Header of this file."""
    return read_header(io.BytesIO(data), len(data))


fault_of = faults_of(read)


def text(value: str | bytes) -> bytes:
    """A string as GGUF writes it."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str | bytes, kind: int, value: bytes) -> bytes:
    """A key and its value."""
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, shape: list[int], kind: int, offset: int) -> bytes:
    """A row of the tensor table."""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def packed(pairs: list[bytes], tensors: list[bytes], version: int = 3) -> bytes:
    """A header."""
    counts = struct.pack("<IQQ", version, len(tensors), len(pairs))
    return b"GGUF" + counts + b"".join(pairs) + b"".join(tensors)


def fill(writer: gguf.GGUFWriter) -> None:
    """A little of everything."""
    writer.add_name("Tiny")
    writer.add_context_length(4096)
    writer.add_rope_freq_base(10000.5)
    writer.add_bool("some.flag", True)
    writer.add_int64("some.negative", -5)
    writer.add_token_list([f"token {number}" for number in range(40_000)])
    writer.add_token_scores([float(number) for number in range(1000)])
    writer.add_array("rope.dimension_sections", [16, 24, 24, 0])
    writer.add_array("general.languages", ["en", "zh"])
    writer.add_uint16("split.no", 1)
    writer.add_uint16("split.count", 3)
    writer.add_tensor("a.weight", np.zeros((3, 32), np.float32))
    writer.add_tensor("b.weight", np.zeros((2, 5), np.float16))
    writer.add_tensor("c.weight", np.zeros((4, 34 * 2), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)


@pytest.mark.oracle
@pytest.mark.parametrize("endian", [gguf.GGUFEndian.LITTLE, gguf.GGUFEndian.BIG])
def test_reads_what_the_package_writes(write: Write, endian: gguf.GGUFEndian) -> None:
    """Scalars, arrays, tensors and the size of the file, in both byte orders."""
    data = write(fill, endianess=endian)
    header = read(data)
    assert header.version == 3
    assert dict(header.metadata) == {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "llama.context_length": 4096,
        "llama.rope.freq_base": 10000.5,
        "some.flag": True,
        "some.negative": -5,
        "split.no": 1,
        "split.count": 3,
    }
    assert dict(header.arrays) == {
        "tokenizer.ggml.tokens": GgufArray("string", 40_000, None),
        "tokenizer.ggml.scores": GgufArray("float32", 1000, None),
        "rope.dimension_sections": GgufArray("int32", 4, (16, 24, 24, 0)),
        "general.languages": GgufArray("string", 2, ("en", "zh")),
    }
    assert header.tensors == (
        GgufTensor("a.weight", (32, 3), "F32", 0, 384),
        GgufTensor("b.weight", (5, 2), "F16", 384, 20),
        GgufTensor("c.weight", (64, 4), "Q8_0", 416, 272),
    )
    # The writer pads behind the last tensor; a whole file may or may not.
    assert header.promised_size + -header.promised_size % header.alignment == len(data)


@pytest.mark.oracle
@pytest.mark.parametrize("alignment", [8, 32, 256])
def test_agrees_with_the_package_reader(write: Write, tmp_path: Path, alignment: int) -> None:
    """Names, shapes, sizes and positions of tensors are those that the package's own reader finds."""

    def fill_aligned(writer: gguf.GGUFWriter) -> None:
        writer.add_custom_alignment(alignment)
        fill(writer)

    header = read(write(fill_aligned))
    theirs = gguf.GGUFReader(tmp_path / "made.gguf")
    start = theirs.data_offset
    assert header.alignment == alignment
    assert [
        (item.name, *item.shape, item.type_name, start + item.offset, item.nbytes) for item in header.tensors
    ] == [
        (item.name, *item.shape.tolist(), item.tensor_type.name, item.data_offset, item.n_bytes)
        for item in theirs.tensors
    ]
    assert header.promised_size == max(item.data_offset + item.n_bytes for item in theirs.tensors)


@pytest.mark.oracle
def test_knows_every_tensor_type_of_the_package() -> None:
    """Numbers, names, block sizes and bytes are those of the package."""
    for kind, sizes in GGML_QUANT_SIZES.items():
        ours = TENSOR_TYPES[int(kind)]
        assert (ours.name, (ours.block, ours.nbytes)) == (kind.name, sizes)


def test_a_file_without_tensors_ends_with_its_header() -> None:
    """A vocabulary alone promises its header and no padding."""
    data = packed([pair("a", 4, struct.pack("<I", 7))], [])
    assert read(data).promised_size == len(data)
    assert read(data).metadata == {"a": 7}


def test_reads_version_2() -> None:
    """Version 2 has the same layout as 3."""
    assert read(packed([], [tensor("a", [4], 0, 0)], version=2)).version == 2


def test_long_or_odd_values_are_left_out() -> None:
    """Values that nobody can use are passed over, and what follows them is read."""
    data = packed(
        [
            pair("nan", 6, struct.pack("<f", float("nan"))),
            pair("long", 8, text("x" * 1_100_000)),
            pair("bytes", 8, text(b"caf\xe9")),
            pair("nested", 9, struct.pack("<IQ", 9, 2) + (struct.pack("<IQ", 0, 3) + b"abc") * 2),
            pair("words", 9, struct.pack("<IQ", 8, 1) + text("w" * 2000)),
            pair("last", 0, b"\x05"),
        ],
        [],
    )
    header = read(data)
    assert dict(header.metadata) == {"bytes": "caf\ufffd", "last": 5}
    assert dict(header.arrays) == {
        "nested": GgufArray("array", 2, None),
        "words": GgufArray("string", 1, None),
    }


ARRAY_IN_ARRAY = struct.pack("<IQ", 9, 1)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", Fault.TRUNCATED),
        (b"GG", Fault.TRUNCATED),
        (bytes(64), Fault.TRUNCATED),
        (b"GGUF" + bytes(60), Fault.TRUNCATED),
        (b"GGML" + bytes(60), Fault.MALFORMED),
        (packed([], [], version=1), Fault.MALFORMED),
        (packed([], [], version=4), Fault.MALFORMED),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), Fault.TOO_LARGE),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), Fault.TOO_LARGE),
        (b"GGUF" + struct.pack("<IQQ", 3, 1000, 0), Fault.TRUNCATED),
        (packed([pair("a", 8, struct.pack("<Q", 2**60))], []), Fault.TRUNCATED),
        (packed([pair("a", 8, struct.pack("<Q", 2**64 - 1))], []), Fault.TRUNCATED),
        (packed([pair("a", 9, struct.pack("<IQ", 4, 2**64 - 1))], []), Fault.TRUNCATED),
        (packed([pair("a", 9, struct.pack("<IQ", 8, 2**60))], []), Fault.TOO_LARGE),
        (packed([pair("a", 9, struct.pack("<IQ", 8, 1000))], []), Fault.TRUNCATED),
        (packed([pair("a", 9, struct.pack("<IQ", 9, 2**60))], []), Fault.TOO_LARGE),
        (packed([pair("a", 9, ARRAY_IN_ARRAY * 5000)], []), Fault.MALFORMED),
        (packed([pair("a", 9, struct.pack("<IQ", 13, 1))], []), Fault.MALFORMED),
        (packed([pair("a", 13, b"")], []), Fault.MALFORMED),
        (packed([pair("a", 0, b"1"), pair("a", 0, b"1")], []), Fault.MALFORMED),
        (packed([pair(b"\xff", 0, b"1")], []), Fault.MALFORMED),
        (packed([pair("x" * 65_536, 0, b"1")], []), Fault.MALFORMED),
        (packed([pair("general.alignment", 4, struct.pack("<I", 0))], []), Fault.MALFORMED),
        (packed([pair("general.alignment", 4, struct.pack("<I", 48))], []), Fault.MALFORMED),
        (packed([pair("general.alignment", 4, struct.pack("<I", 2**30))], []), Fault.MALFORMED),
        (packed([pair("general.alignment", 8, text("32"))], []), Fault.MALFORMED),
        (packed([], [tensor("a", [4], 4, 0)]), Fault.MALFORMED),
        (packed([], [tensor("a", [4], 99, 0)]), Fault.MALFORMED),
        (packed([], [tensor("a", [33], 8, 0)]), Fault.MALFORMED),
        (packed([], [tensor("a", [], 8, 0)]), Fault.MALFORMED),
        (packed([], [tensor("a", [1] * 9, 0, 0)]), Fault.MALFORMED),
        (packed([], [tensor("a", [2**63], 0, 0)]), Fault.MALFORMED),
        (packed([], [tensor("a", [2**62] * 8, 0, 0)]), Fault.MALFORMED),
        (packed([], [tensor("a", [4], 0, 7)]), Fault.MALFORMED),
        (packed([], [tensor("a", [4], 0, 0)] * 2), Fault.MALFORMED),
        (packed([], [tensor("a", [4], 0, 0)])[:-1], Fault.TRUNCATED),
        (packed([pair(str(n), 8, text("x" * 1_000_000)) for n in range(40)], []), Fault.TOO_LARGE),
    ],
)
def test_refuses_what_breaks_the_format(data: bytes, fault: Fault) -> None:
    """Every rule of the format is held, and every bound."""
    assert fault_of(data) is fault


def test_says_what_to_do_with_an_old_version() -> None:
    """Version 1 is named, with the remedy."""
    with pytest.raises(ReaderError, match=r"version 1 is not supported.*convert"):
        read(packed([], [], version=1))


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_every_beginning_of_a_header_is_truncated(cut: int) -> None:
    """A copy that is under way is never called broken, wherever it stands."""
    words = struct.pack("<IQ", 8, 30) + b"".join(map(text, map(str, range(30))))
    numbers = struct.pack("<IQ", 4, 100) + bytes(400)
    data = packed([pair("words", 9, words), pair("numbers", 9, numbers)], [tensor("a", [4, 4], 0, 0)])
    assert fault_of(data[: cut % len(data)]) is Fault.TRUNCATED


class Zeros(io.BytesIO):
    """A file that begins as given and goes on with zeros for ever, as a sparse one does."""

    def __init__(self, start: bytes) -> None:
        super().__init__(start)
        self.start = start
        self.at = 0

    def seek(self, position: int, whence: int = 0) -> int:
        """Moves."""
        self.at = position
        return position

    def read(self, length: int | None = -1) -> bytes:
        """Bytes from here, zeros from the end on."""
        assert length is not None
        data = self.start[self.at : self.at + length]
        self.at += length
        return data + bytes(length - len(data))


@pytest.mark.parametrize(
    "start",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("a", 9, struct.pack("<IQ", 8, 2**60)),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("a", 9, struct.pack("<IQ", 9, 15_000_000)),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("a", 9, struct.pack("<IQ", 8, 15_000_000)),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("a", 9, struct.pack("<IQ", 4, 2**57)),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("a", 8, struct.pack("<Q", 2**59)),
        b"GGUF" + struct.pack("<IQQ", 3, 100_000, 60_000),
    ],
)
@pytest.mark.timeout(60)
def test_memory_and_time_do_not_follow_a_claim(start: bytes) -> None:
    """A sparse file of 2**60 bytes costs neither gigabytes nor minutes."""
    with contextlib.suppress(ReaderError):
        read_header(Zeros(start), 2**60)
    if b"\x60\xea" in start:  # the cheapest one, since tracing is slow
        tracemalloc.start()
        try:
            with pytest.raises(ReaderError):
                read_header(Zeros(start), 2**60)
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()


def test_passes_over_a_vocabulary_quickly() -> None:
    """Three hundred thousand strings take no more time each than a few, and none of them is kept."""

    def look(count: int) -> None:
        words = struct.pack("<IQ", 8, count) + b"".join(text(f"token {number}") for number in range(count))
        data = packed([pair("tokens", 9, words)], [])
        assert read(data).arrays == {"tokens": GgufArray("string", count, None)}

    assert growth(look, 300_000 // GROWTH) < LINEAR


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_reader_errors(data: bytes) -> None:
    """Nothing else than ReaderError comes out."""
    for raw in (data, b"GGUF" + data, b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + data):
        with contextlib.suppress(ReaderError):
            read(raw)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_files_raise_only_reader_errors(data: st.DataObject) -> None:
    """A changed or cut file gives another header or a ReaderError."""
    whole = packed(
        [
            pair("a", 9, struct.pack("<IQ", 8, 2) + text("x") + text("y")),
            pair("b", 6, struct.pack("<f", 1.5)),
        ],
        [tensor("a", [32, 4], 8, 0), tensor("b", [7], 0, 160)],
    )
    raw = bytearray(whole)
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        read(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
