"""What a file's or a folder's name alone tells: not to be looked at, still being copied, weights.

The lists are those that copiers, synchronisers and trainers really use; each rule is matched against one
path part, case as written.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from dxwatchd.core.model import WeightFormat

README = "README.md"
"""The model's own description. Cards tell what it says; whether a model is whole does not depend on it."""

IGNORED_FOLDERS = frozenset(
    {".git", ".cache", ".ipynb_checkpoints", "__pycache__", "lost+found", "@eaDir"}
    | {".locks", ".no_exist"}  # huggingface_hub's cache
)
_IGNORED_FOLDER_PREFIXES = (".Trash",)
IGNORED_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_IGNORED_FILE_PREFIXES = ("._",)

MODELSCOPE_TEMPORARY = "._____temp"

_TEMPORARY_SUFFIXES = (
    ".incomplete",  # huggingface_hub
    ".part",  # Firefox, scp clients, yt-dlp
    ".partial",  # wget2, browsers
    ".aria2",  # aria2's control file beside the preallocated one
    ".crdownload",  # Chromium
    ".tmp",
    ".filepart",  # WinSCP
)
_RSYNC_TEMPORARY = re.compile(r"\..+\.[A-Za-z0-9]{6}")  # rsync: .NAME.XXXXXX
_UNISON_TEMPORARY = re.compile(r"^\.unison\.")


def is_ignored_folder(name: str) -> bool:
    """Whether nothing below a folder of this name is ever looked at."""
    return name in IGNORED_FOLDERS or name.startswith(_IGNORED_FOLDER_PREFIXES)


def is_ignored_file(name: str) -> bool:
    """Whether a file of this name says nothing about a model: what desktops leave behind."""
    if name.startswith(MODELSCOPE_TEMPORARY):
        return False
    return name in IGNORED_FILES or name.startswith(_IGNORED_FILE_PREFIXES)


def is_temporary(name: str) -> bool:
    """Whether a copier or a downloader gives such a name to what it has not finished."""
    return (
        name.endswith(_TEMPORARY_SUFFIXES)
        or name.startswith(MODELSCOPE_TEMPORARY)
        or _UNISON_TEMPORARY.match(name) is not None
        or _is_rsync_temporary(name)
    )


def _is_rsync_temporary(name: str) -> bool:
    if _RSYNC_TEMPORARY.fullmatch(name) is None:
        return False
    # ".gitattributes.backup" has six letters at its end too; mkstemp's are rarely all lower case
    return name.count(".") >= 3 or not name.rpartition(".")[2].islower()


_FORMATS: tuple[tuple[re.Pattern[str], WeightFormat], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), form)
    for pattern, form in (
        (r"ggml-.+\.bin", WeightFormat.GGML),
        (r"openvino_(?!tokenizer|detokenizer).*\.(xml|bin)", WeightFormat.OPENVINO),
        (r".*\.safetensors", WeightFormat.SAFETENSORS),
        (r".*\.gguf", WeightFormat.GGUF),
        (r".*\.(bin|pt|pth|ckpt)", WeightFormat.PYTORCH),
        (r".*\.h5", WeightFormat.TENSORFLOW),
        (r".*\.msgpack", WeightFormat.FLAX),
        (r".*\.onnx", WeightFormat.ONNX),
        (r".*\.engine", WeightFormat.TENSORRT),
        (r".*\.nemo", WeightFormat.NEMO),
        (r".*\.distcp", WeightFormat.TORCH_DISTRIBUTED),
        (r".*\.ot", WeightFormat.RUST),
        (r".*\.tflite", WeightFormat.TFLITE),
        (r".*\.dduf", WeightFormat.DDUF),
    )
)
"""By the whole name, the first that fits."""

_NOT_WEIGHTS = re.compile(
    r"^(openvino_(de)?tokenizer|optimizer|scheduler|scaler|training_args|rng_state|random_states|trainer_state|imatrix)"
)

