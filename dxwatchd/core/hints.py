"""What a model folder's files say of its name."""

from __future__ import annotations

from dxwatchd.core.document_facts import Config
from dxwatchd.core.facts import Gguf
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.naming import Hints
from dxwatchd.core.snapshot import SeenFolder


def hints_of(model: ModelFolder, folder: SeenFolder, fingerprint: str) -> Hints:
    """The hints of `model`, whose folder was seen as `folder`."""
    declared: list[str] = []
    model_type = None
    config = folder.files.get("config.json")
    if config is not None and isinstance(config.facts, Config):
        model_type = config.facts.model_type
        if (config.facts.name_or_path or "").count("/") == 1:  # else it is a path of somebody's machine
            declared.append(config.facts.name_or_path or "")
    for name in model.primary.files if model.primary is not None else ():
        file = folder.files.get(name)
        if file is not None and isinstance(file.facts, Gguf):
            model_type = model_type or file.facts.architecture
            declared.extend([file.facts.name] if file.facts.name else [])
            break
    return Hints(model.path, model_type, tuple(declared), model.size, fingerprint, model.refs)
