"""No command works on a state directory that a later dxwatchd wrote, nor on a manifest beside one."""

from __future__ import annotations

from contextlib import suppress

from dxwatchd.commands.output import CommandError
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.format_file import Refused, insist


def insist_on_known_format(settings: Settings) -> None:
    """Raise CommandError where the state directory is of a later format.

    Who may edit the manifest need not have the right to look into the state directory: they may go on.
    """
    try:
        with suppress(OSError):
            insist(StateDirectory(settings.state_dir))
    except Refused as error:
        raise refusal(error) from None


def refusal(error: Refused) -> CommandError:
    """As a command says it."""
    return CommandError(str(error), error.remedy)
