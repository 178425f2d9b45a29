"""Names of files as other files give them: only those that stay in the folder are ever followed."""

from __future__ import annotations

MAX_PART = 255
"""Bytes of one part of a file name, as nearly all file systems have it."""


def is_plain(name: str, parts: int | None = None) -> bool:
    """Whether a name leads to a file in the folder that it counts from, or below it.

    parts: how many it must have; None for any number.
    """
    if "\\" in name or "://" in name or any(ord(character) < 32 for character in name):
        return False
    split = name.split("/")  # an absolute name begins with an empty part
    if parts is not None and len(split) != parts:
        return False
    return all(part not in ("", ".", "..") and len(part.encode()) <= MAX_PART for part in split)
