"""`status`: what the last pass saw."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from dxwatchd.commands import output
from dxwatchd.commands.output import DONE, PROBLEMS, CommandError
from dxwatchd.core import formats
from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.text import count
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.instance_lock import InstanceLock
from dxwatchd.stores.now_file import Now, NowFile, UnderWay
from dxwatchd.stores.pass_requests import PassRequests
from dxwatchd.stores.plain_file import read_plain
from dxwatchd.troubles import hindrance

WAIT_FOR_DAEMON = 600.0
"""Seconds that `scan` waits for the running daemon's pass."""

OLD_AFTER = 120.0
"""Seconds, beside three intervals between passes, after which a status is too old to be believed."""

_BAD_STATES = frozenset({"conflict", "drifted", "missing", "unreadable", "invalid"})


def ask_for_pass(settings: Settings, *, accept_removals: bool = False) -> dict[str, Any]:
    """Ask the running daemon for a pass, wait until it has been made, and give its status."""
    state = StateDirectory(settings.state_dir)
    with ExitStack() as asking:
        try:
            request = asking.enter_context(
                PassRequests(state.requests).asking(accept_removals=accept_removals)
            )
        except OSError as error:
            raise output.refused(error, state.requests, "the daemon cannot be asked") from None
        _wait_for_answer(state, request)
    return read_status(settings)


def _wait_for_answer(state: StateDirectory, request: Path) -> None:
    """Wait until a pass was made. Raises CommandError where none will be."""
    deadline = time.monotonic() + WAIT_FOR_DAEMON
    lock = InstanceLock(state.lock)
    told = False
    while request.exists():
        holder = lock.holder()
        if holder is None:
            raise CommandError("the daemon stopped before it made the pass", "start it, or scan again")
        if time.monotonic() > deadline:
            raise CommandError(
                f"the daemon has made no pass for {WAIT_FOR_DAEMON:.0f} s",
                "`dxwatchd status` says what it does",
            )
        under_way = None if told else NowFile(state.now).read(holder.pid).under_way
        if under_way is not None:
            told = True
            output.complain(f"waiting: {under_way}")
        time.sleep(0.02)


def read_status(settings: Settings) -> dict[str, Any]:
    """`status.json`. Raises CommandError where there is none."""
    path = StateDirectory(settings.state_dir).status
    try:
        data = json.loads(read_plain(path))
    except FileNotFoundError:
        raise CommandError(
            f"no pass was ever made in {settings.state_dir}",
            "start `dxwatchd run`, or make one with `dxwatchd scan`",
        ) from None
    except NotADirectoryError as error:
        raise output.cannot_use(settings.state_dir, error) from None
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"{path} cannot be read: {error}", "the next pass writes it anew") from None
    if isinstance(data, dict) and formats.is_later(data.get("schema"), formats.STATUS):
        raise CommandError(f"{path} is of a later dxwatchd", "use the `dxwatchd` of the version that runs")
    if not isinstance(data, dict) or data.get("schema") != formats.STATUS:
        raise CommandError(f"{path} is no status", "the next pass writes it anew")
    return data


def status(settings: Settings, *, as_json: bool) -> int:
    """What the last pass saw. 0 where all is well, 1 where something needs a person."""
    state = StateDirectory(settings.state_dir)
    holder = InstanceLock(state.lock).holder()
    now = NowFile(state.now).read(holder.pid) if holder is not None else Now()
    under_way = now.under_way
    try:
        told = read_status(settings)
    except CommandError as error:
        if under_way is not None:
            raise CommandError(f"{error}; {under_way}", "wait, or look at that file system") from None
        raise
    told["running"] = holder is not None
    told["under_way"] = (
        {"since": under_way.since, "place": under_way.place} if under_way is not None else None
    )
    if not told["trouble"]:
        # where it could not say so there
        said = "" if holder is None else now.trouble or hindrance(state.status)
        told["trouble"] = said or _stale(settings, told, under_way)
    told["attention"] = attention(told)
    if as_json:
        output.as_json(told)
        return health(told)
    running = f"running, process {holder.pid}" if holder is not None else "not running"
    output.say(f"dxwatchd is {running}; last pass {told['pass']['ended_at']}")
    if under_way is not None:
        output.say(str(under_way))
    output.say(f"models root {told['models_root']}, manifest {told['manifest']}")
    print_folders(told)
    output.say(f"needs attention: {', '.join(told['attention'])}" if told["attention"] else "all is well")
    return health(told)


