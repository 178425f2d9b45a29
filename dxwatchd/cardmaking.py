"""From a model folder to its card: the readers read, `card` makes. Nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import structlog

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import (
    CardInputs,
    GgufMetadata,
    Identity,
    TensorInfo,
    wanted_documents,
    wanted_texts,
)
from dxwatchd.core.facts import Fault
from dxwatchd.core.filenames import README, is_documentation
from dxwatchd.core.model import Kind, ModelFolder, WeightFormat, WeightSet
from dxwatchd.core.snapshot import basename
from dxwatchd.core.text import printable
from dxwatchd.log import Key
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.front_matter import FrontMatter, read_front_matter
from dxwatchd.readers.gguf import GgufHeader
from dxwatchd.readers.gguf import read_header as read_gguf
from dxwatchd.readers.json_document import read_json
from dxwatchd.readers.opening import open_inside
from dxwatchd.readers.pickle_files import read_folder
from dxwatchd.readers.probe import is_probed
from dxwatchd.readers.reading import bytes_left, read_up_to
from dxwatchd.readers.safetensors import Tensor
from dxwatchd.readers.safetensors import read_header as read_safetensors

log = structlog.get_logger()

MAX_TEXT = 2**20
"""Bytes of a chat template."""
MAX_DOCUMENTS = 16 * 2**20
"""Bytes of all JSON documents of a folder together, which are in memory at once; real ones have 2 MB."""
_TOO_MANY = "With it the folder's JSON files have more than {:,} bytes together, so it was not read."
MAX_HEADERS = 512 * 2**20
"""Bytes of the headers of all weight files that are counted; the largest open models have 20 MB."""
MAX_TENSORS = 1_000_000
"""Of all weight files that are counted; the largest open models have 200,000."""


class Unreadable(Exception):  # noqa: N818 - a state of affairs: the card is made when it is over
    """A file that was readable when its folder was judged is not any more. place: its path below the root."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


def make_card(root: Path, model: ModelFolder, identity: Identity) -> Card:
    """Read the folder and make its card.

    What cannot be read becomes a warning in the card: whether the folder is whole was judged before.
    """
    return build_card(read_inputs(root, model), identity)


def try_card(root: Path, model: ModelFolder, identity: Identity) -> Card | None:
    """The card, or None where making it fails for a reason that nobody foresaw.

    One folder with content that nobody thought of must not stop all others; the log has the whole error.
    Raises Unreadable: a card from half of a model would stay.
    """
    try:
        reading = _Reading(root, model)
        inputs = _inputs(reading)
        if reading.refused:
            raise Unreadable(f"{model.path}/{reading.refused[0]}")
        return build_card(inputs, identity)
    except Unreadable:
        raise
    except Exception:
        log.exception("no card can be made of this folder", **{Key.PATH: printable(model.path)})
        return None


def read_inputs(root: Path, model: ModelFolder) -> CardInputs:
    """Everything that a card is made from, read from the folder below `root`."""
    return _inputs(_Reading(root, model))


def _inputs(reading: _Reading) -> CardInputs:
    model = reading.model
    documents = {}
    for name in wanted_documents(model):
        document = reading.document(name)
        if document is not None:
            documents[name] = document
    texts = {}
    for name in wanted_texts(model):
        text = reading.text(name)
        if text is not None:
            texts[name] = text
    front = reading.front_matter()
    reading.weights()
    return CardInputs(
        model=model,
        documents=documents,
        texts=texts,
        front_matter=front.fields,
        readme_sections=front.sections,
        tensors=reading.tensors,
        gguf_metadata=reading.gguf_metadata,
        gguf_arrays=reading.gguf_arrays,
        pickles=read_folder(reading.open, (file.name for file in model.files)),
        gguf_lists=reading.gguf_lists,
        warnings=tuple(reading.warnings),
    )


