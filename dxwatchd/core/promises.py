"""What a model's layout promises: components that must be there, and places that must hold weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dxwatchd.core.facts import Modules
from dxwatchd.core.model import Layout, ModelFolder, WeightSet
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFolder, basename, parent

_WITHOUT_FILES = frozenset({"Normalize"})
"""Sentence-transformers' modules without settings: their folder is empty, and git keeps no empty folders."""

_WITH_WEIGHTS = frozenset(
    {"CLIPModel", "CNN", "Dense", "LSTM", "LayerNorm", "StaticEmbedding", "Transformer"}
    | {"WeightedLayerPooling", "WordEmbeddings"}
)
"""Sentence-transformers' modules that save weights, by the class name that ends their folder's: `2_Dense`."""

_WITHOUT_WEIGHTS = ("tokenizer", "scheduler", "feature_extractor", "image_processor", "processor")
"""What the names of a pipeline's components begin with that may have a `config.json` and no weights."""


def unkept(model: ModelFolder, folders: Mapping[str, SeenFolder], sets: list[WeightSet]) -> Iterator[Reason]:
    """The components, configs and weights that the layout promises and that are not there.

    folders: what was seen, by name relative to the model; sets: the weight sets that count.
    """
    named_by = "model_index.json" if model.layout is Layout.DIFFUSERS else "modules.json"
    for component in model.components:
        folder = folders.get(component)
        if _module(component) in _WITHOUT_FILES or (folder is not None and folder.trouble is not None):
            continue
        if folder is None or not (folder.files or folder.folders):
            yield _missing(f"{component}/", f"by {named_by}", "not there" if folder is None else "empty")
    places = {parent(weights.index or weights.files[0]) for weights in sets}
    wanting = [place for place in _weighty(model, folders) if place not in places]
    for place in wanting:
        yield _no_weights(f"{place}/" if place else "")
    if not sets and not wanting:
        yield _no_weights("")
    if model.layout is Layout.DIFFUSERS:
        for place in sorted(places):
            if place in folders and "config.json" not in folders[place].files:
                yield _missing(f"{place}/config.json", "beside weights", "not there")


def _weighty(model: ModelFolder, folders: Mapping[str, SeenFolder]) -> Iterator[str]:
    """The places, relative to the model, that must hold weights of their own."""
    if model.layout is Layout.DIFFUSERS:
        for component in model.components:
            folder = folders.get(component)
            may_have = not basename(component).startswith(_WITHOUT_WEIGHTS)
            if folder is not None and may_have and "config.json" in folder.files:
                yield component
    elif model.layout is Layout.SENTENCE_TRANSFORMERS:
        modules = folders[""].files["modules.json"].facts
        paths = modules.paths if isinstance(modules, Modules) else ("",)
        yield from (
            path for path in paths if not path or (path in folders and _module(path) in _WITH_WEIGHTS)
        )
    else:
        yield ""


def _module(component: str) -> str:
    return basename(component).partition("_")[2]


def _missing(file: str, expected: str, found: str) -> Reason:
    remedy = "wait for the copy to end, or copy the rest of the model folder"
    return Reason(ReasonKind.MISSING_FILE, file=file, expected=expected, found=found, remedy=remedy)


def _no_weights(place: str) -> Reason:
    return Reason(
        ReasonKind.NO_WEIGHTS,
        file=place,
        expected="a weight file (*.safetensors, *.bin, *.gguf)",
        found="no weights yet",
        remedy="wait for the copy to end, or copy the weights into the folder",
    )
