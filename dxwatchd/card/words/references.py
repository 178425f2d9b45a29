"""Papers that a folder names: its README's links and tags, its GGUF header's address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from dxwatchd.card.values import LIST_LIMIT, Notes, clean, text, texts
from dxwatchd.core.filenames import README
from dxwatchd.core.readme import Section

_ARXIV = re.compile(
    r"arxiv(?:\.org/(?:abs|pdf|html)/|[:.]\s?|\s+preprint\s+arxiv:)(\d{4}\.\d{4,5})(?!\d)|"
    r"(?:hf\.co|huggingface\.co)/papers/(\d{4}\.\d{4,5})(?!\d)|"
    r"arxiv\.org/(?:abs|pdf)/([a-z-]{2,12}(?:\.[A-Z]{2})?/\d{7})(?!\d)|"
    r"\beprint\s{0,8}=\s{0,8}[{\"](\d{4}\.\d{4,5})(?:v\d{1,2})?[}\"]",
    re.IGNORECASE,
)
_DOI = re.compile(
    r"doi(?:\.org/|\s{0,2}[:=]\s{0,2}[{\"]?\s?(?:https?://(?:dx\.)?doi\.org/)?)(10\.\d{4,9}/[^\s\"'<>{}\[\]|,;)]{1,100})",
    re.IGNORECASE,
)
_PAGE = re.compile(
    r"https?://(?:aclanthology\.org/[A-Z0-9][\w.-]{3,40}|openreview\.net/(?:forum|pdf)\?id=[\w-]{6,20})"
)
_IN_TEMPLATE = frozenset({"https://arxiv.org/abs/1910.09700"})
"""The carbon calculator that the Hub's template cites in every README that is made from it."""


def references(
    front_matter: Mapping[str, object],
    sections: Sequence[Section],
    stated: Sequence[tuple[str, str]],
    notes: Notes,
) -> tuple[str, ...]:
    """Addresses of papers in the order in which they are named, each once.

    stated: addresses from elsewhere with their sources. A README's papers need not be about the model: as on
    the Hub, it is enough that it links to them.
    """
    found: dict[str, str] = {}
    for tag in texts(front_matter.get("tags"), count=256):
        if tag.lower().startswith(("arxiv:", "doi:")):
            for address in _addresses(tag):
                found.setdefault(address, f"{README}#tags")
    doi = text(front_matter.get("doi"))
    for address in _addresses(f"doi:{doi}") if doi else ():
        found.setdefault(address, f"{README}#doi")
    for address, source in stated:
        found.setdefault(address, source)
    for section in sections:
        for address in _addresses(f"{section.text}\n{section.code}"):
            if address not in _IN_TEMPLATE:
                found.setdefault(address, README)
    if found:
        notes.source("references", ", ".join(dict.fromkeys(found.values())))
    return tuple(found)[:LIST_LIMIT]


def _addresses(words: str) -> Iterator[str]:
    """The papers in some words, in the order in which they stand there."""
    named = [
        (match.start(), f"https://arxiv.org/abs/{match[1] or match[2] or match[3] or match[4]}")
        for match in _ARXIV.finditer(words)
    ]
    for match in _DOI.finditer(words):
        doi = match[1].rstrip(".:*_`")
        if "arxiv." not in doi.lower():  # found above
            named.append((match.start(), f"https://doi.org/{doi}"))
    named.extend(
        (match.start(), match[0].rstrip(".").removesuffix(".pdf")) for match in _PAGE.finditer(words)
    )
    for _, address in sorted(named):
        yield clean(address)
