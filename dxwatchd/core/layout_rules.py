"""The layouts as a table: how each is recognised in one folder, and what then belongs to it.

A new layout is a line here, a function in `layout_evidence` or `runtime_evidence`, and a row in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dxwatchd.core import layout_evidence as evidence
from dxwatchd.core import runtime_evidence as runtimes
from dxwatchd.core.document_facts import Modules, PipelineIndex
from dxwatchd.core.filenames import is_adapter_weights, weight_format
from dxwatchd.core.model import Candidate, Kind, Layout, WeightFormat
from dxwatchd.core.place import Place

Formats = Callable[[Place, str], WeightFormat | None]


def _full(_: Place, name: str) -> WeightFormat | None:
    return weight_format(name) if evidence.is_full_weights(name) else None


def _adapter(_: Place, name: str) -> WeightFormat | None:
    return weight_format(name) if is_adapter_weights(name) else None


def _gguf(place: Place, name: str) -> WeightFormat | None:
    return WeightFormat.GGUF if runtimes.is_gguf_model(place, name) else None


def _ctranslate2(_: Place, name: str) -> WeightFormat | None:
    return WeightFormat.CTRANSLATE2 if name == "model.bin" else None


def _one(form: WeightFormat) -> Formats:
    """Of all weights in the folder only those of one format are the model's."""
    return lambda _, name: form if weight_format(name) is form else None


def _ranks(_: Place, name: str) -> WeightFormat | None:
    return weight_format(name) if name.startswith("rank") else None


def _nothing_loose(_: Place, __: str) -> None:
    """The weights are those that the folder's own table lists."""


def _no_components(_: Place) -> tuple[str, ...]:
    return ()


def _pipeline_components(place: Place) -> tuple[str, ...]:
    index = place.facts("model_index.json", PipelineIndex)
    return index.components if index is not None else ()


def _module_folders(place: Place) -> tuple[str, ...]:
    modules = place.facts("modules.json", Modules)
    return tuple(path for path in modules.paths if path) if modules is not None else ()


def _nemo_folders(place: Place) -> tuple[str, ...]:
    return () if any(name.endswith(".nemo") for name in place.folder.files) else ("context", "weights")


@dataclass(frozen=True, slots=True)
class Rule:
    """How one layout is recognised and what then belongs to it.

    evidence: a folder → sentences that say why it is this layout, none where it is not;
    formats: a file → the format of the weights in it, None for what is not this model's weights;
    components: subfolders it refers to, relative to it; own_weights: whether weights in the folder itself
    are its own (else only those in its components are); weak: whether such a folder inside another model is
    a part of that one and no model by itself; includes: layouts whose marks every such folder bears too.
    """

    layout: Layout
    kind: Kind
    evidence: Callable[[Place], tuple[str, ...]]
    formats: Formats = _full
    components: Callable[[Place], tuple[str, ...]] = _no_components
    own_weights: bool = True
    weak: bool = False
    includes: tuple[Layout, ...] = ()


RULES: tuple[Rule, ...] = (
    Rule(
        Layout.DIFFUSERS,
        Kind.PIPELINE,
        evidence.diffusers,
        components=_pipeline_components,
        own_weights=False,
    ),
    Rule(
        Layout.SENTENCE_TRANSFORMERS,
        Kind.MODEL,
        evidence.sentence_transformers,
        components=_module_folders,
        includes=(Layout.TRANSFORMERS,),
    ),
    Rule(Layout.PEFT, Kind.ADAPTER, evidence.peft, _adapter),
    Rule(Layout.MLC, Kind.MODEL, runtimes.mlc, _nothing_loose),
    Rule(
        Layout.ORT_GENAI,
        Kind.MODEL,
        runtimes.ort_genai,
        _one(WeightFormat.ONNX),
        includes=(Layout.ONNX, Layout.TRANSFORMERS),
    ),
    Rule(Layout.CTRANSLATE2, Kind.MODEL, runtimes.ctranslate2, _ctranslate2),
    Rule(
        Layout.OPENVINO,
        Kind.MODEL,
        runtimes.openvino,
        _one(WeightFormat.OPENVINO),
        weak=True,
        includes=(Layout.TRANSFORMERS,),
    ),
    Rule(Layout.TENSORRT_LLM, Kind.MODEL, runtimes.tensorrt_llm, _ranks),
    Rule(Layout.MLX, Kind.MODEL, evidence.mlx, includes=(Layout.TRANSFORMERS,)),
    Rule(Layout.TIMM, Kind.MODEL, evidence.timm),
    Rule(Layout.TRANSFORMERS, Kind.MODEL, evidence.transformers),
    Rule(Layout.OPEN_CLIP, Kind.MODEL, evidence.open_clip, weak=True),
    Rule(Layout.MISTRAL, Kind.MODEL, evidence.mistral, weak=True),
    Rule(Layout.LLAMA, Kind.MODEL, evidence.llama, weak=True),
    Rule(Layout.NEMO, Kind.MODEL, runtimes.nemo, components=_nemo_folders, weak=True),
    Rule(Layout.GGUF, Kind.ADAPTER, runtimes.gguf_adapter, _gguf),
    Rule(Layout.GGUF, Kind.MODEL, runtimes.gguf, _gguf),
    Rule(
        Layout.PIPER,
        Kind.MODEL,
        runtimes.piper,
        _one(WeightFormat.ONNX),
        weak=True,
        includes=(Layout.ONNX,),
    ),
    Rule(Layout.WHISPER, Kind.MODEL, runtimes.whisper, weak=True),
    Rule(Layout.DDUF, Kind.PIPELINE, evidence.dduf, _one(WeightFormat.DDUF), weak=True),
    Rule(Layout.ONNX, Kind.MODEL, runtimes.onnx, _one(WeightFormat.ONNX), weak=True),
    Rule(Layout.TFLITE, Kind.MODEL, runtimes.tflite, _one(WeightFormat.TFLITE), weak=True),
    Rule(Layout.OPENVINO, Kind.MODEL, runtimes.openvino_beside, _one(WeightFormat.OPENVINO), weak=True),
    Rule(Layout.PEFT, Kind.ADAPTER, evidence.peft_beside_base, _adapter, weak=True),
)
"""Strongest first: a sentence-transformers folder has a `config.json` too, and is more than that."""


@dataclass(frozen=True, slots=True)
class Match:
    """The strongest rule that knows a folder, its evidence, and what weaker rules take the folder for."""

    rule: Rule
    evidence: tuple[str, ...]
    candidates: tuple[Candidate, ...]


def match(place: Place) -> Match | None:
    """What the rules make of a folder; None where no rule knows it."""
    found = [(rule, said) for rule in RULES if (said := rule.evidence(place))]
    if not found:
        return None
    (best, said), *weaker = found
    known = {(best.layout, best.kind)}
    others = []
    for rule, why in weaker:
        if (rule.layout, rule.kind) not in known and rule.layout not in best.includes:
            known.add((rule.layout, rule.kind))
            others.append(Candidate(rule.layout, rule.kind, why))
    return Match(best, said, tuple(others))
