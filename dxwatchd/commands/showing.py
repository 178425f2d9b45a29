"""Looking at cards: `list`, `show`, `card`, `schema`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, json_schema
from dxwatchd.card.sources import Identity
from dxwatchd.cardmaking import make_card
from dxwatchd.commands import output
from dxwatchd.commands.card_screen import groups
from dxwatchd.commands.one_folder import look
from dxwatchd.commands.output import DONE, PROBLEMS, USAGE, CommandError, cell
from dxwatchd.consumer import DxwatchdError, StateDirectoryNotFound, list_cards, load_card
from dxwatchd.core.derivation import derive
from dxwatchd.core.entries import normal_path
from dxwatchd.core.hints import hints_of
from dxwatchd.core.text import count, printable
from dxwatchd.settings import Settings

REASONS_SHOWN = 5
"""Reasons why a folder is not whole, told with its card."""


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
    _print_card(card, published=True, as_json=as_json)
    return DONE


def card(settings: Settings, path: str, *, as_json: bool) -> int:
    """A card of any model folder, registering nothing."""
    folder = Path(path).absolute()
    if not folder.is_dir():
        folder = settings.models_root / normal_path(path)
    if not folder.is_dir():
        raise CommandError(f"{printable(path)} is no folder", "give a model folder", code=USAGE)
    folder = folder.resolve()
    looked = look(folder.parent, folder.name, settings.ignore)
    found = next((pair for pair in looked.models if pair[0].path == folder.name), None)
    if found is None:
        raise CommandError(
            f"no model layout is recognised in {folder}",
            f"see `dxwatchd explain {printable(path)}`",
            code=PROBLEMS,
        )
    model, verdict = found
    hints = hints_of(model, looked.snapshot.folders[model.path], verdict.fingerprint)
    names = derive(replace(hints, path=_place(folder, settings.models_root)), {})
    identity = Identity(
        technical_name=names.technical_name,
        model_name=names.model_name,
        path=model.path,
        entry_path=model.path,
        fingerprint=verdict.fingerprint,
    )
    _print_card(make_card(folder.parent, model, identity), published=False, as_json=as_json)
    for reason in verdict.reasons[:REASONS_SHOWN]:
        output.complain(f"not whole: {printable(str(reason), 2000)}")
    left = len(verdict.reasons) - REASONS_SHOWN
    if left > 0:
        output.complain(f"not whole: {count(left, 'more reason')}; see `dxwatchd explain {printable(path)}`")
    return DONE if verdict.whole else PROBLEMS


def _place(folder: Path, root: Path) -> str:
    """The folder's path as names are derived from it: below the models root, or else the whole of it."""
    root = root.resolve()
    return str(folder.relative_to(root) if folder.is_relative_to(root) else folder).strip("/")


def schema() -> int:
    """The JSON Schema of a card."""
    output.as_json(json_schema())
    return DONE


def _print_card(card: Card, *, published: bool, as_json: bool) -> None:
    if as_json:
        output.console().file.write(dump(card).decode())
    else:
        output.labelled(groups(card, published=published))
