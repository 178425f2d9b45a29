"""Snapshot → models: which folders are one model, of which kind, and which files belong to each.

The outermost folder that a rule (`layout_rules`) knows owns everything below it, except what can be loaded
by itself and is not referred to. A folder that only groups others (a publisher) owns nothing, and the models
root itself is never a model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dxwatchd.core.filenames import is_temporary
from dxwatchd.core.hub_cache import is_cached_model, is_other_cache, revisions
from dxwatchd.core.layout_rules import Match, Rule, match
from dxwatchd.core.model import ModelFolder, WeightSet
from dxwatchd.core.ownership import DOWNLOADER, component_folder, listed, owned_folders
from dxwatchd.core.place import Place
from dxwatchd.core.snapshot import SeenFolder, Snapshot, basename, is_below, join
from dxwatchd.core.strays import (
    CHECKPOINT,
    FOREIGN_STORE,
    OLD_REVISION,
    Stray,
    is_ollama_store,
    loose_files,
    stray_reasons,
)
from dxwatchd.core.weightsets import weight_sets

PARTS = ("onnx", "openvino", "original", "coreml")
"""Subfolders that hold a model's weights again, in another form; they are never models of their own."""

REFERRING = ("model_index.json", "modules.json")
"""Files that say which subfolders are parts of the model. While they cannot be read, any of them may be."""

_CHECKPOINT_NAME = re.compile(r"checkpoint-[0-9]+")


@dataclass(frozen=True, slots=True)
class Found:
    """All that the rules made of a snapshot, in the order of the paths."""

    models: tuple[ModelFolder, ...]
    strays: tuple[Stray, ...]


def find(
    snapshot: Snapshot, *, propose_checkpoints: bool = False, entered: frozenset[str] = frozenset()
) -> Found:
    """Every model of a snapshot, and every folder that looks like one and is not.

    propose_checkpoints: whether a training checkpoint (`trainer_state.json`) counts as a model of its own;
    otherwise it is a stray with that reason, unless an entry speaks of it (its path is in `entered`).
    """
    root = snapshot.folders.get("")
    if root is None:
        return Found((), ())
    search = _Search(snapshot, entered, propose_checkpoints=propose_checkpoints)
    loose = loose_files(root)
    if loose:
        search.strays.append(Stray("", loose))
    for name in root.folders:
        search.look(name)
    return Found(
        tuple(sorted(search.models, key=lambda model: model.path)),
        tuple(sorted(search.strays, key=lambda stray: stray.path)),
    )


