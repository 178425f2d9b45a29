"""Where the folder of an entry may be now, by its content, and what is to be said of that."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.core.content import is_another
from dxwatchd.core.entries import Entry
from dxwatchd.core.judged import Elsewhere, Judged, Known
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.records import CardRecord

_SHOWN = 5


def same_content(card: CardRecord, candidates: Mapping[str, Judged]) -> list[Judged]:
    """Those candidates that hold what the card describes, also by their digests where these are known."""
    return [
        judged
        for judged in candidates.values()
        if judged.verdict.fingerprint == card.fingerprint and not is_another(card, judged.content())
    ]


def new_place(known: Known, card: CardRecord, candidates: Mapping[str, Judged]) -> Judged | None:
    """The folder that an absent entry's card is to follow to.

    Where it was followed to before, as long as nothing better is known; else the one place of its content.
    None where there is none, or where a person has to say: several places, or several entries for it.
    """
    same = same_content(card, candidates)
    followed = candidates.get(card.path)
    if followed is not None and (followed in same or not same):
        return followed
    return same[0] if len(same) == 1 and not known.rivals() else None


def away(entry: Entry, card: CardRecord, candidates: Mapping[str, Judged]) -> Judged | None:
    """Where the card was followed to before something else came to the entry's path; None if it was not."""
    if card.path == entry.path:
        return None
    followed = candidates.get(card.path)
    return followed if followed is not None and followed in same_content(card, candidates) else None


def moved_to(entry: Entry, judged: Judged, *, other: bool = False) -> Reason:
    """The word that asks a person to confirm. other: something else lies at the entry's path by now."""
    place = judged.model.path
    remedy = f"`dxwatchd approve {entry.technical_name}` writes the new path"
    if other:
        remedy = (
            f'write path = "{place}" into the entry to confirm; '
            f"`dxwatchd approve {entry.technical_name}` takes what lies at {entry.path} now instead"
        )
    return Reason(ReasonKind.MOVED, found=f"the folder is now {place}", expected=entry.path, remedy=remedy)


def gone(
    entry: Entry, known: Known, card: CardRecord, candidates: Mapping[str, Judged]
) -> tuple[Reason, ...]:
    """What is to be said where the folder is nowhere, or a person has to say where."""
    missing = Reason(
        ReasonKind.NO_FOLDER,
        found="no model is there any more",
        remedy=f"bring it back, or `dxwatchd remove {entry.technical_name}`",
    )
    places = [judged.model.path for judged in same_content(card, candidates)]
    if not places:
        return (missing, *lies_elsewhere(known))
    rivals = known.rivals()
    also = f", and {_listed(list(rivals))} may have been there" if rivals else ""
    ambiguous = Reason(
        ReasonKind.AMBIGUOUS_MOVE,
        found=f"the same content lies in {_listed(places)}{also}",
        remedy="write the right path into the entry",
    )
    return missing, ambiguous


def lies_elsewhere(known: Known) -> tuple[Reason, ...]:
    """Where the approved content lies, if not at the entry's path: also under another's."""
    found: tuple[Elsewhere, ...] = known.elsewhere()
    if not found:
        return ()
    return (
        Reason(
            ReasonKind.AMBIGUOUS_MOVE,
            found=f"the content that was approved lies in {_listed([str(one) for one in found])}",
            remedy=f'if it was moved there, write path = "{found[0].path}" into this entry',
        ),
    )


def _listed(places: list[str]) -> str:
    more = len(places) - _SHOWN
    return ", ".join(places[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
