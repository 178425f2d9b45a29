"""One model as the layouts rules see it: which folder, which files, which weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layout(StrEnum):
    """How a model folder is laid out."""

    TRANSFORMERS = "transformers"
    SENTENCE_TRANSFORMERS = "sentence-transformers"
    PEFT = "peft"
    GGUF = "gguf"
    DIFFUSERS = "diffusers"


class Kind(StrEnum):
    """What a model folder is to the platform."""

    MODEL = "model"
    ADAPTER = "adapter"
    PIPELINE = "pipeline"


class WeightFormat(StrEnum):
    """The file format of a weight set."""

    SAFETENSORS = "safetensors"
    PYTORCH = "pytorch"
    GGUF = "gguf"
    TENSORFLOW = "tensorflow"
    FLAX = "flax"


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Files that together hold one full set of the weights.

    files: names relative to the model folder, sorted, whether or not they are there yet: an index or a
    numbering promises them; index: the index that promises them; primary: the set that is loaded from its
    folder, the others there being the same weights again in another form (each component has its own).
    """

    format: WeightFormat
    files: tuple[str, ...]
    index: str | None = None
    primary: bool = False


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that belongs to a model. name: relative to the model folder; size: in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One model: a folder that owns its files.

    path: relative to the models root; evidence: sentences that say why it is this layout;
    components: subfolders that it refers to, relative to the model folder;
    files: all that belongs to it and is there, sorted by name; folders: its subfolders, sorted likewise;
    those of models that lie inside it belong to these.
    """

    path: str
    layout: Layout
    kind: Kind
    evidence: tuple[str, ...]
    weight_sets: tuple[WeightSet, ...]
    components: tuple[str, ...]
    files: tuple[ModelFile, ...]
    folders: tuple[str, ...] = ()

    @property
    def primary(self) -> WeightSet | None:
        """The weight set that is loaded first; None where there is none."""
        return next((weights for weights in self.weight_sets if weights.primary), None)

    @property
    def size(self) -> int:
        """All its files together, in bytes."""
        return sum(file.size for file in self.files)
