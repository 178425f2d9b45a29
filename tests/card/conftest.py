"""Card inputs made from the corpus of real metadata, straight from its files and recipes."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import yaml

from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder, WeightFormat, WeightSet

IDENTITY = Identity("a", "A", "p/a", "p/a", "sha256:0")
"""A model that was just registered, where nothing depends on who it is."""

_OWN = frozenset({"ORIGIN.json", "expected.json", "recipe.json.gz"})


class Tensor(NamedTuple):
    """One tensor as a weight file's header tells it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int


class Family(NamedTuple):
    """One folder of the corpus: what a card is made from, and what the oracle says of its config."""

    name: str
    inputs: CardInputs
    answers: Mapping[str, Any] | None
    expected: Mapping[str, Any]


@pytest.fixture(scope="session")
def family(corpus: Path, recipes: ModuleType) -> Callable[[str], Family]:
    """A family of the corpus by its name."""
    return lambda name: _family(corpus / name, recipes)


@pytest.fixture(scope="session")
def families(corpus: Path, recipes: ModuleType) -> Callable[[], Iterator[Family]]:
    """All families of the corpus, one after the other."""
    return lambda: (_family(path, recipes) for path in sorted(corpus.iterdir()) if path.is_dir())


@pytest.fixture(scope="session")
def identity() -> Identity:
    """A model that was just registered."""
    return Identity(
        "a-model",
        "A-Model",
        "publisher/A-Model",
        "publisher/A-Model",
        "sha256:" + "0" * 64,
        "sha256:" + "0" * 64,
    )


@pytest.fixture(scope="session")
def tensor() -> Callable[..., Tensor]:
    """A tensor from its name, dtype and shape; its size follows."""
    bits = {"BF16": 16, "F16": 16, "F32": 32, "I32": 32, "U32": 32, "I64": 64, "F64": 64, "F4": 4}

    def make(name: str, dtype: str, *shape: int) -> Tensor:
        return Tensor(name, dtype, shape, math.prod(shape) * bits.get(dtype, 8) // 8)

    return make


@pytest.fixture(scope="session")
def folder() -> Callable[..., ModelFolder]:
    """A model folder of a layout, without files unless they are named."""

    def make(layout: Layout = Layout.TRANSFORMERS, kind: Kind = Kind.MODEL, **files: int) -> ModelFolder:
        listed = tuple(ModelFile(name, size) for name, size in files.items())
        return ModelFolder("publisher/A-Model", layout, kind, ("a test says so",), (), (), listed)

    return make


def _family(path: Path, recipes: ModuleType) -> Family:
    expected = json.loads((path / "expected.json").read_bytes())
    names = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    documents: dict[str, object] = {}
    for name in names:
        if name.endswith(".json") and name not in _OWN and not name.endswith(".index.json"):
            try:
                documents[name] = json.loads((path / name).read_bytes())
            except ValueError:
                continue
    layout, kind = _layout(documents)
    tensors = _tensors(path, recipes, layout)
    weights = WeightSet(WeightFormat.SAFETENSORS, tuple(sorted(tensors)), None, primary=True)
    model = ModelFolder(
        path=path.name,
        layout=layout,
        kind=kind,
        evidence=(),
        weight_sets=(weights,) if tensors else (),
        components=(),
        files=tuple(ModelFile(name, (path / name).stat().st_size) for name in names if name not in _OWN),
    )
    template = path / "chat_template.jinja"
    inputs = CardInputs(
        model=model,
        documents=documents,
        texts={template.name: template.read_text("utf-8")} if template.is_file() else {},
        front_matter=_front_matter(path / "README.md"),
        tensors=tensors,
    )
    primary = expected.get("primary_config")
    answers = expected["configs"].get(primary, {}).get("answers")
    if primary and primary != "config.json":  # a component: its config as if it were a model of its own
        alone = ModelFolder(path.name, Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())
        inputs = CardInputs(model=alone, documents={"config.json": documents.get(primary)})
    return Family(path.name, inputs, answers, expected)


def _layout(documents: Mapping[str, object]) -> tuple[Layout, Kind]:
    if "adapter_config.json" in documents:
        return Layout.PEFT, Kind.ADAPTER
    if "model_index.json" in documents:
        return Layout.DIFFUSERS, Kind.PIPELINE
    if "modules.json" in documents:
        return Layout.SENTENCE_TRANSFORMERS, Kind.MODEL
    return Layout.TRANSFORMERS, Kind.MODEL


def _tensors(path: Path, recipes: ModuleType, layout: Layout) -> dict[str, tuple[Tensor, ...]]:
    if not (path / "recipe.json.gz").is_file() or layout is Layout.DIFFUSERS:
        return {}
    recipe = json.loads(gzip.decompress((path / "recipe.json.gz").read_bytes()))
    for part in recipe["sets"]:
        if part["dir"] == "" and part.get("ext", ".safetensors") == ".safetensors":
            listed = tuple(
                Tensor(name, dtype, tuple(shape), recipes.nbytes(dtype, shape))
                for name, dtype, shape in recipes.expand(part["tensors"])
            )
            return {f"{part['stem']}.safetensors": listed}
    return {}


def _front_matter(path: Path) -> dict[str, object]:
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    if not text.startswith("---\n"):
        return {}
    try:
        found = yaml.load(text[4:].partition("\n---")[0], Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
