"""HDF5 files: whole or cut, told from the superblock."""

import contextlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.hdf5 import PLACES, SIGNATURE, lookup3, read_superblock
from tests.readers.judging import faults_of

FORMS = {2: "H", 4: "I", 8: "Q"}


def superblock(version: int = 0, end: int = 2000, base: int = 0, width: int = 8, flags: int = 0) -> bytes:
    """A superblock whose file ends at `end`."""
    undefined = 2 ** (8 * width) - 1
    addresses = struct.pack(f"<4{FORMS[width]}", base, undefined, end, 96)
    if version >= 2:
        block = SIGNATURE + bytes([version, width, width, flags]) + addresses
        return block + lookup3(block).to_bytes(4, "little")
    block = SIGNATURE + bytes([version, 0, 0, 0, 0, width, width, 0]) + struct.pack("<HHI", 4, 16, 0)
    return block + (struct.pack("<HH", 32, 0) if version == 1 else b"") + addresses + bytes(40)


def file(version: int = 0, size: int = 2000, place: int = 0, width: int = 8) -> bytes:
    """A whole file with its superblock behind a block of the user's of `place` bytes."""
    data = bytes(place) + superblock(version, place + size, place, width)
    return data.ljust(place + size, b"d")


def promised(data: bytes) -> int:
    """The size that is said of this file."""
    return read_superblock(io.BytesIO(data), len(data)).promised_size


fault_of = faults_of(promised)


ALL = pytest.mark.parametrize("version", [0, 1, 2, 3])


@ALL
@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("place", PLACES)
def test_a_whole_file_promises_its_size(version: int, width: int, place: int) -> None:
    """Every version, at all of the places where a superblock is looked for."""
    data = file(version, place=place, width=width)
    assert promised(data) == len(data)
    assert promised(data + b"kept for what is to come") == len(data)


def test_there_are_eight_places() -> None:
    """The start, and then ever twice as far."""
    assert PLACES == (0, 512, 1024, 2048, 4096, 8192, 16384, 32768)


@ALL
def test_a_cut_file_is_never_whole(version: int) -> None:
    """At every byte: an error while the superblock is cut, then the promise."""
    data = file(version, size=600)
    block = len(superblock(version)) - (40 if version < 2 else 0)
    for cut in range(1, len(data)):
        if cut < block:
            assert fault_of(data[:cut]) is Fault.TRUNCATED
        else:
            assert promised(data[:cut]) == 600


@ALL
def test_a_file_that_was_moved_is_still_measured(version: int) -> None:
    """A block put before it, or taken away, changes no address in it."""
    data = file(version)
    assert promised(bytes(512) + data) == 512 + len(data)
    data = file(version, place=1024)
    assert promised(data[1024:]) == len(data) - 1024
    assert promised(data[512:]) == len(data) - 512


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        b"PK\3\4",
        bytes(40_000),
        SIGNATURE[1:] + bytes(100),
        bytes(511) + file(),
        bytes(513) + file(),
        bytes(65_536) + file(),
        SIGNATURE + bytes([4]) + bytes(200),
        SIGNATURE + bytes([255]) + bytes(200),
        SIGNATURE + bytes(200),
        SIGNATURE + bytes([2]) + bytes(200),
        superblock(width=8).replace(b"\x08\x08", b"\x08\x03", 1) + bytes(100),
        superblock(width=8).replace(b"\x08\x08", b"\x10\x08", 1) + bytes(100),
        superblock(end=0) + bytes(100),
        superblock(end=50) + bytes(100),
        superblock(end=2**64 - 1) + bytes(100),
        superblock(end=2000, base=2000) + bytes(100),
        superblock(end=2000, base=2**64 - 1) + bytes(100),
        superblock(3, end=43) + bytes(100),
        superblock(2)[:-1] + b"?",
        superblock(3).replace(b"\x60", b"\x61"),
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """No signature at one of the places, or a superblock that cannot be one."""
    assert fault_of(data) is Fault.MALFORMED


