"""What the JSON files of a model folder say, reduced to facts.

Whatever a fact holds is bounded and of the type it should be; what is not is left out, since nobody can
act on it. Names of files are stricter: one that could lead elsewhere makes the whole file unusable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from dxwatchd.core.document_facts import (
    CONFIG_MARKS,
    DOCUMENT_MARKS,
    AdapterConfig,
    Config,
    Document,
    Modules,
    PipelineIndex,
    ShardTable,
    WeightIndex,
)
from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.file_names import is_plain
from dxwatchd.readers.json_document import JsonDocument, JsonValue, as_object

MAX_TEXT = 200  # characters of a string that becomes a fact
MAX_ARCHITECTURES = 64
MAX_NAMES = 1_000_000  # entries of a weight map
MAX_RANKS = 4096
MAX_NAMED = 3  # bad names that a message quotes


def config(document: JsonDocument, digest: str) -> Config:
    """Of `config.json`. Raises ReaderError: MALFORMED."""
    table = as_object(document)
    names = table.get("architectures")
    texts = (_text(name) for name in names) if isinstance(names, list) else ()
    return Config(
        digest=digest,
        model_type=_text(table.get("model_type")),
        architectures=tuple(text for text in texts if text)[:MAX_ARCHITECTURES],
        name_or_path=_text(table.get("_name_or_path")),
        marks=tuple(mark for mark in CONFIG_MARKS if _is_marked(table, mark)),
        quant_method=_text(_inner(table, "quantization_config").get("quant_method")),
        architecture=_text(table.get("architecture")),
        world_size=_world_size(table),
        code_files=_code_files(table.get("auto_map")),
    )


def _is_marked(table: Mapping[str, JsonValue], mark: str) -> bool:
    """Whether a key is there as its format has it: others use some of these words for strings."""
    value = table.get(mark)
    if mark in _OF_ANY_KIND:
        return mark in table
    return isinstance(value, dict) and _WANTED_INSIDE.get(mark, set()) <= value.keys()


_OF_ANY_KIND = ("add_source_bos", "lang_ids")
_WANTED_INSIDE = {"quantization": {"group_size", "bits"}, "mapping": {"world_size"}}


def _inner(table: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _world_size(table: Mapping[str, JsonValue]) -> int | None:
    """How many ranks TensorRT-LLM wrote the model for."""
    built = _inner(table, "pretrained_config")
    size = (_inner(built, "mapping") or _inner(table, "mapping")).get("world_size")
    plausible = isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= MAX_RANKS
    return size if plausible and isinstance(size, int) else None


def _code_files(auto_map: JsonValue) -> tuple[str, ...]:
    """`configuration_x.py` of `configuration_x.XConfig`; `org/name--…` lies in another folder."""
    values = auto_map.values() if isinstance(auto_map, dict) else ()
    flat = chain.from_iterable(value if isinstance(value, list) else [value] for value in values)
    named = (value.partition(".")[0] for value in flat if isinstance(value, str) and "--" not in value)
    modules = {module for module in named if module.isidentifier() and len(module) <= MAX_TEXT}
    return tuple(f"{module}.py" for module in sorted(modules)[:MAX_ARCHITECTURES])


def document(document: JsonDocument, digest: str) -> Document:
    """Of any JSON file that a layout is known by. Raises ReaderError: MALFORMED."""
    table = as_object(document)
    return Document(digest, tuple(key for key in DOCUMENT_MARKS if key in table))


def genai_config(document: JsonDocument, digest: str) -> Document:
    """Of `genai_config.json`: every value of a key `filename` names a file. Raises ReaderError: MALFORMED."""
    table = as_object(document)
    names: set[str] = set()
    waiting: list[JsonValue] = [table]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = value.get("filename")
            if isinstance(name, str) and name:
                names.add(name)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    _check_names(names)
    return Document(digest, tuple(key for key in DOCUMENT_MARKS if key in table), tuple(sorted(names)))


def shard_table(document: JsonDocument, digest: str) -> ShardTable:
    """Of MLC's table: `records`, each with `dataPath` and `nbytes`. Raises ReaderError: MALFORMED."""
    records = as_object(document).get("records")
    if not isinstance(records, list) or not records:
        raise ReaderError(Fault.MALFORMED, "The table has no 'records' that name any file.")
    sizes: dict[str, int] = {}
    for record in records:
        name = record.get("dataPath") if isinstance(record, dict) else None
        size = _size(record.get("nbytes")) if isinstance(record, dict) else None
        if not isinstance(name, str) or size is None:
            raise ReaderError(Fault.MALFORMED, "Each record must have a 'dataPath' and its 'nbytes'.")
        sizes[name] = size
    names = sorted(sizes)
    _check_names(names)
    return ShardTable(digest, tuple(names), tuple(sizes[name] for name in names))


