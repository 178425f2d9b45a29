"""Why a folder is not what one would wish: every reason as a value, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The states of a folder, as `status` and `explain` name them."""

    COPYING = "copying"  # still changing, or not at rest for long enough
    INCOMPLETE = "incomplete"  # at rest, and something is missing
    INVALID = "invalid"  # something is there and is wrong
    UNREADABLE = "unreadable"  # the operating system does not let us look
    PROPOSED = "proposed"  # waits in the manifest for a person
    CONFLICT = "conflict"  # its name or its path belongs to another entry
    REGISTERED = "registered"  # approved, and its card is published
    DRIFTED = "drifted"  # not the content any more that was approved
    MISSING = "missing"  # an entry without a folder
    REJECTED = "rejected"  # a person said no


class ReasonKind(StrEnum):
    """What kind of reason it is; programs may switch on it."""

    TEMPORARY_NAME = "temporary_name"
    EMPTY = "empty"
    NOT_AT_REST = "not_at_rest"
    HOLES = "holes"
    MISSING_FILE = "missing_file"
    NO_WEIGHTS = "no_weights"
    NO_CONFIG = "no_config"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    POINTER = "pointer"
    UNREADABLE = "unreadable"
    LINK_OUTSIDE = "link_outside"
    LINK_BROKEN = "link_broken"
    SPECIAL_FILE = "special_file"
    NAME_NOT_TEXT = "name_not_text"
    LOOSE_FILE = "loose_file"
    UNKNOWN_LAYOUT = "unknown_layout"
    CHECKPOINT = "checkpoint"
    OLD_REVISION = "old_revision"
    FOREIGN_STORE = "foreign_store"
    OPTIONAL_MISSING = "optional_missing"
    DOWNLOADING = "downloading"
    UNPROVABLE = "unprovable"
    DIGEST_MISMATCH = "digest_mismatch"
    LEFTOVER_INDEX = "leftover_index"
    CONTENT_CHANGED = "content_changed"
    NO_FOLDER = "no_folder"
    NOT_THERE_YET = "not_there_yet"
    MOVED = "moved"
    AMBIGUOUS_MOVE = "ambiguous_move"
    ROOT_LOST = "root_lost"
    ROOT_DOUBTED = "root_doubted"
    ENTRY_PROBLEM = "entry_problem"
    MANIFEST_UNREADABLE = "manifest_unreadable"
    HELD_BACK = "held_back"


STATE_OF: dict[ReasonKind, State] = {
    ReasonKind.TEMPORARY_NAME: State.COPYING,
    ReasonKind.EMPTY: State.COPYING,
    ReasonKind.NOT_AT_REST: State.COPYING,
    ReasonKind.MISSING_FILE: State.INCOMPLETE,
    ReasonKind.NO_WEIGHTS: State.INCOMPLETE,
    ReasonKind.NO_CONFIG: State.INCOMPLETE,
    ReasonKind.TOO_SHORT: State.INCOMPLETE,
    ReasonKind.TRUNCATED: State.INCOMPLETE,
    ReasonKind.POINTER: State.INCOMPLETE,
    ReasonKind.LINK_BROKEN: State.INCOMPLETE,
    ReasonKind.TOO_LONG: State.INVALID,
    ReasonKind.MALFORMED: State.INVALID,
    ReasonKind.TOO_LARGE: State.INVALID,
    ReasonKind.LINK_OUTSIDE: State.INVALID,
    ReasonKind.SPECIAL_FILE: State.INVALID,
    ReasonKind.NAME_NOT_TEXT: State.INVALID,
    ReasonKind.LOOSE_FILE: State.INVALID,
    ReasonKind.UNKNOWN_LAYOUT: State.INVALID,
    ReasonKind.UNREADABLE: State.UNREADABLE,
}
"""The state that a reason by itself makes of a folder that no entry speaks of."""

_GRAVEST_FIRST = (State.COPYING, State.UNREADABLE, State.INVALID, State.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    file: the file it is about, relative to the model folder ("" for the folder as a whole);
    expected, found: what should be and what is; remedy: what a person can do.
    """

    kind: ReasonKind
    file: str = ""
    expected: str = ""
    found: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        """One line for a person: `file: found, expected …; remedy`."""
        what = self.found
        if self.expected:
            what = f"{what}, expected {self.expected}" if what else f"expected {self.expected}"
        told = f"{self.file}: {what}" if self.file else what
        return f"{told}; {self.remedy}" if self.remedy else told


def state_of(reasons: tuple[Reason, ...]) -> State | None:
    """The state that these reasons make together; None where none of them stands in the way.

    A copy in progress explains everything else, so it comes first.
    """
    states = {STATE_OF[reason.kind] for reason in reasons if reason.kind in STATE_OF}
    return next((state for state in _GRAVEST_FIRST if state in states), None)
