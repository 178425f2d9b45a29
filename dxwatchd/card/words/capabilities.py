"""What a model takes and gives, and what its chat template knows of."""

from __future__ import annotations

from collections.abc import Sequence

from dxwatchd.card.parts import Capabilities, ChatTemplate
from dxwatchd.card.values import Notes, mapping
from dxwatchd.card.words.format_tasks import Task
from dxwatchd.card.words.task_names import TASK_TYPES

_PARTS = (
    ("image", ("vision_config", "image_token_id", "image_token_index")),
    ("audio", ("audio_config", "audio_token_id", "audio_token_index")),
    ("video", ("video_token_id", "video_token_index")),
)
"""What a model that writes also takes → keys of its config that say so."""
_WRITES_ON_MORE = frozenset(
    {"text-generation", "image-text-to-text", "video-text-to-text", "audio-text-to-text"}
)


def capabilities(
    task: Task | None,
    config: object,
    templates: Sequence[ChatTemplate],
    notes: Notes,
    *,
    vision: bool,
) -> Capabilities:
    """By the task; of a model that writes text, also by the parts that its config has.

    Tools and reasoning are told by the words of the templates, and by nothing where there is none.
    vision: whether the model takes images, which a task on texts and documents does not tell.
    """
    takes, gives = TASK_TYPES.get(task.name, ((), ())) if task else ((), ())
    if task and takes:
        source = task.source if task.stated else f"derived: {task.source.removeprefix('derived: ')}"
        if task.name in _WRITES_ON_MORE:
            more = _parts(config)
            takes = tuple(dict.fromkeys((*takes, *(kind for kind, _ in more))))
            source = ", ".join((source, *(f"config.json#/{key}" for _, key in more)))
        if vision and "text" in takes:
            takes = tuple(dict.fromkeys((*takes, "image")))
        notes.source("capabilities.inputTypes", source)
    if task and gives:
        notes.source("capabilities.outputTypes", task.source)
    flags = {flag for template in templates for flag in template.flags} if templates else None
    for name in ("toolUsage", "reasoning") if templates else ():
        notes.source(f"capabilities.{name}", templates[0].source)
    return Capabilities(
        input_types=takes,
        output_types=gives,
        tool_usage=None if flags is None else "tools" in flags,
        reasoning=None if flags is None else "thinking" in flags,
        confidence=("stated" if task and task.stated else "derived") if gives or templates else None,
    )


def _parts(config: object) -> list[tuple[str, str]]:
    """What the config has a part or a token for, with the key."""
    stated = mapping(config)
    found = []
    for kind, keys in _PARTS:
        key = next((key for key in keys if stated.get(key) not in (None, {}, [])), None)
        if key is not None:
            found.append((kind, key))
    return found
