"""Members of zip archives: found by the directory, read in place, bounded, and believed in nothing."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.zip_members import MAX_MEMBERS, MAX_UNPACKED, find_members, open_member

BODY = b"what a member holds" * 9


def free(_: int) -> None:
    """What is read costs nothing."""


def archive(files: dict[str, bytes] | None = None, *, packed: bool = False, zip64: bool = False) -> bytes:
    """An archive with these files."""
    target = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", method) as made:
        for name, data in (files or {"a/data.pkl": BODY, "a/data/0": bytes(50)}).items():
            with made.open(name, "w", force_zip64=zip64) as entry:
                entry.write(data)
    return target.getvalue()


def read(data: bytes, wanted: Callable[[bytes], bool] = lambda name: name.endswith(b".pkl")) -> list[bytes]:
    """What all members of interest hold."""
    stream, found = io.BytesIO(data), []
    for member in find_members(stream, len(data), wanted, free):
        content = open_member(stream, len(data), member, free)
        content.stream.seek(content.start)
        found.append(content.stream.read(content.end - content.start))
    return found


def fault(data: bytes) -> Fault:
    """Why these bytes are refused."""
    with pytest.raises(ReaderError) as caught:
        read(data)
    return caught.value.fault


def directory(data: bytes) -> int:
    """Where the first entry of the directory begins."""
    return data.index(b"PK\x01\x02")


def changed(data: bytes, at: int, form: str, value: int) -> bytes:
    """The archive with a number at a place of it."""
    raw = bytearray(data)
    struct.pack_into(form, raw, at, value)
    return bytes(raw)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("zip64", [False, True])
def test_members_are_read_in_place(packed: bool, zip64: bool) -> None:
    """Stored and deflated, with the large fields and without."""
    assert read(archive(packed=packed, zip64=zip64)) == [BODY]
    assert read(archive(packed=packed), lambda _: True) == [BODY, bytes(50)]


def test_large_positions_come_from_the_extra_field() -> None:
    """Sizes and positions beyond four gigabytes stand there, in this order, if they are needed."""
    data = archive({"x.pkl": BODY})
    at = directory(data)
    entry, rest = bytearray(data[at : at + 46 + 5]), data[at + 46 + 5 :]
    for field in (20, 24, 42):
        struct.pack_into("<I", entry, field, 0xFFFF_FFFF)
    extra = struct.pack("<2HB", 99, 1, 0) + struct.pack("<2H3Q", 1, 24, len(BODY), len(BODY), 0)
    struct.pack_into("<H", entry, 30, len(extra))
    end = bytearray(rest)
    struct.pack_into("<I", end, 12, len(entry) + len(extra))
    assert read(data[:at] + entry + extra + end) == [BODY]
    short = struct.pack("<2HQ", 1, 8, len(BODY))
    struct.pack_into("<H", entry, 30, len(short))
    struct.pack_into("<I", end, 12, len(entry) + len(short))
    assert fault(data[:at] + entry + short + end) is Fault.MALFORMED


def test_equal_names_are_all_there() -> None:
    """Readers differ in which of them they take."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        made.writestr("a/data.pkl", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("a/data.pkl", b"other")
    assert read(target.getvalue()) == [b"one", b"other"]


def test_a_cut_archive_has_no_directory() -> None:
    """Wherever it was cut."""
    data = archive()
    assert {fault(data[:cut]) for cut in (0, 4, 30, len(data) // 2, len(data) - 1)} == {Fault.TRUNCATED}


def test_an_archive_that_ends_twice_is_refused() -> None:
    """A comment may hold another archive's end, which another reader would believe."""
    target = io.BytesIO(archive())
    with zipfile.ZipFile(target, "a") as made:
        made.comment = b"PK\x05\x06" + bytes(20)
    assert fault(target.getvalue()) is Fault.MALFORMED
    honest = io.BytesIO(archive())
    with zipfile.ZipFile(honest, "a") as made:
        made.comment = b"an honest word"
    assert read(honest.getvalue()) == [BODY]


@pytest.mark.parametrize(
    ("field", "form", "value"),
    [
        (0, "<I", 7),  # no entry
        (8, "<H", 1),  # encrypted
        (10, "<H", 12),  # bzip2
        (20, "<I", 10**6),  # more bytes than there are
        (28, "<H", 65_535),  # a name beyond the directory
        (30, "<H", 65_535),  # extra fields beyond the directory
        (42, "<I", 10**6),  # a header beyond the file
        (42, "<I", 3),  # no header there
        (20, "<I", 0xFFFF_FFFF),  # says that its size is elsewhere, which it is not
    ],
)
def test_an_entry_that_lies_is_refused(field: int, form: str, value: int) -> None:
    """Sizes and positions that do not fit, and packings that are not read."""
    data = archive()
    assert fault(changed(data, directory(data) + field, form, value)) in (Fault.MALFORMED, Fault.TRUNCATED)


@pytest.mark.parametrize("entries", [1, 3, 65_535])
def test_a_wrong_number_of_entries_is_refused(entries: int) -> None:
    """The directory must hold as many as its end says."""
    data = archive()
    assert fault(changed(data, len(data) - 12, "<H", entries)) is Fault.MALFORMED


def test_a_bomb_is_unpacked_to_the_bound_only() -> None:
    """A member that says little and holds much gives its beginning, and says so."""
    data = archive({"x.pkl": bytes(20 * MAX_UNPACKED)}, packed=True)
    assert len(data) < MAX_UNPACKED // 10
    stream = io.BytesIO(data)
    content = open_member(stream, len(data), find_members(stream, len(data), lambda _: True, free)[0], free)
    assert (content.end, content.whole) == (MAX_UNPACKED, False)


def test_a_small_packed_member_is_whole() -> None:
    """Nothing is left of it."""
    data = archive(packed=True)
    stream = io.BytesIO(data)
    member = find_members(stream, len(data), lambda name: name.endswith(b".pkl"), free)[0]
    assert open_member(stream, len(data), member, free).whole


def test_damaged_packed_bytes_are_refused() -> None:
    """Deflate's own errors are the reader's."""
    data = bytearray(archive({"x.pkl": BODY}, packed=True))
    data[30 + 5 : 30 + 9] = b"\xff" * 4
    assert fault(bytes(data)) is Fault.MALFORMED


def test_too_many_members_are_refused() -> None:
    """More than anybody needs."""
    assert fault(archive({f"{i}.pkl": b"N." for i in range(MAX_MEMBERS + 1)})) is Fault.TOO_LARGE
    assert len(read(archive({f"{i}.pkl": b"N." for i in range(MAX_MEMBERS)}))) == MAX_MEMBERS


@given(st.data())
def test_spoiled_archives(data: st.DataObject) -> None:
    """Changed bytes give an answer or a ReaderError."""
    raw = bytearray(archive(packed=data.draw(st.booleans()), zip64=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        assert all(len(body) <= MAX_UNPACKED for body in read(bytes(raw), lambda _: True))
