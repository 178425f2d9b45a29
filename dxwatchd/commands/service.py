"""Running, and seeing how it runs: `run`, `scan`, `status`, `check`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dxwatchd.commands import output
from dxwatchd.commands.output import DONE, PROBLEMS, CommandError
from dxwatchd.core.manifest import parse
from dxwatchd.core.plan import Plan
from dxwatchd.core.text import count, printable
from dxwatchd.log import configure
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.status import plan_as_data
from dxwatchd.stores.instance_lock import Held, InstanceLock
from dxwatchd.stores.manifest_file import Changed, ManifestError, read
from dxwatchd.stores.pass_requests import PassRequests
from dxwatchd.watching import Hints

WAIT_FOR_DAEMON = 600.0
"""Seconds that `scan` waits for the running daemon's pass."""

_BAD_STATES = frozenset({"conflict", "drifted", "missing", "unreadable", "invalid"})


def run(settings: Settings, reload: Callable[[], Settings], environ: Mapping[str, str]) -> int:
    """Run the daemon until it is told to stop."""
    from dxwatchd.daemon import Daemon

    configure(settings.log_format, settings.log_level)
    made = _make_root(settings.models_root)
    daemon = Daemon(settings, reload, environ)
    if settings.log_format != "json" and "JOURNAL_STREAM" not in environ:
        output.say(f"Watching  {settings.models_root}{' (just made)' if made else ''}")
        output.say(f"Manifest  {settings.manifest}")
        output.say(
            "Next      copy a model folder into the first; then change its status in the second to "
            '"approved", or run: dxwatchd approve'
        )
    try:
        return daemon.run()
    except Held as error:
        raise CommandError(
            f"the state directory {settings.state_dir} is in use by {error.holder}",
            "stop that one first, or give another --state-dir",
        ) from None
    except OSError as error:
        raise _cannot_use(settings, error) from None


def _make_root(root: Path) -> bool:
    """Make a models root that is not there at all, so that a first start needs no preparation.

    Only its last part: a whole missing path is rather a disk that is not mounted.
    """
    try:
        root.mkdir()
    except OSError:
        return False
    return True


def _cannot_use(settings: Settings, error: OSError) -> CommandError:
    return CommandError(
        f"{error.filename or settings.state_dir}: {error.strerror}",
        f"give the user that runs dxwatchd the right to write to {settings.state_dir}",
    )


def scan(settings: Settings, *, dry_run: bool, accept_removals: bool, as_json: bool) -> int:
    """One pass: by the running daemon where there is one, else here."""
    state = StateDirectory(settings.state_dir)
    if dry_run:
        return _show_plan(settings, as_json=as_json)
    if InstanceLock(state.lock).holder() is not None:
        ask_for_pass(settings, accept_removals=accept_removals)
        return status(settings, as_json=as_json)
    return _scan_here(settings, state, accept_removals=accept_removals, as_json=as_json)


def _show_plan(settings: Settings, *, as_json: bool) -> int:
    from dxwatchd.cycle import Cycle

    try:
        cycle = Cycle(settings, read_only=True)
        plan = cycle.run(Hints(everything=True), time.monotonic()).plan
    except OSError as error:
        raise _cannot_use(settings, error) from None
    told = plan_as_data(plan, str(settings.manifest))
    told["plan"] = _steps(plan)
    if as_json:
        output.as_json(told)
    else:
        for step in told["plan"]:
            output.say(f"would {step['do']} {step['technical_name'] or step['path']}: {step['why']}")
        if not told["plan"]:
            output.say("nothing to do")
        _print_folders(told)
    return _health(told)


def _steps(plan: Plan) -> list[dict[str, str]]:
    """What a pass would do, in its order."""
    steps = [
        {
            "do": "write the card of",
            "technical_name": change.record.technical_name,
            "path": change.record.path,
            "why": change.change.value,
        }
        for change in plan.cards
    ]
    steps += [
        {
            "do": "remove the card of",
            "technical_name": record.technical_name,
            "path": record.path,
            "why": "no approved entry names it",
        }
        for record in plan.withdrawals
    ]
    steps += [
        {
            "do": "propose",
            "technical_name": new.names.technical_name,
            "path": new.model.path,
            "why": f"{new.model.path} is whole and at rest",
        }
        for new in plan.proposals
    ]
    waiting = [
        folder for folder in plan.folders if any(r.kind.value == "not_at_rest" for r in folder.reasons)
    ]
    steps += [
        {
            "do": "wait for",
            "technical_name": folder.technical_name,
            "path": printable(folder.path),
            "why": "whole; one look cannot tell whether it is at rest",
        }
        for folder in waiting
    ]
    return steps


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


