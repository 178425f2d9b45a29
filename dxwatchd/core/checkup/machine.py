"""Are the kernel's limits wide enough for so many folders, and is the clock to be believed?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from dxwatchd.core.checkup.findings import About, Finding, Grade
from dxwatchd.core.checkup.rights import Person
from dxwatchd.core.text import count

FEW_FILES = 256
"""Open files below which it is told: a pass holds a few, and libraries some more."""

FEW_QUEUES = 16
"""Event queues of one user below which it is told: the daemon takes a handful."""

USUAL = 1_048_576
"""Watches that a kernel on a machine with room gives by itself."""

RELEASED = 2026
"""A clock that shows an earlier year is wrong."""

AHEAD = 60.0
"""Seconds by which clocks of two machines may differ without a word."""


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What the kernel allows.

    watches, queues: of one user, None where it does not tell; files: open ones, of the process that `process`
    names; folders: of the models root, None where they could not be counted; in_full: whether all were.
    """

    person: Person
    watches: int | None
    queues: int | None
    files: int | None
    process: str
    folders: int | None
    in_full: bool = True


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """The clock.

    now: as people read it; told: what says the latest time, and which; ahead: seconds from now to that;
    synchronised: None where nothing tells; by: what does.
    """

    year: int
    now: str
    told: str = ""
    ahead: float = 0.0
    synchronised: bool | None = None
    by: str = ""


def judge_limits(limits: LimitFacts) -> Iterator[Finding]:
    """What there is to say of them."""
    finding = partial(Finding, About.LIMITS)
    yield finding(*_watches(limits))
    if limits.queues is not None:
        few = limits.queues < FEW_QUEUES
        found = f"{limits.person.name} may have {count(limits.queues, 'event queue')} (max_user_instances)"
        yield finding(
            Grade.LOOK if few else Grade.WELL, found, _raise("max_user_instances", 128) if few else ""
        )
    if limits.files is not None:
        few = limits.files < FEW_FILES
        found = f"{limits.process} may have {count(limits.files, 'open file')}"
        remedy = "raise it: LimitNOFILE=4096 in the unit, or ulimit -n 4096" if few else ""
        yield finding(Grade.LOOK if few else Grade.WELL, found, remedy)


def _watches(limits: LimitFacts) -> tuple[Grade, str, str]:
    if limits.watches is None:
        return (
            Grade.NOT_CHECKED,
            "the kernel does not tell how many folders it watches (max_user_watches)",
            "",
        )
    allowed = f"the kernel watches up to {limits.watches:,} folders for one user (max_user_watches)"
    if limits.folders is None:
        return Grade.NOT_CHECKED, f"{allowed}; how many there are could not be counted", ""
    least = "" if limits.in_full else "at least "
    found = f"{allowed}; the models root has {least}{limits.folders:,}"
    remedy = _raise("max_user_watches", max(USUAL, 1 << (4 * limits.folders).bit_length()))
    if limits.folders >= limits.watches:
        return Grade.WRONG, f"{found}, so some are only looked at now and then", remedy
    if 2 * limits.folders > limits.watches:
        return Grade.LOOK, f"{found}, and other programs watch folders too", remedy
    return Grade.WELL, found, ""


def _raise(name: str, to: int) -> str:
    line = f"fs.inotify.{name}={to}"
    return f"raise it for good: echo {line} > /etc/sysctl.d/60-dxwatchd.conf && sysctl --system"


def judge_clock(clock: ClockFacts) -> Iterator[Finding]:
    """Whether the times in cards and journal can be believed."""
    finding = partial(Finding, About.CLOCK)
    if clock.year < RELEASED:
        found = f"it shows {clock.now}, which is before this version of dxwatchd was written"
        yield finding(Grade.WRONG, found, "set it: timedatectl set-ntp true, or date --set")
    elif clock.ahead > AHEAD:
        found = f"it shows {clock.now}, but {clock.told}: it is wrong now, or was when that was written"
        yield finding(Grade.LOOK, found, "compare it with another clock: `date`; `timedatectl`")
    else:
        yield finding(Grade.WELL, f"it shows {clock.now}" + (f", and {clock.told}" if clock.told else ""))
    if clock.synchronised is None:
        yield finding(Grade.NOT_CHECKED, "nothing here tells whether it is kept right by other clocks")
    elif clock.synchronised:
        yield finding(Grade.WELL, f"it is kept right by other clocks, says {clock.by}")
    else:
        found = f"it is not kept right by other clocks, says {clock.by}"
        yield finding(Grade.LOOK, found, "timedatectl set-ntp true, unless something else sets it")
