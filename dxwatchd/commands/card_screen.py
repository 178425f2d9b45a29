"""A card as a person reads it: groups of labelled lines that fit on one screen. Only what is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dxwatchd.card.parts import Ancestor, Conflict
from dxwatchd.card.schema import Card
from dxwatchd.card.summary import human_size
from dxwatchd.commands import card_words as words
from dxwatchd.core.text import count, printable

TEXT_LIMIT = 260
"""Characters of one row: three lines of a terminal with 100 columns."""

WARNINGS_SHOWN = 5
CONFLICTS_SHOWN = 3

_GRAVE = (
    re.compile(r"mismatch|not what was downloaded", re.IGNORECASE),
    re.compile(r"pickle|import|code|trust", re.IGNORECASE),
    re.compile(r"cannot be read|not read|malformed|not valid", re.IGNORECASE),
    re.compile(r"not understood|unknown|not known|differ", re.IGNORECASE),
)
"""What a warning speaks of, the gravest first: wrong bytes, code that would run, files that were not read."""


class Row(NamedTuple):
    """One labelled line. text: printable, on one line, of at most `TEXT_LIMIT` characters and "…"."""

    label: str
    text: str


def groups(card: Card, *, published: bool) -> list[list[Row]]:
    """The rows of a card in groups that belong together; no empty row, no empty group.

    published: whether it is a registered model's, so that availability and revision mean something.
    """
    made = (
        _identity(card, published=published),
        _purpose(card),
        words.network(card),
        words.use(card),
        _special(card),
        _content(card, published=published),
        _remarks(card, published=published),
    )
    shown = ([Row(label, printable(text, TEXT_LIMIT)) for label, text in group if text] for group in made)
    return [group for group in shown if group]


def _identity(card: Card, *, published: bool) -> Iterator[tuple[str, str | None]]:
    yield "technical name", card.technical_name
    yield "model name", card.model_name
    moved = f" (moved from {card.entry_path}; `dxwatchd approve {card.technical_name}` confirms it)"
    yield "path", card.path + (moved if published and card.entry_path != card.path else "")
    if published:
        yield "availability", _availability(card)
        yield "revision", f"{card.revision} ({card.change.replace('_', ' ')})"


def _availability(card: Card) -> str:
    name = card.technical_name
    if card.availability == "drifted":
        return (
            f"drifted: what lies there is not what was approved; `dxwatchd explain {card.path}` says what "
            f"changed, `dxwatchd approve {name}` takes it as it is"
        )
    if card.availability == "missing":
        return f"missing: nothing lies there; bring the folder back, or `dxwatchd remove {name}`"
    return card.availability


def _purpose(card: Card) -> Iterator[tuple[str, str | None]]:
    yield "kind", f"{card.kind}, {card.layout}"
    yield "task", words.task(card)
    named = card.license_name if card.license in (None, "other") else None
    yield "licence", words.joined(card.license, named, card.license_link if named else None)
    yield "languages", words.some(card.language, 12)
    stated = card.lineage or tuple(
        Ancestor(name=name, relation=card.base_model_relation, source="") for name in card.base_model
    )
    if card.adapter is None:
        yield "base model", words.some([_ancestor(one) for one in stated], 3)
    yield "notes", card.notes


def _ancestor(one: Ancestor) -> str:
    how = f" ({one.relation})" if one.relation else ""
    return f"{one.name} → {one.technical_name}{how}"


def _special(card: Card) -> Iterator[tuple[str, str | None]]:
    """What only adapters, embedding models and pipelines have."""
    if card.adapter is not None:
        yield "adapter", words.adapter(card.adapter)
        base = card.adapter.base_model_name_or_path
        if base:
            yield "base model", f"{base} → {card.adapter.base_model_resolved or 'unresolved'}"
    if card.sentence_transformers is not None:
        yield "embedding", words.embedding(card.sentence_transformers)
    yield "components", words.some([f"{one.name} {one.class_name}" for one in card.components], 8)


def _content(card: Card, *, published: bool) -> Iterator[tuple[str, str | None]]:
    """What lies in the folder, and what loading it would do."""
    code = card.custom_code
    files = words.some(code.python_files, 4)
    if code.required:
        yield "custom code", words.joined("must be trusted to load it (trust_remote_code)", files)
    else:
        yield "custom code", f"not needed: {files}" if files and code.required is False else files
    state = card.integrity
    if state.pickle_present:
        odd = words.some(state.disallowed_globals, 5)
        yield "pickles", f"loading runs code that {'imports ' + odd if odd else 'imports what weights need'}"
    if published or state.status != "pending":
        yield "digests", _digests(card)
    sets = dict.fromkeys(one.format for one in sorted(card.weight_sets, key=lambda one: not one.primary))
    yield (
        "size",
        words.joined(
            human_size(card.size), count(card.file_count, "file"), *([" + ".join(sets)] if sets else [])
        ),
    )
    yield "fingerprint", card.fingerprint


def _digests(card: Card) -> str:
    state = card.integrity
    if state.status == "mismatch":
        return f"mismatch: {words.some(state.mismatched_files, 3)} not what was downloaded"
    if state.status == "verified":
        return f"verified by {words.some([one.source for one in state.provenance], 3) or 'the download'}"
    return {"computed": "computed; no download to compare with", "pending": "not computed"}[state.status]


def _remarks(card: Card, *, published: bool) -> Iterator[tuple[str, str | None]]:
    """Overrides, conflicts and warnings: the gravest ones, the rest as a number."""
    yield "manifest says", words.some(sorted(card.overrides), 8)
    for conflict in card.conflicts[:CONFLICTS_SHOWN]:
        yield "conflict", _conflict(conflict)
    warnings = _by_gravity((*card.integrity.warnings, *card.warnings))
    for warning in warnings[:WARNINGS_SHOWN]:
        yield "warning", warning
    more = words.joined(
        _left(card.conflicts, CONFLICTS_SHOWN, "conflict"), _left(warnings, WARNINGS_SHOWN, "warning")
    )
    if more:
        where = f"dxwatchd show {card.technical_name}" if published else "dxwatchd card PATH"
        yield "and", f"{more}: `{where} --json`"


def _conflict(conflict: Conflict) -> str:
    return f"{conflict.field}: " + "; ".join(f"{one.source} says {one.value}" for one in conflict.statements)


def _left(listed: tuple[object, ...], shown: int, noun: str) -> str | None:
    left = len(listed) - shown
    return count(left, f"more {noun}") if left > 0 else None


def _by_gravity(warnings: Iterable[str]) -> tuple[str, ...]:
    def rank(warning: str) -> int:
        return next((at for at, pattern in enumerate(_GRAVE) if pattern.search(warning)), len(_GRAVE))

    return tuple(sorted(dict.fromkeys(warnings), key=rank))