def _scan_here(settings: Settings, state: StateDirectory, *, accept_removals: bool, as_json: bool) -> int:
    """Make passes here until everything whole has come to rest."""
    from dxwatchd.cycle import Cycle

    configure(settings.log_format, settings.log_level)
    lock = InstanceLock(state.lock)
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire("dxwatchd scan")
    except Held as error:
        raise CommandError(
            f"the state directory is in use by {error.holder}", "try again when it is done"
        ) from None
    except OSError as error:
        raise _cannot_use(settings, error) from None
    try:
        cycle = Cycle(settings)
        try:
            said = False
            while True:
                result = cycle.run(
                    Hints(everything=True),
                    time.monotonic(),
                    accept_removals=accept_removals,
                    always_status=True,
                )
                if result.trouble:
                    raise CommandError(result.trouble, "make room, or give the right to write there")
                if result.due is None or not _worth_waiting(result.plan):
                    break
                wait = max(0.05, result.due - time.monotonic())
                if wait > 1 and not said and not as_json:
                    output.complain(f"waiting {wait:.0f} s for what was copied lately to come to rest")
                    said = True
                time.sleep(wait)
        finally:
            cycle.close()
    except OSError as error:
        raise _cannot_use(settings, error) from None
    finally:
        lock.release()
    return status(settings, as_json=as_json)


def _worth_waiting(plan: Plan) -> bool:
    """Whether something whole only lacks rest; what is incomplete may stay so for ever."""
    return any(
        reason.kind.value in ("not_at_rest", "manifest_unreadable")
        for folder in plan.folders
        for reason in folder.reasons
        if folder.state.value == "copying"
    )


def read_status(settings: Settings) -> dict[str, Any]:
    """`status.json`. Raises CommandError where there is none."""
    path = StateDirectory(settings.state_dir).status
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CommandError(
            f"no pass was ever made in {settings.state_dir}",
            "start `dxwatchd run`, or make one with `dxwatchd scan`",
        ) from None
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}", "the next pass writes it anew") from None
    if not isinstance(data, dict):
        raise CommandError(f"{path} is no status", "the next pass writes it anew")
    return data


def status(settings: Settings, *, as_json: bool) -> int:
    """What the last pass saw. 0 where all is well, 1 where something needs a person."""
    told = read_status(settings)
    holder = InstanceLock(StateDirectory(settings.state_dir).lock).holder()
    told["running"] = holder is not None
    if as_json:
        output.as_json(told)
        return _health(told)
    running = f"running, process {holder.pid}" if holder is not None else "not running"
    output.say(f"dxwatchd is {running}; last pass {told['pass']['ended_at']}")
    output.say(f"models root {told['models_root']}, manifest {told['manifest']}")
    _print_folders(told)
    return _health(told)


def _print_folders(told: Mapping[str, Any]) -> None:
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
    if told.get("trouble"):
        output.say(f"cannot write: {told['trouble']}")


def _why(folder: Mapping[str, Any]) -> str:
    reasons = folder["reasons"]
    if not reasons:
        return output.cell("waits for approval") if folder["state"] == "proposed" else ""
    more = f" (and {len(reasons) - 1} more: dxwatchd explain)" if len(reasons) > 1 else ""
    return output.cell(reasons[0]["told"] + more)


def _health(told: Mapping[str, Any]) -> int:
    bad = any(folder["state"] in _BAD_STATES for folder in told["folders"])
    return PROBLEMS if bad or told["problems"] or told["held"] or told.get("trouble") else DONE


def check(settings: Settings, *, as_json: bool) -> int:
    """Every problem of the manifest; the settings were checked on the way here."""
    from dxwatchd.core.claims import settle
    from dxwatchd.stores.card_directory import CardDirectory

    try:
        manifest = parse(read(settings.manifest).text)
    except (ManifestError, Changed) as error:
        remedy = error.remedy if isinstance(error, ManifestError) else "try again"
        raise CommandError(
            f"{settings.manifest}: {str(error) or 'it is being written to'}", remedy, code=PROBLEMS
        ) from None
    cards = CardDirectory(StateDirectory(settings.state_dir).cards)
    cards.look()
    claims = settle(manifest, cards.published())
    problems = sorted((*manifest.problems, *claims.problems), key=lambda problem: problem.line)
    if as_json:
        output.as_json(
            {
                "manifest": str(settings.manifest),
                "entries": len(manifest.entries),
                "problems": [
                    {"line": one.line, "column": one.column, "message": one.message, "remedy": one.remedy}
                    for one in problems
                ],
            }
        )
    else:
        for problem in problems:
            output.say(printable(problem.at(str(settings.manifest)), 2000))
        if not problems:
            output.say(
                f"settings and manifest are in order: {count(len(manifest.entries), 'entry').replace('entrys', 'entries')}"
            )
    return PROBLEMS if problems else DONE
