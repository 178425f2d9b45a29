"""What a model is for, in the Hub's names of tasks: as stated, else by its class, its pipeline, its layout.

`class_tasks.json` has the classes of transformers' auto models: `tests/card/generate_class_tasks.py` makes
it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files

from dxwatchd.card.config.config_keys import pointer
from dxwatchd.card.parts import Architecture
from dxwatchd.card.sources import CardInputs
from dxwatchd.card.values import at, mapping, only, text, texts
from dxwatchd.card.words.format_tasks import Task, format_task
from dxwatchd.card.words.pipeline_tasks import pipeline_task
from dxwatchd.card.words.task_names import TASKS
from dxwatchd.core.filenames import README
from dxwatchd.core.model import Layout

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


def ending_task(name: str) -> str | None:
    """The task that the end of a class's name tells."""
    return next((task for end, task in _ENDINGS if name.endswith(end)), None)


def class_task(name: str) -> str | None:
    """The task of a class: transformers' own by the table, others by the end of their names."""
    table = _table()
    return table[name] if name in table else ending_task(name)


def main_task(inputs: CardInputs, shape: Architecture, tags: Sequence[str], *, vision: bool) -> Task | None:
    """What the README states, else the first that tells one: format, pipeline, class, auto_map, a single tag.

    ModelScope's READMEs have a list, `tasks`, in place of `pipeline_tag`; most of its names are the Hub's.
    tags: those of README or GGUF header; vision: whether the model takes images, which makes a writer of text
    one that looks as well.
    """
    stated = only(inputs.front_matter.get("pipeline_tag"))
    if stated:
        return Task(stated, f"{README}#pipeline_tag", stated=True)
    listed = texts(inputs.front_matter.get("tasks"))
    if len(listed) == 1 and listed[0] in TASKS:
        return Task(listed[0], f"{README}#tasks", stated=True)
    found = format_task(inputs) or _pipeline(inputs, shape)
    found = found or _by_config(inputs.documents, shape, vision=vision)
    named = [tag for tag in dict.fromkeys(tags) if tag in TASKS]
    if found is None and len(named) == 1:
        return Task(named[0], "tags", stated=True)
    return found


def all_tasks(
    main: Task | None, tags: Sequence[str], front: Mapping[str, object]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The main task, then those listed, those among the tags and the evaluation results; and all sources.

    tags: those of README or GGUF header, whose source is "tags"; front: the front matter.
    """
    places = (
        (f"{README}#tasks", [task for task in texts(front.get("tasks")) if task in TASKS]),
        ("tags", [tag for tag in tags if tag in TASKS]),
        (f"{README}#model-index", _result_tasks(front.get("model-index"))),
    )
    named = [main.name] if main else []
    found = tuple(dict.fromkeys((*named, *(task for _, listed in places for task in listed))))
    sources = [main.source] if main else []
    sources += [name for name, listed in places if listed]
    return found, tuple(dict.fromkeys(sources))


def _pipeline(inputs: CardInputs, shape: Architecture) -> Task | None:
    if inputs.model.layout is not Layout.DIFFUSERS or not shape.architectures:
        return None
    name = pipeline_task(shape.architectures[0])
    return Task(name, "derived: model_index.json#/_class_name") if name else None


def _by_config(documents: Mapping[str, object], shape: Architecture, *, vision: bool) -> Task | None:
    found = _by_names(documents.get("config.json"), shape.architectures)
    if found is None or found[0] != "text-generation":
        return Task(found[0], f"derived: {found[1]}") if found else None
    if vision:
        return Task("image-text-to-text", f"derived: {found[1]}")
    # A decoder that reads both ways makes vectors; one with a processor takes more than text.
    both_ways = at(documents.get("config.json"), "is_causal") is False
    processor = at(documents.get("tokenizer_config.json"), "processor_class")
    return None if both_ways or processor else Task(found[0], f"derived: {found[1]}")


def _by_names(config: object, architectures: Sequence[str]) -> tuple[str, str] | None:
    for name in architectures[:1]:
        found = class_task(name)
        if found:
            return found, pointer("architectures")
    auto_map = mapping(at(config, "auto_map"))
    for key, task in _AUTO_CLASSES:
        if key in auto_map:
            return task, pointer("auto_map", key)
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
        files("dxwatchd.card.words").joinpath("class_tasks.json").read_bytes()
    )["tasks"]
    return tasks
