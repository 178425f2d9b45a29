"""Pipelines of diffusers and modules of sentence-transformers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.loading.components import components
from dxwatchd.card.loading.sentence_transformers import sentence_transformers
from dxwatchd.card.parts import ChatTemplate, Component, SentenceTransformers
from dxwatchd.card.sources import CardInputs, wanted_documents
from dxwatchd.card.values import Notes
from dxwatchd.card.words.capabilities import capabilities
from dxwatchd.card.words.format_tasks import Task
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder
from tests.card.conftest import IDENTITY

_PIPELINE = ModelFolder("a", Layout.DIFFUSERS, Kind.PIPELINE, (), (), ("unet",), ())


def test_a_pipeline_is_its_class() -> None:
    """The class stands where a model's does; its task and types follow."""
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    card = build_card(CardInputs(_PIPELINE, {"model_index.json": index}), IDENTITY)
    assert card.architecture.architectures == ("StableDiffusionPipeline",)
    assert card.sources["architecture.architectures"] == "model_index.json#/_class_name"
    assert (card.pipeline_tag, card.capabilities.output_types) == ("text-to-image", ("image",))
    assert card.components == (
        Component(name="unet", library="diffusers", class_name="UNet2DConditionModel"),
    )
    assert card.sources["components"] == "model_index.json"


@pytest.mark.parametrize(
    ("index", "files"),
    [
        ({"_class_name": ["pipeline", "OwnPipeline"]}, ("pipeline.py",)),
        ({"_class_name": "OwnPipeline", "unet": ["own_unet", "OwnUNet"]}, ("unet/own_unet.py",)),
        ({"_class_name": "OwnPipeline", "unet": ["own_unet", "OwnUNet"]}, ("own_unet.py",)),
    ],
)
def test_a_pipeline_of_the_folders_own_code(index: dict[str, object], files: tuple[str, ...]) -> None:
    """Its class is told too, and that it needs its code: a component's lies beside it or at the top."""
    model = dataclasses.replace(_PIPELINE, files=tuple(ModelFile(name, 1) for name in files))
    card = build_card(CardInputs(model, {"model_index.json": index}), IDENTITY)
    assert card.architecture.architectures == ("OwnPipeline",)
    assert (card.custom_code.required, card.custom_code.python_files) == (True, files)


@pytest.mark.parametrize(
    ("config", "conflicts"),
    [
        ({"_class_name": "UNet2DConditionModel"}, 0),
        ({"_class_name": "FlaxUNet2DConditionModel"}, 0),
        ({"_class_name": "UNet3DConditionModel"}, 1),
        ({"architectures": ["CLIPTextModel"]}, 1),
        ({}, 0),
        (None, 0),
        ("x", 0),
    ],
)
def test_a_component_that_says_it_is_another(config: object, conflicts: int) -> None:
    """The index's class is taken and both are listed; the same class of another framework is the same."""
    notes = Notes()
    index = {"unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": [None, None], "_x": ["a", "b"]}
    found = components({"model_index.json": index, "unet/config.json": config}, notes)
    assert [each.name for each in found] == ["unet"]
    assert len(notes.conflicts) == conflicts
    assert all(field == "components.unet.class_name" for field, _ in notes.conflicts)


def sentences(
    documents: dict[str, object],
    modules: tuple[tuple[str, str], ...] = (("", "Transformer"), ("1_P", "Pooling")),
) -> tuple[SentenceTransformers, Notes]:
    """The part for these modules: (path, class)."""
    notes = Notes()
    listed = [{"path": path, "type": f"sentence_transformers.models.{name}"} for path, name in modules]
    found = sentence_transformers({"modules.json": listed, **documents}, notes)
    assert found is not None
    return found, notes


@pytest.mark.parametrize(
    ("pooling", "mode", "dimension"),
    [
        ({"word_embedding_dimension": 8, "pooling_mode_cls_token": True}, "cls", 8),
        ({"word_embedding_dimension": 8, "pooling_mode": "mean"}, "mean", 8),
        ({"embedding_dimension": 8, "pooling_mode": "lasttoken"}, "lasttoken", 8),
        ({"embedding_dimension": 8, "pooling_mode": ["cls", "mean"]}, "cls+mean", 16),
        ({"embedding_dimension": 8, "pooling_mode": "cls+max"}, "cls+max", 16),
        ({"pooling_mode": "mean"}, "mean", None),
        ({"word_embedding_dimension": 8, "pooling_mode_mean_tokens": False}, None, None),
        ({"word_embedding_dimension": 8, "pooling_mode": 3}, None, None),
    ],
)
def test_pooling(pooling: dict[str, object], mode: str | None, dimension: int | None) -> None:
    """Switches of older versions, names of newer ones; each mode adds a vector."""
    found, notes = sentences({"1_P/config.json": pooling})
    assert (found.pooling_mode, found.embedding_dimension) == (mode, dimension)
    assert ("sentence_transformers.embedding_dimension" in notes.sources) is (dimension is not None)
    key = "embedding_dimension" if "embedding_dimension" in pooling else "word_embedding_dimension"
    if dimension:
        assert notes.sources["sentence_transformers.embedding_dimension"] == f"1_P/config.json#/{key}"


