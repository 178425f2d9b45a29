"""How names are derived for a new folder: from what its place and its files say, never one that is taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Protocol

from dxwatchd.core.naming import (
    MAX_MODEL_NAME,
    MAX_TECHNICAL,
    canonical,
    is_generic,
    is_hash,
    is_reserved,
    model_name_problem,
    short_digest,
    slug,
    technical_name_problem,
    unprefixed_slug,
)
from dxwatchd.core.publishers import as_published, in_hub_cache, publisher
from dxwatchd.core.snapshot import basename
from dxwatchd.core.text import printable

MAX_REJECTED = 8
"""Names told in a proposal that were not taken."""

MAX_TITLE = 80
"""Characters of a README's title that may be a name; a longer one is a sentence."""

_ORG_AND_NAME = re.compile(r"[\w-][\w.-]*/(?P<name>[\w-][\w.-]*)")
_MODEL_CARD = re.compile(r"model card( (for|of))?\b[\s:–-]*|[\s:–-]*\bmodel card", re.IGNORECASE)
_OF_ANOTHER = re.compile(r"\b(based on|fine-?tuned (from|version of)|SetFit with)\b", re.IGNORECASE)
"""How sentence-transformers and SetFit name what was trained: by the model that it was made from."""
_OUTSIDE = re.compile(r"^[^\w(\[]+|[^\w)\].+!?]+$")


@dataclass(frozen=True, slots=True)
class Hints:
    """What a model folder says of its own name.

    path: relative to the models root; model_type: of its config or GGUF header; front_matter: names in the
    README's head, best first; general_name: GGUF's `general.name`; name_or_path: the config's
    `_name_or_path`; title: the README's; size: in bytes; fingerprint: for the last resort; refs: of a
    revision in huggingface_hub's cache, the refs that point to it.
    """

    path: str
    model_type: str | None = None
    front_matter: tuple[str, ...] = ()
    general_name: str | None = None
    name_or_path: str | None = None
    title: str | None = None
    size: int = 0
    fingerprint: str = ""
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """A pair of names for a new entry; rejected: those that were considered first, each with the reason."""

    technical_name: str
    model_name: str
    rejected: tuple[str, ...] = ()


class Named(Protocol):
    """What has names already: an entry, a card, a proposal."""

    @property
    def technical_name(self) -> str:
        """As it is written."""

    @property
    def model_name(self) -> str:
        """As it is written."""


def held(one: Named) -> dict[str, str]:
    """The canonical names that `one` has, each with who has it."""
    return dict.fromkeys((canonical(one.model_name), canonical(one.technical_name)), one.technical_name)


def derive(hints: Hints, taken: Mapping[str, str]) -> Names:
    """Names for a folder that collide with none in `taken`.

    taken: canonical forms of both kinds of names, each with the technical name of the model that has it.
    The model name is the first that says something, of: the repository in huggingface_hub's cache, the
    README's front matter, the folder, GGUF's `general.name`, `_name_or_path`, the README's title, a folder
    above. On a collision the publisher (the folder above) is put before it, then a digest behind it. The
    same hints and taken names always give the same names.
    """
    base, rejected = _model_name(hints)
    above = publisher(hints.path)
    digest = short_digest(hints.path)
    stem = slug(base)
    if not stem or (is_generic(stem) and not is_generic(base)):  # only the 7b of 通义千问-7B is left
        stem = _fallback(hints)
    if is_reserved(unprefixed_slug(base)):
        rejected.append(f"{unprefixed_slug(base)}: is a reserved word")
    technical = [stem, slug(f"{slug(above)}-{stem}") if slug(above) else "", slug(f"{stem}-{digest}")]
    model = [base, f"{above}/{base}" if above else "", f"{base[: MAX_MODEL_NAME - 11].rstrip()} ({digest})"]
    technical_name = _free(technical, digest, taken, technical_name_problem, rejected)
    model_name = _free(model, digest, taken, model_name_problem, rejected)
    return Names(technical_name, model_name, tuple(dict.fromkeys(rejected))[:MAX_REJECTED])


