"""Before the first pass: no manifest is there yet, and that is no accident."""

from __future__ import annotations

import os

from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.card_directory import is_published

REMEDY = "the first pass makes it: start dxwatchd, or run `dxwatchd scan`"


def is_awaited(settings: Settings) -> bool:
    """Whether there is no manifest because nobody has made one; False where it may be lost."""
    try:
        os.lstat(settings.manifest)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    else:
        return False
    try:
        return not is_published(StateDirectory(settings.state_dir).cards)
    except OSError:
        return False
