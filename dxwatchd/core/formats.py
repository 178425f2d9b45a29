"""The names of the formats that others read, and whether what a file says is a later version of one."""

from __future__ import annotations

import re

CARD = "dxwatchd.card/v1"
INDEX = "dxwatchd.index/v1"
STATUS = "dxwatchd.status/v1"

_VERSIONED = re.compile(r"(dxwatchd\.[a-z]+)/v([1-9][0-9]{0,8})")


def is_later(said: object, known: str) -> bool:
    """Whether a file that says `said` has a later version of the format `known`.

    What is neither is of no format of ours: the file is damaged.
    """
    ours = _VERSIONED.fullmatch(known)
    found = _VERSIONED.fullmatch(said) if isinstance(said, str) else None
    return ours is not None and found is not None and ours[1] == found[1] and int(ours[2]) < int(found[2])
