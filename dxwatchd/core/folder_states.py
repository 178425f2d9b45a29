"""What is to be said of each folder, collected while a decision is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dxwatchd.core.entries import Entry, Problem
from dxwatchd.core.judged import Judged, unready
from dxwatchd.core.plan import FolderState, NewProposal
from dxwatchd.core.reasons import Reason, ReasonKind, State
from dxwatchd.core.snapshot import Snapshot


class FolderStates:
    """The states of folders by path. judged: every model folder, for what is said of it in any case."""

    def __init__(self, judged: Mapping[str, Judged]) -> None:
        self._judged = judged
        self._states: dict[str, FolderState] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._states

    def all(self) -> tuple[FolderState, ...]:
        """All of them in the order of the paths."""
        return tuple(self._states[path] for path in sorted(self._states))

    def say(
        self, path: str, state: State, reasons: tuple[Reason, ...], named: Entry | NewProposal | None = None
    ) -> None:
        """Note what is to be said of a folder; what was said first stays."""
        if path not in self._states:
            told = folder_state(path, state, reasons, named)
            judged = self._judged.get(path)
            if judged is not None:
                told = replace(told, warnings=judged.verdict.warnings, model=judged.model)
            self._states[path] = told

    def left_behind(self, entry: Entry, place: str) -> None:
        """Note what came to the path of an entry whose own folder was moved to `place`, if anything did."""
        judged = self._judged.get(entry.path)
        if judged is not None and not judged.verdict.whole:
            self.say(entry.path, unready(judged), judged.verdict.reasons)
        elif judged is not None:
            self.say(entry.path, State.CONFLICT, (_left_behind(entry, place),))

    def not_in_force(self, path: str, why: tuple[Reason, ...], entry: Entry | None = None) -> None:
        """Note that an entry of this folder is not in force: a conflict, or one reason more."""
        state = self._states.get(path)
        if state is None:
            self.say(path, State.CONFLICT, why, entry)
        else:
            self._states[path] = replace(state, reasons=(*state.reasons, *why))


def _left_behind(entry: Entry, place: str) -> Reason:
    return Reason(
        ReasonKind.MOVED,
        found=f'the entry "{entry.technical_name}" is of this path, and its folder was moved to {place}',
        remedy=f'write path = "{place}" into that entry to have this one proposed, '
        f"or `dxwatchd approve {entry.technical_name}` to take this one instead",
    )


def folder_state(
    path: str, state: State, reasons: tuple[Reason, ...], named: Entry | NewProposal | None
) -> FolderState:
    """What is to be said of a folder with the names of its entry or proposal."""
    names = named.names if isinstance(named, NewProposal) else named
    if names is None:
        return FolderState(path, state, reasons)
    return FolderState(path, state, reasons, technical_name=names.technical_name, model_name=names.model_name)


GONE = Reason(
    ReasonKind.NO_FOLDER,
    found="the folder is gone",
    remedy="`dxwatchd tidy` removes the proposal",
)

MANIFEST_BUSY = Reason(
    ReasonKind.MANIFEST_UNREADABLE,
    found="whole and at rest, but the manifest cannot be appended to now",
    remedy="see `dxwatchd check`",
)


def same_path(path: str, twin: str, snapshot: Snapshot) -> Reason:
    """Why a folder is not proposed whose path is, but for its spelling, that of another."""
    rename = "rename one of the two folders"
    return Reason(
        ReasonKind.ENTRY_PROBLEM,
        found=f"its path is equal to {twin}, which an entry has, under NFKC and case folding",
        remedy=rename if twin in snapshot.folders else f'correct that entry: path = "{path}"',
    )


def changed_since_proposed(entry: Entry) -> Reason:
    """What is to be said of a proposal of what does not lie there any more."""
    return Reason(
        ReasonKind.CONTENT_CHANGED,
        found="the content has changed since it was proposed",
        remedy=f"`dxwatchd approve {entry.technical_name}` takes what is there now",
    )


def superfluous(entry: Entry) -> Reason:
    """What is to be said of a proposal to whose folder the card of a moved one has followed."""
    return Reason(
        ReasonKind.MOVED,
        found=f'the proposal "{entry.technical_name}" is of the same folder',
        remedy=f"confirm the move, which removes it, or `dxwatchd approve {entry.technical_name}`",
    )


def told(problem: Problem) -> Reason:
    """A problem of the manifest as the reason that it is for a folder."""
    return Reason(
        ReasonKind.ENTRY_PROBLEM,
        found=f"manifest line {problem.line}: {problem.message}",
        remedy=problem.remedy,
    )