def test_nothing_at_all_is_empty() -> None:
    """A copy that has only just begun."""
    assert fault_of(b"") is Fault.EMPTY


def test_a_giant_end_is_only_a_promise() -> None:
    """Nothing is looked for there."""
    assert promised(superblock(end=2**62)) == 2**62


def test_a_file_that_its_writer_has_not_closed_is_truncated() -> None:
    """Since version 3 a file says so itself; before, the bit means nothing."""
    data = superblock(3, 600, flags=1).ljust(600, b"d")
    assert fault_of(data) is Fault.TRUNCATED
    assert promised(superblock(2, 600, flags=1).ljust(600, b"d")) == 600


def test_a_file_that_shrinks_meanwhile_raises() -> None:
    """The size is the listing's; the bytes are fewer."""
    for cut in range(56):
        with pytest.raises(ReaderError) as caught:
            read_superblock(io.BytesIO(file()[:cut]), 2000)
        assert caught.value.fault is Fault.TRUNCATED


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0xDEADBEEF), (b"Four score and seven years ago", 0x17770551)],
)
def test_the_checksum_is_bob_jenkinss(data: bytes, expected: int) -> None:
    """The values that lookup3.c itself gives for its own check (driver5)."""
    assert lookup3(data) == expected


@given(st.binary(max_size=200), st.sampled_from([0, 1, 2, 3, 4]), st.booleans())
def test_any_bytes_raise_only_reader_errors(data: bytes, version: int, signed: bool) -> None:
    """Alone, or behind a signature and a version."""
    with contextlib.suppress(ReaderError):
        assert promised(SIGNATURE + bytes([version]) + data if signed else data) > 0


@given(st.data(), st.sampled_from([0, 1, 2, 3]))
def test_mutated_files_raise_only_reader_errors(data: st.DataObject, version: int) -> None:
    """A changed byte in the superblock; from version 2 on the checksum sees it."""
    raw = bytearray(file(version))
    at = data.draw(st.integers(0, 47))
    raw[at] ^= data.draw(st.integers(1, 255))
    if version >= 2:
        with pytest.raises(ReaderError):
            promised(bytes(raw))
    else:
        with contextlib.suppress(ReaderError):
            assert promised(bytes(raw)) > 0


@pytest.mark.oracle
@pytest.mark.parametrize("library_version", ["earliest", "v108", "v110", "latest"])
@pytest.mark.parametrize("user_block", [0, 512, 4096])
def test_what_the_library_writes_is_whole(library_version: str, user_block: int) -> None:
    """The promise is the size, whichever version is written, and no cut of it is whole."""
    h5py = pytest.importorskip("h5py")
    target = io.BytesIO()
    with h5py.File(target, "w", libver=library_version, userblock_size=user_block) as made:
        made.create_dataset("layer/kernel", data=list(range(500)))
        made.attrs["keras_version"] = "2.15.0"
    data = target.getvalue()
    assert promised(data) == len(data)
    for cut in range(1, len(data)):
        with contextlib.suppress(ReaderError):
            assert promised(data[:cut]) > cut


@pytest.mark.oracle
@pytest.mark.parametrize("library_version", ["earliest", "v108", "latest"])
def test_the_library_says_the_same_of_cut_and_moved_files(library_version: str) -> None:
    """It refuses a file that is smaller than its superblock says, and opens one that was moved."""
    h5py = pytest.importorskip("h5py")
    target = io.BytesIO()
    with h5py.File(target, "w", libver=library_version) as made:
        made.create_dataset("kernel", data=list(range(500)))
    data = bytes(512) + target.getvalue()
    assert promised(data) == len(data)
    with h5py.File(io.BytesIO(data), "r") as opened:
        assert opened["kernel"][499] == 499
    with pytest.raises(OSError, match="truncated"):
        h5py.File(io.BytesIO(data[:-1]), "r")
    assert promised(data[:-1]) == len(data)
