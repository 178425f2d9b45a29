"""`run`: the daemon, until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dxwatchd.commands import output
from dxwatchd.commands.formats import refusal
from dxwatchd.commands.output import CommandError, cannot_use
from dxwatchd.log import configure
from dxwatchd.settings import Settings
from dxwatchd.stores.format_file import Refused
from dxwatchd.stores.instance_lock import Held


def run(settings: Settings, reload: Callable[[], Settings], environ: Mapping[str, str]) -> int:
    """Run the daemon until it is told to stop."""
    from dxwatchd.daemon import Daemon

    configure(settings.log_format, settings.log_level)
    made = _make_root(settings.models_root)

    def announce() -> None:
        if settings.log_format != "json" and "JOURNAL_STREAM" not in environ:
            output.say(f"Watching  {settings.models_root}{' (just made)' if made else ''}")
            output.say(f"Manifest  {settings.manifest}")
            output.say(
                "Next      copy a model folder into the first; then change its status in the second to "
                '"approved", or run: dxwatchd approve'
            )

    daemon = Daemon(settings, reload, environ)
    try:
        return daemon.run(announce)
    except Held as error:
        raise CommandError(
            f"the state directory {settings.state_dir} is in use by {error.holder}",
            "stop that one first, or give another --state-dir",
        ) from None
    except Refused as error:
        raise refusal(error) from None
    except OSError as error:
        raise cannot_use(settings.state_dir, error) from None


def _make_root(root: Path) -> bool:
    """Make a models root that is not there at all, so that a first start needs no preparation.

    Only its last part: a whole missing path is rather a disk that is not mounted.
    """
    if os.path.lexists(root):
        return False
    try:
        root.mkdir()
    except OSError:
        return False
    return True
