"""One folder name, two encodings: macOS writes é as two characters where others write one.

Both are the same text to Unicode and to a person, who could not even see the difference in the manifest.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from dxwatchd.core.manifest import Manifest
from dxwatchd.core.snapshot import Snapshot


def respelled(manifest: Manifest, snapshot: Snapshot) -> Manifest:
    """The manifest with each path encoded as the one folder is that it names. What is there as written stays.

    Source: Unicode Standard Annex 15 (canonical equivalence; NFC).
    """
    written = {entry.path for entry in manifest.entries} | {broken.path for broken in manifest.broken}
    odd = {path for path in written if not path.isascii()} - snapshot.folders.keys()
    if not odd:
        return manifest
    there: dict[str, set[str]] = {}
    for path in snapshot.folders:
        if not path.isascii():
            there.setdefault(unicodedata.normalize("NFC", path), set()).add(path)
    meant = {path: there.get(unicodedata.normalize("NFC", path), set()) for path in odd}
    spelled = {path: min(folders) for path, folders in meant.items() if len(folders) == 1}
    return replace(
        manifest,
        entries=tuple(replace(one, path=spelled.get(one.path, one.path)) for one in manifest.entries),
        broken=tuple(replace(one, path=spelled.get(one.path, one.path)) for one in manifest.broken),
    )
