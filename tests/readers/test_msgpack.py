"""Flax checkpoints in MessagePack: their end is told by walking from item to item."""

import contextlib
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.msgpack import MAX_DEPTH, MAX_ITEMS, read_map
from tests.readers.judging import Counting, faults_of

ITEMS = {
    "fixint": b"\x07",
    "negative fixint": b"\xe0",
    "nil": b"\xc0",
    "false": b"\xc2",
    "true": b"\xc3",
    "fixstr": b"\xa3abc",
    "empty fixstr": b"\xa0",
    "longest fixstr": b"\xbf" + b"x" * 31,
    "str 8": b"\xd9\x05abcde",
    "str 16": b"\xda\x01\x00" + b"x" * 256,
    "str 32": b"\xdb\x00\x00\x00\x02ab",
    "bin 8": b"\xc4\x02ab",
    "bin 16": b"\xc5\x00\x02ab",
    "bin 32": b"\xc6\x00\x01\x00\x00" + b"\xc1" * 65_536,
    "ext 8": b"\xc7\x03\x01abc",
    "ext 16": b"\xc8\x00\x03\x01abc",
    "ext 32": b"\xc9\x00\x00\x00\x03\x01abc",
    "fixext 1": b"\xd4\x01a",
    "fixext 2": b"\xd5\x01ab",
    "fixext 4": b"\xd6\xff" + b"a" * 4,
    "fixext 8": b"\xd7\xff" + b"a" * 8,
    "fixext 16": b"\xd8\x01" + b"a" * 16,
    "float 32": b"\xca" + b"a" * 4,
    "float 64": b"\xcb" + b"a" * 8,
    "uint 8": b"\xcca",
    "uint 16": b"\xcdaa",
    "uint 32": b"\xceaaaa",
    "uint 64": b"\xcf" + b"a" * 8,
    "int 8": b"\xd0a",
    "int 16": b"\xd1aa",
    "int 32": b"\xd2aaaa",
    "int 64": b"\xd3" + b"a" * 8,
    "fixarray": b"\x92\x01\xa1a",
    "empty fixarray": b"\x90",
    "array 16": b"\xdc\x00\x03\x01\x02\x03",
    "array 32": b"\xdd\x00\x00\x00\x01\x01",
    "fixmap": b"\x82\xa1a\x01\xa1b\x02",
    "empty fixmap": b"\x80",
    "map 16": b"\xde\x00\x01\xa1a\x01",
    "map 32": b"\xdf\x00\x00\x00\x01\xa1a\x90",
}


def text(value: str) -> bytes:
    """A string of up to 31 bytes."""
    return bytes([0xA0 + len(value)]) + value.encode()


def tensor(length: int) -> bytes:
    """The head of an array as Flax writes it: an extension type of this length. The content follows."""
    return struct.pack(">BIB", 0xC9, length, 1)


def checkpoint() -> bytes:
    """A map of maps with arrays of different lengths, all kinds of items among them."""
    layer = b"\x82" + text("kernel") + tensor(40) + b"k" * 40 + text("bias") + b"\xc7\x08\x01" + b"b" * 8
    kinds = bytes([0xDE, 0, len(ITEMS)])
    kinds += b"".join(text(name) + item for name, item in ITEMS.items() if name != "bin 32")
    kinds += text("bin 32") + b"\xc6\x00\x00\x00\x01x"
    return b"\x83" + text("layer_0") + layer + text("layer_1") + layer + text("kinds") + kinds