class _Search:
    """One walk over a snapshot; nothing of it outlives `find`."""

    def __init__(self, snapshot: Snapshot, entered: frozenset[str], *, propose_checkpoints: bool) -> None:
        self.snapshot = snapshot
        self.entered = entered
        self.propose_checkpoints = propose_checkpoints
        self.models: list[ModelFolder] = []
        self.strays: list[Stray] = []

    def look(
        self,
        path: str,
        referred: frozenset[str] = frozenset(),
        *,
        inside: bool = False,
        refs: tuple[str, ...] = (),
    ) -> None:
        """Judge the folder at `path` and what is below it.

        referred: paths that the models above refer to; inside: whether there is a model above; refs: those
        of a download cache that point to it.
        """
        folder = self.snapshot.folders.get(path)
        if folder is None or path in referred:
            return
        name = basename(path)
        if name == DOWNLOADER or (inside and (name in PARTS or is_temporary(name))):
            return
        if is_cached_model(folder):
            self._look_at_revisions(folder)
            return
        if is_other_cache(folder) or is_ollama_store(folder, self.snapshot):
            self.strays.append(Stray(path, (FOREIGN_STORE,), skipped=True))
            return
        found = match(Place(folder, self.snapshot))
        if found is None or (inside and found.rule.weak):
            if not inside and (reasons := stray_reasons(folder)):
                self.strays.append(Stray(path, reasons))
            for name in folder.folders:
                self.look(join(path, name), referred, inside=inside)
        elif _is_checkpoint(folder) and not self.propose_checkpoints and path not in self.entered:
            self.strays.append(Stray(path, (CHECKPOINT,), skipped=True))
        else:
            self._take(folder, found, referred, refs)

    def _look_at_revisions(self, folder: SeenFolder) -> None:
        """Of a cached model, the revisions that refs point to; all of them where no ref points anywhere."""
        found = list(revisions(self.snapshot, folder))
        any_refs = any(revision.refs for revision in found)
        for revision in found:
            if revision.refs or not any_refs or revision.path in self.entered:
                self.look(revision.path, refs=revision.refs)
            else:
                self.strays.append(Stray(revision.path, (OLD_REVISION,), skipped=True))

    def _inner(self, folder: SeenFolder) -> tuple[str, ...]:
        """The subfolders of a model in which others may be: all, or those that entries speak of."""
        if not any(Place(folder, self.snapshot).is_unread(name) for name in REFERRING):
            return folder.folders
        return tuple(
            name
            for name in folder.folders
            if any(is_below(path, join(folder.path, name)) for path in self.entered)
        )

    def _take(
        self, folder: SeenFolder, found: Match, referred: frozenset[str], refs: tuple[str, ...]
    ) -> None:
        """Make a model of `folder`, and look for others in what it does not refer to."""
        rule, path = found.rule, folder.path
        components = rule.components(Place(folder, self.snapshot))
        referred |= {join(path, component) for component in components}
        models, strays = len(self.models), len(self.strays)
        for name in self._inner(folder):
            self.look(join(path, name), referred, inside=True)
        others = frozenset(
            [model.path for model in self.models[models:]] + [stray.path for stray in self.strays[strays:]]
        )
        owned = tuple(owned_folders(self.snapshot, path, others))
        self.models.append(
            ModelFolder(
                path=path,
                layout=rule.layout,
                kind=rule.kind,
                evidence=(*found.evidence, *(f"refs/{ref} points to it" for ref in refs)),
                weight_sets=_weights(self.snapshot, folder, rule, components),
                components=components,
                files=listed(owned),
                folders=tuple(sorted(inner.path[len(path) + 1 :] for inner in owned[1:])),
                candidates=found.candidates,
                refs=refs,
            )
        )


def _is_checkpoint(folder: SeenFolder) -> bool:
    """Whether a trainer can go on from here: a finished run's folder may have a `trainer_state.json` too."""
    return "trainer_state.json" in folder.files and (
        _CHECKPOINT_NAME.fullmatch(basename(folder.path)) is not None
        or any(name.startswith("optimizer.") for name in folder.files)
    )


def _weights(
    snapshot: Snapshot, folder: SeenFolder, rule: Rule, components: tuple[str, ...]
) -> tuple[WeightSet, ...]:
    """The sets of the folder itself, then of its components; each place has a primary set of its own.

    Those of `PARTS` are the same weights again, so one of them is loaded only where there are no others.
    """
    sets = list(_sets_in(snapshot, folder, rule)) if rule.own_weights else []
    for component in components:
        inner = component_folder(snapshot, folder, component)
        if inner is not None:
            sets.extend(_sets_in(snapshot, inner, rule, f"{component}/"))
    for part in PARTS:
        inner = component_folder(snapshot, folder, part)
        if inner is not None and part not in components:
            again = _sets_in(snapshot, inner, rule, f"{part}/")
            sets.extend(replace(one, primary=one.primary and not sets) for one in again)
    return tuple(sets)


def _sets_in(snapshot: Snapshot, folder: SeenFolder, rule: Rule, prefix: str = "") -> tuple[WeightSet, ...]:
    place = Place(folder, snapshot)
    return weight_sets(folder, lambda name: rule.formats(place, name), prefix=prefix)
