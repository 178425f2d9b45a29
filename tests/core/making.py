"""Makes snapshots, manifests and cards for the tests of the core, from a few words each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from dxwatchd.core.document_facts import AdapterConfig, Config, Modules, PipelineIndex, WeightIndex
from dxwatchd.core.entries import Entry, Status
from dxwatchd.core.facts import Content, Facts, Fault, Gguf, Pointer, Safetensors, TorchArchive, Unusable
from dxwatchd.core.layouts import find
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.naming import canonical
from dxwatchd.core.proposals import quoted
from dxwatchd.core.readiness import Verdict, judge
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.records import Availability, CardRecord, Published
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Snapshot, Stat, Trouble, join

OLD = 1_000  # nanoseconds: when everything was last touched, unless a test says otherwise
DEVICE = 7


@dataclass(frozen=True)
class File:
    """A file to be seen."""

    facts: Facts | None = None
    size: int = 100
    hole: bool = False
    trouble: Trouble | None = None
    time: int = OLD


@dataclass(frozen=True)
class Folder:
    """A folder to be seen, where a plain dict does not say enough."""

    inside: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None
    time: int = OLD
    changed: int | None = None  # the folder's ctime, where it differs from its mtime


Tree: TypeAlias = Mapping[str, Any]


def snapshot(tree: Tree, *, remote: bool = False) -> Snapshot:
    """A snapshot of nested dicts: a dict or Folder is a folder, a File or bare facts is a file."""
    folders: dict[str, SeenFolder] = {}
    _see("", Folder(tree), folders)
    return Snapshot(folders, frozenset({DEVICE} if remote else ()))


def _see(path: str, folder: Folder, folders: dict[str, SeenFolder]) -> None:
    files: dict[str, SeenFile] = {}
    names: list[str] = []
    for name, what in folder.inside.items():
        place = join(path, name)
        if isinstance(what, Mapping | Folder):
            names.append(name)
            _see(place, what if isinstance(what, Folder) else Folder(what), folders)
            continue
        file = what if isinstance(what, File) else File(what)
        stat = None if file.trouble else Stat(file.size, file.time, file.time, _inode(place), DEVICE)
        files[name] = SeenFile(name, stat, file.facts, file.hole, file.trouble)
    stat = Stat(0, folder.time, folder.changed or folder.time, _inode(path), DEVICE)
    folders[path] = SeenFolder(path, stat, files, tuple(sorted(names)), folder.links, folder.trouble)


def _inode(path: str) -> int:
    return int(hashlib.sha256(path.encode(errors="backslashreplace")).hexdigest()[:8], 16)


def digest(text: str) -> str:
    """A digest as the readers make it."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def config(model_type: str | None = "llama", say: str = "", **more: Any) -> Config:
    return Config(digest(f"config {model_type} {say}"), model_type, **more)


def tensors(say: str = "", size: int = 100, promised: int | None = None, **more: Any) -> File:
    return File(Safetensors(digest(say), size if promised is None else promised, 3), size, **more)


def torch(say: str = "", *, complete: bool = True, **more: Any) -> File:
    return File(TorchArchive(digest(say), "zip", complete), **more)


def gguf(say: str = "", size: int = 96, promised: int | None = None, **more: Any) -> File:
    return File(Gguf(digest(say), size if promised is None else promised, 32, 3, **more), size)


def index(*names: str) -> WeightIndex:
    return WeightIndex(digest(" ".join(names)), tuple(sorted(names)))


def text(say: str = "") -> Content:
    return Content(digest(say))


def modules(*paths: str) -> Modules:
    return Modules(digest(" ".join(paths)), paths)


def pipeline(*components: str) -> PipelineIndex:
    return PipelineIndex(digest(" ".join(components)), "StableDiffusionPipeline", components)


def adapter() -> dict[str, Any]:
    """A PEFT adapter's folder."""
    return {
        "adapter_config.json": AdapterConfig(digest("lora"), "LORA", "org/base"),
        "adapter_model.safetensors": tensors("adapter"),
    }


def llama(say: str = "", /, **more: Any) -> dict[str, Any]:
    """A transformers folder with one weight file."""
    return {"config.json": config(say=say), "model.safetensors": tensors(f"weights {say}"), **more}


def shards(total: int, *, without: tuple[int, ...] = (), stem: str = "model") -> dict[str, Any]:
    """Numbered weight files."""
    return {
        f"{stem}-{number:05d}-of-{total:05d}.safetensors": tensors(f"shard {number}")
        for number in range(1, total + 1)
        if number not in without
    }


def sharded(total: int, *, without: tuple[int, ...] = ()) -> dict[str, Any]:
    """A transformers folder with shards and an index."""
    return {
        "config.json": config(),
        "model.safetensors.index.json": index(*shards(total)),
        **shards(total, without=without),
    }


def empty(name_size: int = 0) -> File:
    return File(Unusable(Fault.EMPTY, "The file is empty."), name_size)


def unusable(fault: Fault, line: int | None = None) -> File:
    return File(Unusable(fault, "It is not what it should be.", line))


def pointer(size: int = 4_000_000_000) -> File:
    return File(Pointer("ab" * 32, size, digest("pointer")), 134)


def only(tree: Tree, path: str = "m") -> tuple[ModelFolder, Snapshot]:
    """The one model at `path`."""
    seen = snapshot(tree)
    return next(model for model in find(seen, propose_checkpoints=True).models if model.path == path), seen


def verdict(inside: Tree | Folder, **others: Any) -> Verdict:
    """The verdict on a folder `m` of this content, beside `others` in the models root."""
    return judge(*only({"m": inside, **others}))


def told(reasons: tuple[Reason, ...]) -> list[tuple[ReasonKind, str]]:
    """Kind and file of each reason."""
    return [(reason.kind, reason.file) for reason in reasons]


def block(**keys: Any) -> str:
    """The text of one entry."""
    lines = [f"{key} = {quoted(value)}" for key, value in keys.items() if value is not None]
    return "\n".join(["[[models]]", *lines, ""])


def named(
    name: str,
    path: str | None = None,
    status: str = "approved",
    model_name: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The keys of an entry."""
    return {
        "status": status,
        "technical_name": name,
        "model_name": name.upper() if model_name is None else model_name,
        "path": name if path is None else path,
        **more,
    }


def manifest(*entries: Mapping[str, Any]) -> Manifest:
    """A manifest of these entries, each of six lines at most."""
    return parse("".join(block(**entry) for entry in entries))


def entry(name: str = "a", path: str | None = None, fingerprint: str | None = None, **more: Any) -> Entry:
    """An approved entry."""
    return Entry(0, Status.APPROVED, name, name.upper(), name if path is None else path, fingerprint, **more)


def card(name: str = "a", path: str | None = None, fingerprint: str = "", **more: Any) -> CardRecord:
    """A published card of what `entry` gives."""
    place = name if path is None else path
    record = CardRecord(
        technical_name=name,
        model_name=name.upper(),
        path=place,
        entry_path=place,
        fingerprint=fingerprint or digest(name),
        approved_fingerprint=None,
        availability=Availability.AVAILABLE,
        revision=1,
    )
    return replace(record, **more)


def published(*cards: CardRecord, **tombstones: int) -> Published:
    return Published({canonical(one.technical_name): one for one in cards}, tombstones)
