"""How much a list of a card may hold, counted in the bytes that it takes there.

A bound on the number of items is not enough: a thousand names of a thousand characters, each of which JSON
writes as twelve bytes, are a card of twelve megabytes.
"""

from __future__ import annotations

import json


class Room:
    """The bytes that are left for one list. What once did not fit ends it, however short the next item is."""

    def __init__(self, size: int) -> None:
        self._left = size

    def takes(self, *texts: str, beside: int = 0) -> bool:
        """Whether these texts still fit, which then have their room. beside: bytes of what is with them."""
        self._left -= beside + sum(map(written, texts))
        return self._left >= 0


def written(text: str) -> int:
    """The bytes that `text` takes in a card."""
    return len(text) + 2 if text.isascii() and text.isprintable() else len(json.dumps(text))
