"""Names: which are allowed, when two are the same, and how one is derived for a new folder.

A technical name travels on as part of trained models' names, as file name, served model id, DNS label and
command-line argument, hence its narrow alphabet.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Container
from dataclasses import dataclass
from itertools import chain, count

from dxwatchd.core.hub_cache import cache_of
from dxwatchd.core.snapshot import basename

MAX_TECHNICAL = 63
"""Characters; the longest label that DNS allows (RFC 1035, 2.3.4)."""

MAX_MODEL_NAME = 200
"""Characters of a model name."""

_TECHNICAL = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")

_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "latest", "index", "default", "none", "null"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)}
)
"""File names that Windows keeps for devices, tags that registries give a meaning, and our own index."""

_GENERIC = re.compile(
    r"checkpoint-[0-9]+|checkpoints?|final|models?|model_?files|weights|output|outputs|snapshot|snapshots|main|"
    r"master|latest|[0-9a-f]{40}|hf|gguf|original|base|test|tmp|temp|new|copy|data",
    re.IGNORECASE,
)

_HASH = re.compile(r"[0-9a-f]{40}")
_HUB_CACHE = re.compile(r"models--(?:(?P<org>.+?)--)?(?P<name>.+)")
_ORG_AND_NAME = re.compile(r"[\w-][\w.-]*/(?P<name>[\w-][\w.-]*)")


def canonical(name: str) -> str:
    """The form under which two names are the same: NFKC, case folded, NFKC again.

    Source: Unicode Standard, 3.13, D146 (folding may leave a text that is not normalised any more).
    """
    if name.isascii():  # is normalised, and folds to its lower case: most names, asked for in every pass
        return name.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def technical_name_problem(name: str) -> str | None:
    """What is wrong with a technical name, as a sentence; None where nothing is."""
    if not name:
        return "it is empty"
    if len(name) > MAX_TECHNICAL:
        return f"it has {len(name)} characters, at most {MAX_TECHNICAL} are allowed"
    if _TECHNICAL.fullmatch(name) is None or ".." in name:
        return "only a-z, 0-9 and inner . and - are allowed"
    if name in _RESERVED:
        return "it is a reserved word"
    return None


def model_name_problem(name: str) -> str | None:
    """What is wrong with a model name, as a sentence; None where nothing is."""
    if not name.strip():
        return "it is empty"
    if len(name) > MAX_MODEL_NAME:
        return f"it has {len(name)} characters, at most {MAX_MODEL_NAME} are allowed"
    if name != name.strip():
        return "it begins or ends with a space"
    if not all(char == " " or char.isprintable() for char in name):
        return "it holds control characters"
    return None


def is_generic(name: str) -> bool:
    """Whether a folder's name says nothing about the model in it (`checkpoint-900`, `final`, a hash)."""
    return _GENERIC.fullmatch(name) is not None


def slug(text: str) -> str:
    """`text` in the alphabet of technical names, or "" where nothing of it is left (`通义千问`).

    Last path part, NFKD to ASCII, lower case, runs of anything else to one `-`, trimmed; too long a name is
    cut and ends in a short digest of the whole. A reserved word gets the prefix `model-`.
    """
    last = text.rstrip("/").rpartition("/")[2]
    ascii_only = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9.]+", "-", ascii_only))
    name = re.sub(r"-?\.-|-\.", "-", name).strip(".-")
    if len(name) > MAX_TECHNICAL:
        name = f"{name[: MAX_TECHNICAL - 9].rstrip('.-')}-{short_digest(text)}"
    return f"model-{name}" if name in _RESERVED else name


