"""huggingface_hub's cache: `models--ORG--NAME/{blobs,refs,snapshots/REVISION}`. One model for each ref.

The files of a snapshot are links into `blobs`; its folder's name is a commit's hash, so the model's name
comes from the folder above. Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dxwatchd.core.document_facts import Ref
from dxwatchd.core.filenames import is_temporary
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Snapshot, basename, join, parent

MODELS = "models--"
OTHERS = ("datasets--", "spaces--")


@dataclass(frozen=True, slots=True)
class Revision:
    """A snapshot of a cached model. refs: the refs that point to it, sorted; none for an old one."""

    path: str
    refs: tuple[str, ...]


def is_cached_model(folder: SeenFolder) -> bool:
    """Whether this is the folder of one model in the cache."""
    return basename(folder.path).startswith(MODELS) and "snapshots" in folder.folders


def is_other_cache(folder: SeenFolder) -> bool:
    """Whether this is the cache's folder of a data set or a space: never a model."""
    return basename(folder.path).startswith(OTHERS) and "snapshots" in folder.folders


def revisions(snapshot: Snapshot, folder: SeenFolder) -> Iterator[Revision]:
    """Every snapshot of a cached model. One whose commit no file in `refs` holds has no refs."""
    by_commit: dict[str, list[str]] = {}
    top = join(folder.path, "refs")
    for place in snapshot.below(top):
        for name, file in place.files.items():
            if isinstance(file.facts, Ref):
                ref = join(place.path, name)[len(top) + 1 :]
                by_commit.setdefault(file.facts.commit, []).append(ref)
    kept = snapshot.folders.get(join(folder.path, "snapshots"))
    for commit in kept.folders if kept is not None else ():
        yield Revision(join(join(folder.path, "snapshots"), commit), tuple(sorted(by_commit.get(commit, ()))))


def cache_of(path: str) -> str | None:
    """The cached model's folder of a path `…/models--ORG--NAME/snapshots/REVISION`; None for any other."""
    above = parent(path)
    cache = parent(above)
    return cache if basename(above) == "snapshots" and basename(cache).startswith(MODELS) else None


def unfinished(snapshot: Snapshot, path: str) -> tuple[tuple[str, SeenFile], ...]:
    """Unfinished blobs of the cached model of which `path` is a revision, with paths from the models root."""
    cache = cache_of(path)
    blobs = snapshot.folders.get(join(cache, "blobs")) if cache is not None else None
    if blobs is None:
        return ()
    return tuple(
        (join(blobs.path, name), file) for name, file in sorted(blobs.files.items()) if is_temporary(name)
    )
