"""The layouts as a table: how each is recognised in one folder, and what then belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dxwatchd.core.facts import AdapterConfig, Config, Gguf, Modules, PipelineIndex, Pointer, Unusable
from dxwatchd.core.filenames import index_format, is_adapter_weights, is_projector, weight_format
from dxwatchd.core.model import Kind, Layout
from dxwatchd.core.snapshot import SeenFolder
from dxwatchd.core.text import count


def _no_components(_: SeenFolder) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Rule:
    """How one layout is recognised and what then belongs to it.

    evidence: a folder → sentences that say why it is this layout, none where it is not;
    wanted: which file names are its weights; components: subfolders it refers to, relative to it;
    own_weights: whether weights in the folder itself are its own (else only those in its components are).
    """

    layout: Layout
    kind: Kind
    evidence: Callable[[SeenFolder], tuple[str, ...]]
    wanted: Callable[[str], bool]
    components: Callable[[SeenFolder], tuple[str, ...]] = _no_components
    own_weights: bool = True


def _is_full_weights(name: str) -> bool:
    return weight_format(name) is not None and not is_adapter_weights(name) and not is_projector(name)


def _is_gguf_weights(name: str) -> bool:
    return name.endswith(".gguf") and not is_projector(name)


def _diffusers(folder: SeenFolder) -> tuple[str, ...]:
    file = folder.files.get("model_index.json")
    if file is None:
        return ()
    if isinstance(file.facts, PipelineIndex) and file.facts.class_name:
        return (f"model_index.json names the pipeline class {file.facts.class_name}",)
    return (
        ("model_index.json is there but cannot be read yet",) if _unread(folder, "model_index.json") else ()
    )


def _pipeline_components(folder: SeenFolder) -> tuple[str, ...]:
    file = folder.files.get("model_index.json")
    return file.facts.components if file is not None and isinstance(file.facts, PipelineIndex) else ()


def _sentence_transformers(folder: SeenFolder) -> tuple[str, ...]:
    file = folder.files.get("modules.json")
    if file is None:
        return ()
    if isinstance(file.facts, Modules) and file.facts.paths:
        return (f"modules.json names {count(len(file.facts.paths), 'module')}",)
    return ("modules.json is there but cannot be read yet",) if _unread(folder, "modules.json") else ()


def _module_folders(folder: SeenFolder) -> tuple[str, ...]:
    file = folder.files.get("modules.json")
    if file is None or not isinstance(file.facts, Modules):
        return ()
    return tuple(path for path in file.facts.paths if path)


def _peft(folder: SeenFolder) -> tuple[str, ...]:
    file = folder.files.get("adapter_config.json")
    if file is None or _has_base_weights(folder):
        return ()
    if isinstance(file.facts, AdapterConfig) and file.facts.peft_type:
        return (f"adapter_config.json names the PEFT type {file.facts.peft_type}",)
    if _unread(folder, "adapter_config.json"):
        return ("adapter_config.json is there but cannot be read yet",)
    return ()


def _has_base_weights(folder: SeenFolder) -> bool:
    return any(_is_full_weights(name) or index_format(name) for name in folder.files)


def _transformers(folder: SeenFolder) -> tuple[str, ...]:
    file = folder.files.get("config.json")
    if file is None or _only_gguf(folder):
        return ()
    if isinstance(file.facts, Config):
        said = []
        if file.facts.model_type:
            said.append(f"config.json names the model type {file.facts.model_type}")
        if file.facts.architectures:
            said.append(f"config.json names the architecture {', '.join(file.facts.architectures)}")
        return tuple(said)
    return ("config.json is there but cannot be read yet",) if _unread(folder, "config.json") else ()


def _only_gguf(folder: SeenFolder) -> bool:
    weights = [name for name in folder.files if _is_full_weights(name) or index_format(name)]
    return bool(weights) and all(name.endswith(".gguf") for name in weights)


def _gguf(folder: SeenFolder) -> tuple[str, ...]:
    names = sorted(name for name in folder.files if _is_gguf_weights(name))
    if not names:
        return ()
    said = [f"{count(len(names), 'GGUF file')}"]
    for name in names:
        facts = folder.files[name].facts
        if isinstance(facts, Gguf) and facts.architecture:
            said.append(f"{name} names the architecture {facts.architecture}")
            break
    return tuple(said)


def _unread(folder: SeenFolder, name: str) -> bool:
    file = folder.files[name]
    return isinstance(file.facts, Unusable | Pointer) or file.trouble is not None


RULES: tuple[Rule, ...] = (
    Rule(
        Layout.DIFFUSERS, Kind.PIPELINE, _diffusers, _is_full_weights, _pipeline_components, own_weights=False
    ),
    Rule(Layout.SENTENCE_TRANSFORMERS, Kind.MODEL, _sentence_transformers, _is_full_weights, _module_folders),
    Rule(Layout.PEFT, Kind.ADAPTER, _peft, is_adapter_weights),
    Rule(Layout.TRANSFORMERS, Kind.MODEL, _transformers, _is_full_weights),
    Rule(Layout.GGUF, Kind.MODEL, _gguf, _is_gguf_weights),
)
"""Strongest first: a sentence-transformers folder has a `config.json` too, and is more than that."""


def match(folder: SeenFolder) -> tuple[Rule, tuple[str, ...]] | None:
    """The strongest rule that knows this folder, with its evidence; None where none does."""
    for rule in RULES:
        evidence = rule.evidence(folder)
        if evidence:
            return rule, evidence
    return None
