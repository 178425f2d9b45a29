"""Which of a card's texts are web addresses."""

from __future__ import annotations

import re

_PART = r"(?:[A-Za-z0-9._~:@!$&'()*+,;=/-]|%[0-9A-Fa-f]{2})*"
_URL = re.compile(rf"https?://[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?(?:/{_PART})?(?:\?{_PART})?(?:#{_PART})?")


def is_url(text: str) -> bool:
    """Whether `text` as a whole is an http or https address in RFC 3986's letters, without user name.

    A stricter rule than the RFC's: what it takes, every reader of URLs and IRIs takes.
    """
    return _URL.fullmatch(text) is not None