def adapter_config(document: JsonDocument, digest: str) -> AdapterConfig:
    """Of `adapter_config.json`. Raises ReaderError: MALFORMED."""
    table = as_object(document)
    return AdapterConfig(
        digest=digest,
        peft_type=_text(table.get("peft_type")),
        base_model_name_or_path=_text(table.get("base_model_name_or_path")),
    )


def modules(document: JsonDocument, digest: str) -> Modules:
    """Of `modules.json`: a list of objects with `path`. Raises ReaderError: MALFORMED."""
    if not isinstance(document.value, list):
        raise ReaderError(Fault.MALFORMED, "The JSON must be a list of modules.", 1)
    paths = []
    for module in document.value:
        path = module.get("path") if isinstance(module, dict) else None
        if not isinstance(path, str):
            raise ReaderError(Fault.MALFORMED, "Each module must be an object with a 'path'.")
        paths.append(path)
    _check_names(path for path in paths if path)  # "" is the folder itself
    return Modules(digest=digest, paths=tuple(paths))


def pipeline_index(document: JsonDocument, digest: str) -> PipelineIndex:
    """Of `model_index.json`. Raises ReaderError: MALFORMED.

    A component's value is [library, class]; [null, null] stands for one that the pipeline does without. Of a
    pipeline of the folder's own code `_class_name` is [module, class].
    """
    table = as_object(document)
    components = tuple(
        name
        for name, value in table.items()
        if not name.startswith("_")
        and isinstance(value, list)
        and len(value) == 2
        and all(isinstance(item, str) for item in value)
    )
    _check_names(components, parts=1)
    stated = table.get("_class_name")
    class_name = _text(stated[-1] if isinstance(stated, list) and stated else stated)
    return PipelineIndex(digest=digest, class_name=class_name, components=components)


def weight_index(document: JsonDocument, digest: str) -> WeightIndex:
    """Of a `*.index.json`: `weight_map` from tensor to file. Raises ReaderError: MALFORMED, TOO_LARGE."""
    table = as_object(document)
    weight_map = table.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ReaderError(Fault.MALFORMED, "The index has no 'weight_map' that names any file.")
    if len(weight_map) > MAX_NAMES:
        raise ReaderError(Fault.TOO_LARGE, f"The weight_map has more than {MAX_NAMES} entries.")
    files: set[str] = set()
    for tensor, name in weight_map.items():
        if not isinstance(name, str):
            raise ReaderError(Fault.MALFORMED, f"The weight_map names no file for {quoted(tensor)}.")
        files.add(name)
    names = sorted(files)
    _check_names(names)
    metadata = table.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return WeightIndex(digest=digest, files=tuple(names), total_size=_size(total))


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None


def _size(value: JsonValue) -> int | None:
    """A size in bytes; some writers give it as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0 or value != int(value):
        return None
    return int(value)


def _check_names(names: Iterable[str], parts: int | None = None) -> None:
    """Raises ReaderError: MALFORMED unless all are plain names relative to the file that has them."""
    bad = [name for name in names if not is_plain(name, parts)]
    if bad:
        shown = ", ".join(quoted(name) for name in bad[:MAX_NAMED])
        more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
        message = f"It names what cannot be a file of this folder: {shown}{more}."
        raise ReaderError(Fault.MALFORMED, message)