def promised(data: bytes) -> int:
    """The size that this file promises, wherever the stream stands."""
    stream = io.BytesIO(data)
    stream.seek(len(data) // 2)
    return read_map(stream, len(data)).promised_size


fault_of = faults_of(promised)


def nested(opening: bytes, depth: int) -> bytes:
    """A map with `depth` containers within each other in it; `opening` is all of one before its last item."""
    return b"\x81\xa1a" + opening * depth + b"\xc0"


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_every_kind_of_item_is_passed_over(item: bytes) -> None:
    """As a value, as a key and in an array, with something else behind it; and cut anywhere."""
    for data in (
        b"\x81\xa1a" + item,
        b"\x82" + item + b"\xc0\x01\xc0",
        b"\x81\xa1a\x93" + item * 2 + b"\xc0",
    ):
        assert promised(data) == len(data)
        for size in {*range(1, min(len(data), 80)), len(data) - 1}:
            assert size < promised(data[:size]) <= len(data)


@pytest.mark.parametrize("data", [b"\x80", b"\xde\x00\x00", b"\xdf\x00\x00\x00\x00", checkpoint()])
def test_a_whole_file_promises_its_size(data: bytes) -> None:
    """A checkpoint, and maps without a key."""
    assert promised(data) == len(data)


def test_every_cut_promises_more_than_there_is() -> None:
    """Wherever it is cut, and never more than the true size."""
    data = checkpoint()
    assert fault_of(b"") is Fault.EMPTY
    for size in range(1, len(data)):
        assert size < promised(data[:size]) <= len(data)


@pytest.mark.parametrize("more", [b"\0", b"\xc1", b"\x80", bytes(5000)])
def test_a_grown_file_promises_its_own_size(more: bytes) -> None:
    """What was appended is not a part of it."""
    data = checkpoint()
    assert promised(data + more) == len(data)


def test_zeros_instead_of_the_rest_are_not_whole() -> None:
    """A preallocated copy ends early: zeros are numbers of one byte. Unless only content is missing."""
    data = b"\x82" + text("a") + tensor(40) + b"k" * 40 + text("b") + tensor(9) + b"k" * 9
    for size in range(1, len(data) - 10):
        with contextlib.suppress(ReaderError):
            assert promised(data[:size] + bytes(len(data) - size)) != len(data)


@pytest.mark.parametrize("first", [*range(0x80), *range(0x90, 0xDE), *range(0xE0, 0x100)])
def test_only_a_map_is_a_checkpoint(first: int) -> None:
    """Any other first byte is MALFORMED."""
    assert fault_of(bytes([first]) + bytes(100)) is Fault.MALFORMED


@pytest.mark.parametrize("data", [b"\x81\xc1\xc0", b"\x81\xa1a\xc1", b"\x81\xa1a\x92\xc0\xc1"])
def test_the_byte_that_is_never_used_is_malformed(data: bytes) -> None:
    """As a key, a value and in an array."""
    assert fault_of(data) is Fault.MALFORMED


@pytest.mark.parametrize("opening", [b"\x81\xa1a", b"\x91", b"\xdc\x00\x01", b"\xdf\x00\x00\x00\x01\xa1a"])
def test_nesting_is_bounded(opening: bytes) -> None:
    """As deep as the bound is read, one level more is not, nor a million."""
    data = nested(opening, MAX_DEPTH - 1)
    assert promised(data) == len(data)
    assert fault_of(nested(opening, MAX_DEPTH)) is Fault.TOO_LARGE
    assert fault_of(nested(opening, 1_000_000)) is Fault.TOO_LARGE


@pytest.mark.parametrize(
    "data",
    [
        b"\xdf\xff\xff\xff\xff" + bytes(1000),
        b"\xdf" + (MAX_ITEMS // 2).to_bytes(4, "big") + bytes(1000),
        b"\x81\xa1a\xdd\xff\xff\xff\xff" + bytes(1000),
        b"\x81\xa1a" + b"\xdc\xff\xff" * 50 + bytes(4_000_000),
    ],
)
def test_items_are_bounded(data: bytes) -> None:
    """Numbers of items are not believed beyond the bound, in one container or in many."""
    assert fault_of(data) is Fault.TOO_LARGE


def test_as_many_items_as_the_bound_are_read() -> None:
    """In seconds, and no more than that: each item is looked at once."""
    count = MAX_ITEMS - 3
    data = b"\x81\xa1a\xdd" + count.to_bytes(4, "big") + bytes(count)
    assert promised(data) == len(data)


@pytest.mark.parametrize("head", [b"\xc6", b"\xdb", b"\xc9"])
def test_a_giant_length_is_a_promise(head: bytes) -> None:
    """A length of 4 GB in a small file says how large it must be."""
    data = b"\x81\xa1a" + head + b"\xff\xff\xff\xff" + bytes(100)
    assert promised(data) == 8 + 2**32 - 1 + (head == b"\xc9")


def test_content_is_stepped_over(tmp_path: Path) -> None:
    """A sparse file of 500 tensors and two hundred GB is read in milliseconds."""
    path = tmp_path / "flax_model.msgpack"
    with path.open("wb") as made:
        made.write(b"\xde" + (500).to_bytes(2, "big"))
        for number in range(500):
            made.write(text(f"layer_{number}") + tensor(400_000_000))
            made.seek(400_000_000, io.SEEK_CUR)
        made.truncate()
        size = made.tell()
    with Counting(path) as stream:
        assert read_map(stream, size).promised_size == size
    assert stream.count < size // 1000


def test_a_stream_shorter_than_its_size_is_truncated() -> None:
    """A file that shrinks while it is read ends in the reader's own error."""
    data = checkpoint()
    for size in (0, 20, len(data) - 5):
        with pytest.raises(ReaderError) as caught:
            read_map(io.BytesIO(data[:size]), len(data))
        assert caught.value.fault is Fault.TRUNCATED


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x81", b"\x8f", b"\xde\x00\x05"]))
def test_random_bytes_raise_only_reader_errors(data: bytes, head: bytes) -> None:
    """Nothing else than ReaderError comes out."""
    with contextlib.suppress(ReaderError):
        assert promised(head + data) > 0


@given(st.data())
def test_mutated_files_raise_only_reader_errors(data: st.DataObject) -> None:
    """Bytes changed anywhere in a true file, and a cut behind them."""
    raw = bytearray(checkpoint())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        assert promised(bytes(raw[: data.draw(st.integers(0, len(raw)))])) > 0


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(width=32),
    st.text(max_size=40),
    st.binary(max_size=300),
)
TREES = st.dictionaries(
    st.text(max_size=40),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=9), inner)
    ),
    max_size=20,
)


