"""The files of a model, and which of them are its weights."""

from __future__ import annotations

from dxwatchd.card.parts.common import Count, Part


class WeightSetPart(Part):
    """files: relative to the folder; tensors: counted for the primary set only; bytes: of the files there."""

    format: str
    primary: bool
    files: tuple[str, ...]
    index: str | None = None
    tensors: Count | None = None
    bytes: Count


class FilePart(Part):
    """name: relative to the folder; size: in bytes; digest: "sha256:" and hexadecimal digits, None while it
    is not computed.
    """

    name: str
    size: Count
    digest: str | None = None


class UnlistedFiles(Part):
    """Files that a card has no room to list. count: how many; size: of all of them, in bytes."""

    count: Count
    size: Count
