"""Tar archives (.nemo): their end is told by walking from header to header."""

import contextlib
import gzip
import io
import struct
import tarfile
import tracemalloc
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers import tar
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.tar import MAX_PADDING, read_archive
from tests.cost import GROWTH, LINEAR, growth
from tests.readers.judging import Counting, faults_of, from_anywhere

BLOCK = 512
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
FILES = {"model_config.yaml": 700, "model_weights.ckpt": 3000, "empty": 0, "tokenizer.model": 512}
LONG = "a/very/long/" * 12 + "name"  # more than a header's 100 bytes


def archive(form: int = tarfile.PAX_FORMAT, files: dict[str, int] | None = None, mtime: float = 0.5) -> bytes:
    """An archive with a directory and a link besides the files, whose content is not all zeros.

    mtime: not a whole number, so that PAX needs an extended header for each member.
    """
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as made:
        for name, kind in (("folder", tarfile.DIRTYPE), ("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "" if kind == tarfile.DIRTYPE else "empty"
            made.addfile(member)
        for name, length in (FILES if files is None else files).items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = length, mtime
            made.addfile(member, io.BytesIO(b"\x11" * length))
    return target.getvalue()


def true_end(data: bytes) -> int:
    """Where the two blocks of zeros end, in a file whose last member's content is not zeros."""
    return -(-len(data.rstrip(b"\0")) // BLOCK) * BLOCK + 2 * BLOCK


def header(size: bytes | int = 0, kind: bytes = b"0", name: bytes = b"member", at_482: int = 0) -> bytes:
    """A header whose checksum is true, with any bytes as its size."""
    raw = bytearray(BLOCK)
    raw[: len(name)] = name
    raw[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    raw[148:156] = b" " * 8
    raw[156:157] = kind
    raw[257:265] = b"ustar\x0000"
    raw[482] = at_482
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def record(keyword: bytes, value: bytes) -> bytes:
    """A record of an extended header: it begins with its own length."""
    rest = b" " + keyword + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length += 1
    return str(length).encode() + rest


def extended(records: bytes, kind: bytes = b"x") -> bytes:
    """An extended header and its records."""
    return header(len(records), kind) + records + bytes(-len(records) % BLOCK)


read = from_anywhere(read_archive)
fault_of = faults_of(read)


END = bytes(2 * BLOCK)


@pytest.mark.oracle
@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("files", [FILES, {LONG: 9000, "b": 1}, {"größe": 5, "b" * 99: 10_240}, {}])
def test_a_whole_archive_promises_its_size(form: int, files: dict[str, int]) -> None:
    """Whatever tarfile writes, with its members counted as tarfile counts them."""
    if form == tarfile.USTAR_FORMAT:
        files = {name.replace(LONG, "x"): size for name, size in files.items()}
    data = archive(form, files)
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        assert read(data) == (False, len(data), len(opened.getmembers()))


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_every_cut_before_the_padding_promises_more_than_there_is(form: int) -> None:
    """Never more than the end of the two blocks of zeros, and below one block nothing can be told."""
    data = archive(form)
    end = true_end(data)
    assert fault_of(b"") is Fault.EMPTY
    for size in (1, 3, 511):
        assert fault_of(data[:size]) is Fault.TRUNCATED
    for size in range(BLOCK, end):
        promised = read(data[:size]).promised_size
        assert promised is not None
        assert size < promised <= end


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_a_cut_within_the_padding_is_whole(form: int) -> None:
    """The format cannot tell it, as the padding may be of any length; no member is missing."""
    data = archive(form)
    end = true_end(data)
    assert len(data) % 10_240 == 0
    assert end < len(data)
    for size in range(end, len(data) + 1):
        assert read(data[:size]).promised_size == size


@pytest.mark.parametrize(
    ("more", "is_part"),
    [
        (bytes(1), True),
        (bytes(MAX_PADDING), True),
        (bytes(MAX_PADDING + 1), False),
        (b"\1", False),
        (bytes(9000) + b"\1", False),
        (b"\1" + bytes(9000), False),
        (archive(), False),
    ],
)
def test_only_zeros_may_follow(more: bytes, is_part: bool) -> None:
    """Up to 1 MiB of them are a part of the archive; behind anything else the two blocks were its end."""
    data = header(3) + b"abc" + bytes(509) + END
    assert read(data + more).promised_size == len(data) + (len(more) if is_part else 0)


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (b"00000000017\0", 15),
        (b"17 " + bytes(9), 15),
        (b"         17 ", 15),
        (b"17\0junk\xff\xff\xff\xff\xff", 15),
        (b"000000000017", 15),
        (bytes(12), 0),
        (b" " * 12, 0),
        (b"\x80" + (15).to_bytes(11, "big"), 15),
        (b"\x80" + (10**12).to_bytes(11, "big"), 10**12),
        (b"77777777777\0", 8**11 - 1),
        (b"777777777777", 8**12 - 1),
        (b"\x80" + (2**63 - 1).to_bytes(11, "big"), 2**63 - 1),
    ],
)
def test_sizes_in_octal_and_in_binary(size: bytes, length: int) -> None:
    """As the programs wrote them that ever wrote one; a giant one is a promise."""
    data = header(size) + b"\x11" * 15 + bytes(497) + END
    if length == 0:
        data = header(size) + END
    assert read(data).promised_size == BLOCK - (-length // BLOCK) * BLOCK + 2 * BLOCK


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 11 + b"\xf0",
        b"-0000000017\0",
        b"+0000000017\0",
        b"0o000000017\0",
        b"0000_000017\0",
        b"00000000018\0",
        b"17 17" + bytes(7),
        b"\xc0" + bytes(10) + b"\1",
        b"\x81" + bytes(11),
        b"\x80" + b"\xff" * 11,
        b"\x80" + (2**63).to_bytes(11, "big"),
        b"abcdefghijkl",
    ],
)
def test_impossible_sizes_are_malformed(size: bytes) -> None:
    """Negative ones, other digits, and more than any file can have."""
    assert fault_of(header(size) + bytes(BLOCK) + END) is Fault.MALFORMED


@pytest.mark.oracle
@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"0", b"\0", b"7", b"D", b"S", b"Z"])
def test_kinds_without_content_have_none(kind: bytes) -> None:
    """Links, devices, directories and FIFOs, whatever size they say; as tarfile has it."""
    tail = header(5, name=b"last") + b"hello" + bytes(507) + END
    data = header(700, kind) + (b"" if kind in b"123456" else b"\x11" * 1024) + tail
    assert read(data) == (False, len(data), 2)
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        assert [member.name for member in opened.getmembers()] == ["member", "last"]


