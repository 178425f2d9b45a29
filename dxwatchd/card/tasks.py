"""What a model is for, in the Hub's names of tasks: as stated, else by its class, its pipeline, its layout.

`class_tasks.json` has the classes of transformers' auto models: `tests/card/generate_class_tasks.py` makes
it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from dxwatchd.card.config_keys import pointer
from dxwatchd.card.parts import Architecture
from dxwatchd.card.pipeline_tasks import pipeline_task
from dxwatchd.card.task_names import TASKS
from dxwatchd.card.values import at, mapping, text, texts
from dxwatchd.core.model import Layout

README = "README.md"

_ENDINGS = (
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForMaskedLM", "fill-mask"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForImageClassification", "image-classification"),
    ("ForVideoClassification", "video-classification"),
    ("ForAudioClassification", "audio-classification"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForObjectDetection", "object-detection"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForSpeechToText", "automatic-speech-recognition"),
    ("ForTextToSpeech", "text-to-speech"),
)
"""End of an architecture's name → task, also of classes that a folder brings along."""
_AUTO_CLASSES = (
    ("AutoModelForCausalLM", "text-generation"),
    ("AutoModelForSequenceClassification", "text-classification"),
    ("AutoModelForTokenClassification", "token-classification"),
    ("AutoModelForMaskedLM", "fill-mask"),
    ("AutoModelForImageClassification", "image-classification"),
    ("AutoModelForImageSegmentation", "image-segmentation"),
    ("AutoModelForImageTextToText", "image-text-to-text"),
    ("AutoModelForVision2Seq", "image-text-to-text"),
)
"""Key of auto_map → task, of a folder with code of its own."""
_TEXT_ONLY = frozenset({"fill-mask", "text-classification", "token-classification", "question-answering"})
"""Tasks that a model which takes images is not taken to have by the end of a name."""

_LAYOUTS: Mapping[Layout, str] = {
    Layout.SENTENCE_TRANSFORMERS: "sentence-similarity",
    Layout.PIPER: "text-to-speech",
    Layout.WHISPER: "automatic-speech-recognition",
    Layout.OPEN_CLIP: "zero-shot-image-classification",
}


class Task(NamedTuple):
    """A task and where it is from; stated: whether the folder names the task itself."""

    name: str
    source: str
    stated: bool = False


def ending_task(name: str) -> str | None:
    """The task that the end of a class's name tells."""
    return next((task for end, task in _ENDINGS if name.endswith(end)), None)


def class_task(name: str) -> str | None:
    """The task of a class: transformers' own by the table, others by the end of their names."""
    table = _table()
    return table[name] if name in table else ending_task(name)


def main_task(
    front_matter: Mapping[str, object],
    documents: Mapping[str, object],
    shape: Architecture,
    layout: Layout,
    *,
    vision: bool,
) -> Task | None:
    """What the README states, else the first of: layout, pipeline, class, auto_map that tells one.

    vision: whether the model takes images, which makes a writer of text one that looks as well.
    """
    stated = text(front_matter.get("pipeline_tag"))
    if stated:
        return Task(stated, f"{README}#pipeline_tag", stated=True)
    if layout in _LAYOUTS:
        return Task(_LAYOUTS[layout], "layout")
    ranker = _ranker(documents)
    if ranker:
        return Task("text-ranking", ranker)
    if layout is Layout.DIFFUSERS:
        made = next(filter(None, map(pipeline_task, shape.architectures[:1])), None)
        return Task(made, "derived: model_index.json#/_class_name") if made else None
    found = _by_config(documents.get("config.json"), shape.architectures)
    if found is None:
        return None
    name, source = found
    if vision and name == "text-generation":
        name = "image-text-to-text"
    return None if vision and name in _TEXT_ONLY else Task(name, f"derived: {source}")


def all_tasks(main: Task | None, front_matter: Mapping[str, object]) -> tuple[tuple[str, ...], str | None]:
    """The main task, then those among the README's tags and evaluation results, and a source of the whole."""
    tags = [tag for tag in texts(front_matter.get("tags")) if tag in TASKS]
    results = list(_result_tasks(front_matter.get("model-index")))
    found = tuple(dict.fromkeys(([main.name] if main else []) + tags + results))
    keys = [name for name, listed in (("tags", tags), ("model-index", results)) if listed]
    sources = ([main.source] if main else []) + [f"{README}#{key}" for key in keys]
    return found, ", ".join(sources) or None


def _by_config(config: object, architectures: Sequence[str]) -> tuple[str, str] | None:
    for name in architectures[:1]:
        found = class_task(name)
        if found:
            return found, pointer("architectures")
    auto_map = mapping(at(config, "auto_map"))
    for key, task in _AUTO_CLASSES:
        if key in auto_map:
            return task, pointer("auto_map", key)
    return None


def _ranker(documents: Mapping[str, object]) -> str | None:
    """Where the folder says that it is a cross-encoder of sentence-transformers, which ranks texts."""
    config = documents.get("config.json")
    if "sbert_ce_default_activation_function" in mapping(config):
        return pointer("sbert_ce_default_activation_function")
    if at(documents.get("config_sentence_transformers.json"), "model_type") == "CrossEncoder":
        return "config_sentence_transformers.json#/model_type"
    if "activation_fn" in mapping(at(config, "sentence_transformers")):
        return pointer("sentence_transformers", "activation_fn")
    return None


def _result_tasks(index: object) -> list[str]:
    """The types of the tasks that evaluation results of the front matter are for."""
    found: list[str] = []
    for entry in index[:8] if isinstance(index, list) else ():
        results = at(entry, "results")
        for result in results[:256] if isinstance(results, list) else ():
            task = text(at(result, "task", "type"))
            if task in TASKS and task not in found:
                found.append(task)
    return found


@functools.cache
def _table() -> Mapping[str, str | None]:
    tasks: Mapping[str, str | None] = json.loads(
        files("dxwatchd.card").joinpath("class_tasks.json").read_bytes()
    )["tasks"]
    return tasks
