"""Snapshot → models: which folders are one model, of which kind, and which files belong to each.

The rules are a table (`RULES`), strongest first: each looks at one folder and gives its evidence or nothing.
The outermost folder that some rule knows owns everything below it, except what it does not refer to and
what can be loaded by itself. A folder that only groups others (a publisher) owns nothing, and the models
root itself is never a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dxwatchd.core.facts import AdapterConfig, Config, Gguf, Modules, PipelineIndex, Pointer, Unusable
from dxwatchd.core.filenames import index_format, is_adapter_weights, is_projector, weight_format
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder, WeightFormat, WeightSet
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFolder, Snapshot, Trouble, join, parent
from dxwatchd.core.text import count, is_text
from dxwatchd.core.weightsets import weight_sets


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
    components: Callable[[SeenFolder], tuple[str, ...]] = lambda folder: ()
    own_weights: bool = True


@dataclass(frozen=True, slots=True)
class Stray:
    """A folder that holds something of a model and is none: with the reasons why."""

    path: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """All that the rules made of a snapshot, in the order of the paths."""

    models: tuple[ModelFolder, ...]
    strays: tuple[Stray, ...]


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


def find(snapshot: Snapshot, *, propose_checkpoints: bool = False) -> Found:
    """Every model of a snapshot, and every folder that looks like one and is not.

    propose_checkpoints: whether a training checkpoint (`trainer_state.json`) counts as a model of its own;
    otherwise it is a stray with that reason.
    """
    models: list[ModelFolder] = []
    strays: list[Stray] = []
    root = snapshot.folders.get("")
    if root is None:
        return Found((), ())
    loose = _loose_files(root)
    if loose:
        strays.append(Stray("", loose))
    for name in root.folders:
        _look(snapshot, name, models, strays, propose_checkpoints=propose_checkpoints)
    return Found(
        tuple(sorted(models, key=lambda model: model.path)),
        tuple(sorted(strays, key=lambda stray: stray.path)),
    )


def _look(
    snapshot: Snapshot,
    path: str,
    models: list[ModelFolder],
    strays: list[Stray],
    *,
    propose_checkpoints: bool,
    owner: frozenset[str] = frozenset(),
) -> None:
    """Judge the folder at `path` and what is below it; `owner` holds the paths that an owner refers to."""
    folder = snapshot.folders.get(path)
    if folder is None or path in owner:
        return
    found = match(folder)
    if found is None:
        if not owner:
            reasons = _stray_reasons(folder)
            if reasons:
                strays.append(Stray(path, reasons))
        for name in folder.folders:
            below = join(path, name)
            _look(snapshot, below, models, strays, propose_checkpoints=propose_checkpoints, owner=owner)
        return
    if "trainer_state.json" in folder.files and not propose_checkpoints:
        strays.append(Stray(path, (_CHECKPOINT,)))
        return
    rule, evidence = found
    components = rule.components(folder)
    referred = frozenset(join(path, component) for component in components) | owner
    for name in folder.folders:
        # what is below an owner and can be loaded by itself is a model of its own, unless it is referred to
        _look(
            snapshot,
            join(path, name),
            models,
            strays,
            propose_checkpoints=propose_checkpoints,
            owner=referred or frozenset({path}),
        )
    others = frozenset(model.path for model in models if model.path.startswith(f"{path}/"))
    models.append(
        ModelFolder(
            path=path,
            layout=rule.layout,
            kind=rule.kind,
            evidence=evidence,
            weight_sets=_weights(snapshot, folder, rule, components),
            components=components,
            files=tuple(_files(snapshot, path, others)),
        )
    )


def _weights(
    snapshot: Snapshot, folder: SeenFolder, rule: Rule, components: tuple[str, ...]
) -> tuple[WeightSet, ...]:
    """The sets of the folder itself, then of its components; each place has a primary set of its own."""
    sets = list(weight_sets(folder, rule.wanted)) if rule.own_weights else []
    for component in components:
        inner = component_folder(snapshot, folder, component)
        if inner is not None:
            sets.extend(weight_sets(inner, rule.wanted, prefix=f"{component}/"))
    return tuple(sets)


def component_folder(snapshot: Snapshot, folder: SeenFolder, component: str) -> SeenFolder | None:
    """The folder that a component's relative path leads to, also over a link; None where there is none."""
    path = folder.path
    for part in component.split("/"):
        here = snapshot.folders.get(path)
        if here is None:
            return None
        path = here.links.get(part, join(path, part))
    return snapshot.folders.get(path)


