"""Does a daemon run, and does it get on?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from dxwatchd.core.checkup.findings import About, Finding, Grade


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """The process that holds the state directory at `path`.

    holder: what it calls itself and its number, "" where none does; last_pass: when it ended, "" where
    nothing is known of one; troubles: what it says it cannot do; under_way: a pass that takes long;
    stale: seconds since the last pass where that is far too long, else 0; can_tell: whether whoever runs
    this may look at the lock; weaknesses: why it cannot rely on events, each with a remedy;
    others: settings of its that are not this command's, each with both values.
    """

    path: str
    holder: str = ""
    last_pass: str = ""
    troubles: tuple[str, ...] = ()
    under_way: str = ""
    stale: float = 0.0
    can_tell: bool = True
    weaknesses: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, str, str], ...] = ()


def judge_daemon(daemon: DaemonFacts) -> Iterator[Finding]:
    """Whether it runs and gets on."""
    finding = partial(Finding, About.DAEMON)
    if not daemon.can_tell:
        found = f"whoever runs this may not see whether a daemon holds {daemon.path}"
        yield finding(Grade.NOT_CHECKED, found, "run this as root, or as a member of the folder's group")
        return
    last = f"its last pass ended {daemon.last_pass}" if daemon.last_pass else "it has made no pass yet"
    if not daemon.holder:
        remedy = "start it: systemctl start dxwatchd, or dxwatchd run"
        yield finding(Grade.LOOK, f"no daemon runs on {daemon.path}", remedy)
    elif daemon.under_way:
        remedy = "wait; where it stays at one place, look at that file system"
        yield finding(Grade.LOOK, f"it runs as {daemon.holder}. {daemon.under_way}", remedy)
    elif daemon.stale:
        found = f"it runs as {daemon.holder}, but {last}, {daemon.stale / 60:.0f} minutes ago"
        yield finding(Grade.WRONG, found, "its log says why: journalctl -u dxwatchd -n 50")
    else:
        yield finding(Grade.WELL, f"it runs as {daemon.holder}; {last}")
    for trouble in daemon.troubles:
        yield finding(Grade.WRONG, f"it cannot write: {trouble}")
    for name, theirs, ours in daemon.others:
        found = f"its {name} is {theirs}, and {ours} is that of this command"
        remedy = "give both the same settings; a daemon takes new ones over when it is reloaded or restarted"
        yield finding(Grade.LOOK, found, remedy)
    for weakness, remedy in daemon.weaknesses:
        yield finding(Grade.LOOK, f"it cannot rely on events, and looks more often: {weakness}", remedy)