def test_prompts_and_similarity() -> None:
    """Prompts exactly as they are, empty ones too; what is none is left out and said."""
    config = {
        "similarity_fn_name": "dot",
        "default_prompt_name": "query",
        "prompts": {"query": "Query: ", "document": "", "wrong": 3, "long": "x" * 5000, "null": None},
    }
    found, notes = sentences({"config_sentence_transformers.json": config})
    assert (found.similarity_fn_name, found.default_prompt_name) == ("dot", "query")
    assert found.prompts == {"query": "Query: ", "document": ""}
    assert len(notes.warnings) == 2
    assert notes.sources["sentence_transformers.prompts"] == "config_sentence_transformers.json#/prompts"


@pytest.mark.parametrize(
    ("modules", "file", "length"),
    [
        ((("", "Transformer"),), "sentence_bert_config.json", 256),
        ((("", "Transformer"),), "sentence_roberta_config.json", 256),
        ((("0_Transformer", "Transformer"),), "0_Transformer/sentence_bert_config.json", 256),
        ((("0_Transformer", "Transformer"),), "sentence_bert_config.json", None),
        ((("", "WordEmbeddings"),), "sentence_bert_config.json", 256),
    ],
)
def test_length_is_that_of_the_transformer(
    modules: tuple[tuple[str, str], ...], file: str, length: int | None
) -> None:
    """It is read where modules.json says that module lies, and that file is asked for."""
    found, notes = sentences({file: {"max_seq_length": 256}}, modules)
    assert found.max_seq_length == length
    if length:
        assert notes.sources["sentence_transformers.max_seq_length"] == f"{file}#/max_seq_length"
    place = (file.rpartition("/")[0],) if "/" in file else ()
    model = ModelFolder("a", Layout.SENTENCE_TRANSFORMERS, Kind.MODEL, (), (), place, (ModelFile(file, 1),))
    assert file in wanted_documents(model)


def test_files_of_other_formats_are_asked_for() -> None:
    """One voice, and only in the folder itself."""
    names = ("params.json", "b.onnx.json", "a.onnx.json", "x/c.onnx.json", "other.json")
    model = dataclasses.replace(_PIPELINE, files=tuple(ModelFile(name, 1) for name in names))
    assert wanted_documents(model) == ("params.json", "a.onnx.json")


_TOOLS = ChatTemplate(name="default", source="chat_template.jinja", sha256="0", flags=("tools",))
_TEXT = Task("text-generation", "README.md#pipeline_tag", stated=True)


@pytest.mark.parametrize(
    ("task", "config", "templates", "wanted"),
    [
        (_TEXT, {}, (_TOOLS,), (("text",), ("text",), True, False, "stated")),
        (_TEXT._replace(stated=False), {}, (), (("text",), ("text",), None, None, "derived")),
        (
            Task("image-text-to-text", "x"),
            {"vision_config": {"a": 1}, "audio_config": {"a": 1}, "video_token_id": 0},
            (),
            (("image", "text", "audio", "video"), ("text",), None, None, "derived"),
        ),
        (
            Task("image-text-to-text", "x"),
            {"audio_config": None},
            (),
            (("image", "text"), ("text",), None, None, "derived"),
        ),
        (Task("sentence-similarity", "layout"), {}, (), (("text",), ("embedding",), None, None, "derived")),
        (Task("my-own-task", "README.md#pipeline_tag", stated=True), {}, (), ((), (), None, None, None)),
        (None, {}, (_TOOLS,), ((), (), True, False, "derived")),
        (None, "x", (), ((), (), None, None, None)),
    ],
)
def test_capabilities(
    task: Task | None, config: object, templates: tuple[ChatTemplate, ...], wanted: tuple[Any, ...]
) -> None:
    """By task, parts and template; nothing is said where nothing is there to tell it."""
    notes = Notes()
    found = capabilities(task, config, templates, notes, vision=False)
    got = (found.input_types, found.output_types, found.tool_usage, found.reasoning, found.confidence)
    assert got == wanted
    assert ("capabilities.toolUsage" in notes.sources) is bool(templates)
    assert ("capabilities.inputTypes" in notes.sources) is bool(found.input_types)