def _files(snapshot: Snapshot, path: str, others: frozenset[str]) -> Iterator[ModelFile]:
    """All files below `path` but those of other models, with names relative to it, sorted."""
    names: list[ModelFile] = []
    for folder in owned_folders(snapshot, path, others):
        prefix = folder.path[len(path) + 1 :]
        for name, file in folder.files.items():
            if file.stat is not None:
                names.append(ModelFile(join(prefix, name), file.stat.size))
    return iter(sorted(names, key=lambda file: file.name))


def owned_folders(snapshot: Snapshot, path: str, others: frozenset[str]) -> Iterator[SeenFolder]:
    """The folder at `path` and those below it, without the subtrees in `others`; parents first."""
    if path in others or (folder := snapshot.folders.get(path)) is None:
        return
    yield folder
    for name in folder.folders:
        yield from owned_folders(snapshot, join(path, name), others)


_CHECKPOINT = Reason(
    ReasonKind.CHECKPOINT,
    found="a training checkpoint (trainer_state.json is there)",
    remedy="set propose_checkpoints = true to have checkpoints proposed, or add it by hand",
)


def _loose_files(root: SeenFolder) -> tuple[Reason, ...]:
    return tuple(
        Reason(
            ReasonKind.LOOSE_FILE,
            file=name,
            found="a weight file directly in the models root",
            remedy="put it into a folder of its own",
        )
        for name in sorted(root.files)
        if weight_format(name) in (WeightFormat.SAFETENSORS, WeightFormat.GGUF)
    )


def _stray_reasons(folder: SeenFolder) -> tuple[Reason, ...]:
    """Why a folder without a known layout still deserves a word: weights in it, or no way to look into it."""
    if folder.trouble is Trouble.TOO_DEEP:
        return (
            Reason(
                ReasonKind.UNREADABLE,
                found="lies too deep below the models root",
                remedy="move the model further up",
            ),
        )
    if folder.trouble is not None:
        return (
            Reason(
                ReasonKind.UNREADABLE,
                found="the folder cannot be listed",
                remedy="give the user that dxwatchd runs as the right to read and enter it",
            ),
        )
    if not is_text(folder.path) and folder.files:
        return (
            Reason(
                ReasonKind.NAME_NOT_TEXT,
                found="the folder's name is not text",
                remedy="rename it: no manifest can hold this name",
            ),
        )
    weights = sorted(name for name in folder.files if weight_format(name) and not is_projector(name))
    if not weights:
        return ()
    if "config.json" in folder.files:
        return (
            Reason(
                ReasonKind.UNKNOWN_LAYOUT,
                file="config.json",
                found="neither model_type nor architectures in it",
                remedy="add the key that the model's own documentation names; without it no loader knows the model",
            ),
        )
    return (
        Reason(
            ReasonKind.NO_CONFIG,
            file="config.json",
            found=f"not there, beside {count(len(weights), 'weight file')}",
            remedy="copy the rest of the model folder",
        ),
    )


def enclosing(models: tuple[ModelFolder, ...], path: str) -> ModelFolder | None:
    """The model that owns `path`: the one there, or the nearest one above it."""
    by_path = {model.path: model for model in models}
    while path:
        if path in by_path:
            return by_path[path]
        path = parent(path)
    return None
