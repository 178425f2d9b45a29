"""What the README's front matter says: licence, languages, lineage, task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dxwatchd.card.values import Notes, clean, mapping, text, texts
from dxwatchd.core.model import Layout

README = "README.md"

_TASKS = (
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForMaskedLM", "fill-mask"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForImageClassification", "image-classification"),
    ("ForCTC", "automatic-speech-recognition"),
    ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
)
"""End of an architecture's name → task, of a model that takes no images."""
_VISION_TASKS = frozenset(
    {"image-text-to-text", "visual-question-answering", "any-to-any", "video-text-to-text"}
)
_GENERATIVE = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_VISION_KEYS = ("vision", "image", "img_", "mm_")
_VISION_MODULES = ("vision", "visual")


@dataclass(frozen=True, slots=True)
class Description:
    """The card's fields of the same names."""

    license: str | None
    license_name: str | None
    license_link: str | None
    language: tuple[str, ...]
    tags: tuple[str, ...]
    datasets: tuple[str, ...]
    base_model: tuple[str, ...]
    base_model_relation: str | None
    pipeline_tag: str | None
    library_name: str | None


def describe(
    front_matter: Mapping[str, object],
    architectures: tuple[str, ...],
    layout: Layout,
    gguf_license: tuple[str, str] | None,
    notes: Notes,
    *,
    vision: bool = False,
) -> Description:
    """The description that the README gives, then what layout and architecture tell."""

    def one(key: str) -> str | None:
        value = text(front_matter.get(key))
        if value:
            notes.source(key, f"{README}#{key}")
        return value

    def several(key: str) -> tuple[str, ...]:
        values = texts(front_matter.get(key))
        if values:
            notes.source(key, f"{README}#{key}")
        return values

    library = one("library_name")
    if library is None and layout is not Layout.GGUF:
        library = layout.value
        notes.source("library_name", "layout")
    return Description(
        license=_license(front_matter, gguf_license, notes),
        license_name=one("license_name"),
        license_link=one("license_link"),
        language=several("language"),
        tags=several("tags"),
        datasets=several("datasets"),
        base_model=several("base_model"),
        base_model_relation=one("base_model_relation"),
        pipeline_tag=one("pipeline_tag") or _task(() if vision else architectures, layout, notes),
        library_name=library,
    )


def sees(config: object, tensor_names: Iterable[str]) -> bool:
    """Whether a model takes images: by the keys of its config, or by the names of its modules."""
    if any(str(key).startswith(_VISION_KEYS) for key in mapping(config)):
        return True
    return any(f".{word}" in f".{name}" for name in tensor_names for word in _VISION_MODULES)


def usage_type(
    pipeline_tag: str | None, architectures: tuple[str, ...], *, vision: bool
) -> tuple[str, str] | None:
    """What the platform uses a model for, and how that is known: "chat", "vision-language", or None."""
    if pipeline_tag in _VISION_TASKS:
        return "vision-language", "derived: pipeline_tag"
    if vision and any(name.endswith(_GENERATIVE) for name in architectures):
        return "vision-language", "derived: architecture"
    if pipeline_tag == "text-generation" and not vision:
        return "chat", "derived: pipeline_tag"
    return None


def _license(front_matter: Mapping[str, object], gguf: tuple[str, str] | None, notes: Notes) -> str | None:
    stated = texts(front_matter.get("license"))
    if len(stated) > 1:
        notes.warn(f"the README states several licences: {', '.join(stated)}")
        return None
    if stated:
        notes.source("license", f"{README}#license")
        return stated[0]
    if gguf:
        notes.source("license", gguf[1])
        return clean(gguf[0])
    return None


def _task(architectures: tuple[str, ...], layout: Layout, notes: Notes) -> str | None:
    if layout is Layout.SENTENCE_TRANSFORMERS:
        notes.source("pipeline_tag", "layout")
        return "sentence-similarity"
    for name in architectures[:1]:
        for end, task in _TASKS:
            if name.endswith(end):
                notes.source("pipeline_tag", "derived: config.json#/architectures")
                return task
    return None