def _free(
    candidates: list[str],
    digest: str,
    taken: Mapping[str, str],
    problem: Callable[[str], str | None],
    rejected: list[str],
) -> str:
    """The first of `candidates` that is allowed and not taken, or the first one with a number behind it."""
    short = candidates[0][: MAX_TECHNICAL - 20].rstrip(".- ")
    for candidate in chain(candidates, (f"{short}-{digest}-{number}" for number in count(2))):
        if problem(candidate) is not None:
            continue
        holder = taken.get(canonical(candidate))
        if holder is None:
            return candidate
        by = f" by {printable(holder, MAX_TECHNICAL)}" if holder and holder != candidate else ""
        rejected.append(f"{printable(candidate, MAX_TITLE)}: taken{by}")
    raise AssertionError("numbers do not end")


def _model_name(hints: Hints) -> tuple[str, list[str]]:
    """The first name that says something, and those before it that do not, with the reasons."""
    rejected: dict[str, str] = {}
    for name, objection in _stated(hints):
        against = objection or _objection(name)
        if against is None:
            break
        if name.strip():
            rejected.setdefault(name, against)
    else:
        name = _last_resort(hints)
    notes = rejected.items()
    return name, [f"{printable(one, MAX_TITLE)}: {why}" for one, why in notes if one != name]


def _last_resort(hints: Hints) -> str:
    """A name with a folder above in it, or the folder's own whatever it says, or one of kind and size.

    Between the two stand dates and numbers, which tell one run from the other.
    """
    *above, last = map(as_published, hints.path.split("/"))
    below = [] if is_hash(last) else [last]
    for part in reversed(above):
        if _objection(part) is None:
            whole = "-".join([part, *reversed(below)])
            return part if model_name_problem(whole) is not None else whole
        if any(map(str.isdigit, part)) and not is_hash(part):
            below.append(part)
    return last if model_name_problem(last) is None and not is_hash(last) else _fallback(hints)


def _stated(hints: Hints) -> Iterator[tuple[str, str | None]]:
    """The names that place and files give, best first, each with what speaks against it in this place."""
    if (cached := in_hub_cache(hints.path)) is not None:
        ref = "" if not hints.refs or "main" in hints.refs else f"-{hints.refs[0].replace('/', '-')}"
        yield cached["name"] + ref, None
    folder = as_published(basename(hints.path))
    for stated in hints.front_matter:
        name, objection = _last_part(stated)
        yield name, objection or ("the folder's name says more" if _says_more(folder, name) else None)
    yield folder, None
    if hints.general_name:
        yield _last_part(hints.general_name)
    if hints.name_or_path:
        match = _ORG_AND_NAME.fullmatch(hints.name_or_path)
        yield (match["name"], None) if match else (hints.name_or_path, "is not a publisher and a name")
    if hints.title:
        name, objection = _last_part(_OUTSIDE.sub("", _MODEL_CARD.sub("", hints.title)))
        yield name, objection or ("is a sentence" if len(name) > MAX_TITLE else None)


def _last_part(stated: str) -> tuple[str, str | None]:
    """The name in `publisher/name`; no other path is taken apart."""
    match = _ORG_AND_NAME.fullmatch(stated)
    if match is not None:
        return match["name"], None
    if _OF_ANOTHER.search(stated):
        return stated.strip(), "names another model"
    is_path = "/" in stated or "\\" in stated or stated.startswith(("~", "."))
    return stated.strip(), "holds a path" if is_path else None


def _says_more(folder: str, name: str) -> bool:
    """Whether the folder's name goes on where `name` ends: quantisers name the model that they packed."""
    whole, part = slug(folder), slug(name)
    return bool(part) and whole.startswith((f"{part}-", f"{part}.")) and not is_generic(folder)


def _objection(name: str) -> str | None:
    """Why a name is none for a model, None where it is one."""
    if is_hash(name):
        return "is a hash"
    return model_name_problem(name) or ("is generic" if is_generic(name) else None)


def _fallback(hints: Hints) -> str:
    """`model_type-size-digest`, where nothing else gives a name."""
    kind = slug(hints.model_type or "") or "model"
    mebibytes = hints.size // 2**20
    return slug(f"{kind}-{mebibytes}m-{short_digest(hints.fingerprint or hints.path)}")
