"""What a model folder's JSON and text files told: see `core.facts`, which has the weights and the union."""

from __future__ import annotations

from dataclasses import dataclass

CONFIG_MARKS = (
    "add_source_bos",
    "build_config",
    "lang_ids",
    "mapping",
    "pretrained_cfg",
    "pretrained_config",
    "quantization",
)
"""Keys of a `config.json` that some layout is known by."""


@dataclass(frozen=True, slots=True)
class Config:
    """A `config.json`.

    model_type, architectures: the keys of the same name (None, () where absent);
    name_or_path: `_name_or_path`, as written by whoever saved it; marks: those of `CONFIG_MARKS` that stand
    at its top level; quant_method: `quantization_config.quant_method`; architecture: timm's and
    TensorRT-LLM's key of that name; world_size: how many ranks TensorRT-LLM built it for; code_files: the
    Python files beside it that `auto_map` names, sorted.
    """

    digest: str
    model_type: str | None = None
    architectures: tuple[str, ...] = ()
    name_or_path: str | None = None
    marks: tuple[str, ...] = ()
    quant_method: str | None = None
    architecture: str | None = None
    world_size: int | None = None
    code_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """PEFT's `adapter_config.json`: the keys of the same name."""

    digest: str
    peft_type: str | None = None
    base_model_name_or_path: str | None = None


@dataclass(frozen=True, slots=True)
class Modules:
    """Sentence-transformers' `modules.json`: the `path` of each module in order ("" is the folder itself)."""

    digest: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineIndex:
    """Diffusers' `model_index.json`.

    class_name: `_class_name`; components: the names whose value is a [library, class] pair without nulls.
    """

    digest: str
    class_name: str | None = None
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightIndex:
    """A `*.safetensors.index.json` or `*.bin.index.json`.

    files: the distinct file names of `weight_map`, sorted; total_size: `metadata.total_size` in bytes.
    """

    digest: str
    files: tuple[str, ...] = ()
    total_size: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON file that a layout is known by: `params.json`, `genai_config.json`, a Piper voice's, ...

    keys: those of its top level that a layout asks for (`DOCUMENT_MARKS`); files: the files that it names,
    sorted.
    """

    digest: str
    keys: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


DOCUMENT_MARKS = (
    "audio",
    "dim",
    "model",
    "model_cfg",
    "n_layers",
    "num_symbols",
    "phoneme_id_map",
)
"""Keys of other JSON files that some layout is known by."""


@dataclass(frozen=True, slots=True)
class ShardTable:
    """MLC's `ndarray-cache.json` or `tensor-cache.json`: `names[i]` has exactly `sizes[i]` bytes."""

    digest: str
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FileList:
    """A list of files with their digests beside a download (`checklist.chk`). names: sorted."""

    digest: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readme:
    """The head of a `README.md`; nothing that is loaded depends on it.

    names: of the model, by its front matter (`model_name`, then the one entry of `model-index`); title: the
    first heading.
    """

    digest: str
    names: tuple[str, ...] = ()
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """A file of `refs/` in huggingface_hub's cache. commit: the revision's 40 hexadecimal digits."""

    digest: str
    commit: str


@dataclass(frozen=True, slots=True)
class HubMetadata:
    """What huggingface_hub notes of a file that it downloaded into a local folder.

    commit: the revision; etag: the SHA-256 of a large file, the git blob's SHA-1 of a small one, hexadecimal;
    noted_ns: when it was noted, in nanoseconds since 1970: a file changed later is another one.
    Source: huggingface_hub, `_local_folder.py` (three lines: commit, etag, time in seconds).
    """

    digest: str
    commit: str
    etag: str
    noted_ns: int