def stale_for(settings: Settings, told: Mapping[str, Any], under_way: UnderWay | None) -> float:
    """Seconds since the last pass of a status, where a pass should have been made long ago; else 0."""
    try:
        age = time.time() - datetime.fromisoformat(told["pass"]["ended_at"]).timestamp()
    except (ValueError, KeyError, TypeError, OverflowError):
        return 0.0
    return age if under_way is None and age >= OLD_AFTER + 3 * settings.rescan_interval else 0.0


def _stale(settings: Settings, told: Mapping[str, Any], under_way: UnderWay | None) -> str:
    """A word on a status that should have been written anew long ago."""
    age = stale_for(settings, told, under_way)
    if not age:
        return ""
    if told["running"]:
        return f"status.json is {age / 60:.0f} minutes old though dxwatchd runs; its log says why"
    return f"no pass was made for {age / 60:.0f} minutes, and dxwatchd does not run; start it"


def print_folders(told: Mapping[str, Any]) -> None:
    """The folders of a status or a plan as a table, then what else needs a word."""
    folders = told["folders"]
    if folders:
        output.console().print()
        output.table(
            ("FOLDER", "STATE", "TECHNICAL NAME", "LAYOUT", "SIZE", "WHY"),
            (
                (
                    output.cell(folder["path"] or "(models root)"),
                    output.state(folder["state"]),
                    output.cell(folder["technical_name"]),
                    output.cell(folder["layout"]),
                    output.human_size(folder["size"]),
                    _why(folder),
                )
                for folder in folders
            ),
            right=frozenset({"SIZE"}),
        )
    else:
        output.say("no model folders yet")
    for problem in told["problems"]:
        output.say(f"manifest: {problem['told']}")
    for reason in told["held"]:
        output.say(f"held back: {reason['told']}")
    for weakness in told.get("watching", {}).get("weaknesses", ()):
        output.say(f"watching: {weakness['message']}; {weakness['remedy']}")
    digests = told.get("digests") or {}
    if digests.get("files_left"):
        left = f"{count(digests['files_left'], 'file')}, {output.human_size(digests['bytes_left'])}"
        output.say(f"digests: {left} still to be read")
    if told.get("trouble"):
        output.say(f"trouble: {told['trouble']}")


def _why(folder: Mapping[str, Any]) -> str:
    reasons = folder["reasons"] or [one for one in folder["warnings"] if one["kind"] == _MISMATCH]
    if not reasons:
        return output.cell("waits for approval") if folder["state"] == "proposed" else ""
    more = f" (and {len(reasons) - 1} more: dxwatchd explain)" if len(reasons) > 1 else ""
    return output.cell(reasons[0]["told"] + more)


def attention(told: Mapping[str, Any]) -> list[str]:
    """What of a status or a plan needs a person, in a few words each; nothing where all is well."""
    bad = Counter(
        folder["state"]
        for folder in told["folders"]
        if folder["state"] in _BAD_STATES and not _is_awaited(folder)
    )
    wrong = [f"{number} {state}" for state, number in sorted(bad.items())]
    mismatches = sum(
        any(one["kind"] == _MISMATCH for one in folder["warnings"]) for folder in told["folders"]
    )
    if mismatches:
        wrong.append(f"{mismatches} not what was downloaded")
    if told["problems"]:
        wrong.append(f"{count(len(told['problems']), 'problem')} in the manifest")
    if told["held"]:
        wrong.append("removals held back")
    if told.get("trouble"):
        wrong.append("trouble")
    return wrong


def health(told: Mapping[str, Any]) -> int:
    """The exit code of a status or a plan."""
    return PROBLEMS if attention(told) else DONE


_MISMATCH = ReasonKind.DIGEST_MISMATCH.value


def _is_awaited(folder: Mapping[str, Any]) -> bool:
    """Whether a person added the entry before its folder: that is no trouble."""
    return any(reason["kind"] == "not_there_yet" for reason in folder["reasons"])
