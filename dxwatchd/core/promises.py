"""What a model's layout promises: components that must be there, and places that must hold weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dxwatchd.core.document_facts import Modules
from dxwatchd.core.facts import Gguf, Sized
from dxwatchd.core.filenames import numbered
from dxwatchd.core.layouts import PARTS
from dxwatchd.core.model import Layout, ModelFolder, WeightFormat, WeightSet
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.runtime_evidence import SHARD_TABLES, VOCABULARY
from dxwatchd.core.snapshot import SeenFile, SeenFolder, basename
from dxwatchd.core.text import count

_WITHOUT_FILES = frozenset({"Normalize"})
"""Sentence-transformers' modules without settings: their folder is empty, and git keeps no empty folders."""

_WITH_WEIGHTS = frozenset(
    {"CLIPModel", "CNN", "Dense", "LSTM", "LayerNorm", "StaticEmbedding", "Transformer"}
    | {"WeightedLayerPooling", "WordEmbeddings"}
)
"""Sentence-transformers' modules that save weights, by the class name that ends their folder's: `2_Dense`."""

_WITHOUT_WEIGHTS = ("tokenizer", "scheduler", "feature_extractor", "image_processor", "processor")
"""What the names of a pipeline's components begin with that may have a `config.json` and no weights."""


_NEEDED: dict[Layout, tuple[re.Pattern[str], str]] = {
    Layout.CTRANSLATE2: (VOCABULARY, "a vocabulary (vocabulary.json or the like)"),
    Layout.MLC: (re.compile("|".join(map(re.escape, SHARD_TABLES))), " or ".join(SHARD_TABLES)),
    Layout.TENSORRT_LLM: (re.compile(r"config\.json"), "config.json"),
}
"""Files without which no loader of the layout begins, beside the weights."""


def unkept(model: ModelFolder, folders: Mapping[str, SeenFolder], sets: list[WeightSet]) -> Iterator[Reason]:
    """The components, configs and weights that the layout promises and that are not there.

    folders: what was seen, by name relative to the model; sets: the weight sets that count.
    """
    yield from _absent_components(model, folders)
    yield from _absent_weights(model, folders, sets)
    if model.layout in _NEEDED:
        pattern, named = _NEEDED[model.layout]
        if not any(pattern.fullmatch(name) for name in folders[""].files):
            yield _missing("", named, "not there")
    if model.layout is Layout.DIFFUSERS:
        for place in sorted({weights.folder for weights in sets if weights.format in _WITH_CONFIG}):
            if place in folders and "config.json" not in folders[place].files:
                yield _missing(f"{place}/config.json", "beside weights", "not there")


def _absent_components(model: ModelFolder, folders: Mapping[str, SeenFolder]) -> Iterator[Reason]:
    named_by = _NAMED_BY.get(model.layout, "its layout")
    for component in model.components:
        folder = folders.get(component)
        if _module(component) in _WITHOUT_FILES or (folder is not None and folder.trouble is not None):
            continue
        if folder is None or not (folder.files or folder.folders):
            yield _missing(f"{component}/", f"by {named_by}", "not there" if folder is None else "empty")


def _absent_weights(
    model: ModelFolder, folders: Mapping[str, SeenFolder], sets: list[WeightSet]
) -> Iterator[Reason]:
    places = {weights.folder for weights in sets}
    if not places.isdisjoint(PARTS):  # the same weights in another form will do
        places.add("")
    wanting = [place for place in _weighty(model, folders) if place not in places]
    for place in wanting:
        yield _no_weights(f"{place}/" if place else "")
    if not sets and not wanting:
        yield _no_weights("")


_NAMED_BY = {Layout.DIFFUSERS: "model_index.json", Layout.SENTENCE_TRANSFORMERS: "modules.json"}

_WITH_CONFIG = (WeightFormat.SAFETENSORS, WeightFormat.PYTORCH, WeightFormat.FLAX)
"""Formats that a pipeline's component cannot be made from without its `config.json`."""


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
    elif model.layout is Layout.NEMO and model.components:
        yield "weights"
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
        expected="a weight file",
        found="no weights yet",
        remedy="wait for the copy to end, or copy the weights into the folder",
    )


def unkept_by_gguf(weights: WeightSet, files: Mapping[str, SeenFile]) -> Iterator[Reason]:
    """What GGUF headers say against their set: of another number of parts, out of order, without tensors."""
    seen = [(name, files[name].facts) for name in weights.files if name in files]
    headers = [(name, facts) for name, facts in seen if isinstance(facts, Gguf)]
    for name, facts in headers:
        parts = numbered(basename(name))
        if (
            facts.split_count is not None
            and facts.split_count > 1
            and facts.split_count != len(weights.files)
        ):
            yield Reason(
                ReasonKind.MISSING_FILE,
                file=name,
                expected=f"{facts.split_count} files of one set by its own header",
                found=count(len(weights.files), "file"),
                remedy="copy the others too, under the names that they came with",
            )
        elif facts.split_no is not None and parts is not None and facts.split_no + 1 != int(parts.number):
            yield Reason(
                ReasonKind.MALFORMED,
                file=name,
                expected=f"part {int(parts.number)} by its name",
                found=f"part {facts.split_no + 1} by its own header",
                remedy="copy it again under the name that it came with",
            )
    if headers and len(headers) == len(weights.files) and not any(facts.tensors for _, facts in headers):
        yield _no_tensors(headers[0][0])
    for name, sized in seen:
        if isinstance(sized, Sized) and sized.tensors == 0:
            yield _no_tensors(name)


def _no_tensors(name: str) -> Reason:
    return Reason(
        ReasonKind.NO_WEIGHTS,
        file=name,
        expected="tensors",
        found="only a vocabulary",
        remedy="copy the file that holds the weights; this one is no model",
    )
