"""Looking at models: `list`, `show`, `explain`, `card`, `schema`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, json_schema
from dxwatchd.card.sources import Identity
from dxwatchd.card.summary import human_count
from dxwatchd.cardmaking import make_card
from dxwatchd.commands import output
from dxwatchd.commands.one_folder import Looked, look
from dxwatchd.commands.output import DONE, PROBLEMS, USAGE, CommandError, cell
from dxwatchd.commands.service import read_status
from dxwatchd.consumer import DxwatchdError, StateDirectoryNotFound, list_cards, load_card
from dxwatchd.core.entries import normal_path
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.naming import Hints, derive
from dxwatchd.core.readiness import Verdict
from dxwatchd.core.reasons import Reason
from dxwatchd.core.text import count, printable
from dxwatchd.scan import RootLost
from dxwatchd.settings import Settings

FILES_SHOWN = 12
"""Of one folder, on one screen."""


def list_models(settings: Settings, *, as_json: bool) -> int:
    """Every registered model."""
    try:
        entries = list_cards(state_dir=settings.state_dir)
    except StateDirectoryNotFound:
        entries = ()
    except DxwatchdError as error:
        raise CommandError(str(error)) from None
    if as_json:
        names = ("technical_name", "model_name", "path", "availability", "revision", "digest")
        output.as_json([{name: getattr(entry, name) for name in names} for entry in entries])
    elif entries:
        output.table(
            ("TECHNICAL NAME", "MODEL NAME", "PATH", "AVAILABILITY", "REVISION"),
            (
                (
                    cell(entry.technical_name),
                    cell(entry.model_name),
                    cell(entry.path),
                    output.state(entry.availability),
                    str(entry.revision),
                )
                for entry in entries
            ),
            right=frozenset({"REVISION"}),
        )
    else:
        output.say("no model is registered yet; `dxwatchd status` shows what is proposed")
    return DONE


def show(settings: Settings, name: str, *, as_json: bool) -> int:
    """The card of a registered model."""
    try:
        card = load_card(name, state_dir=settings.state_dir)
    except DxwatchdError as error:
        raise CommandError(str(error), code=PROBLEMS) from None
    _print_card(card, as_json=as_json)
    return DONE


def card(settings: Settings, path: str, *, as_json: bool) -> int:
    """A card of any model folder, registering nothing."""
    folder = Path(path).absolute()
    if not folder.is_dir():
        folder = settings.models_root / normal_path(path)
    if not folder.is_dir():
        raise CommandError(f"{printable(path)} is no folder", "give a model folder", code=USAGE)
    folder = folder.resolve()
    looked = _look(folder.parent, folder.name, settings.ignore)
    found = next((pair for pair in looked.models if pair[0].path == folder.name), None)
    if found is None:
        raise CommandError(
            f"no model layout is recognised in {folder}",
            f"see `dxwatchd explain {printable(path)}`",
            code=PROBLEMS,
        )
    model, verdict = found
    names = derive(Hints(model.path, size=model.size, fingerprint=verdict.fingerprint), frozenset())
    identity = Identity(
        technical_name=names.technical_name,
        model_name=names.model_name,
        path=model.path,
        entry_path=model.path,
        fingerprint=verdict.fingerprint,
    )
    _print_card(make_card(folder.parent, model, identity), as_json=as_json)
    for reason in verdict.reasons:
        output.complain(f"not whole: {printable(str(reason), 2000)}")
    return DONE if verdict.whole else PROBLEMS


def schema() -> int:
    """The JSON Schema of a card."""
    output.as_json(json_schema())
    return DONE


def _print_card(card: Card, *, as_json: bool) -> None:
    if as_json:
        output.console().file.write(dump(card).decode())
        return
    shape, words = card.architecture, card.tokenizer
    packing = card.quantization
    rows: list[tuple[str, object]] = [
        ("technical name", card.technical_name),
        ("model name", card.model_name),
        ("path", card.path),
        ("availability", card.availability),
        ("revision", f"{card.revision} ({card.change})"),
        ("kind", f"{card.kind}, {card.layout}"),
        ("architecture", ", ".join(shape.architectures or ()) or shape.model_type),
        ("parameters", _parameters(card)),
        ("dtype", card.dtype),
        ("quantisation", (packing.quant_type or packing.quant_method) if packing else None),
        ("context", _context(card)),
        ("layers × hidden", _pair(shape.num_hidden_layers, shape.hidden_size)),
        ("heads (key/value)", _heads(card)),
        ("vocabulary", f"{shape.vocab_size:,}" if shape.vocab_size else None),
        ("tokenizer", words.tokenizer_class),
        ("chat templates", ", ".join(template.name for template in words.chat_templates) or None),
        ("licence", card.license),
        ("languages", ", ".join(card.language) or None),
        ("base model", ", ".join(card.base_model) or None),
        (
            "size",
            f"{output.human_size(sum(file.size for file in card.files))}, {count(len(card.files), 'file')}",
        ),
        ("fingerprint", card.fingerprint),
    ]
    output.table(("", ""), ((label, cell(value)) for label, value in rows if value not in (None, "")))
    for warning in card.warnings[:FILES_SHOWN]:
        output.say(f"warning: {warning}")
    for conflict in card.conflicts[:FILES_SHOWN]:
        said = "; ".join(f"{one.source} says {one.value}" for one in conflict.statements)
        output.say(f"conflict: {conflict.field}: {said}")


def _parameters(card: Card) -> str | None:
    total = card.parameters.total
    return None if total is None else f"{total:,} ({human_count(total).removesuffix(' parameters')})"


def _context(card: Card) -> str | None:
    context = card.context
    length = context.effective or context.declared
    return (
        None
        if length is None
        else f"{length:,} tokens ({context.rule})"
        if context.rule
        else f"{length:,} tokens"
    )


def _pair(first: int | None, second: int | None) -> str | None:
    return None if first is None and second is None else f"{first or '?'} × {second or '?'}"


def _heads(card: Card) -> str | None:
    shape = card.architecture
    if shape.num_attention_heads is None:
        return None
    return f"{shape.num_attention_heads} ({shape.num_key_value_heads or shape.num_attention_heads})"


def explain(settings: Settings, path: str, *, as_json: bool) -> int:
    """What a folder is, which files belong to it, what is missing, and what to do."""
    place = _below_root(settings, path)
    told = _told(settings, place)
    looked = _look(settings.models_root, place, settings.ignore)
    here = [pair for pair in looked.models if pair[0].path == place or pair[0].path.startswith(f"{place}/")]
    if as_json:
        output.as_json(_explained(place, told, here, looked))
    else:
        if not here and not looked.strays:
            _explain_nothing(settings, place, looked)
        for model, verdict in here:
            _explain_model(model, verdict, _told(settings, model.path))
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


def _explain_nothing(settings: Settings, place: str, looked: Looked) -> None:
    if place not in looked.snapshot.folders:
        output.say(f"{printable(place)}: there is no such folder below {settings.models_root}")
        return
    output.say(f"{printable(place)}: no model is recognised in it or below")
    output.say(
        "  a model folder holds config.json with model_type and its weights, adapter_config.json, or *.gguf"
    )


def _explain_model(model: ModelFolder, verdict: Verdict, told: Mapping[str, Any] | None) -> None:
    state = told["state"] if told is not None else ("whole" if verdict.whole else "not whole")
    name = f" as {told['technical_name']}" if told is not None and told["technical_name"] else ""
    output.console().print(
        f"[bold]{cell(model.path)}[/bold]  {output.state(state)}{cell(name) if name else ''}"
    )
    output.say(f"what it is   {model.layout.value} {model.kind.value}, {output.human_size(model.size)}")
    for evidence in model.evidence:
        output.say(f"             {printable(evidence)}")
    for weights in model.weight_sets:
        rank = "weights" if weights.primary else "also"
        by = f" by {weights.index}" if weights.index else ""
        output.say(f"{rank:<12} {weights.format.value}, {count(len(weights.files), 'file')}{printable(by)}")
    sizes = [f"{printable(file.name, 80)} ({output.human_size(file.size)})" for file in model.files]
    more = f", and {len(sizes) - FILES_SHOWN} more" if len(sizes) > FILES_SHOWN else ""
    output.say(f"files        {', '.join(sizes[:FILES_SHOWN])}{more}")
    reasons = _grouped(verdict.reasons)
    if told is not None:
        own = {printable(str(reason), 2000) for reason in verdict.reasons}
        reasons += [reason["told"] for reason in told["reasons"] if reason["told"] not in own]
    for number, reason in enumerate(reasons):
        output.say(f"{'why' if number == 0 else '':<12} {reason}")
    for warning in _grouped(verdict.warnings):
        output.say(f"{'note':<12} {warning}")
    if state == "proposed":
        output.say(f"{'next':<12} dxwatchd approve {told['technical_name'] if told else model.path}")
    elif not reasons:
        output.say(f"{'whole':<12} every promised file is there with its exact size")


def _grouped(reasons: tuple[Reason, ...]) -> list[str]:
    """One line for all files of which the same is to be said, each of them named."""
    groups: dict[Reason, list[str]] = {}
    for reason in reasons:
        groups.setdefault(replace(reason, file=""), []).append(reason.file)
    lines = []
    for reason, files in groups.items():
        named = ", ".join(printable(file) for file in files if file)
        lines.append(f"{named}: {printable(str(reason), 2000)}" if named else printable(str(reason), 2000))
    return lines


def _explained(
    place: str,
    told: Mapping[str, Any] | None,
    here: list[tuple[ModelFolder, Verdict]],
    looked: Looked,
) -> dict[str, Any]:
    from dxwatchd.status import reason_as_data

    return {
        "path": printable(place, 4096),
        "last_pass": told,
        "models": [
            {
                "path": printable(model.path, 4096),
                "layout": model.layout.value,
                "kind": model.kind.value,
                "evidence": list(model.evidence),
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


def _look(root: Path, path: str, ignore: tuple[str, ...]) -> Looked:
    try:
        return look(root, path, ignore)
    except RootLost as error:
        raise CommandError(
            f"the models root cannot be looked at: {error}", "mount it or bring it back"
        ) from None
