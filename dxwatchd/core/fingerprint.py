"""The identity of the content that a person approves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from dxwatchd.core.facts import Facts, Gguf
from dxwatchd.core.filenames import README, is_projector, is_template, is_tensors
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.snapshot import SeenFile, basename, parent


def fingerprint(model: ModelFolder, files: Mapping[str, SeenFile]) -> str:
    """Identity of what is loaded from `model`, whose `files` were seen: `sha256:` and 64 hexadecimal digits.

    It covers name, size and digest of every file of the content; not times.
    """
    total = hashlib.sha256(b"dxwatchd fingerprint 1\n")
    for name, file in content_files(model, files):
        digest = file.facts.digest if file.facts is not None else ""
        size = file.stat.size if file.stat is not None else 0
        total.update(f"{name}\0{size}\0{digest}\n".encode(errors="surrogateescape"))
    return f"sha256:{total.hexdigest()}"


def content_files(model: ModelFolder, files: Mapping[str, SeenFile]) -> Iterator[tuple[str, SeenFile]]:
    """The files that count as content, in the order of their names.

    They are the primary weights and every other file that was read (config, tokenizer, indexes) in the
    folder itself and its components, code anywhere, and further chat templates; not README and the like, not
    a trainer's state, and not other forms of the same weights, which may come and go.
    """
    primary = {name for weights in model.weight_sets if weights.primary for name in weights.files}
    others = {weights.index for weights in model.weight_sets if not weights.primary}
    for name, file in sorted(files.items()):
        if file.stat is None or name in others or basename(name) == README:
            continue
        loaded = parent(name) in ("", *model.components) or name.endswith(".py") or is_template(name)
        beside = file.facts is not None and (
            _is_projector(name, file.facts) or (loaded and not is_tensors(name))
        )
        if name in primary or beside:
            yield name, file


def _is_projector(name: str, facts: Facts) -> bool:
    """Whether a GGUF file is loaded together with the model, by its name or by what it says."""
    return is_projector(basename(name)) or (isinstance(facts, Gguf) and facts.type == "mmproj")
