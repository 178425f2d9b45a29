"""`explain`: what a folder is, which files belong to it, what is missing, and what to do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dxwatchd.commands import output
from dxwatchd.commands.ancestry import bases_told
from dxwatchd.commands.one_folder import Looked, look, owner_of
from dxwatchd.commands.output import DONE, PROBLEMS, USAGE, CommandError, cell
from dxwatchd.commands.reporting import read_status
from dxwatchd.core.entries import normal_path
from dxwatchd.core.layouts import find
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.path_hints import leads_out
from dxwatchd.core.provenance import Check, Expected, expected_digests
from dxwatchd.core.readiness import Verdict
from dxwatchd.core.reasons import Reason
from dxwatchd.core.text import count, printable
from dxwatchd.settings import Settings
from dxwatchd.status import reason_as_data

FILES_SHOWN = 12
"""Of one folder, on one screen."""


def explain(settings: Settings, path: str, *, as_json: bool) -> int:
    """What a folder is, which files belong to it, what is missing, and what to do."""
    place = _below_root(settings, path)
    owner = owner_of(settings, place)
    if owner is not None:
        if not as_json:
            output.say(f"{printable(place)} is a part of {printable(owner)}")
        place = owner
    told = _told(settings, place)
    looked = look(settings.models_root, place, settings.ignore)
    by_itself = find(looked.snapshot, propose_checkpoints=settings.propose_checkpoints)
    passed_over = {stray.path: stray.reasons for stray in by_itself.strays if stray.skipped}
    here = [pair for pair in looked.models if pair[0].path == place or pair[0].path.startswith(f"{place}/")]
    if as_json:
        output.as_json(_explained(place, told, here, looked, passed_over))
    else:
        if not here and not looked.strays:
            _explain_nothing(settings, place, looked, told)
        for model, verdict in here:
            expected = expected_digests(model, looked.snapshot)
            said = _told(settings, model.path)
            _explain_model(model, verdict, expected, said)
            registered = said["technical_name"] if said else ""
            for base in bases_told(settings, registered) if registered else ():
                output.say(f"{'made from':<12} {base}")
            for reason in passed_over.get(model.path, ()):
                output.say(f"{'passed over':<12} {printable(str(reason), 2000)}")
        for stray in looked.strays:
            output.say(f"{printable(stray.path)} is no model that can be proposed:")
            for reason in stray.reasons:
                output.say(f"  {printable(str(reason), 2000)}")
    whole = bool(here) and all(verdict.whole for _, verdict in here)
    state = told.get("state") if told is not None else None
    return DONE if whole and state not in ("conflict", "drifted", "missing") else PROBLEMS


def _below_root(settings: Settings, path: str) -> str:
    given = Path(path)
    for candidate in (given, given.absolute(), given.resolve()):
        for root in (settings.models_root, settings.models_root.resolve()):
            if candidate.is_absolute() and candidate.is_relative_to(root):
                below = normal_path(candidate.relative_to(root).as_posix())
                if below != ".":
                    return below
    if given.is_absolute():
        raise CommandError(
            f"{printable(path)} is not below the models root {settings.models_root}",
            "give a path relative to the models root; `dxwatchd card PATH` looks at any folder",
            code=USAGE,
        )
    place = normal_path(path)
    if not place or ".." in place.split("/"):
        raise CommandError("no folder is named", "give a path relative to the models root", code=USAGE)
    return place


def _told(settings: Settings, place: str) -> dict[str, Any] | None:
    """What the last pass said of the folder, if there was one."""
    try:
        folders = read_status(settings)["folders"]
    except CommandError:
        return None
    return next((folder for folder in folders if folder["path"] == printable(place, 4096)), None)


def _explain_nothing(settings: Settings, place: str, looked: Looked, told: Mapping[str, Any] | None) -> None:
    if told is not None and told["reasons"]:
        name = f" as {told['technical_name']}" if told["technical_name"] else ""
        output.say(f"{printable(place)}  {told['state']}{name}")
        for number, reason in enumerate(told["reasons"]):
            output.say(f"{'why' if number == 0 else '':<12} {reason['told']}")
        return
    if place not in looked.snapshot.folders:
        real = Path(os.path.realpath(settings.models_root / place))
        if not real.is_relative_to(os.path.realpath(settings.models_root)):
            output.say(str(leads_out(place)))
            return
        output.say(f"{printable(place)}: there is no such folder below {settings.models_root}")
        return
    output.say(f"{printable(place)}: no model is recognised in it or below")
    output.say(
        "  a model folder holds config.json with model_type and its weights, or those of another known layout"
    )


def _explain_model(
    model: ModelFolder,
    verdict: Verdict,
    expected: Mapping[str, Expected],
    told: Mapping[str, Any] | None,
) -> None:
    state = told["state"] if told is not None else ("whole" if verdict.whole else "not whole")
    name = f" as {told['technical_name']}" if told is not None and told["technical_name"] else ""
    output.console().print(
        f"[bold]{cell(model.path)}[/bold]  {output.state(state)}{cell(name) if name else ''}"
    )
    output.say(f"what it is   {model.layout.value} {model.kind.value}, {output.human_size(model.size)}")
    for evidence in model.evidence:
        output.say(f"             {printable(evidence)}")
    for candidate in model.candidates:
        kind = f"{candidate.layout.value} {candidate.kind.value}"
        output.say(f"{'or':<12} {kind}: {printable('; '.join(candidate.evidence))}")
    for weights in model.weight_sets:
        rank = "weights" if weights.primary else "also"
        by = f" by {weights.index}" if weights.index else ""
        output.say(f"{rank:<12} {weights.format.value}, {count(len(weights.files), 'file')}{printable(by)}")
    sizes = [f"{printable(file.name, 80)} ({output.human_size(file.size)})" for file in model.files]
    more = f", and {len(sizes) - FILES_SHOWN} more" if len(sizes) > FILES_SHOWN else ""
    output.say(f"files        {', '.join(sizes[:FILES_SHOWN])}{more}")
    _explain_digests(expected, told)
    reasons = _grouped(verdict.reasons)
    if told is not None:
        own = {printable(str(reason), 2000) for reason in verdict.reasons}
        reasons += [reason["told"] for reason in told["reasons"] if reason["told"] not in own]
    for number, reason in enumerate(reasons):
        output.say(f"{'why' if number == 0 else '':<12} {reason}")
    for warning in _grouped(verdict.warnings, most=3):
        output.say(f"{'note':<12} {warning}")
    if state == "proposed":
        output.say(f"{'next':<12} dxwatchd approve {told['technical_name'] if told else model.path}")
    elif not reasons:
        output.say(f"{'whole':<12} every promised file is there with its exact size")


def _explain_digests(expected: Mapping[str, Expected], told: Mapping[str, Any] | None) -> None:
    """What a download left behind to compare with, and what came of comparing."""
    if expected:
        origins = ", ".join(sorted({one.origin.value for one in expected.values()}))
        commits = sorted({one.commit for one in expected.values() if one.commit is not None})
        revision = f", revision {', '.join(commits)}" if commits else ""
        output.say(f"{'digests':<12} of {count(len(expected), 'file')} known by {origins}{revision}")
    known = told.get("digests") if told is not None else None
    if known is None:
        return
    counts = [f"{known[check.value]} {check.value}" for check in Check if known[check.value]]
    output.say(f"{'' if expected else 'digests':<12} {', '.join(counts)}")


def _grouped(reasons: tuple[Reason, ...], most: int | None = None) -> list[str]:
    """One line for all files of which the same is to be said, each of them named (or the first `most`)."""
    groups: dict[Reason, list[str]] = {}
    for reason in reasons:
        groups.setdefault(replace(reason, file=""), []).append(reason.file)
    lines = []
    for reason, files in groups.items():
        named = ", ".join(printable(file) for file in files[:most] if file)
        if most is not None and len(files) > most:
            named += f" and {len(files) - most} more"
        lines.append(f"{named}: {printable(str(reason), 2000)}" if named else printable(str(reason), 2000))
    return lines


def _explained(
    place: str,
    told: Mapping[str, Any] | None,
    here: list[tuple[ModelFolder, Verdict]],
    looked: Looked,
    passed_over: Mapping[str, tuple[Reason, ...]],
) -> dict[str, Any]:
    return {
        "path": printable(place, 4096),
        "last_pass": told,
        "models": [
            {
                "path": printable(model.path, 4096),
                "layout": model.layout.value,
                "kind": model.kind.value,
                "evidence": list(model.evidence),
                "candidates": [
                    {
                        "layout": candidate.layout.value,
                        "kind": candidate.kind.value,
                        "evidence": list(candidate.evidence),
                    }
                    for candidate in model.candidates
                ],
                "expected_digests": {
                    printable(name, 4096): {
                        "algorithm": one.algorithm.value,
                        "value": one.value,
                        "origin": one.origin.value,
                        "commit": one.commit,
                    }
                    for name, one in expected_digests(model, looked.snapshot).items()
                },
                "whole": verdict.whole,
                "fingerprint": verdict.fingerprint or None,
                "files": [{"name": printable(file.name, 4096), "size": file.size} for file in model.files],
                "weight_sets": [
                    {
                        "format": weights.format.value,
                        "primary": weights.primary,
                        "index": weights.index,
                        "files": [printable(name, 4096) for name in weights.files],
                    }
                    for weights in model.weight_sets
                ],
                "reasons": [reason_as_data(reason) for reason in verdict.reasons],
                "warnings": [reason_as_data(reason) for reason in verdict.warnings],
                "passed_over": [reason_as_data(reason) for reason in passed_over.get(model.path, ())],
            }
            for model, verdict in here
        ],
        "strays": [
            {
                "path": printable(stray.path, 4096),
                "reasons": [reason_as_data(reason) for reason in stray.reasons],
            }
            for stray in looked.strays
        ],
    }
