"""What may still be on its way to a folder that is whole without it: code, and downloads into a cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dxwatchd.core.document_facts import Config
from dxwatchd.core.hub_cache import unfinished
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFile, Snapshot, basename, join, parent


def missing_optional(files: Mapping[str, SeenFile]) -> Iterator[Reason]:
    """Files that loaders take where they are and do without where they are not.

    Python files that a config's `auto_map` names: many loaders have the model built in. SetFit's classifier
    head: without it there is a new one.
    """
    if "config_setfit.json" in files and "model_head.pkl" not in files:
        yield Reason(
            ReasonKind.OPTIONAL_MISSING,
            file="model_head.pkl",
            expected="beside config_setfit.json",
            found="not there",
            remedy="copy it too: without it the classifier begins untrained",
        )
    for name, file in files.items():
        if isinstance(file.facts, Config):
            for code in file.facts.code_files:
                if join(parent(name), code) not in files:
                    yield Reason(
                        ReasonKind.OPTIONAL_MISSING,
                        file=join(parent(name), code),
                        expected=f"by auto_map in {name}",
                        found="not there",
                        remedy="copy it too, unless your loader has this model built in",
                    )


def unfinished_blobs(model: ModelFolder, snapshot: Snapshot) -> Iterator[Reason]:
    """Blobs that are being downloaded for this or another revision of a cached model."""
    for path, _ in unfinished(snapshot, model.path):
        yield Reason(
            ReasonKind.DOWNLOADING,
            file=f"blobs/{basename(path)}",
            found="a download into this cache is not finished",
            remedy="wait; if none is running, remove it",
        )