def test_a_size_in_an_extended_header_counts() -> None:
    """For the next member only, even with a long name between; a global one says nothing of sizes."""
    giant = extended(record(b"path", b"name") + record(b"size", b"1000"))
    global_one = extended(record(b"size", b"4444"), b"g")
    long_name = header(5, b"L") + b"name\0" + bytes(507)
    small = header(3) + b"abc" + bytes(509)
    data = global_one + giant + long_name + header(0) + b"\x11" * 1024 + small + END
    assert read(data) == (False, len(data), 2)
    assert read(extended(record(b"size", b"%d" % 10**12)) + header(0) + END).promised_size == 10**12 + 2560


@pytest.mark.parametrize(
    "records",
    [
        b"no number=1\n",
        b"99 size=1\n",
        b"0 size=1\n",
        b"2 size=1\n",
        b"-9 size=1\n",
        b"9" * 5000,
        b"99999999999999999999 size=1\n",
        record(b"size", b"-1"),
        record(b"size", b"+1"),
        record(b"size", b"1_0"),
        record(b"size", b""),
        record(b"size", b"9" * 19),
        record(b"size", b"9" * 5000),
        record(b"size", "\u0661".encode()),
    ],
)
def test_false_extended_headers_are_malformed(records: bytes) -> None:
    """Lengths that are none and sizes that cannot be."""
    assert fault_of(extended(records) + header(3) + bytes(512) + END) is Fault.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        extended(bytes(MAX_PADDING + 1)) + END,
        extended(b"") * 3 + extended(record(b"comment", b"x" * 1_000_000)) * 70 + END,
    ],
)
def test_extended_headers_are_bounded(data: bytes) -> None:
    """Each, and all of them together."""
    assert fault_of(data) is Fault.TOO_LARGE


