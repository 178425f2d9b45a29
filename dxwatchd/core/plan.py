"""What a pass saw, and what it concludes from that, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dxwatchd.core.derivation import Names
from dxwatchd.core.entries import Problem
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.provenance import Checked, Known
from dxwatchd.core.reasons import Reason, State
from dxwatchd.core.records import CardRecord, Published
from dxwatchd.core.rest import Periods, Watched
from dxwatchd.core.revisions import CardChange
from dxwatchd.core.root_guard import Memory, Opinion, RootIdentity
from dxwatchd.core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a pass saw.

    root_lost: why the models root cannot be looked at (then the snapshot is empty and means nothing);
    manifest: the one in force; manifest_trouble: why what is in the file is not (the last good one is);
    manifest_quiet: whether the file may be appended to now; moved_in: folders that came in by one rename;
    accept_removals: a person confirmed that many cards may go; seen_at: when the look at the root ended;
    digests: those computed so far, None where nobody computes any;
    root: which folder the models root is; memory: what earlier passes remember of it.
    """

    snapshot: Snapshot
    manifest: Manifest
    published: Published
    root_lost: Reason | None = None
    manifest_trouble: Problem | None = None
    manifest_quiet: bool = True
    moved_in: frozenset[str] = frozenset()
    accept_removals: bool = False
    seen_at: float = 0.0
    digests: Known | None = None
    root: RootIdentity = field(default_factory=RootIdentity)
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class Options:
    """The settings that decisions depend on."""

    periods: Periods
    propose_checkpoints: bool = False


@dataclass(frozen=True, slots=True)
class NewProposal:
    """A whole folder that no entry speaks of, with names that nobody has."""

    model: ModelFolder
    names: Names
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FolderState:
    """What is to be said of one folder.

    names are those of its entry, "" where it has none; checked: what is known of its files' digests.
    """

    path: str
    state: State
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    model: ModelFolder | None = None
    technical_name: str = ""
    model_name: str = ""
    checked: tuple[Checked, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and what to say.

    withdrawals: cards to be removed, by technical name; problems: of the manifest, in line order;
    held: suspicious mass changes that were not carried out; watched: to be given to the next decision;
    due: the next moment (same clock as `now`) at which something may have come to rest;
    root: what is to be thought of the models root, and remembered; confirmed: canonical names of withdrawals
    that are made only because a person confirmed them.
    """

    proposals: tuple[NewProposal, ...] = ()
    cards: tuple[CardChange, ...] = ()
    withdrawals: tuple[CardRecord, ...] = ()
    folders: tuple[FolderState, ...] = ()
    problems: tuple[Problem, ...] = ()
    held: tuple[Reason, ...] = ()
    watched: Mapping[str, Watched] = field(default_factory=dict)
    due: float | None = None
    root: Opinion = field(default_factory=lambda: Opinion(Memory()))
    confirmed: tuple[str, ...] = ()
