"""Before a command goes by what lies in the models root: is it the root that the models were in?"""

from __future__ import annotations

import os
from collections.abc import Iterable

from dxwatchd.commands.output import CommandError
from dxwatchd.commands.reporting import ask_for_pass
from dxwatchd.commands.scanning import look_only
from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.root_guard import difference
from dxwatchd.listing import identity_of
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.status import reason_as_data
from dxwatchd.stores.guard_file import GuardFile
from dxwatchd.stores.instance_lock import InstanceLock

_OF_THE_ROOT = (ReasonKind.ROOT_LOST.value, ReasonKind.ROOT_DOUBTED.value)


def insist_on_whole_root(settings: Settings) -> None:
    """Look at the root now. Raises CommandError where it is lost, or much that was in it is gone from it.

    The mount point of a root that is not mounted is an empty folder, which looks as if all had been deleted.
    """
    for reason in _held_now(settings):
        if reason["kind"] in _OF_THE_ROOT:
            raise CommandError(reason["found"], reason["remedy"])


def _held_now(settings: Settings) -> Iterable[dict[str, str]]:
    if InstanceLock(StateDirectory(settings.state_dir).lock).holder() is not None:
        try:
            told: list[dict[str, str]] = ask_for_pass(settings)["held"]
            return told
        except CommandError:  # it ended meanwhile, or this user may not ask it: looking oneself does as well
            pass
    return [reason_as_data(reason) for reason in look_only(settings).held]


def insist_on_known_root(settings: Settings) -> None:
    """Raises CommandError where a hold is on and another root lies where the known one was.

    What lies there is not what a person who says "approve" has in mind.
    """
    memory = GuardFile(StateDirectory(settings.state_dir).guards).memory
    if memory.hold is None:
        return
    try:
        other = difference(memory.root, identity_of(os.path.realpath(settings.models_root, strict=True)))
    except OSError:
        return  # nothing lies there: nothing of it can be approved by mistake
    if other:
        raise CommandError(
            f"{other}, and models are gone from it",
            "mount the right one, or say that it is meant with `dxwatchd scan --accept-removals`",
        )
