"""What belongs to a model folder: its files and subfolders, but not what lies in models inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dxwatchd.core.model import ModelFile, ModelFolder
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Snapshot, join


def owned_folders(snapshot: Snapshot, path: str, others: frozenset[str]) -> Iterator[SeenFolder]:
    """The folder at `path` and those below it, without the subtrees in `others`; parents first."""
    if path in others or (folder := snapshot.folders.get(path)) is None:
        return
    yield folder
    for name in folder.folders:
        if name != DOWNLOADER:
            yield from owned_folders(snapshot, join(path, name), others)


DOWNLOADER = ".cache"
"""Where huggingface_hub notes what it downloaded into a model folder: no part of the model."""


def download_notes(snapshot: Snapshot, path: str) -> Mapping[str, SeenFile]:
    """The downloader's notes in the model folder at `path`, by name relative to where it keeps them."""
    top = f"{path}/{DOWNLOADER}/huggingface/download"
    return {
        join(folder.path[len(top) + 1 :], name): file
        for folder in snapshot.below(top)
        for name, file in folder.files.items()
    }


def listed(folders: tuple[SeenFolder, ...]) -> tuple[ModelFile, ...]:
    """The files in `folders`, with names relative to the first of them, sorted."""
    start = len(folders[0].path) + 1
    files = [
        ModelFile(join(folder.path[start:], name), file.stat.size)
        for folder in folders
        for name, file in folder.files.items()
        if file.stat is not None
    ]
    return tuple(sorted(files, key=lambda file: file.name))


def component_folder(snapshot: Snapshot, folder: SeenFolder, component: str) -> SeenFolder | None:
    """The folder that a component's relative path leads to, also over a link; None where there is none."""
    path = folder.path
    for part in component.split("/"):
        here = snapshot.folders.get(path)
        if here is None:
            return None
        path = here.links.get(part, join(path, part))
    return snapshot.folders.get(path)


def seen_folders(model: ModelFolder, snapshot: Snapshot) -> dict[str, SeenFolder]:
    """What was seen of the model's folders, by name relative to it ("" is itself).

    A component that is a link to a folder elsewhere is among them, under the component's name.
    """
    top = snapshot.folders[model.path]
    seen = {"": top}
    for name in model.folders:
        folder = snapshot.folders.get(join(model.path, name))
        if folder is not None:
            seen[name] = folder
    for component in model.components:
        linked = component_folder(snapshot, top, component)
        if linked is not None:
            seen[component] = linked
    return dict(sorted(seen.items()))


def seen_files(folders: Mapping[str, SeenFolder]) -> dict[str, SeenFile]:
    """What was seen of the files in a model's folders, by name relative to the model, sorted."""
    files = {
        join(inner, name): file for inner, folder in folders.items() for name, file in folder.files.items()
    }
    return dict(sorted(files.items()))
