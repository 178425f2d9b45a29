"""Files that another file names, and how large they must be: external data, shards, checklists, ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dxwatchd.core.document_facts import Config, Document, FileList, ShardTable
from dxwatchd.core.facts import Onnx, OpenVino, Pointer
from dxwatchd.core.file_checks import missing, size_reasons
from dxwatchd.core.reasons import Reason
from dxwatchd.core.snapshot import SeenFile, join, parent


@dataclass(frozen=True, slots=True)
class Named:
    """A file that must be there. by: the file that names it; least, most: its size in bytes, where told."""

    name: str
    by: str
    least: int = 0
    most: int | None = None


def named_files(files: Mapping[str, SeenFile]) -> Iterator[Named]:
    """Every file that one of `files` names, both relative to the model."""
    for name, file in files.items():
        named_by = _NAMED_BY.get(type(file.facts))
        if named_by is not None:
            yield from named_by(name, parent(name), file.facts)


def _external_data(name: str, here: str, facts: Onnx) -> Iterator[Named]:
    for other, least in zip(facts.names, facts.sizes, strict=True):
        yield Named(join(here, other), name, least)


def _shards(name: str, here: str, facts: ShardTable) -> Iterator[Named]:
    for other, size in zip(facts.names, facts.sizes, strict=True):
        yield Named(join(here, other), name, size, size)


def _openvino_data(name: str, _: str, facts: OpenVino) -> Iterator[Named]:
    yield Named(f"{name.removesuffix('.xml')}.bin", name, facts.data_size)


def _checked(name: str, here: str, facts: FileList) -> Iterator[Named]:
    yield from (Named(join(here, other), name) for other in facts.names)


def _document(name: str, here: str, facts: Document) -> Iterator[Named]:
    yield from (Named(join(here, other), name) for other in facts.files)
    if name.endswith(".onnx.json"):  # a Piper voice
        yield Named(name.removesuffix(".json"), name)


def _ranks(name: str, here: str, facts: Config) -> Iterator[Named]:
    suffix = ".engine" if "build_config" in facts.marks else ".safetensors"
    yield from (Named(join(here, f"rank{rank}{suffix}"), name) for rank in range(facts.world_size or 0))


_NAMED_BY: dict[type[Any], Callable[[str, str, Any], Iterator[Named]]] = {
    Onnx: _external_data,
    ShardTable: _shards,
    OpenVino: _openvino_data,
    FileList: _checked,
    Document: _document,
    Config: _ranks,
}
"""By what kind of facts name files: the file's name, its folder and its facts → the files it names."""


def unkept_names(files: Mapping[str, SeenFile]) -> Iterator[Reason]:
    """What is wrong with the files that others name: not there, or not as large as they must be."""
    for named in named_files(files):
        file = files.get(named.name)
        if file is None:
            yield missing(named.name, f"by {named.by}")
        elif file.stat is not None and not isinstance(file.facts, Pointer):
            yield from size_reasons(named.name, file.stat.size, named.least, named.most, named.by)
