"""`status.json`: what the last pass saw and concluded, as data for commands, monitors and people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dxwatchd.core.entries import Problem
from dxwatchd.core.plan import FolderState, Plan
from dxwatchd.core.provenance import Check, overall
from dxwatchd.core.reasons import Reason
from dxwatchd.core.text import count, printable


def plan_as_data(plan: Plan, manifest: str) -> dict[str, Any]:
    """The part of `status.json` that a plan decides. manifest: the file's path, for its problems."""
    return {
        "folders": [folder_as_data(folder) for folder in plan.folders],
        "problems": [problem_as_data(problem, manifest) for problem in plan.problems],
        "held": [reason_as_data(reason) for reason in plan.held],
    }


def folder_as_data(folder: FolderState) -> dict[str, Any]:
    """One folder's state, with every reason as a sentence and as its parts."""
    model = folder.model
    return {
        "path": printable(folder.path, 4096),
        "state": folder.state.value,
        "technical_name": folder.technical_name or None,
        "model_name": folder.model_name or None,
        "layout": model.layout.value if model is not None else None,
        "size": model.size if model is not None else None,
        "reasons": [reason_as_data(reason) for reason in folder.reasons],
        "warnings": [reason_as_data(reason) for reason in folder.warnings],
        "digests": _digests_as_data(folder),
    }


def _digests_as_data(folder: FolderState) -> dict[str, Any] | None:
    """What is known of the digests of a folder's files; None where nobody computes any."""
    if not folder.checked:
        return None
    counts = {check.value: 0 for check in Check}
    for file in folder.checked:
        counts[file.check.value] += 1
    origins = {file.expected.origin.value for file in folder.checked if file.expected is not None}
    commits = {file.expected.commit for file in folder.checked if file.expected is not None}
    return {
        "status": overall(folder.checked).value,
        **counts,
        "by": sorted(origins),
        "commits": sorted(commit for commit in commits if commit is not None),
    }


def reason_as_data(reason: Reason) -> dict[str, str]:
    """A reason's parts, fit to be shown, and the whole as a sentence."""
    return {
        "kind": reason.kind.value,
        "file": printable(reason.file),
        "expected": printable(reason.expected),
        "found": printable(reason.found),
        "remedy": printable(reason.remedy),
        "told": printable(str(reason), 2000),
    }


def problem_as_data(problem: Problem, manifest: str) -> dict[str, Any]:
    """A manifest problem's parts and the whole as a line."""
    return {
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "remedy": problem.remedy,
        "told": printable(problem.at(manifest), 2000),
    }


def summary(plan: Plan, trouble: str, digests: Mapping[str, Any] | None = None) -> str:
    """One line for `systemctl status`: what is wrong, then what there is, then what is still to be done.

    digests: what is left of them, as in `status.json`.
    """
    if trouble:
        return f"Cannot write: {trouble}"
    told = [f"Held back: {plan.held[0]}"] if plan.held else []
    if plan.problems:
        told.append(f"{count(len(plan.problems), 'problem')} in the manifest")
    states = Counter(folder.state.value for folder in plan.folders)
    folders = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    told.append(folders or "No model folders yet")
    if digests is not None and digests["files_left"]:
        told.append(f"{count(digests['files_left'], 'file')} to hash")
    return "; ".join(told)
