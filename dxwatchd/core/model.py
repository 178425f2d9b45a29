"""One model as the layouts rules see it: which folder, which files, which weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dxwatchd.core.snapshot import parent


class Layout(StrEnum):
    """How a model folder is laid out."""

    TRANSFORMERS = "transformers"
    SENTENCE_TRANSFORMERS = "sentence-transformers"
    PEFT = "peft"
    GGUF = "gguf"
    DIFFUSERS = "diffusers"
    DDUF = "dduf"
    MISTRAL = "mistral"
    LLAMA = "llama"
    MLX = "mlx"
    TIMM = "timm"
    OPEN_CLIP = "open_clip"
    ONNX = "onnx"
    ORT_GENAI = "onnxruntime-genai"
    PIPER = "piper"
    OPENVINO = "openvino"
    CTRANSLATE2 = "ctranslate2"
    TENSORRT_LLM = "tensorrt-llm"
    NEMO = "nemo"
    WHISPER = "whisper"
    MLC = "mlc"
    TFLITE = "tflite"


class Kind(StrEnum):
    """What a model folder is to the platform."""

    MODEL = "model"
    ADAPTER = "adapter"
    PIPELINE = "pipeline"


class WeightFormat(StrEnum):
    """The file format of a weight set, in the order in which loaders prefer them where several lie there.

    Source: transformers' own order for the first ones; the others are for runtimes of their own.
    """

    SAFETENSORS = "safetensors"
    PYTORCH = "pytorch"
    GGUF = "gguf"
    TENSORFLOW = "tensorflow"
    FLAX = "flax"
    ONNX = "onnx"
    OPENVINO = "openvino"
    CTRANSLATE2 = "ctranslate2"
    TENSORRT = "tensorrt"
    MLC = "mlc"
    NEMO = "nemo"
    TORCH_DISTRIBUTED = "torch-distributed"
    GGML = "ggml"
    RUST = "rust"
    TFLITE = "tflite"
    DDUF = "dduf"


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Files that together hold one full set of the weights.

    files: names relative to the model folder, sorted, whether or not they are there yet: an index or a
    numbering promises them; index: the file that promises them; primary: the set that is loaded from its
    folder, the others there being the same weights again in another form (each component has its own).
    """

    format: WeightFormat
    files: tuple[str, ...]
    index: str | None = None
    primary: bool = False

    @property
    def folder(self) -> str:
        """The folder that the set lies in, relative to the model folder; "" is that one itself."""
        return parent(self.index or self.files[0])


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that belongs to a model. name: relative to the model folder; size: in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a folder may also be. evidence: sentences that say why."""

    layout: Layout
    kind: Kind
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One model: a folder that owns its files.

    path: relative to the models root; evidence: sentences that say why it is this layout;
    components: subfolders that it refers to, relative to the model folder;
    files: all that belongs to it and is there, sorted by name; folders: its subfolders, sorted likewise;
    those of models that lie inside it belong to these; candidates: what weaker rules would take it for,
    strongest first; refs: of a revision in huggingface_hub's cache, the refs that point to it.
    """

    path: str
    layout: Layout
    kind: Kind
    evidence: tuple[str, ...]
    weight_sets: tuple[WeightSet, ...]
    components: tuple[str, ...]
    files: tuple[ModelFile, ...]
    folders: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    refs: tuple[str, ...] = ()

    @property
    def primary(self) -> WeightSet | None:
        """The weight set that is loaded first; None where there is none."""
        return next((weights for weights in self.weight_sets if weights.primary), None)

    @property
    def size(self) -> int:
        """All its files together, in bytes."""
        return sum(file.size for file in self.files)
