"""The digests of a model's files, for formats that cannot do without them."""

from __future__ import annotations

import re
from typing import NamedTuple

from dxwatchd.card.exports.problems import ExportError
from dxwatchd.card.schema import Card

_REMEDY = (
    'wait: `dxwatchd run` computes them in the background while the setting digests is "background"; '
    "`dxwatchd status` shows how many are left"
)
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


class Digest(NamedTuple):
    """name: of the file, relative to the folder; sha256: of its bytes, as 64 hexadecimal digits."""

    name: str
    sha256: str


def sha256_of(digest: str | None) -> str | None:
    """The digits of a card's digest; None where there is none, or one of another kind."""
    match = _SHA256.fullmatch(digest or "")
    return match[1] if match else None


def digests(card: Card) -> list[Digest]:
    """Every file with its digest, in the card's order.

    Raises ExportError, naming every file without one, and where the card lists some files only, or none.
    """
    if card.unlisted_files:
        told = f"the card lists {len(card.files):,} of the folder's {card.file_count:,} files only"
        raise ExportError((told,), "move what is not the model's out of its folder")
    found = [(file.name, sha256_of(file.digest)) for file in card.files]
    missing = tuple(f"{name}: its SHA-256 is not computed yet" for name, sha256 in found if sha256 is None)
    if missing:
        raise ExportError(missing, _REMEDY)
    if not found:
        raise ExportError(("the card lists no files",), "see `dxwatchd explain PATH` for its folder")
    return [Digest(name, sha256) for name, sha256 in found if sha256]
