"""Snapshot → models: which folders are one model, of which kind, and which files belong to each.

The rules are a table (`RULES`), strongest first: each looks at one folder and gives its evidence or nothing.
The outermost folder that some rule knows owns everything below it, except what it does not refer to and
what can be loaded by itself. A folder that only groups others (a publisher) owns nothing, and the models
root itself is never a model.
"""

from __future__ import annotations

from dataclasses import dataclass

from dxwatchd.core.layout_rules import Rule, match
from dxwatchd.core.model import ModelFolder, WeightSet
from dxwatchd.core.ownership import component_folder, files_of
from dxwatchd.core.snapshot import SeenFolder, Snapshot, join
from dxwatchd.core.strays import CHECKPOINT, Stray, loose_files, stray_reasons
from dxwatchd.core.weightsets import weight_sets


@dataclass(frozen=True, slots=True)
class Found:
    """All that the rules made of a snapshot, in the order of the paths."""

    models: tuple[ModelFolder, ...]
    strays: tuple[Stray, ...]


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
    loose = loose_files(root)
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
            reasons = stray_reasons(folder)
            if reasons:
                strays.append(Stray(path, reasons))
        for name in folder.folders:
            below = join(path, name)
            _look(snapshot, below, models, strays, propose_checkpoints=propose_checkpoints, owner=owner)
        return
    if "trainer_state.json" in folder.files and not propose_checkpoints:
        strays.append(Stray(path, (CHECKPOINT,)))
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
            files=tuple(files_of(snapshot, path, others)),
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
