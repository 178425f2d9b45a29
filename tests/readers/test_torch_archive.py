"""torch.save files: whole or cut off, told from both ends."""

import contextlib
import io
import pickle
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.torch_archive import Archive, read_archive


def archive(comment: bytes = b"", zip64: bool = False) -> bytes:
    """An archive as torch.save lays it out: stored, not compressed."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as made:
        made.comment = comment
        for name in ("archive/data.pkl", "archive/data/0", "archive/version"):
            with made.open(name, "w", force_zip64=zip64) as entry:
                entry.write(bytes(5000))
    return target.getvalue()


def large_end(data: bytes) -> bytes:
    """The same archive with the zip64 records that PyTorch's own writer always makes."""
    end = data[-22:]
    entries, length, offset = (int.from_bytes(end[a:b], "little") for a, b in ((10, 12), (12, 16), (16, 20)))
    record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12)
    record += b"".join(number.to_bytes(8, "little") for number in (entries, entries, length, offset))
    locator = b"PK\x06\x07" + bytes(4) + (len(data) - 22).to_bytes(8, "little") + (1).to_bytes(4, "little")
    return data[:-22] + record + locator + end[:8] + b"\xff" * 12 + end[20:]


def read(data: bytes) -> Archive:
    """What is said of this file."""
    return read_archive(io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    "data",
    [
        archive(),
        archive(b"a comment PK\x05\x06 with a false mark"),
        archive(b"x" * 65_535),
        archive(zip64=True),
        large_end(archive()),
    ],
)
def test_a_whole_archive_is_complete(data: bytes) -> None:
    """With and without a comment, with and without zip64 records."""
    assert read(data) == ("zip", True)


@pytest.mark.oracle
def test_the_zip64_archive_is_one() -> None:
    """What this test file makes by hand is read by the standard library."""
    assert len(zipfile.ZipFile(io.BytesIO(large_end(archive()))).namelist()) == 3


@given(st.integers(4, len(archive()) - 1), st.booleans())
@pytest.mark.promise(3, "a torch archive cut anywhere, or preallocated")
def test_a_cut_archive_is_not_complete(cut: int, zip64: bool) -> None:
    """Wherever a copy stands, and also where the rest is preallocated zeros."""
    data = large_end(archive()) if zip64 else archive()
    assert read(data[:cut]) == ("zip", False)
    preallocated = data[:cut] + bytes(len(data) - cut)
    assert read(preallocated) == ("zip", preallocated == data)  # an archive may end in zeros itself


def test_a_directory_that_points_elsewhere_is_not_complete() -> None:
    """An end record alone proves nothing: the directory must lie right before it."""
    data = archive()
    assert read(data[:100] + data[200:]) == ("zip", False)
    assert read(data[:4] + data[-22:]) == ("zip", False)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_bare_pickle_is_taken_as_complete(protocol: int) -> None:
    """Nothing in a pickle tells its size."""
    assert read(pickle.dumps({"a": 1}, protocol)) == ("pickle", True)


@pytest.mark.parametrize(
    "data", [b"<html>", b"\x80\x99\0\0", b"PK\x05\x06" + bytes(18), bytes(100), b"\x7fELF"]
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """Neither container: MALFORMED."""
    with pytest.raises(ReaderError) as caught:
        read(data)
    assert caught.value.fault is Fault.MALFORMED


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_raise_only_reader_errors(data: bytes, as_zip: bool) -> None:
    """Nothing else than ReaderError comes out."""
    with contextlib.suppress(ReaderError):
        read(b"PK\x03\x04" + data if as_zip else data)


@given(st.data())
def test_mutated_archives_never_raise(data: st.DataObject) -> None:
    """A changed byte in the directory or the records behind it gives an answer."""
    raw = bytearray(large_end(archive()))
    raw[data.draw(st.integers(len(raw) - 300, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert read(bytes(raw)).container == "zip"
