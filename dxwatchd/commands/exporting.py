"""Cards in other formats: `export`."""

from __future__ import annotations

import sys

from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.card.exports.problems import ExportError
from dxwatchd.card.exports.render import render
from dxwatchd.commands import output
from dxwatchd.commands.output import DONE, PROBLEMS, CommandError
from dxwatchd.consumer import DxwatchdError, load_card
from dxwatchd.core.text import printable
from dxwatchd.settings import Settings

_NOT_AVAILABLE = {
    "drifted": "the folder's content has changed since this was approved",
    "missing": "the folder is not there any more",
}


def export(settings: Settings, name: str, wanted: ExportFormat) -> int:
    """The card of a registered model in another format, on standard output, byte for byte."""
    try:
        card = load_card(name, state_dir=settings.state_dir)
    except DxwatchdError as error:
        raise CommandError(str(error), code=PROBLEMS) from None
    try:
        text = render(card, wanted)
    except ExportError as error:
        problems = "".join(f"\n  {printable(problem, 2000)}" for problem in error.problems)
        raise CommandError(
            f"{card.technical_name} cannot be written as {wanted} yet:{problems}", error.remedy, code=PROBLEMS
        ) from None
    if card.availability in _NOT_AVAILABLE:
        output.complain(f"warning: {card.availability}: {_NOT_AVAILABLE[card.availability]}")
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()
    return DONE
