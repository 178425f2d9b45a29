"""`auto_map` of a folder's configs: which classes outside transformers its auto classes are told to load.

Source: https://huggingface.co/docs/transformers/custom_models
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dxwatchd.card.values import LIST_LIMIT, Notes, at, clean, mapping, text

CONFIGS = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "generation_config.json",
)
"""The files that may have one, in the order in which they count."""

_VARIANTS = 4


class Reference(NamedTuple):
    """One auto class's entry. source: the file; classes: "module.Class", "org/repo--module.Class", or None
    for a variant that is not there (of a tokenizer the slow one comes first, then the fast one).
    """

    source: str
    classes: tuple[str | None, ...]


def auto_map(documents: Mapping[str, object], folders: tuple[str, ...], notes: Notes) -> dict[str, Reference]:
    """The entries of all configs by auto class, those of the root before those of `folders`.

    Where two files state different classes the first counts, and the conflict is noted.
    """
    found: dict[str, Reference] = {}
    names = [*CONFIGS, *(f"{folder}/{name}" for folder in folders for name in CONFIGS)]
    for source in names:
        for auto_class, classes in _entries(at(documents.get(source), "auto_map")):
            path = f"custom_code.auto_map.{auto_class}"
            first = found.get(auto_class)
            if first is None and len(found) < LIST_LIMIT:
                found[auto_class] = Reference(source, classes)
                notes.source(path, f"{source}#/auto_map/{auto_class}")
            elif first is not None and first.classes != classes:
                notes.conflict(path, (first.source, _shown(first.classes)), (source, _shown(classes)))
    return found


def _entries(value: object) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    if isinstance(value, list):  # how tokenizers had it at first
        value = {"AutoTokenizer": value}
    for key, stated in list(mapping(value).items())[:LIST_LIMIT]:
        auto_class, classes = text(key), _classes(stated)
        if auto_class and any(classes):
            yield auto_class, classes


def _classes(stated: object) -> tuple[str | None, ...]:
    if isinstance(stated, Mapping):  # image processors, by what they compute with
        stated = list(stated.values())
    listed = stated if isinstance(stated, list) else [stated]
    return tuple(text(item) for item in listed[:_VARIANTS])


def _shown(classes: tuple[str | None, ...]) -> str:
    return ", ".join(str(item) for item in classes)


def class_names(references: Mapping[str, Reference]) -> tuple[str, ...]:
    """All classes that the entries name, without their modules."""
    return tuple(
        dict.fromkeys(
            item.rpartition(".")[2] for entry in references.values() for item in entry.classes if item
        )
    )


def modules(references: Mapping[str, Reference]) -> tuple[tuple[str, str], ...]:
    """Where the classes are: (repository, or "" for this folder; module), each once."""
    found: dict[tuple[str, str], None] = {}
    for entry in references.values():
        for item in entry.classes:
            repository, _, path = (item or "").rpartition("--")
            found[(clean(repository), path.rpartition(".")[0])] = None
    found.pop(("", ""), None)
    return tuple(found)