@dataclass(slots=True)
class _Reading:
    """Reads one folder's files; notes as warnings what could not be read.

    refused: names of files that the operating system did not give though it must have when they were judged.
    """

    root: Path
    model: ModelFolder
    warnings: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tensors: dict[str, tuple[TensorInfo, ...]] = field(default_factory=dict)
    gguf_metadata: GgufMetadata = field(default_factory=dict)
    gguf_arrays: dict[str, int] = field(default_factory=dict)
    gguf_lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    documents_left: int = field(default_factory=lambda: MAX_DOCUMENTS)
    headers_left: int = field(default_factory=lambda: MAX_HEADERS)
    tensors_left: int = field(default_factory=lambda: MAX_TENSORS)

    def open(self, name: str) -> BinaryIO:
        return open_inside(self.root, f"{self.model.path}/{name}")

    def note(self, name: str, error: ReaderError | OSError, told: str) -> None:
        self.warnings.append(f"{name}: {told}")
        passing = isinstance(error, OSError) or error.fault in (Fault.UNREADABLE, Fault.CHANGED)
        if passing and is_probed(f"{self.model.path}/{name}") and not is_documentation(basename(name)):
            self.refused.append(name)

    def document(self, name: str) -> object:
        try:
            with self.open(name) as stream:
                size = bytes_left(stream)
                if size > self.documents_left:
                    raise ReaderError(Fault.TOO_LARGE, _TOO_MANY.format(MAX_DOCUMENTS))
                document = read_json(stream)
        except ReaderError as error:
            self.note(name, error, error.message)
            return None
        self.documents_left -= size
        self.warnings.extend(f"{name}: {warning}" for warning in document.warnings)
        return document.value

    def text(self, name: str) -> str | None:
        try:
            with self.open(name) as stream:
                size = bytes_left(stream)
                data = read_up_to(stream, min(size, MAX_TEXT))
        except ReaderError as error:
            self.note(name, error, str(error))
            return None
        if size > MAX_TEXT:
            self.warnings.append(f"{name}: larger than {MAX_TEXT:,} bytes, not read")
            return None
        return data.decode(errors="surrogateescape")  # so that its digest is that of its bytes

    def front_matter(self) -> FrontMatter:
        if not any(file.name == README for file in self.model.files):
            return FrontMatter()
        try:
            with self.open(README) as stream:
                front = read_front_matter(stream)
        except ReaderError as error:
            self.warnings.append(f"{README}: {error.message}")
            return FrontMatter()
        self.warnings.extend(f"{README}: {warning}" for warning in front.warnings)
        return front

    def weights(self) -> None:
        """The headers of the primary weights; of a pipeline those of every component.

        One header that cannot be read leaves none: a count of some of the tensors would look like all.
        """
        primary = [weights for weights in self.model.weight_sets if weights.primary]
        if self.model.kind is not Kind.PIPELINE:
            primary = primary[:1]
        for weights in primary:
            for name in weights.files:
                if not self._header(weights, name):
                    self.tensors.clear()
                    return

    def _header(self, weights: WeightSet, name: str) -> bool:
        try:
            with self.open(name) as stream:
                size = bytes_left(stream)
                if weights.format is WeightFormat.SAFETENSORS:
                    header = read_safetensors(stream, size)
                    self.tensors[name] = header.tensors
                    self.headers_left -= header.header_length
                elif weights.format is WeightFormat.GGUF:
                    table = read_gguf(stream, size)
                    self._gguf(name, table)
                    self.headers_left -= table.header_length
                self.tensors_left -= len(self.tensors.get(name, ()))
        except (ReaderError, OSError) as error:
            self.note(name, error, str(error))
            return False
        fits = min(self.tensors_left, self.headers_left) >= 0
        if not fits:
            most = f"{MAX_TENSORS:,} tensors or {MAX_HEADERS:,} bytes of headers"
            self.warnings.append(f"{name}: with it there are more than {most}: not counted")
        return fits

    def _gguf(self, name: str, header: GgufHeader) -> None:
        self.tensors[name] = tuple(
            Tensor(tensor.name, tensor.type_name, tensor.shape, tensor.nbytes) for tensor in header.tensors
        )
        if not self.gguf_metadata:  # a split set tells of the model in its first file
            self.gguf_metadata = header.metadata
            self.gguf_arrays = {key: array.length for key, array in header.arrays.items()}
            self.gguf_lists = {
                key: tuple(map(str, array.values))
                for key, array in header.arrays.items()
                if array.type_name == "string" and array.values is not None
            }
