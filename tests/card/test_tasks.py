"""Tasks: what the README states, what class, pipeline, layout and other formats tell; never a guess."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dxwatchd.card.parts import Architecture
from dxwatchd.card.sources import CardInputs
from dxwatchd.card.words.format_tasks import Task
from dxwatchd.card.words.pipeline_tasks import pipeline_task
from dxwatchd.card.words.task_names import TASK_TYPES, TASKS
from dxwatchd.card.words.tasks import all_tasks, class_task, ending_task, main_task
from dxwatchd.core.model import Kind, Layout, ModelFolder


def task_of(
    config: Mapping[str, object] | None = None,
    *,
    layout: Layout = Layout.TRANSFORMERS,
    pipeline_tag: str | None = None,
    tags: tuple[str, ...] = (),
    vision: bool = False,
    documents: Mapping[str, object] | None = None,
    gguf: Mapping[str, int | float | bool | str] | None = None,
) -> Task | None:
    """The main task of a folder with this config."""
    config = config or {}
    architectures = config.get("architectures", ())
    inputs = CardInputs(
        ModelFolder("a", layout, Kind.MODEL, (), (), (), ()),
        documents={"config.json": config, **(documents or {})},
        front_matter={"pipeline_tag": pipeline_tag} if pipeline_tag else {},
        gguf_metadata=gguf or {},
    )
    assert isinstance(architectures, tuple)
    return main_task(inputs, Architecture(architectures=architectures), tags, vision=vision)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("LlamaForCausalLM", "text-generation"),
        ("GPT2LMHeadModel", "text-generation"),
        ("SomethingNewForCausalLM", "text-generation"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
        ("LlavaForConditionalGeneration", "image-text-to-text"),
        ("SomethingNewForConditionalGeneration", None),
        ("VoxtralForConditionalGeneration", None),
        ("Qwen2AudioForConditionalGeneration", None),
        ("Wav2Vec2ForSequenceClassification", "audio-classification"),
        ("BertForSequenceClassification", "text-classification"),
        ("TapasForQuestionAnswering", "table-question-answering"),
        ("LayoutLMv3ForQuestionAnswering", "document-question-answering"),
        ("MarianMTModel", "translation"),
        ("CLIPModel", "zero-shot-image-classification"),
        ("ViTModel", "image-feature-extraction"),
        ("BertModel", "feature-extraction"),
        ("MistralModel", "feature-extraction"),
        ("WhisperModel", None),
        ("ChatGLMModel", None),
        ("PI0ForConditionalGeneration", None),
        ("BertForPreTraining", None),
        ("", None),
    ],
)
def test_task_of_a_class(name: str, task: str | None) -> None:
    """By transformers' own mappings; of unknown classes only an ending that means one thing tells."""
    assert class_task(name) == task


def _generator() -> ModuleType:
    path = Path(__file__).with_name("generate_class_tasks.py")
    spec = importlib.util.spec_from_file_location("generate_class_tasks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.oracle
def test_no_class_of_transformers_has_a_task_of_another() -> None:
    """Each class's task is one that a mapping which has the class stands for; the table says the same."""
    generator = _generator()
    known = generator.mappings()
    allowed: dict[str, set[str]] = {}
    for mapping, task in generator.MAPPINGS:
        for names in known[mapping].values():
            for name in names:
                allowed.setdefault(name, set()).add(task)
    wrong = {
        name: (class_task(name), tasks)
        for name, tasks in allowed.items()
        if class_task(name) not in {None, *tasks} and name not in generator.STATED
    }
    assert wrong == {}
    assert len(allowed) > 900
    told = sum(class_task(name) is not None for name in allowed)
    assert told / len(allowed) > 0.95


def test_the_table_is_what_the_endings_do_not_tell() -> None:
    """It repeats nothing that a name's ending says, and names tasks of the Hub alone."""
    path = Path(__file__).parents[2] / "dxwatchd" / "card" / "words" / "class_tasks.json"
    tasks = json.loads(path.read_text())["tasks"]
    assert all(task is None or task in TASKS for task in tasks.values())
    assert all(task != ending_task(name) for name, task in tasks.items())
    assert list(tasks) == sorted(tasks)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("StableDiffusionPipeline", "text-to-image"),
        ("OnnxStableDiffusionPipeline", "text-to-image"),
        ("StableDiffusionXLImg2ImgPipeline", "image-to-image"),
        ("StableDiffusionInpaintPipeline", "image-to-image"),
        ("FluxPipeline", "text-to-image"),
        ("FluxKontextPipeline", "image-to-image"),
        ("WanPipeline", "text-to-video"),
        ("WanImageToVideoPipeline", "image-to-video"),
        ("StableVideoDiffusionPipeline", "image-to-video"),
        ("TextToVideoSDPipeline", "text-to-video"),
        ("AudioLDM2Pipeline", "text-to-audio"),
        ("DDPMPipeline", "unconditional-image-generation"),
        ("StableCascadeDecoderPipeline", None),
        ("MyOwnPipeline", None),
        ("EasyAnimateInpaintPipeline", "image-to-video"),
        ("StableDiffusionXLControlNetPipeline", "text-to-image"),
        ("StableDiffusionImageVariationPipeline", "image-to-image"),
    ],
)
def test_task_of_a_pipeline(name: str, task: str | None) -> None:
    """By its class, whatever runtime it was exported to; half of a pipeline has none."""
    assert pipeline_task(name) == task
    index = {"model_index.json": {"_class_name": name}}
    found = task_of({"architectures": (name,)}, layout=Layout.DIFFUSERS, documents=index)
    assert found == (Task(task, "derived: model_index.json#/_class_name") if task else None)