@pytest.mark.oracle
@given(TREES, st.binary(max_size=300), st.booleans(), st.data())
def test_what_the_reference_packs_is_whole(
    tree: dict[str, Any], content: bytes, single: bool, data: st.DataObject
) -> None:
    """Any tree with an extension type in it, and none of its cuts."""
    msgpack = pytest.importorskip("msgpack")
    raw = msgpack.packb(tree | {"array": msgpack.ExtType(1, content)}, use_single_float=single)
    assert promised(raw) == len(raw)
    size = data.draw(st.integers(1, len(raw) - 1))
    assert size < promised(raw[:size]) <= len(raw)


@pytest.mark.oracle
@given(st.binary(max_size=200), st.sampled_from([b"\x81", b"\x83", b"\xde\x00\x04", b"\x82\xa1a"]))
def test_any_bytes_end_where_the_reference_says(data: bytes, head: bytes) -> None:
    """What it can skip has its end there; what it finds too short promises more."""
    msgpack = pytest.importorskip("msgpack")
    raw = head + data
    unpacker = msgpack.Unpacker()
    unpacker.feed(raw)
    try:
        unpacker.skip()
    except msgpack.OutOfData:
        with contextlib.suppress(ReaderError):
            assert promised(raw) > len(raw)
    except ValueError:
        with contextlib.suppress(ReaderError):
            assert promised(raw) > len(raw)  # too short as well, which is seen before the false byte
    else:
        assert promised(raw) == unpacker.tell()
