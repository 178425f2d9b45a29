"""Folders that hold something of a model and are none, each with the reasons why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dxwatchd.core.file_checks import temporary
from dxwatchd.core.filenames import (
    is_adapter_weights,
    is_projector,
    is_unfinished_weights,
    weight_format,
)
from dxwatchd.core.model import WeightFormat
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFolder, Snapshot, Trouble, join
from dxwatchd.core.text import count, is_text


@dataclass(frozen=True, slots=True)
class Stray:
    """A folder that holds something of a model and is none: with the reasons why.

    skipped: it is passed over on purpose, so only who asks about it is told.
    """

    path: str
    reasons: tuple[Reason, ...]
    skipped: bool = False


CHECKPOINT = Reason(
    ReasonKind.CHECKPOINT,
    found="a training checkpoint (trainer_state.json is there)",
    remedy="set propose_checkpoints = true to have checkpoints proposed, or add it by hand",
)


OLD_REVISION = Reason(
    ReasonKind.OLD_REVISION,
    found="a revision in a download cache that no ref points to any more",
    remedy="add it by hand to have it all the same",
)

FOREIGN_STORE = Reason(
    ReasonKind.FOREIGN_STORE,
    found="the store of another program, with blobs that only that program can name",
    remedy="nothing: it is passed over; copy a model folder instead",
)

_OLLAMA_BLOB = re.compile(r"sha256-[0-9a-f]{64}")


def is_ollama_store(folder: SeenFolder, snapshot: Snapshot) -> bool:
    """Whether this is Ollama's: `manifests/` beside `blobs/sha256-…`."""
    if not {"manifests", "blobs"} <= set(folder.folders):
        return False
    blobs = snapshot.folders.get(join(folder.path, "blobs"))
    return blobs is not None and any(_OLLAMA_BLOB.match(name) for name in blobs.files)


def loose_files(root: SeenFolder) -> tuple[Reason, ...]:
    """A word on each weight file that lies directly in the models root, where nothing can be a model."""
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


def stray_reasons(folder: SeenFolder) -> tuple[Reason, ...]:
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
    weights = [name for name in folder.files if weight_format(name) and not is_projector(name)]
    if not weights:
        return tuple(temporary(name) for name in sorted(folder.files) if is_unfinished_weights(name))
    if "config.json" in folder.files:
        return (
            Reason(
                ReasonKind.UNKNOWN_LAYOUT,
                file="config.json",
                found="neither model_type nor architectures in it",
                remedy="add the key that the model's documentation names: no loader knows it without",
            ),
        )
    return (
        Reason(
            ReasonKind.NO_CONFIG,
            file="adapter_config.json" if all(map(is_adapter_weights, weights)) else "config.json",
            found=f"not there, beside {count(len(weights), 'weight file')}",
            remedy="copy the rest of the model folder",
        ),
    )
