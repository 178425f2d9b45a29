"""What a folder's path tells of who published the model in it, and under which name."""

from __future__ import annotations

import re

from dxwatchd.core.hub_cache import cache_of
from dxwatchd.core.naming import is_generic
from dxwatchd.core.snapshot import basename, parent

_HUB_CACHE = re.compile(r"models--(?:(?P<org>.+?)--)?(?P<name>.+)")


def published_as(path: str) -> tuple[str, str]:
    """Publisher and name of the model in the folder at `path`, as far as its path tells.

    The publisher is "" where the folder above names none: it is the models root, or its name is generic.
    """
    last = basename(path)
    cached = in_hub_cache(path) or cached_as(last)
    if cached is not None:
        return cached["org"] or "", cached["name"]
    return publisher(path), as_published(last)


def in_hub_cache(path: str) -> re.Match[str] | None:
    """Publisher ("org") and "name" in the folder of huggingface_hub's cache that `path` is a revision in."""
    cache = cache_of(path)
    return cached_as(basename(cache)) if cache is not None else None


def cached_as(folder: str) -> re.Match[str] | None:
    """Publisher ("org", None without one) and "name" of the model whose folder in the cache has this name."""
    return _HUB_CACHE.fullmatch(folder)


def publisher(path: str) -> str:
    """Who published the model, as far as the folder above it tells."""
    cached = in_hub_cache(path)
    if cached is not None:
        return cached["org"] or ""
    above = basename(parent(path))
    return "" if is_generic(above) else above


def as_published(part: str) -> str:
    """A folder's name as its publisher wrote it.

    `Qwen3-8B` of huggingface_hub's `models--Qwen--Qwen3-8B`; ModelScope writes `.` as `___`.
    """
    match = cached_as(part)
    return match["name"] if match is not None else part.replace("___", ".")
