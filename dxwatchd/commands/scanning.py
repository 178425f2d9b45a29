"""`scan`: one pass, by the running daemon where there is one, else here; or only its plan."""

from __future__ import annotations

import time

from dxwatchd.commands import output
from dxwatchd.commands.formats import insist_on_known_format, refusal
from dxwatchd.commands.output import CommandError, cannot_use
from dxwatchd.commands.reporting import ask_for_pass, health, print_folders, status
from dxwatchd.core.naming import canonical
from dxwatchd.core.plan import Plan
from dxwatchd.core.text import printable
from dxwatchd.hints import Hints
from dxwatchd.log import configure
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.status import plan_as_data
from dxwatchd.stores.format_file import Refused
from dxwatchd.stores.instance_lock import SCAN, Held, InstanceLock


def scan(settings: Settings, *, dry_run: bool, accept_removals: bool, as_json: bool) -> int:
    """One pass: by the running daemon where there is one, else here."""
    state = StateDirectory(settings.state_dir)
    insist_on_known_format(settings)
    if dry_run:
        return _show_plan(settings, accept_removals=accept_removals, as_json=as_json)
    if InstanceLock(state.lock).holder() is not None:
        ask_for_pass(settings, accept_removals=accept_removals)
        return status(settings, as_json=as_json)
    return _scan_here(settings, state, accept_removals=accept_removals, as_json=as_json)


def look_only(settings: Settings, *, accept_removals: bool = False) -> Plan:
    """What a pass would do now; nothing is done. Raises CommandError."""
    from dxwatchd.cycle import Cycle

    try:
        cycle = Cycle(settings, read_only=True)
        return cycle.run(Hints(everything=True), time.monotonic(), accept_removals=accept_removals).plan
    except Refused as error:
        raise refusal(error) from None
    except OSError as error:
        raise cannot_use(settings.state_dir, error) from None


def _show_plan(settings: Settings, *, accept_removals: bool, as_json: bool) -> int:
    plan = look_only(settings, accept_removals=accept_removals)
    told = plan_as_data(plan, str(settings.manifest))
    told["plan"] = _steps(plan)
    if as_json:
        output.as_json(told)
    else:
        for step in told["plan"]:
            output.say(f"would {step['do']} {step['technical_name'] or step['path']}: {step['why']}")
        if not told["plan"]:
            output.say("nothing to do")
        print_folders(told)
    return health(told)


def _steps(plan: Plan) -> list[dict[str, str]]:
    """What a pass would do, in its order."""
    steps = [
        {
            "do": "take as gone",
            "technical_name": printable(name),
            "path": "",
            "why": "confirmed; its entry and its card stay",
        }
        for name in plan.root.accepted
    ]
    steps += [
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
            "why": "no approved entry names it"
            + (", confirmed" if canonical(record.technical_name) in plan.confirmed else ""),
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


def _scan_here(settings: Settings, state: StateDirectory, *, accept_removals: bool, as_json: bool) -> int:
    """Make passes here until everything whole has come to rest."""
    from dxwatchd.cycle import Cycle

    configure(settings.log_format, settings.log_level)
    lock = InstanceLock(state.lock)
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(SCAN)
    except Held as error:
        raise CommandError(
            f"the state directory is in use by {error.holder}", "try again when it is done"
        ) from None
    except OSError as error:
        raise cannot_use(settings.state_dir, error) from None
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
                    raise CommandError(result.trouble)
                accept_removals = accept_removals and not result.conclusive  # said of what is gone now
                if result.due is None or (result.conclusive and not _worth_waiting(result.plan)):
                    break
                wait = max(0.05, result.due - time.monotonic())
                if wait > 1 and not said and not as_json:
                    output.complain(f"waiting {wait:.0f} s for what was copied lately to come to rest")
                    said = True
                time.sleep(wait)
        finally:
            cycle.close()
    except Refused as error:
        raise refusal(error) from None
    except OSError as error:
        raise cannot_use(settings.state_dir, error) from None
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