def test_many_small_records_take_linear_time() -> None:
    """Records without their sign of equality do not make the reader search the whole header each time."""

    def look(records: int) -> None:
        assert read(extended(b"3 x" * records) + header(0) + END).members == 1

    assert growth(look, 340_000 // GROWTH) < LINEAR


@pytest.mark.parametrize("magic", [b"ustar\x0000", b"ustar  \0", bytes(8)])
@pytest.mark.parametrize("signed", [False, True])
def test_checksums_of_all_programs_are_read(magic: bytes, signed: bool) -> None:
    """POSIX, GNU and the time before; some added bytes beyond ASCII up as negative ones."""
    raw = bytearray(header(3, name="größe".encode()))
    raw[257:265] = magic
    raw[148:156] = b" " * 8
    total = sum(struct.unpack("512b", raw)) if signed else sum(raw)
    raw[148:156] = b"%06o\0 " % total
    assert read(bytes(raw) + b"abc" + bytes(509) + END).members == 1


@pytest.mark.parametrize(
    "data",
    [
        b"<html>" + b" " * 1000,
        b"PK\x03\x04" + bytes(1000),
        b"\x80\x02" + bytes(1000),
        b"1" * 1024,
        b"\xff" * 1024,
        header(3)[:-1] + b"x" + END,
        header(3) + b"abc" + bytes(509) + b"not a header" * 100,
        header(3) + b"abc" + bytes(509) + bytes(BLOCK) + header(0) + END,
        b"\x1f\x8a" + bytes(1000),
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """Other formats, false checksums, and something else in the place of a member."""
    assert fault_of(data) is Fault.MALFORMED


@pytest.mark.parametrize("size", [512, 1024, 10_240, 3_000_000])
def test_zeros_alone_are_truncated(size: int) -> None:
    """An archive without a member is no model: this is a file that is not written yet."""
    assert fault_of(bytes(size)) is Fault.TRUNCATED


PACKED = gzip.compress(archive(), mtime=0)


@pytest.mark.parametrize("data", [PACKED, PACKED[:-9], PACKED[:2]], ids=["whole", "cut off", "begun"])
def test_a_compressed_archive_does_not_tell_its_end(data: bytes) -> None:
    """Whole or cut off: only unpacking would tell."""
    assert read(data) == (True, None, 0)


def test_the_end_of_a_long_sparse_map_is_not_told() -> None:
    """GNU's old map of holes goes on in blocks that no size counts."""
    assert read(header(512, b"S", at_482=1) + bytes(2000)) == (False, None, 0)


@pytest.mark.oracle
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_members_beyond_8_gib(form: Literal[1, 2], tmp_path: Path) -> None:
    """Their size stands in binary or in an extended header; nothing of their content is read."""
    path = tmp_path / "model.nemo"
    member = tarfile.TarInfo("model_weights.ckpt")
    member.size = 50 * 2**30 + 1
    with path.open("wb") as made:
        made.write(archive(form)[: true_end(archive(form)) - 2 * BLOCK])
        made.write(member.tobuf(form))
        made.seek(member.size + 511, io.SEEK_CUR)
        made.write(header(0, name=b"last") + END)
        size = made.tell()
    with Counting(path) as stream:
        assert read_archive(stream, size) == (False, size, 3 + len(FILES) + 2)
        assert stream.count < size // 1000
        assert (read_archive(stream, size - 2048).promised_size or 0) > size - 2048
    with tarfile.open(path) as opened:
        assert opened.getmembers()[-2].size == member.size


def test_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many headers as the bound are read, whatever their kind; one more is not."""
    monkeypatch.setattr(tar, "MAX_MEMBERS", 300)
    assert read(header(0) * 299 + END).members == 299
    assert fault_of(header(0) * 300 + END) is Fault.TOO_LARGE
    assert fault_of(header(0, b"L") * 301) is Fault.TOO_LARGE


def test_little_memory_is_taken() -> None:
    """The longest padding and the longest extended header are the most that is held at once."""
    data = extended(record(b"comment", b"x" * 1_000_000)) + header(0) + END + bytes(MAX_PADDING)
    tracemalloc.start()
    try:
        assert read(data).promised_size == len(data)
        assert tracemalloc.get_traced_memory()[1] < len(data) + 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_stream_shorter_than_its_size_is_truncated() -> None:
    """A file that shrinks while it is read ends in the reader's own error."""
    data = archive()
    with pytest.raises(ReaderError) as caught:
        read_archive(io.BytesIO(data[:600]), len(data))
    assert caught.value.fault is Fault.TRUNCATED


@given(st.binary(max_size=1500), st.sampled_from([b"", header(0), header(1, b"x"), header(700)]))
def test_random_bytes_raise_only_reader_errors(data: bytes, head: bytes) -> None:
    """Nothing else than ReaderError comes out."""
    with contextlib.suppress(ReaderError):
        assert read(head + data).promised_size != 0


@given(st.data(), st.sampled_from(sorted(FORMATS.values())))
def test_mutated_files_raise_only_reader_errors(data: st.DataObject, form: int) -> None:
    """Bytes changed anywhere in a true file, with the checksums made true again, and a cut behind them."""
    raw = bytearray(archive(form))
    for _ in range(data.draw(st.integers(1, 4))):
        block = BLOCK * data.draw(st.integers(0, len(raw) // BLOCK - 1))
        raw[block + data.draw(st.integers(0, BLOCK - 1))] = data.draw(st.integers(0, 255))
        if raw[block + 257 : block + 262] == b"ustar":
            raw[block + 148 : block + 156] = b" " * 8
            raw[block + 148 : block + 156] = b"%06o\0 " % sum(raw[block : block + BLOCK])
    with contextlib.suppress(ReaderError):
        assert read(bytes(raw[: data.draw(st.integers(0, len(raw)))])).promised_size != 0


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)


@pytest.mark.oracle
@given(st.dictionaries(NAMES, st.integers(0, 3000), max_size=6), st.booleans(), st.data())
def test_no_cut_of_any_archive_is_whole(files: dict[str, int], pax: bool, data: st.DataObject) -> None:
    """For members of any name and size, wherever the cut is but within the final padding."""
    raw = archive(tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT, {**files, "last": 1}, mtime=1.25)
    with tarfile.open(fileobj=io.BytesIO(raw)) as opened:
        assert read(raw) == (False, len(raw), len(opened.getmembers()))
    size = data.draw(st.integers(BLOCK, true_end(raw) - 1))
    assert (read(raw[:size]).promised_size or 0) > size