_LM = {"architectures": ("LlamaForCausalLM",)}


@pytest.mark.parametrize(
    ("arguments", "task", "source"),
    [
        ({"config": _LM}, "text-generation", "derived: config.json#/architectures"),
        (
            {"config": _LM, "pipeline_tag": "feature-extraction"},
            "feature-extraction",
            "README.md#pipeline_tag",
        ),
        ({"config": _LM, "vision": True}, "image-text-to-text", "derived: config.json#/architectures"),
        ({"config": {**_LM, "is_causal": False}}, None, None),
        ({"config": _LM, "documents": {"tokenizer_config.json": {"processor_class": "P"}}}, None, None),
        (
            {"config": {"architectures": ("XModel",), "auto_map": {"AutoModelForCausalLM": "x.X"}}},
            "text-generation",
            "derived: config.json#/auto_map/AutoModelForCausalLM",
        ),
        ({"tags": ("custom", "translation")}, "translation", "tags"),
        ({"tags": ("translation", "summarization")}, None, None),
        ({"config": _LM, "tags": ("translation",)}, "text-generation", "derived: config.json#/architectures"),
        ({"layout": Layout.SENTENCE_TRANSFORMERS}, "sentence-similarity", "layout"),
        (
            {"layout": Layout.SENTENCE_TRANSFORMERS, "documents": {"config_setfit.json": {}}},
            "text-classification",
            "derived: config_setfit.json",
        ),
        (
            {
                "config": {
                    "architectures": ("BertForSequenceClassification",),
                    "sbert_ce_default_activation_function": "torch.nn.Identity",
                }
            },
            "text-ranking",
            "config.json#/sbert_ce_default_activation_function",
        ),
        (
            {"config": {"sentence_transformers": {"activation_fn": "torch.nn.Sigmoid"}}},
            "text-ranking",
            "config.json#/sentence_transformers/activation_fn",
        ),
        (
            {
                "layout": Layout.SENTENCE_TRANSFORMERS,
                "documents": {"config_sentence_transformers.json": {"model_type": "SparseEncoder"}},
            },
            "feature-extraction",
            "derived: config_sentence_transformers.json#/model_type",
        ),
        ({"layout": Layout.PIPER}, "text-to-speech", "layout"),
        (
            {"layout": Layout.PEFT, "documents": {"adapter_config.json": {"task_type": "SEQ_CLS"}}},
            "text-classification",
            "derived: adapter_config.json#/task_type",
        ),
        (
            {"layout": Layout.PEFT, "documents": {"adapter_config.json": {"task_type": "CAUSAL_LM"}}},
            None,
            None,
        ),
        (
            {"documents": {"mlc-chat-config.json": {"conv_template": {"name": "chatml"}}}},
            "text-generation",
            "derived: mlc-chat-config.json#/conv_template",
        ),
        (
            {"documents": {"mlc-chat-config.json": {"conv_template": "x", "model_task": "embedding"}}},
            None,
            None,
        ),
        (
            {
                "documents": {
                    "genai_config.json": {"model": {"type": "phi3v", "decoder": {"a": 1}, "vision": {"a": 1}}}
                }
            },
            "image-text-to-text",
            "derived: genai_config.json#/model/vision",
        ),
        (
            {"documents": {"genai_config.json": {"model": {"type": "whisper", "decoder": {"a": 1}}}}},
            "automatic-speech-recognition",
            "derived: genai_config.json#/model/type",
        ),
        (
            {"config": {"alignment_heads": [], "lang_ids": []}},
            "automatic-speech-recognition",
            "derived: config.json#/lang_ids",
        ),
        (
            {"config": {"pretrained_cfg": {"tag": "x"}, "num_classes": 1000}},
            "image-classification",
            "derived: config.json#/num_classes",
        ),
        (
            {
                "layout": Layout.GGUF,
                "gguf": {
                    "general.architecture": "qwen3",
                    "qwen3.pooling_type": 3,
                    "tokenizer.chat_template": "x",
                },
            },
            "feature-extraction",
            "derived: qwen3.pooling_type",
        ),
        (
            {"layout": Layout.GGUF, "gguf": {"general.architecture": "bert", "bert.pooling_type": 4}},
            "text-ranking",
            "derived: bert.pooling_type",
        ),
        (
            {
                "layout": Layout.GGUF,
                "gguf": {"general.architecture": "llama", "tokenizer.chat_template": "x"},
            },
            "text-generation",
            "derived: tokenizer.chat_template",
        ),
        ({"layout": Layout.GGUF, "gguf": {"general.architecture": "llama"}}, None, None),
        ({}, None, None),
    ],
)
def test_main_task(arguments: dict[str, Any], task: str | None, source: str | None) -> None:
    """What is stated prevails; then the first evidence; contradicting or no evidence gives none."""
    found = task_of(**arguments)
    assert (found and found.name, found and found.source) == (task, source)