def short_digest(text: str) -> str:
    """Eight hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Hints:
    """What a model folder says of its own name.

    path: relative to the models root; model_type: of its config or GGUF header; declared: names that the
    folder's files give, best first (GGUF `general.name`, `_name_or_path`); size: in bytes; fingerprint: for
    the last resort; refs: of a revision in huggingface_hub's cache, the refs that point to it.
    """

    path: str
    model_type: str | None = None
    declared: tuple[str, ...] = ()
    size: int = 0
    fingerprint: str = ""
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """A pair of names for a new entry; rejected: those that were considered first, and why they are not."""

    technical_name: str
    model_name: str
    rejected: tuple[str, ...] = ()


def derive(hints: Hints, taken: Container[str]) -> Names:
    """Names for a folder that collide with none in `taken` (canonical forms of both kinds of names).

    The model name is the folder's unless that is generic, else the first sane one that its files declare.
    On a collision the publisher (the folder above) is put before it, then a digest behind it.
    """
    rejected: list[str] = []
    base = _model_name(hints)
    above = _publisher(hints.path)
    digest = short_digest(hints.path)
    stem = slug(base) or _fallback(hints)
    technical = [stem, slug(f"{slug(above)}-{stem}") if slug(above) else "", slug(f"{stem}-{digest}")]
    model = [base, f"{above}/{base}" if above else "", f"{base[: MAX_MODEL_NAME - 11].rstrip()} ({digest})"]
    return Names(
        _free(technical, digest, taken, technical_name_problem, rejected),
        _free(model, digest, taken, model_name_problem, rejected),
        tuple(rejected),
    )


def _free(
    candidates: list[str],
    digest: str,
    taken: Container[str],
    problem: Callable[[str], str | None],
    rejected: list[str],
) -> str:
    """The first of `candidates` that is allowed and not taken, or the last one with a number behind it."""
    short = candidates[0][: MAX_TECHNICAL - 20].rstrip(".- ")
    for candidate in chain(candidates, (f"{short}-{digest}-{number}" for number in count(2))):
        if problem(candidate) is not None:
            continue
        if canonical(candidate) not in taken:
            return candidate
        rejected.append(f"{candidate}: taken")
    raise AssertionError("numbers do not end")


def _model_name(hints: Hints) -> str:
    """The first name that says something: the folder's, a declared one, one of the folders above."""
    *above, last = hints.path.split("/")
    if (cached := _cached(hints.path)) is not None:
        ref = "" if not hints.refs or "main" in hints.refs else f"-{hints.refs[0].replace('/', '-')}"
        if _says_something(named := cached["name"] + ref):
            return named
    last = _as_published(last)
    if _says_something(last):
        return last
    for declared in hints.declared:
        match = _ORG_AND_NAME.fullmatch(declared)
        name = match["name"] if match is not None else declared
        if "/" not in name and name.strip(".") and _says_something(name):
            return name
    for part in map(_as_published, reversed(above)):
        if _says_something(part):
            whole = f"{part}-{last}"
            return part if _HASH.fullmatch(last) or model_name_problem(whole) is not None else whole
    return last if model_name_problem(last) is None and not _HASH.fullmatch(last) else _fallback(hints)


def _says_something(name: str) -> bool:
    return model_name_problem(name) is None and not is_generic(name)


def _cached(path: str) -> re.Match[str] | None:
    """Publisher and name in the folder of huggingface_hub's cache that `path` is a revision in."""
    cache = cache_of(path)
    return _HUB_CACHE.fullmatch(basename(cache)) if cache is not None else None


def _publisher(path: str) -> str:
    """Who published the model, as far as the folders above it tell."""
    cached = _cached(path)
    if cached is not None:
        return cached["org"] or ""
    return path.rpartition("/")[0].rpartition("/")[2]


def published_as(path: str) -> tuple[str, str]:
    """Publisher and name of the model in the folder at `path`, as far as its path tells.

    The publisher is "" where the folder above names none: it is the models root, or its name is generic.
    """
    last = basename(path)
    cached = _cached(path) or _HUB_CACHE.fullmatch(last)
    if cached is not None:
        return cached["org"] or "", cached["name"]
    publisher = _publisher(path)
    return "" if is_generic(publisher) else publisher, _as_published(last)


def _as_published(part: str) -> str:
    """A folder's name as its publisher wrote it.

    `Qwen3-8B` of huggingface_hub's `models--Qwen--Qwen3-8B`; ModelScope writes `.` as `___`.
    """
    match = _HUB_CACHE.fullmatch(part)
    return match["name"] if match is not None else part.replace("___", ".")


def _fallback(hints: Hints) -> str:
    """`model_type-size-digest`, where nothing else gives a name."""
    kind = slug(hints.model_type or "") or "model"
    mebibytes = hints.size // 2**20
    return slug(f"{kind}-{mebibytes}m-{short_digest(hints.fingerprint or hints.path)}")
