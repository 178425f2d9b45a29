"""`status`: what the last pass saw."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from dxwatchd.commands import output
from dxwatchd.commands.output import DONE, PROBLEMS, CommandError
from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.text import count
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.status import SCHEMA
from dxwatchd.stores.instance_lock import InstanceLock
from dxwatchd.stores.pass_requests import PassRequests
from dxwatchd.stores.plain_file import read_plain

WAIT_FOR_DAEMON = 600.0
"""Seconds that `scan` waits for the running daemon's pass."""

_BAD_STATES = frozenset({"conflict", "drifted", "missing", "unreadable", "invalid"})


def ask_for_pass(settings: Settings, *, accept_removals: bool = False) -> dict[str, Any]:
    """Ask the running daemon for a pass, wait until it has been made, and give its status."""
    state = StateDirectory(settings.state_dir)
    try:
        request = PassRequests(state.requests).ask(accept_removals=accept_removals)
    except OSError as error:
        raise CommandError(
            f"the daemon cannot be asked: {error.strerror}",
            f"run this as a user who may write to {state.requests}",
        ) from None
    deadline = time.monotonic() + WAIT_FOR_DAEMON
    lock = InstanceLock(state.lock)
    while request.exists():
        if lock.holder() is None or time.monotonic() > deadline:
            request.unlink(missing_ok=True)
            raise CommandError("the daemon stopped before it made the pass", "start it, or scan again")
        time.sleep(0.02)
    return read_status(settings)


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
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"{path} cannot be read: {error}", "the next pass writes it anew") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise CommandError(f"{path} is no status", "the next pass writes it anew")
    return data


def status(settings: Settings, *, as_json: bool) -> int:
    """What the last pass saw. 0 where all is well, 1 where something needs a person."""
    told = read_status(settings)
    holder = InstanceLock(StateDirectory(settings.state_dir).lock).holder()
    told["running"] = holder is not None
    if as_json:
        output.as_json(told)
        return health(told)
    running = f"running, process {holder.pid}" if holder is not None else "not running"
    output.say(f"dxwatchd is {running}; last pass {told['pass']['ended_at']}")
    output.say(f"models root {told['models_root']}, manifest {told['manifest']}")
    print_folders(told)
    return health(told)


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
        output.say(f"cannot write: {told['trouble']}")


def _why(folder: Mapping[str, Any]) -> str:
    reasons = folder["reasons"] or [one for one in folder["warnings"] if one["kind"] == _MISMATCH]
    if not reasons:
        return output.cell("waits for approval") if folder["state"] == "proposed" else ""
    more = f" (and {len(reasons) - 1} more: dxwatchd explain)" if len(reasons) > 1 else ""
    return output.cell(reasons[0]["told"] + more)


def health(told: Mapping[str, Any]) -> int:
    """The exit code of a status or a plan."""
    bad = any(folder["state"] in _BAD_STATES and not _is_awaited(folder) for folder in told["folders"])
    mismatch = any(one["kind"] == _MISMATCH for folder in told["folders"] for one in folder["warnings"])
    wrong = bad or mismatch or told["problems"] or told["held"] or told.get("trouble")
    return PROBLEMS if wrong else DONE


_MISMATCH = ReasonKind.DIGEST_MISMATCH.value


def _is_awaited(folder: Mapping[str, Any]) -> bool:
    """Whether a person added the entry before its folder: that is no trouble."""
    return any(reason["kind"] == "not_there_yet" for reason in folder["reasons"])
