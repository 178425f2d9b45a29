"""Who made a model, where the folder says so. The folder it lies in is no evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dxwatchd.card.values import Notes, clean, texts
from dxwatchd.core.filenames import README
from dxwatchd.core.readme import Section, without_markup

_KEYS = ("authors", "author", "developers", "developed_by", "model_creator")
_LINE = re.compile(
    r"[ \t]{0,8}(?:[-*+][ \t]+)?(?:\*\*|__)?Developed by(?:\*\*|__)?[ \t]*:[ \t]*(.*)", re.IGNORECASE
)
"""The line of the Hub's template for READMEs."""
_LABEL = re.compile(
    r"[ \t]{0,8}(?:[-*+][ \t]+)?\*\*(?:Model developers?|Authors?)(?:\*\*[ \t]*:?|:[ \t]*\*\*)[ \t]+(.*)",
    re.IGNORECASE,
)
"""The lines of Llama's and Gemma's READMEs. Further down, authors may be those of a work that is cited."""
_FIRST = 3  # sections
_LIMIT = 120  # characters of a line that can still be names
_PROSE = re.compile(
    r"\b(see|using|based|this|that|from|which|https?)\b|[.!?]\s|information needed", re.IGNORECASE
)
"""A line with any of these is a sentence and no name."""
_HUB = "https://huggingface.co/"
_ADDRESS = re.compile(r"\(?https?://\S*")


def authors(
    front_matter: Mapping[str, object],
    sections: Sequence[Section],
    stated: Sequence[tuple[str, str]],
    notes: Notes,
) -> tuple[str, ...]:
    """By the front matter, else by `stated` (name, source), else by a line of the README: "Developed by",
    "Model developers", "Authors".

    A citation's authors are not taken: it may be of another work.
    """
    for key in _KEYS:
        listed = (name.removeprefix(_HUB) for name in texts(front_matter.get(key)))
        found = tuple(dict.fromkeys(name for name in listed if name and not _ADDRESS.match(name)))
        if found:
            notes.source("authors", f"{README}#{key}")
            return found
    if stated:
        notes.source("authors", ", ".join(dict.fromkeys(source for _, source in stated)))
        return tuple(dict.fromkeys(name for name, _ in stated))
    for pattern, label, where in (
        (_LINE, "Developed by", sections),
        (_LABEL, "Authors", sections[:_FIRST]),
    ):
        for line in (line for section in where for line in section.text.splitlines()):
            match = pattern.match(line[:1000])
            name = _name(match[1]) if match else None
            if name:
                notes.source("authors", f"{README}#{label}")
                return (name,)
    return ()


def _name(words: str) -> str | None:
    """The name in the rest of a line; None for a sentence, a template's filling, an address alone."""
    plain = without_markup(words.lstrip("*_ :")).strip(" ;,.*")
    plain = re.sub(r"\(\s*\w{1,20}\s*\)$", "", plain).strip() if "](" in words else plain
    blank = plain.startswith(("[", "{", "<")) or len(plain) > _LIMIT  # "[Your Name]"
    if not plain or blank or _PROSE.search(plain) or _ADDRESS.search(plain):
        return None
    return clean(plain)
