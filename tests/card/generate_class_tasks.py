"""Generates `dxwatchd/card/words/class_tasks.json`: tasks of classes that their names do not tell.

Run where the development packages are: `python tests/card/generate_class_tasks.py`. The source of
transformers' auto classes is parsed, not run, so torch is not needed.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from dxwatchd.card.words.tasks import ending_task

OUT = Path(__file__).parents[2] / "dxwatchd" / "card" / "words" / "class_tasks.json"

MAPPINGS = (
    ("RETRIEVAL", "visual-document-retrieval"),
    ("IMAGE_TEXT_TO_TEXT", "image-text-to-text"),
    ("DOCUMENT_QUESTION_ANSWERING", "document-question-answering"),
    ("VISUAL_QUESTION_ANSWERING", "visual-question-answering"),
    ("TABLE_QUESTION_ANSWERING", "table-question-answering"),
    ("CTC", "automatic-speech-recognition"),
    ("RNNT", "automatic-speech-recognition"),
    ("TDT", "automatic-speech-recognition"),
    ("TEXT_TO_SPECTROGRAM", "text-to-speech"),
    ("TEXT_TO_WAVEFORM", "text-to-speech"),
    ("SPEECH_SEQ_2_SEQ", "automatic-speech-recognition"),
    ("AUDIO_CLASSIFICATION", "audio-classification"),
    ("SEQ_TO_SEQ_CAUSAL_LM", "text2text-generation"),
    ("CAUSAL_LM", "text-generation"),
    ("MASKED_LM", "fill-mask"),
    ("SEQUENCE_CLASSIFICATION", "text-classification"),
    ("TOKEN_CLASSIFICATION", "token-classification"),
    ("QUESTION_ANSWERING", "question-answering"),
    ("MULTIPLE_CHOICE", "multiple-choice"),
    ("IMAGE_CLASSIFICATION", "image-classification"),
    ("IMAGE_SEGMENTATION", "image-segmentation"),
    ("SEMANTIC_SEGMENTATION", "image-segmentation"),
    ("INSTANCE_SEGMENTATION", "image-segmentation"),
    ("UNIVERSAL_SEGMENTATION", "image-segmentation"),
    ("VIDEO_CLASSIFICATION", "video-classification"),
    ("ZERO_SHOT_OBJECT_DETECTION", "zero-shot-object-detection"),
    ("OBJECT_DETECTION", "object-detection"),
    ("DEPTH_ESTIMATION", "depth-estimation"),
    ("KEYPOINT_DETECTION", "keypoint-detection"),
    ("TIME_SERIES_PREDICTION", "time-series-forecasting"),
    ("IMAGE_TO_IMAGE", "image-to-image"),
    ("MASK_GENERATION", "mask-generation"),
    ("ZERO_SHOT_IMAGE_CLASSIFICATION", "zero-shot-image-classification"),
    ("TEXT_ENCODING", "feature-extraction"),
    ("IMAGE", "image-feature-extraction"),
)
"""Mapping of transformers → the Hub's task. Where a class is in several, the first one prevails."""

STATED: Mapping[str, str | None] = {
    # translate and nothing else
    "MarianMTModel": "translation",
    "FSMTForConditionalGeneration": "translation",
    "M2M100ForConditionalGeneration": "translation",
    "NllbMoeForConditionalGeneration": "translation",
    "SeamlessM4TForTextToText": "translation",
    "SeamlessM4Tv2ForTextToText": "translation",
    # not speech
    "MusicgenForConditionalGeneration": "text-to-audio",
    "MusicgenMelodyForConditionalGeneration": "text-to-audio",
    # take and give more than their mapping says
    "Qwen2_5OmniForConditionalGeneration": "any-to-any",
    "Qwen2_5OmniModel": "any-to-any",
    "Qwen3OmniMoeForConditionalGeneration": "any-to-any",
    # among the models that write down speech, and speak themselves
    "DiaForConditionalGeneration": "text-to-speech",
    "VibeVoiceForConditionalGeneration": "text-to-speech",
    # in a mapping for want of a better one: robots, proteins, music, formulas, all parts of a model at once
    "PI0ForConditionalGeneration": None,
    "EvollaForProteinText2Text": None,
    "Pop2PianoForConditionalGeneration": None,
    "PPFormulaNetForConditionalGeneration": None,
    "PerceiverModel": None,
}
"""What a class is for where its mapping tells too little, by its own documentation; None is not told."""


def mappings() -> dict[str, dict[str, list[str]]]:
    """Name of a mapping → model type → classes, as `modeling_auto` has them."""
    spec = importlib.util.find_spec("transformers.models.auto.modeling_auto")
    assert spec is not None
    assert spec.origin is not None
    found: dict[str, dict[str, list[str]]] = {}
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args):
            continue
        target, listed = node.targets[0], node.value.args[0]
        if not (isinstance(target, ast.Name) and isinstance(listed, ast.List)):
            continue
        if target.id.endswith("_MAPPING_NAMES"):
            name = target.id.removesuffix("_MAPPING_NAMES").removeprefix("MODEL_FOR_")
            pairs = (ast.literal_eval(each) for each in listed.elts if not isinstance(each, ast.Starred))
            listing = {key: [value] if isinstance(value, str) else list(value) for key, value in pairs}
            found[name] = listing
    return found


def class_tasks() -> dict[str, str | None]:
    """Class → task, of every class in a mapping that tells one; None where nobody can tell."""
    found: dict[str, str | None] = {}
    known = mappings()
    listening = set(_listening(known))
    for mapping, task in MAPPINGS:
        for names in known[mapping].values():
            for name in names:
                found.setdefault(name, None if name in listening else task)
    for model_type in _texts_alone(known):
        for name in known["MODEL"].get(model_type, []):
            found.setdefault(name, "feature-extraction" if name.endswith("Model") else None)
    return {**found, **{name: task for name, task in STATED.items() if name in found or task is None}}


def _texts_alone(known: Mapping[str, Mapping[str, list[str]]]) -> set[str]:
    """Model types that know texts and nothing else: without a head they give features of a text."""
    from transformers import CONFIG_MAPPING

    others = ("IMAGE_TEXT_TO_TEXT", "SPEECH_SEQ_2_SEQ", "TEXT_TO_WAVEFORM", "TABLE_QUESTION_ANSWERING")
    found = {*known["CAUSAL_LM"], *known["MASKED_LM"]} - {key for name in others for key in known[name]}
    return {key for key in found if key in CONFIG_MAPPING and not CONFIG_MAPPING[key].sub_configs}


def _listening(known: Mapping[str, Mapping[str, list[str]]]) -> Iterator[str]:
    """Classes that write a text on a text and a sound: for some it is a transcript, for others an answer."""
    from transformers import CONFIG_MAPPING

    for model_type, names in known["SEQ_TO_SEQ_CAUSAL_LM"].items():
        parts = CONFIG_MAPPING[model_type].sub_configs if model_type in CONFIG_MAPPING else {}
        if any("audio" in part or "encoder_config" in part for part in parts):
            yield from names


def table() -> dict[str, str | None]:
    """Those classes alone whose ending tells something else."""
    told = class_tasks()
    return {name: told[name] for name in sorted(told) if told[name] != ending_task(name)}


if __name__ == "__main__":
    content = {"transformers": version("transformers"), "tasks": table()}
    OUT.write_text(json.dumps(content, indent=1) + "\n")
    sys.stdout.write(f"{OUT}: {len(content['tasks'])} classes\n")
