"""One folder of the models root, looked at by a command: what it is, and whether it is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dxwatchd.commands.output import CommandError
from dxwatchd.core.filenames import README
from dxwatchd.core.layouts import find
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.readiness import Verdict, judge
from dxwatchd.core.snapshot import Snapshot, parent
from dxwatchd.core.strays import Stray
from dxwatchd.readers.which import reading_of
from dxwatchd.scan import RootLost, Scanner
from dxwatchd.settings import Settings


@dataclass(frozen=True, slots=True)
class Looked:
    """What lies at or below one path.

    models: with their verdicts; strays: what looks like a model and is none.
    """

    snapshot: Snapshot
    models: tuple[tuple[ModelFolder, Verdict], ...]
    strays: tuple[Stray, ...]


def look(root: Path, path: str, ignore: tuple[str, ...]) -> Looked:
    """Look at the folder at `path` below `root`. Raises CommandError where the root is not there."""
    try:
        snapshot = Scanner(root, ignore, None).look_below(path)
    except RootLost as error:
        raise CommandError(
            f"the models root cannot be looked at: {error}", "mount it or bring it back"
        ) from None
    found = find(snapshot, propose_checkpoints=True)
    return Looked(
        snapshot,
        tuple((model, judge(model, snapshot)) for model in found.models),
        tuple(stray for stray in found.strays if stray.path),
    )


def owner_of(settings: Settings, path: str) -> str | None:
    """The model that the folder or file at `path` is a part of; None where it stands by itself."""
    above = parent(path)
    while above:
        if looks_like_a_model(settings.models_root / above):
            looked = look(settings.models_root, above, settings.ignore)
            models = {model.path: model for model, _ in looked.models}
            if path in models:
                return None
            inside = path[len(above) + 1 :]
            owner = models.get(above)
            if owner is not None and inside in (*owner.folders, *(file.name for file in owner.files)):
                return above
        above = parent(above)
    return None


def looks_like_a_model(folder: Path) -> bool:
    """Whether some file in it is one that is read: looking at a folder of a thousand models takes long."""
    try:
        return any(reading_of(name) is not None and name != README for name in os.listdir(folder))
    except OSError:
        return False


def models_in(settings: Settings, path: str) -> tuple[ModelFolder, ...]:
    """The models at and below `path`; none where the models root is not there."""
    try:
        return tuple(model for model, _ in look(settings.models_root, path, settings.ignore).models)
    except CommandError:
        return ()


def fingerprint_of(settings: Settings, path: str) -> str | None:
    """The fingerprint of the model at `path` as it is now; None where none is whole there."""
    try:
        looked = look(settings.models_root, path, settings.ignore)
    except CommandError:
        return None
    return next(
        (verdict.fingerprint for model, verdict in looked.models if model.path == path and verdict.whole),
        None,
    )
