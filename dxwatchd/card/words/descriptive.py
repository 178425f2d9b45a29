"""What a folder says of its model in words: README, GGUF header, and what class and layout tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dxwatchd.card.gguf.description import Stated, gguf_description
from dxwatchd.card.parts import Architecture
from dxwatchd.card.sources import VOICE, CardInputs
from dxwatchd.card.values import Notes, at, mapping, only, text, texts
from dxwatchd.card.words.authors import authors
from dxwatchd.card.words.format_tasks import Task
from dxwatchd.card.words.limitations import limitations
from dxwatchd.card.words.objectives import training_objectives
from dxwatchd.card.words.references import references
from dxwatchd.card.words.tasks import all_tasks, main_task
from dxwatchd.core.filenames import README
from dxwatchd.core.model import Layout

_VISION_TASKS = frozenset(
    {"image-text-to-text", "visual-question-answering", "any-to-any", "video-text-to-text"}
)
_GENERATIVE = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_VISION_KEYS = ("vision", "visual", "image", "img_", "mm_")
_VISION_MODULE = re.compile(r"(?:^|\.)(?:vision|visual)")
_VERSION_KEYS = ("version", "model_version")
_LISTED = 1024  # a model made from many tasks names 500 data sets


@dataclass(frozen=True, slots=True)
class Description:
    """The card's fields of the same names; task: what `pipeline_tag` is from."""

    license: str | None
    license_name: str | None
    license_link: str | None
    language: tuple[str, ...]
    tags: tuple[str, ...]
    datasets: tuple[str, ...]
    base_model: tuple[str, ...]
    base_model_relation: str | None
    library_name: str | None
    task: Task | None
    pipeline_tag: str | None
    tasks: tuple[str, ...]
    version: str | None
    authors: tuple[str, ...]
    training_objectives: tuple[str, ...]
    limitations: str | None
    references: tuple[str, ...]


def describe(
    inputs: CardInputs, shape: Architecture, file: str, notes: Notes, *, vision: bool
) -> Description:
    """The description that the README gives, then the GGUF header of `file`, then what class and layout tell.

    vision: whether the model takes images (see `sees`).
    """
    front, layout = inputs.front_matter, inputs.model.layout
    header = gguf_description(inputs, file) if file else {}
    stated = _Stated(front, header, notes)
    library = stated.one("library_name")
    if library is None and layout is not Layout.GGUF:
        library = layout.value
        notes.source("library_name", "layout")
    tags = stated.several("tags")
    task = main_task(inputs, shape, tags, vision=vision)
    tasks, sources = all_tasks(task, tags, front)
    tagged = notes.sources.get("tags", "")
    if task:
        task = task._replace(source=tagged if task.source == "tags" else task.source)
        notes.source("pipeline_tag", task.source)
    if tasks:
        notes.source("tasks", ", ".join(tagged if source == "tags" else source for source in sources))
    sections = inputs.readme_sections
    return Description(
        license=_license(front, header.get("license") or _of_timm(inputs.documents), notes),
        license_name=stated.one("license_name"),
        license_link=stated.one("license_link"),
        language=_languages(stated, inputs.documents, notes),
        tags=tags,
        datasets=stated.several("datasets"),
        base_model=stated.several("base_model"),
        base_model_relation=stated.one("base_model_relation"),
        library_name=library,
        task=task,
        pipeline_tag=task.name if task else None,
        tasks=tasks,
        version=_version(stated),
        authors=authors(front, sections, stated.pairs("authors"), notes),
        training_objectives=training_objectives(inputs, shape.architectures, task, notes),
        limitations=limitations(sections, notes),
        references=references(front, sections, stated.pairs("references"), notes),
    )


class _Stated:
    """Values by key: the README's before the header's, each with its source noted."""

    def __init__(self, front: Mapping[str, object], header: Mapping[str, Stated], notes: Notes) -> None:
        self._front, self._header, self._notes = front, header, notes

    def one(self, key: str, field: str | None = None) -> str | None:
        """A text, noted as `field` of the card, which is `key` unless told otherwise."""
        value = only(self._front.get(key))
        if value:
            self._notes.source(field or key, f"{README}#{key}")
            return value
        return next(iter(self._from_header(key)), None)

    def several(self, key: str, count: int = _LISTED) -> tuple[str, ...]:
        values = texts(self._front.get(key), count=count)
        if values:
            self._notes.source(key, f"{README}#{key}")
            return values
        return self._from_header(key)

    def pairs(self, key: str) -> list[tuple[str, str]]:
        """Each value of the header with its source, which the caller notes."""
        found = self._header.get(key)
        return [(value, found.source) for value in found.values] if found else []

    def _from_header(self, key: str) -> tuple[str, ...]:
        found = self._header.get(key)
        if found is None:
            return ()
        self._notes.source(key, found.source)
        return found.values


def sees(documents: Mapping[str, object], tensor_names: Iterable[str]) -> bool:
    """Whether a model takes images: by the keys of its config, its preprocessor, or its modules' names."""
    if any(str(key).startswith(_VISION_KEYS) for key in mapping(documents.get("config.json"))):
        return True
    preprocessor = mapping(documents.get("preprocessor_config.json"))
    if any(key in preprocessor for key in ("image_processor_type", "image_mean")):
        return True
    return any("vis" in name and _VISION_MODULE.search(name) for name in tensor_names)


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
    if pipeline_tag == "text2text-generation" and not vision and architectures[:1]:
        # the Hub's tag of before 2025 for what writes text, also said of decoders
        return ("chat", "derived: architecture") if architectures[0].endswith("ForCausalLM") else None
    return None


def _version(stated: _Stated) -> str | None:
    for key in _VERSION_KEYS:
        found = stated.one(key, "version")
        if found:
            return found
    return None


def _languages(stated: _Stated, documents: Mapping[str, object], notes: Notes) -> tuple[str, ...]:
    """As stated; of a Piper voice the language of its phonemes."""
    found = stated.several("language")
    if found:  # one text may be for several ("en, zh"): no code of a language has a comma in it
        codes = (code.strip() for item in found for code in item.split(","))
        return tuple(dict.fromkeys(filter(None, codes)))
    for name in documents:
        if name.endswith(VOICE):
            for way in (("language", "family"), ("espeak", "voice")):
                code = text(at(documents[name], *way))
                if code:
                    notes.source("language", f"{name}#/{'/'.join(way)}")
                    return (code,)
    return ()


def _of_timm(documents: Mapping[str, object]) -> Stated | None:
    """The licence that timm keeps with the weights' settings."""
    stated = text(at(documents.get("config.json"), "pretrained_cfg", "license"))
    return Stated((stated,), "config.json#/pretrained_cfg/license") if stated else None


def _license(front_matter: Mapping[str, object], header: Stated | None, notes: Notes) -> str | None:
    stated = texts(front_matter.get("license"))
    if len(stated) > 1:
        notes.warn(f"the README states several licences: {', '.join(stated)}")
        return None
    if stated:
        notes.source("license", f"{README}#license")
        return stated[0]
    if header:
        notes.source("license", header.source)
        return header.values[0]
    return None
