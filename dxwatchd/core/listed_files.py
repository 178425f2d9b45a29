"""Which of a model's files its card lists: all of them, but for folders with files by the ten thousand."""

from __future__ import annotations

from collections.abc import Sequence

from dxwatchd.core.model import ModelFile
from dxwatchd.core.room import Room

_ROOM = 2 * 2**20
"""Bytes of the list in a card: for about 13,000 files with names of 30 characters."""
_BESIDE = 130
"""Bytes of what stands with a name: its size, its digest, the keys of both."""


def listed(files: Sequence[ModelFile]) -> tuple[ModelFile, ...]:
    """The first files, as many as fit. What is said of the others are their number and size together.

    The order is that of the names, so that the same folder always has the same files listed.
    """
    room = Room(_ROOM)
    end = next((at for at, file in enumerate(files) if not room.takes(file.name, beside=_BESIDE)), len(files))
    return tuple(files[:end])
