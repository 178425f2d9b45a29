"""What belongs to a model folder: its files and subfolders, but not what lies in models inside it."""

from __future__ import annotations

from collections.abc import Iterator

from dxwatchd.core.model import ModelFile, ModelFolder
from dxwatchd.core.snapshot import SeenFolder, Snapshot, join, parent


def component_folder(snapshot: Snapshot, folder: SeenFolder, component: str) -> SeenFolder | None:
    """The folder that a component's relative path leads to, also over a link; None where there is none."""
    path = folder.path
    for part in component.split("/"):
        here = snapshot.folders.get(path)
        if here is None:
            return None
        path = here.links.get(part, join(path, part))
    return snapshot.folders.get(path)


def files_of(snapshot: Snapshot, path: str, others: frozenset[str]) -> Iterator[ModelFile]:
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


def enclosing(models: tuple[ModelFolder, ...], path: str) -> ModelFolder | None:
    """The model that owns `path`: the one there, or the nearest one above it."""
    by_path = {model.path: model for model in models}
    while path:
        if path in by_path:
            return by_path[path]
        path = parent(path)
    return None
