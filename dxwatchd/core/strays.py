"""Folders that hold something of a model and are none, each with the reasons why."""

from __future__ import annotations

from dataclasses import dataclass

from dxwatchd.core.filenames import is_adapter_weights, is_projector, weight_format
from dxwatchd.core.model import WeightFormat
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFolder, Trouble
from dxwatchd.core.text import count, is_text


@dataclass(frozen=True, slots=True)
class Stray:
    """A folder that holds something of a model and is none: with the reasons why."""

    path: str
    reasons: tuple[Reason, ...]


CHECKPOINT = Reason(
    ReasonKind.CHECKPOINT,
    found="a training checkpoint (trainer_state.json is there)",
    remedy="set propose_checkpoints = true to have checkpoints proposed, or add it by hand",
)


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
        return ()
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
