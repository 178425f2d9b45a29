"""What weight files say of themselves, reduced to facts."""

from __future__ import annotations

from typing import BinaryIO

from dxwatchd.core import facts
from dxwatchd.core.facts import Facts, Fault
from dxwatchd.readers import gguf, identity, safetensors, torch_archive
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_up_to, seek_to

HEAD = 4096  # bytes of a weight file that must not all be zero
MAX_TEXT = 200  # characters of a string that becomes a fact


def refuse_zeros(stream: BinaryIO, *positions: int) -> None:
    """Raises ReaderError: TRUNCATED where there are only zeros at all `positions`, in bytes.

    This is how a preallocated file looks before it is written. Leaves the stream at its start.
    """
    for position in positions:
        seek_to(stream, position)
        if read_up_to(stream, HEAD).strip(b"\0"):
            break
    else:
        message = "The file is filled with zeros: allocated, but not yet written."
        raise ReaderError(Fault.TRUNCATED, message)
    seek_to(stream, 0)


def safetensors_facts(stream: BinaryIO, size: int) -> Facts:
    """Of a safetensors file. Raises ReaderError."""
    refuse_zeros(stream, 0)
    header = safetensors.read_header(stream, size)
    return facts.Safetensors(
        digest=identity.weights_digest(stream, size, 8 + header.header_length),
        promised_size=header.promised_size,
        tensors=len(header.tensors),
        metadata_format=_text(header.metadata.get("format")),
    )


def gguf_facts(stream: BinaryIO, size: int) -> Facts:
    """Of a GGUF file. Raises ReaderError."""
    refuse_zeros(stream, 0)
    header = gguf.read_header(stream, size)
    return facts.Gguf(
        digest=identity.weights_digest(stream, size, header.header_length),
        promised_size=header.promised_size,
        alignment=header.alignment,
        tensors=len(header.tensors),
        architecture=_text(header.metadata.get("general.architecture")),
        name=_text(header.metadata.get("general.name")),
        split_no=_count(header.metadata.get("split.no")),
        split_count=_count(header.metadata.get("split.count")),
        type=_text(header.metadata.get("general.type")),
    )


def torch_facts(stream: BinaryIO, size: int) -> Facts:
    """Of a file that only `torch.save` can have written. Raises ReaderError."""
    refuse_zeros(stream, 0)
    container, complete = torch_archive.read_archive(stream, size)
    return facts.TorchArchive(identity.content_digest(stream, size), container, complete)


def torch_or_other_facts(stream: BinaryIO, size: int) -> Facts:
    """Of a `.bin`, which is anybody's: OpenVINO, CTranslate2 and whisper.cpp name weights so as well.

    Raises ReaderError.
    """
    try:
        container, complete = torch_archive.read_archive(stream, size)
    except ReaderError as error:
        if error.fault is not Fault.MALFORMED:
            raise
        return opaque_facts(stream, size)
    return facts.TorchArchive(identity.content_digest(stream, size), container, complete)


def zip_facts(stream: BinaryIO, size: int) -> Facts:
    """Of a zip archive that torch did not write. Raises ReaderError."""
    found = torch_facts(stream, size)
    if not isinstance(found, facts.TorchArchive) or found.container != "zip":
        raise ReaderError(Fault.MALFORMED, "This is not a zip archive.")
    return found


def opaque_facts(stream: BinaryIO, size: int) -> Facts:
    """Of weights in a format that is not read. Raises ReaderError."""
    # Raw weights may well begin with zeros, so more than the beginning is looked at.
    refuse_zeros(stream, 0, size // 2, max(0, size - HEAD))
    return facts.Opaque(identity.content_digest(stream, size))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
