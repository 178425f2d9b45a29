"""Digests: equal for equal bytes, different for what happens to model files."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.identity import SAMPLE, SAMPLES, WHOLE, content_digest, weights_digest

LARGE = bytes(range(256)) * 20_000  # 5.12 MB, above the bound


def content(data: bytes) -> str:
    """Digest of these bytes."""
    return content_digest(io.BytesIO(data), len(data))


def weights(data: bytes, header: int) -> str:
    """Digest of these bytes as a weight file's."""
    return weights_digest(io.BytesIO(data), len(data), header)


def changed(data: bytes, position: int) -> bytes:
    """The same with one bit turned."""
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_small_files_are_equal_only_if_their_bytes_are(one: bytes, other: bytes) -> None:
    """A digest says nothing but the content."""
    assert (content(one) == content(other)) == (one == other)
    assert content(one).startswith("sha256:")
    assert len(content(one)) == 7 + 64


@pytest.mark.parametrize("position", [0, WHOLE // 3, WHOLE - 1])
def test_every_byte_counts_up_to_the_bound(position: int) -> None:
    """A file of exactly the bound is hashed whole, also as a weight file."""
    data = LARGE[:WHOLE]
    assert content(changed(data, position)) != content(data)
    assert weights(changed(data, position), 100) != weights(data, 100)


def test_whole_can_be_asked_for() -> None:
    """With a higher bound every byte of a large file counts."""
    other = changed(LARGE, 2_000_000)
    assert content(other) == content(LARGE)  # between two samples
    digests = {content_digest(io.BytesIO(data), len(data), whole=len(data)) for data in (LARGE, other)}
    assert len(digests) == 2


@pytest.mark.parametrize("position", [0, SAMPLE - 1, len(LARGE) - SAMPLE, len(LARGE) - 1])
def test_both_ends_of_large_files_count(position: int) -> None:
    """The first and the last sample lie at the ends."""
    assert content(changed(LARGE, position)) != content(LARGE)


def test_size_counts() -> None:
    """Zeros of one length are not zeros of another."""
    assert content(bytes(2 * WHOLE)) != content(bytes(2 * WHOLE + 1))


def test_headers_count_in_full() -> None:
    """Every byte of a weight file's header counts, and both ends of its body."""
    header = 1_000_000
    digest = weights(LARGE, header)
    for position in (0, 123_457, header - 1, header, len(LARGE) - 1):
        assert weights(changed(LARGE, position), header) != digest


def test_a_retraining_in_place_shows() -> None:
    """The same header with other weights has another digest, wherever a part of the layers was changed."""
    header = 1000
    part = (len(LARGE) - header) // (SAMPLES - 2)
    for number in range(SAMPLES - 2):
        start = header + number * part
        other = (
            LARGE[:start] + bytes(byte ^ 255 for byte in LARGE[start : start + part]) + LARGE[start + part :]
        )
        assert weights(other, header) != weights(LARGE, header)


def test_sparse_and_full_copies_are_equal(tmp_path: Path) -> None:
    """Holes are zeros."""
    size = 3 * WHOLE
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(size)
    (tmp_path / "full").write_bytes(bytes(size))
    with (tmp_path / "sparse").open("rb") as sparse, (tmp_path / "full").open("rb") as full:
        assert content_digest(sparse, size) == content_digest(full, size)


def test_a_file_that_shrinks_is_changed() -> None:
    """Fewer bytes than the size says are CHANGED, never a digest."""
    for size in (101, 3 * WHOLE):
        with pytest.raises(ReaderError) as caught:
            content_digest(io.BytesIO(bytes(100)), size)
        assert caught.value.fault is Fault.CHANGED


def test_digests_stay_what_they_are() -> None:
    """A change of the rule must be meant: it makes every approved model look changed."""
    assert content(b"abc") == "sha256:eaec655d6c9efc1662f239779d296dce053308261501c40b3937a0b8ed8375ec"
    assert content(LARGE) == "sha256:de0518b1d3855848837d3b02fe3759f58039437289b38c919f7a02043045e691"
    assert weights(LARGE, 1000) == "sha256:1986115739b52a8c7abf6f4a75e91e75caa2de32b988afb5f1008f4c1bc02d68"