_DOCUMENTATION = re.compile(
    r"(\.(md|rst|pdf|png|jpe?g|gif|svg|webp)$|^(license|notice|readme)|^\.git)", re.IGNORECASE
)


@lru_cache(maxsize=65_536)  # asked of every file at every pass
def weight_format(name: str) -> WeightFormat | None:
    """The format of a weight file, by its name; None for what is not one (a trainer's state, say)."""
    if _NOT_WEIGHTS.match(name):
        return None
    return next((form for pattern, form in _FORMATS if pattern.fullmatch(name)), None)


_INDEX = re.compile(r"\.(?P<form>safetensors|bin|h5|msgpack)\.index(\.[^.]+)?\.json\Z")
"""Diffusers puts the variant behind: `diffusion_pytorch_model.safetensors.index.fp16.json`."""


def index_format(name: str) -> WeightFormat | None:
    """The format of the weights that an index of this name lists; None for what is not an index."""
    match = _INDEX.search(name)
    return _INDEXED[match["form"]] if match is not None else None


_INDEXED = {
    "safetensors": WeightFormat.SAFETENSORS,
    "bin": WeightFormat.PYTORCH,
    "h5": WeightFormat.TENSORFLOW,
    "msgpack": WeightFormat.FLAX,
}


_BESIDE = (".lfs", ".pointer")


def stands_for(name: str) -> str | None:
    """The file beside which a git-LFS pointer was left under this name; None for any other name."""
    suffix = next((suffix for suffix in _BESIDE if name.endswith(suffix)), None)
    return name.removesuffix(suffix) if suffix is not None else None


_INSIDE = re.compile(
    r"\.(safetensors|gguf|bin|pt|pth|onnx|nemo|tflite|dduf|engine|h5|msgpack)\b", re.IGNORECASE
)


def is_unfinished_weights(name: str) -> bool:
    """Whether this is a copier's temporary name for a weight file."""
    return is_temporary(name) and _INSIDE.search(name) is not None


def is_adapter_weights(name: str) -> bool:
    """Whether PEFT saves an adapter's weights under this name."""
    return name.startswith("adapter_model") and weight_format(name) is not None


def is_tensors(name: str) -> bool:
    """Whether a file of this name holds tensors of any kind, a trainer's state too."""
    return any(pattern.fullmatch(name) for pattern, _ in _FORMATS)


def is_documentation(name: str) -> bool:
    """Whether a file of this name is for people to read only: no loader misses it."""
    return _DOCUMENTATION.search(name) is not None


def is_template(name: str) -> bool:
    """Whether this is one of several chat templates, each in a file of its own (transformers' way)."""
    return name.startswith("additional_chat_templates/") and name.endswith(".jinja")


def is_projector(name: str) -> bool:
    """Whether this is a vision projector beside a GGUF model (`mmproj-*.gguf`), never a model by itself."""
    return name.endswith(".gguf") and "mmproj" in name.lower()


class Numbered(NamedTuple):
    """A file name of a numbered set, `model-00001-of-00019.safetensors`, its digits as they are written."""

    stem: str
    joint: str
    number: str
    total: str
    suffix: str

    def __str__(self) -> str:
        """The file name."""
        return f"{self.stem}{self.joint}{self.number}-of-{self.total}{self.suffix}"


_NUMBERED = re.compile(
    r"(?P<stem>.+?)(?P<joint>[-_])(?P<number>[0-9]{1,6})-of-(?P<total>[0-9]{1,6})(?P<suffix>(\.\w+){1,2})"
)


def numbered(name: str) -> Numbered | None:
    """The parts of a numbered weight file's name; None for any other name.

    `model-1-of-2.safetensors` (not padded) and `model_00001-of-00072` with an underscore are seen too.
    """
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    total = int(match["total"])
    if not 1 <= total <= MAX_SHARDS or int(match["number"]) > total:
        return None
    return Numbered(match["stem"], match["joint"], match["number"], match["total"], match["suffix"])


MAX_SHARDS = 10_000
"""More than any real set by a factor of ten; a name must not make us list a million missing files."""
