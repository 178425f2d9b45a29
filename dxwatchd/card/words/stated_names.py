"""What a folder calls another model (hub id, address, somebody's path) → the name that it is known by."""

from __future__ import annotations

import re

from dxwatchd.card.values import text
from dxwatchd.core.naming import is_generic
from dxwatchd.core.publishers import cached_as

_LIMIT = 500
_PART = re.compile(r"\w[\w.+-]{0,95}")
_NAME = re.compile(r"\w[\w.+ -]{0,95}")
_ADDRESS = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co|modelscope\.cn/models)/(?P<id>[^/?#\s]+/[^/?#\s]+)",
    re.IGNORECASE,
)
_SIZE = re.compile(r"tiny|mini|small|medium|base|large|x{1,2}l|[0-9]+(\.[0-9]+)?[bm]", re.IGNORECASE)
"""A name that says little alone, and enough behind its publisher's (`facebook/small`)."""
_DRIVE = re.compile(r"[A-Za-z]:")


def stated_name(value: object) -> str | None:
    """The hub id (`org/name`) or the mere name that `value` tells; None where it tells none.

    Of a path only the last part counts, for the folders above it are somebody's own: nothing where that part
    says nothing (`checkpoint-900`, `final`, a hash). huggingface_hub's cache keeps the id in a folder's name,
    and ModelScope writes `.` as `___`.
    """
    stated = text(value, _LIMIT)
    if stated is None:
        return None
    if "://" in stated:
        address = _ADDRESS.match(stated)
        return hub_id(address["id"]) if address is not None else None
    parts = [part for part in stated.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for part in reversed(parts):
        cached = cached_as(part)
        if cached is not None and cached["org"] is not None:
            return hub_id(f"{cached['org']}/{cached['name']}")
    if hub_id(stated) is not None:
        return stated
    last = parts[-1].replace("___", ".") if parts else ""
    return last if _is_telling(last) and _DRIVE.fullmatch(last) is None else None


def hub_id(stated: str) -> str | None:
    """`stated` where it is an id of a hub, `org/name`; None for a path such as `output/checkpoint-900`."""
    org, _, name = stated.partition("/")
    if _PART.fullmatch(org) is None or _PART.fullmatch(name) is None or is_generic(org):
        return None
    return stated if _is_telling(name) or _SIZE.fullmatch(name) else None


def _is_telling(name: str) -> bool:
    return (
        _NAME.fullmatch(name) is not None
        and not is_generic(name)
        and any(letter.isalpha() for letter in name)
    )
