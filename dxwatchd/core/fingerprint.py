"""The identity of the content that a person approves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from dxwatchd.core.filenames import is_projector, is_tensors
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.snapshot import SeenFile, basename, parent


def fingerprint(model: ModelFolder, files: Mapping[str, SeenFile]) -> str:
    """Identity of what is loaded from `model`, whose `files` were seen: `sha256:` and 64 hexadecimal digits.

    It covers name, size and digest of the primary weights and of every other file that was read (config,
    tokenizer, indexes) in the folder itself and its components, and of code anywhere; not README and the
    like, not times, not a trainer's state, and not other forms of the same weights, which may come and go.
    """
    primary = {name for weights in model.weight_sets if weights.primary for name in weights.files}
    others = {weights.index for weights in model.weight_sets if not weights.primary}
    total = hashlib.sha256(b"dxwatchd fingerprint 1\n")
    for name, file in sorted(files.items()):
        if file.facts is None or file.stat is None or name in others:
            continue
        loaded = parent(name) in ("", *model.components) or name.endswith(".py")
        if name in primary or is_projector(basename(name)) or (loaded and not is_tensors(name)):
            part = f"{name}\0{file.stat.size}\0{file.facts.digest}\n"
            total.update(part.encode(errors="surrogateescape"))
    return f"sha256:{total.hexdigest()}"
