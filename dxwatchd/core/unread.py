"""What could not be read, and must therefore not be taken for what is not there.

An error of a disk or of a server says nothing of a model: what cannot be read for the moment keeps its last
good card, and its parts are not taken for models of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dxwatchd.core.plan import FolderState, Plan
from dxwatchd.core.reasons import Reason, ReasonKind, State
from dxwatchd.core.snapshot import SeenFolder, Trouble, join


@dataclass(frozen=True, slots=True)
class Unread:
    """A model folder, and the file of it that could be read no more when its card was to be made.

    held: it could, but somebody has it open for writing.
    """

    folder: str
    file: str
    held: bool = False


def without_followers(reasons: Iterable[Reason], folders: Mapping[str, SeenFolder]) -> tuple[Reason, ...]:
    """The reasons but for those that only follow from others: what lies in a folder that cannot be listed
    looks as if it were missing.

    folders: of one model, by path relative to it.
    """
    closed = tuple(
        inner for inner, folder in folders.items() if folder.trouble in (Trouble.UNREADABLE, Trouble.TOO_DEEP)
    )
    if not closed:
        return tuple(reasons)
    return tuple(
        reason
        for reason in reasons
        if reason.kind not in _FOLLOWING or not any(_is_in(reason.file, inner) for inner in closed)
    )


_FOLLOWING = (ReasonKind.MISSING_FILE, ReasonKind.NO_WEIGHTS, ReasonKind.NO_CONFIG)


def _is_in(file: str, folder: str) -> bool:
    return not folder or file == folder or file.startswith(f"{folder}/")


def with_unread(plan: Plan, unread: Iterable[Unread]) -> Plan:
    """The plan as it was carried out: these folders' cards could not be made."""
    refused = {one.folder: one for one in unread}
    if not refused:
        return plan
    return replace(
        plan,
        folders=tuple(
            _refused(folder, refused[folder.path]) if folder.path in refused else folder
            for folder in plan.folders
        ),
    )


def _refused(folder: FolderState, one: Unread) -> FolderState:
    file = one.file[len(join(one.folder, "")) :]
    if one.held:
        reason = Reason(
            ReasonKind.NOT_AT_REST,
            file=file,
            found="is whole, and a program still has it open for writing",
            remedy="wait, or close it there: `fuser -v` on the file says who it is",
        )
        return replace(folder, state=State.COPYING, reasons=(*folder.reasons, reason))
    reason = Reason(
        ReasonKind.UNREADABLE,
        file=file,
        found="could not be read when the card was to be made",
        remedy="look at its disk; it is tried again",
    )
    return replace(folder, state=State.UNREADABLE, reasons=(*folder.reasons, reason))
