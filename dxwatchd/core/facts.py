"""What reading one file told: small values that wholeness, ownership and identity are judged by.

The readers make them, the scan keeps them beside the file's stat, and the rest of `core` reads nothing
else of a file's content. Every value is a plain one (strings, integers, tuples of these), so that a cache
can hold it as JSON.

`digest` stands in every class for the content's identity: equal content gives an equal digest whatever
the file's name, times and place (see `readers.identity` for what it covers in large files).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, get_args

from dxwatchd.core.document_facts import (
    AdapterConfig,
    Config,
    Document,
    FileList,
    HubMetadata,
    Modules,
    PipelineIndex,
    Readme,
    Ref,
    ShardTable,
    WeightIndex,
)


class Fault(StrEnum):
    """Why a file's content cannot be used."""

    EMPTY = "empty"  # no bytes at all: a copy that has only just begun
    TRUNCATED = "truncated"  # ends before what its own header promises can be read
    MALFORMED = "malformed"  # all bytes are there, but they are not what the format demands
    TOO_LARGE = "too_large"  # beyond the bound that this reader accepts
    UNREADABLE = "unreadable"  # the operating system refused
    CHANGED = "changed"  # not the file any more that the listing saw


@dataclass(frozen=True, slots=True)
class Unusable:
    """The reader's own error as a value.

    fault: what kind of error; message: one sentence for a person; line: 1-based, for text formats.
    """

    fault: Fault
    message: str
    line: int | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Pointer:
    """A git-LFS pointer that stands where a large file should be.

    oid: SHA-256 of the absent file, hexadecimal; size: its size in bytes.
    Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    """

    oid: str
    size: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A file that only matters by its identity: tokenizer files, vocabularies, templates."""

    digest: str


@dataclass(frozen=True, slots=True)
class Safetensors:
    """A safetensors header.

    promised_size: the exact size in bytes of a whole file, `8 + header length + end of the last tensor`;
    tensors: how many it names; metadata_format: `__metadata__.format` ("pt", "mlx", ...).
    Source: https://github.com/huggingface/safetensors#format
    """

    digest: str
    promised_size: int
    tensors: int
    metadata_format: str | None = None


@dataclass(frozen=True, slots=True)
class Gguf:
    """A GGUF header.

    promised_size: the size in bytes up to the end of the last tensor's data (a whole file may be padded
    beyond it up to the next multiple of the alignment); alignment: `general.alignment`, 32 by default;
    architecture, name, type: `general.architecture`, `general.name`, `general.type`; split_no, split_count:
    `split.no` (0-based) and `split.count` of a file that is one of several.
    Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """

    digest: str
    promised_size: int
    alignment: int
    tensors: int
    architecture: str | None = None
    name: str | None = None
    split_no: int | None = None
    split_count: int | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class TorchArchive:
    """A file that `torch.save` wrote.

    container: "zip" (PyTorch 1.6 and later) or "pickle" (older: nothing in it tells its size);
    complete: for a zip, whether the end-of-central-directory record is there and points into the file.
    """

    digest: str
    container: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Sized:
    """Weights in a format whose own structure tells where the file ends.

    form: the format, as a person knows it ("HDF5", "CTranslate2", ...); promised_size: where it ends, in
    bytes; exact: whether the file must end there (else it may go on); tensors: how many it holds, where told.
    """

    digest: str
    form: str
    promised_size: int
    exact: bool = True
    tensors: int | None = None


@dataclass(frozen=True, slots=True)
class Onnx:
    """An ONNX model.

    promised_size: where it ends, in bytes; names, sizes: the files that hold its external data, and how many
    bytes each must have at least.
    Source: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
    """

    digest: str
    promised_size: int
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenVino:
    """The XML of an OpenVINO model. data_size: bytes that the `.bin` of the same stem must have at least."""

    digest: str
    data_size: int


@dataclass(frozen=True, slots=True)
class Hollow:
    """Weights of which only the first bytes were ever written, in a format that proves itself at its end.

    This is how a file looks that was preallocated a moment ago.
    """

    digest: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """Weights in a format without a readable size: only the identity is known."""

    digest: str


Facts = (
    Unusable
    | Pointer
    | Content
    | Config
    | AdapterConfig
    | Modules
    | PipelineIndex
    | WeightIndex
    | Document
    | ShardTable
    | FileList
    | Readme
    | Ref
    | HubMetadata
    | Safetensors
    | Gguf
    | TorchArchive
    | Sized
    | Onnx
    | OpenVino
    | Hollow
    | Opaque
)

FACT_TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Facts)}


def to_plain(facts: Facts) -> list[Any]:
    """Facts as a JSON-ready list: the class name, then its fields in order."""
    return [type(facts).__name__, *(getattr(facts, field.name) for field in fields(facts))]


def from_plain(plain: list[Any]) -> Facts:
    """The inverse of `to_plain`.

    Raises ValueError, TypeError, KeyError or IndexError where the list is not one that `to_plain` made.
    """
    kind = FACT_TYPES[plain[0]]
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in plain[1:]]
    if kind is Unusable:
        values[0] = Fault(values[0])
    made: Facts = kind(*values)
    return made