def test_further_tasks() -> None:
    """Tags that are tasks and the tasks of evaluation results follow the main one; other words do not."""
    index = [{"results": [{"task": {"type": "token-classification"}}, {"task": {"type": "no task"}}, "x"]}, 3]
    main = Task("translation", "README.md#pipeline_tag", stated=True)
    tasks, sources = all_tasks(main, ("pytorch", "translation", "summarization"), {"model-index": index})
    assert tasks == ("translation", "summarization", "token-classification")
    assert sources == ("README.md#pipeline_tag", "tags", "README.md#model-index")
    assert all_tasks(None, (), {}) == ((), ())


@pytest.mark.parametrize(
    ("listed", "task", "tasks"),
    [
        (["text-generation"], "text-generation", ("text-generation",)),
        ("text-generation", "text-generation", ("text-generation",)),
        (["translation", "no task", "summarization"], None, ("translation", "summarization")),
        (["auto-speech-recognition"], None, ()),
    ],
)
def test_tasks_as_modelscope_lists_them(listed: object, task: str | None, tasks: tuple[str, ...]) -> None:
    """One that the Hub has too is the model's; of several each is one; others are not guessed at."""
    front = {"tasks": listed}
    model = ModelFolder("a", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())
    main = main_task(CardInputs(model, front_matter=front), Architecture(), (), vision=False)
    assert main == (Task(task, "README.md#tasks", stated=True) if task else None)
    assert all_tasks(main, (), front) == (tasks, ("README.md#tasks",) if tasks else ())


def test_every_task_has_types_that_exist() -> None:
    """What goes in and comes out is named as ModelPack names it."""
    known = {"text", "image", "audio", "video", "embedding", "other"}
    for name, (takes, gives) in TASK_TYPES.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert {*takes, *gives} <= known
        assert gives or name == "any-to-any"


@pytest.mark.parametrize("folder_layout", list(Layout))
def test_an_empty_folder_has_no_task_but_its_layouts(
    folder_layout: Layout, folder: Callable[..., ModelFolder]
) -> None:
    """Whatever the layout, nothing is needed for an answer, and the answer is one of the Hub's."""
    found = main_task(CardInputs(folder(folder_layout)), Architecture(), (), vision=False)
    assert found is None or (found.name in TASKS and found.source == "layout")
