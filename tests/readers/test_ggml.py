"""whisper.cpp's legacy GGML files: their end is told by walking from tensor to tensor."""

import contextlib
import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.ggml import read_model
from tests.readers.judging import Counting, faults_of, from_anywhere, wholeness

HYPERPARAMETERS = {
    "n_vocab": 51865,
    "n_audio_ctx": 1500,
    "n_audio_state": 384,
    "n_audio_head": 6,
    "n_audio_layer": 1,
    "n_text_ctx": 448,
    "n_text_state": 384,
    "n_text_head": 6,
    "n_text_layer": 1,
    "n_mels": 2,
    "ftype": 1,
}
TENSORS = 11 + 15 + 24  # of one layer each
F32, F16, Q4_0, Q8_0 = 0, 1, 2, 8


def tensor(dims: tuple[int, ...] = (3,), kind: int = F16, name: bytes = b"w", content: int = -1) -> bytes:
    """A tensor that is not all zeros. content: bytes of it, as many as its type and dimensions ask for."""
    count = 1
    for extent in dims:
        count *= extent
    sizes = {F32: 4 * count, F16: 2 * count, Q4_0: count // 32 * 18, Q8_0: count // 32 * 34}
    head = struct.pack(f"<3i{len(dims)}i", len(dims), len(name), kind, *dims)
    return head + name + b"\x11" * (sizes.get(kind, 0) if content < 0 else content)


def start(**changed: int) -> bytes:
    """All before the first tensor; the vocabulary has three tokens, one of them empty."""
    numbers = HYPERPARAMETERS | {"n_mel": changed.get("n_mels", 2), "n_fft": 3} | changed
    made = b"lmgg" + struct.pack("<13i", *numbers.values())
    made += b"\x22" * max(0, min(10_000, 4 * numbers["n_mel"] * numbers["n_fft"]))
    return made + struct.pack("<i", 3) + b"".join(struct.pack("<I", len(x)) + x for x in (b"!", b"", b"the"))


def model(first: bytes = tensor((2, 3), F32, b"encoder.conv1.bias"), **changed: int) -> bytes:
    """A whole file of one layer each."""
    return start(**changed) + first + b"".join(tensor(name=b"t%d" % n) for n in range(TENSORS - 1))


read = from_anywhere(read_model)
fault_of = faults_of(read)


is_whole = wholeness(read)


@pytest.mark.parametrize(
    "data",
    [
        model(),
        model(tensor((64, 3), Q4_0), ftype=2002),
        model(tensor((32, 1, 1, 2), Q8_0), ftype=2007),
        start(n_audio_layer=2, n_text_layer=3) + tensor() * (11 + 2 * 15 + 3 * 24),
    ],
)
def test_a_whole_file_promises_its_size(data: bytes) -> None:
    """With floats and with quantized tensors of the present kind."""
    assert read(data).promised_size == len(data)


def test_a_vocabulary_without_tensors_is_whole() -> None:
    """whisper.cpp takes it as a model for tests: a file cut off exactly there cannot be told from one."""
    assert read(start()) == (len(start()), 0)


def test_the_real_vocabulary_is_whole(corpus: Path) -> None:
    """The file that whisper.cpp's own tests use; no cut of it is."""
    path = next((corpus / "ggml-whisper-legacy").glob("*.bin"))
    data = path.read_bytes()
    assert read(data) == (len(data), 0)
    for missing in (1, 2, 3, 4, 5, 1000, 300_000, 520_000):
        assert len(data) - missing < (read(data[:-missing]).promised_size or 0) <= len(data)


def test_every_cut_promises_more_than_there_is() -> None:
    """Also at a tensor's border: the layers say how many tensors there must be.

    The one exception is the border between vocabulary and tensors, where the format cannot tell.
    """
    data = model()
    assert fault_of(b"") is Fault.EMPTY
    for size in range(1, 56):
        assert fault_of(data[:size]) is Fault.TRUNCATED
    for size in range(56, len(data)):
        if size != len(start()):
            promised = read(data[:size]).promised_size
            assert promised is not None
            assert size < promised <= len(data)


def test_tensors_are_counted_as_far_as_they_are_there() -> None:
    """A whole file has all, a cut one those that are whole before the cut."""
    data = model()
    assert read(data).tensors == TENSORS
    assert read(data[:-1]).tensors == TENSORS - 1


@pytest.mark.parametrize("more", [b"\0", b"more bytes than a header", tensor(), bytes(5000)])
def test_a_grown_file_promises_its_own_size(more: bytes) -> None:
    """What was appended is not a part of it, whatever it looks like."""
    assert read(model() + more).promised_size == len(model())


def test_zeros_instead_of_the_rest_are_not_whole() -> None:
    """A preallocated copy is refused, unless no more than the content of the last tensor is missing."""
    data = model()
    for size in range(len(data) - 6):
        assert not is_whole(data[:size] + bytes(len(data) - size)), size


GPT2 = b"lmgg" + struct.pack("<7i", 50257, 1024, 768, 12, 12, 1, 50257)
GPT2 += b"".join(struct.pack("<I", 1) + bytes([letter]) for letter in range(33, 93)) + bytes(100)


@pytest.mark.parametrize(
    "data",
    [
        b"fmgg" + model()[4:],
        b"tjgg" + model()[4:],
        b"algg",
        GPT2,
        b"lmgg" + struct.pack("<i", 10) + b"silero-16k" + bytes(100),
        b"lmgg" + bytes(100),
        *(start(**{name: value}) for name in HYPERPARAMETERS for value in (-1, -(2**31), 2**31 - 1)),
        *(start(**{name: 0}) for name in HYPERPARAMETERS if name != "ftype"),
        start(n_mel=3),
        start(n_fft=0),
        start(n_fft=-5),
        start(n_text_state=512),
    ],
)
def test_the_end_of_other_programs_files_is_not_told(data: bytes) -> None:
    """Sibling magics, and numbers behind the magic that are no Whisper model's."""
    assert read(data) == (None, 0)


@pytest.mark.parametrize(
    "first",
    [
        tensor((3,), 200),  # a type of a later ggml
        tensor((3,), 4),  # a type that was withdrawn
    ],
)
def test_the_end_of_unknown_types_is_not_told(first: bytes) -> None:
    """The size of their content is not known."""
    assert read(model(first)) == (None, 0)


@pytest.mark.parametrize("ftype", [2, 1002, 3002])
def test_the_end_of_other_quantizations_is_not_told(ftype: int) -> None:
    """Before version 2 the same types had blocks of other sizes, and a later one may change them again."""
    assert read(model(tensor((64, 3), Q4_0), ftype=ftype)) == (None, 0)


@pytest.mark.parametrize("data", [b"GGUF" + bytes(100), b"ggml" + bytes(100), b"PK\x03\x04", bytes(100)])
def test_another_magic_is_malformed(data: bytes) -> None:
    """Files of other formats, and of other byte order."""
    assert fault_of(data) is Fault.MALFORMED


LONG = b"\x11" * 2000
BEFORE_VOCABULARY = start()[: 56 + 2 * 3 * 4]


@pytest.mark.parametrize(
    "data",
    [
        BEFORE_VOCABULARY + struct.pack("<i", -1) + LONG,
        BEFORE_VOCABULARY + struct.pack("<i", 2_000_000) + LONG,
        BEFORE_VOCABULARY + struct.pack("<iI", 3, 2**32 - 1) + LONG,
        start() + struct.pack("<3i", 0, 1, 1) + LONG,
        start() + struct.pack("<3i", 5, 1, 1) + LONG,
        start() + struct.pack("<3i", -1, 1, 1) + LONG,
        start() + struct.pack("<3i", 1, 0, 1) + LONG,
        start() + struct.pack("<3i", 1, -1, 1) + LONG,
        start() + struct.pack("<3i", 1, 2**31 - 1, 1) + LONG,
        start() + struct.pack("<3i", 1, 1, -1) + LONG,
        start() + struct.pack("<3i", 1, 1, 256) + LONG,
        start() + tensor((0,)) + LONG,
        start() + struct.pack("<5i", 2, 1, 1, -3, -3) + LONG,
        start() + struct.pack("<7i", 4, 1, 0, *[2**31 - 1] * 4) + LONG,
        start(ftype=2002) + tensor((33,), Q4_0) + LONG,
    ],
)
def test_impossible_numbers_are_malformed(data: bytes) -> None:
    """Counts, lengths, types and dimensions that no whisper.cpp writes."""
    assert fault_of(data) is Fault.MALFORMED


def test_zeros_in_the_place_of_a_tensor_are_truncated() -> None:
    """What was not copied yet."""
    assert fault_of(model()[:-1000] + bytes(2000)) is Fault.TRUNCATED


def test_content_is_stepped_over(tmp_path: Path) -> None:
    """Of a sparse file of hundreds of GB a small part is read."""
    path = tmp_path / "ggml-huge.bin"
    with path.open("wb") as made:
        made.write(start(n_audio_layer=32, n_text_layer=32))
        for number in range(11 + 39 * 32):
            made.write(tensor((1 << 14, 1 << 13), F16, b"t%d" % number, 0))
            made.seek(2 << 27, io.SEEK_CUR)
        made.truncate()
        size = made.tell()
    with Counting(path) as stream:
        assert read_model(stream, size) == (size, 11 + 39 * 32)
    assert stream.count < size // 1000
    assert size > 300 * 10**9


def test_a_stream_shorter_than_its_size_is_truncated() -> None:
    """A file that shrinks while it is read ends in the reader's own error."""
    data = model()
    with pytest.raises(ReaderError) as caught:
        read_model(io.BytesIO(data[:200]), len(data))
    assert caught.value.fault is Fault.TRUNCATED


@given(st.binary(max_size=300), st.sampled_from([b"", b"lmgg", start()[:80], start()]))
def test_random_bytes_raise_only_reader_errors(data: bytes, head: bytes) -> None:
    """Nothing else than ReaderError comes out."""
    with contextlib.suppress(ReaderError):
        assert read(head + data).promised_size != 0


@given(st.data())
def test_mutated_files_raise_only_reader_errors(data: st.DataObject) -> None:
    """Bytes changed anywhere in a true file, and a cut behind them."""
    raw = bytearray(model())
    near = st.one_of(st.integers(0, len(raw) - 1), st.integers(0, 200))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(near)] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        assert read(bytes(raw[: data.draw(st.integers(0, len(raw)))])).promised_size != 0


@given(
    st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=TENSORS, max_size=TENSORS),
    st.data(),
)
def test_no_cut_of_any_model_is_whole(shapes: list[list[int]], data: st.DataObject) -> None:
    """For tensors of any shape, wherever the cut is but before the first of them."""
    raw = start() + b"".join(tensor(tuple(shape)) for shape in shapes)
    size = data.draw(st.integers(0, len(raw) - 1).filter(lambda cut: cut != len(start())))
    assert is_whole(raw)
    assert not is_whole(raw[:size])
