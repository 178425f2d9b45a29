"""What a card is made from: plain values that the caller read from the folder and from the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dxwatchd.card.values import LIST_LIMIT
from dxwatchd.core.filenames import is_template
from dxwatchd.core.model import Layout, ModelFolder
from dxwatchd.core.pickles import PickleContent
from dxwatchd.core.readme import Section

SENTENCE_CONFIGS = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
"""The names that sentence-transformers gives the config of its Transformer module, in the order it asks."""
_DOCUMENTS = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.json",
    "adapter_config.json",
    "modules.json",
    *SENTENCE_CONFIGS,
    "config_sentence_transformers.json",
    "quantize_config.json",
    "quant_config.json",
    "hf_quant_config.json",
    "config_setfit.json",
    "preprocessor_config.json",
    "model_index.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "params.json",
    "mlc-chat-config.json",
    "genai_config.json",
    "open_clip_config.json",
)
_OF_COMPONENTS = ("config.json", *SENTENCE_CONFIGS)
OF_MODULES = ("config.json", "tokenizer_config.json", "special_tokens_map.json")
"""What a module of sentence-transformers has beside it that other models have at the top."""
VOICE = ".onnx.json"
"""The end of the name of a Piper voice's config."""
_TEXTS = ("chat_template.jinja",)

GgufMetadata = Mapping[str, int | float | bool | str]
"""The scalars of a GGUF header."""


class TensorInfo(Protocol):
    """One tensor of a weight file's header.

    dtype: as the format spells it ("BF16" in safetensors, "Q4_K" in GGUF); shape: as stored, so packed
    weights show the shape of their container; nbytes: the size of its data in the file.
    """

    @property
    def name(self) -> str:
        """Unique within a weight set."""

    @property
    def dtype(self) -> str:
        """As the format spells it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As stored."""

    @property
    def nbytes(self) -> int:
        """Size of the data."""


@dataclass(frozen=True, slots=True)
class CardInputs:
    """What was read from one model folder.

    documents: parsed JSON by file name relative to the folder (see `wanted_documents`); any value may be of
    any type; texts: text files by name (see `wanted_texts`); front_matter: the YAML head of README.md, every
    scalar a string; readme_sections: what follows the front matter; tensors: by weight file of the primary
    set; gguf_metadata: the scalars of the primary GGUF file's header, gguf_arrays: the lengths of its arrays,
    gguf_lists: the short lists of text among them; pickles: by file, what the opcodes of each pickle tell;
    warnings: sentences that the readers had to say.
    """

    model: ModelFolder
    documents: Mapping[str, object] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    front_matter: Mapping[str, object] = field(default_factory=dict)
    readme_sections: tuple[Section, ...] = ()
    tensors: Mapping[str, Sequence[TensorInfo]] = field(default_factory=dict)
    gguf_metadata: GgufMetadata = field(default_factory=dict)
    gguf_arrays: Mapping[str, int] = field(default_factory=dict)
    pickles: Mapping[str, PickleContent] = field(default_factory=dict)
    gguf_lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """What the daemon and the manifest say of the model, as opposed to its folder.

    path: relative to the models root; entry_path: the manifest's, which differs after an unconfirmed move;
    fingerprint: of the content that the card describes;
    approved_fingerprint: what a person approved; availability: "available", "drifted" or "missing";
    revision: 1 for the first card, then counting up; change: what this revision was made for;
    overrides: further keys of the manifest entry, which prevail over what was read.
    """

    technical_name: str
    model_name: str
    path: str
    entry_path: str
    fingerprint: str
    approved_fingerprint: str | None = None
    availability: str = "available"
    revision: int = 1
    change: str = "registered"
    overrides: Mapping[str, object] = field(default_factory=dict)


def wanted_documents(model: ModelFolder) -> tuple[str, ...]:
    """The JSON files of the folder that a card is made from, relative to it, in order."""
    modules = OF_MODULES if model.layout is Layout.SENTENCE_TRANSFORMERS else ()
    inner = (*_OF_COMPONENTS, *modules)
    names = (*_DOCUMENTS, *(f"{part}/{name}" for part in model.components for name in inner))
    present = {file.name for file in model.files}
    voices = sorted(name for name in present if name.endswith(VOICE) and "/" not in name)[:1]
    return tuple(name for name in dict.fromkeys((*names, *voices)) if name in present)


def wanted_texts(model: ModelFolder) -> tuple[str, ...]:
    """The text files of the folder that a card is made from (chat templates), relative to it, in order.

    The default first: of templates there may be more than a card holds.
    """
    present = sorted(file.name for file in model.files)
    return (*(name for name in _TEXTS if name in present), *filter(is_template, present))[:LIST_LIMIT]
