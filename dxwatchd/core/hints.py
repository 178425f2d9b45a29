"""What a model folder's files say of its name."""

from __future__ import annotations

from dxwatchd.core.derivation import Hints
from dxwatchd.core.document_facts import Config, Readme
from dxwatchd.core.facts import Facts, Gguf
from dxwatchd.core.filenames import README
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.snapshot import SeenFolder


def hints_of(model: ModelFolder, folder: SeenFolder, fingerprint: str) -> Hints:
    """The hints of `model`, whose folder was seen as `folder`."""
    config, readme = _facts(folder, "config.json"), _facts(folder, README)
    names = model.primary.files if model.primary is not None else ()
    gguf = next((facts for name in names if isinstance(facts := _facts(folder, name), Gguf)), None)
    model_type = config.model_type if isinstance(config, Config) else None
    return Hints(
        path=model.path,
        model_type=model_type or (gguf.architecture if gguf is not None else None),
        front_matter=readme.names if isinstance(readme, Readme) else (),
        general_name=gguf.name if gguf is not None else None,
        name_or_path=config.name_or_path if isinstance(config, Config) else None,
        title=readme.title if isinstance(readme, Readme) else None,
        size=model.size,
        fingerprint=fingerprint,
        refs=model.refs,
    )


def _facts(folder: SeenFolder, name: str) -> Facts | None:
    file = folder.files.get(name)
    return file.facts if file is not None else None
