"""JSON: read leniently where it is only unusual, refused with a reason where it is broken."""

import contextlib
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.json_document import JsonDocument, as_object, read_json


def read(data: bytes, **options: int) -> JsonDocument:
    """Document of these bytes."""
    return read_json(io.BytesIO(data), **options)


def error_of(data: bytes, **options: int) -> ReaderError:
    """The error that these bytes raise."""
    with pytest.raises(ReaderError) as caught:
        read(data, **options)
    return caught.value


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
documents = st.dictionaries(
    st.text(),
    st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8),
)


@given(documents, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-32-be"]))
def test_reads_what_json_writes_in_every_encoding(value: dict[str, Any], encoding: str) -> None:
    """Any document in any Unicode encoding, with or without a byte order mark, is read without a warning."""
    assert read(json.dumps(value).encode(encoding)) == JsonDocument(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[NaN, 1]", [None, 1]),
        ("[-Infinity]", [None]),
        ("[1e999]", [None]),
        (f"[{'9' * 5000}, -{'9' * 5000}]", [None, None]),
        ('{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
        (r'["\ud800", {"\udfff": 1}]', ["\ufffd", {"\ufffd": 1}]),
    ],
)
def test_reads_the_unusual_with_a_warning(text: str, value: Any) -> None:
    """Numbers that are none become None, the last of duplicate keys wins; each is said."""
    document = read(text.encode())
    assert document.value == value
    assert document.warnings


def test_a_surrogate_pair_is_one_character() -> None:
    """Only halves of pairs are replaced."""
    assert read(rb'["\ud83d\ude00"]') == JsonDocument(["\U0001f600"])


def test_numbers_are_safe_to_calculate_with() -> None:
    """The largest integer that is kept is still a finite float."""
    value = read(b"[" + b"9" * 100 + b"]").value
    assert isinstance(value, list)
    assert isinstance(value[0], int)
    assert math.isfinite(float(value[0]))


def test_warnings_are_bounded() -> None:
    """A file full of oddities gives a few sentences and a count."""
    data = ("{" + ",".join(f'"{number // 2}": 1' for number in range(2000)) + "}").encode()
    assert len(read(data).warnings) == 21
    assert len(read(b"[" + b",".join([b"NaN"] * 1000) + b"]").warnings) == 1


@pytest.mark.parametrize(
    ("data", "fault", "line"),
    [
        (b"", Fault.EMPTY, None),
        (b"\0" * 4096, Fault.TRUNCATED, None),
        (b'{"a": 1}' + b"\0" * 20, Fault.TRUNCATED, None),
        (b"{", Fault.TRUNCATED, 1),
        (b'{\n"a": 1', Fault.TRUNCATED, 2),
        ('{"a": "é'.encode()[:-1], Fault.TRUNCATED, 1),
        (b'{"a": 1}}', Fault.MALFORMED, 1),
        (b'{\n\n"a": 1,}', Fault.MALFORMED, 3),
        (b'{\n// why\n"a": 1}', Fault.MALFORMED, 2),
        (b'{"a": "\xff"}', Fault.MALFORMED, 1),
        (b"<html></html>", Fault.MALFORMED, 1),
        (b"[" * 100_000, Fault.MALFORMED, None),
        (b"[" * 100_000 + b"]" * 100_000, Fault.MALFORMED, None),
        (b'{"a":' * 150 + b"1" + b"}" * 150, Fault.MALFORMED, None),
        (b"[" + b"1," * 4_000_001 + b"1]", Fault.TOO_LARGE, None),
    ],
)
def test_refuses_with_fault_and_line(data: bytes, fault: Fault, line: int | None) -> None:
    """Each way of being broken has its fault, and its line where there is one."""
    error = error_of(data)
    assert (error.fault, error.line) == (fault, line)


def test_says_that_comments_are_not_allowed() -> None:
    """The most common mistake of hand-written files is named."""
    assert "comments" in error_of(b'{\n# why\n"a": 1}').message


def test_accepts_the_allowed_depth() -> None:
    """A hundred levels are read."""
    assert read(b"[" * 100 + b"]" * 100).warnings == ()


def test_limit_is_in_bytes() -> None:
    """A file of exactly the limit is read, one byte more is refused."""
    assert read(b"[1, 2]", limit=6).value == [1, 2]
    assert error_of(b"[1, 2]", limit=5).fault is Fault.TOO_LARGE


@given(documents, st.data())
def test_every_beginning_of_a_document_is_truncated(value: dict[str, Any], data: st.DataObject) -> None:
    """A copy that is under way is never called broken, wherever it stands."""
    text = json.dumps(value).encode()
    cut = data.draw(st.integers(1, len(text) - 1))
    assert error_of(text[:cut]).fault is Fault.TRUNCATED


@given(st.binary())
def test_random_bytes_raise_only_reader_errors(data: bytes) -> None:
    """Nothing else than ReaderError comes out."""
    with contextlib.suppress(ReaderError):
        read(data)


@given(documents, st.data())
def test_mutated_documents_raise_only_reader_errors(value: dict[str, Any], data: st.DataObject) -> None:
    """A changed byte gives another document or a ReaderError."""
    text = bytearray(json.dumps(value).encode())
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        json.dumps(read(bytes(text)).value, allow_nan=False).encode()


@pytest.mark.parametrize("text", ["[]", "null", "3", '"text"'])
def test_as_object_refuses_everything_else(text: str) -> None:
    """A list, null or a scalar is not an object."""
    with pytest.raises(ReaderError) as caught:
        as_object(read(text.encode()))
    assert caught.value.fault is Fault.MALFORMED
