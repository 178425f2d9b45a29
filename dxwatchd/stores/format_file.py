"""`format.json`: the format of a state directory as a whole, so that an older dxwatchd leaves it alone.

The number goes up when an earlier dxwatchd would misread or lose something, whichever file that is in. The
file is looked at before anything else is touched, and written before anything else is: so nothing of a new
format ever lies in a directory that does not say so. Each reader knows the earlier formats of its own file,
and each writer writes the latest: there is no conversion that could be killed half way. Caches have versions
of their own, and are made anew.
"""

from __future__ import annotations

import errno
import json
import re
from importlib.metadata import version
from typing import Any

from dxwatchd.core import formats
from dxwatchd.core.text import printable
from dxwatchd.state import StateDirectory
from dxwatchd.stores.atomic import write_atomically
from dxwatchd.stores.card_index import INDEX
from dxwatchd.stores.plain_file import read_plain

FORMAT = 1
"""What this version writes; it reads all from `FIRST` on."""

FIRST = 1
"""What a directory without the file has: the first ones of 0.1.0 wrote none."""

MAX_SIZE = 4096
"""Bytes of the file."""

_NO_FILE_OF_OURS = frozenset({errno.EINVAL, errno.EFBIG, errno.ELOOP})
"""A folder, a FIFO, a link to itself, or something huge."""


_RELEASE = re.compile(r"dxwatchd [0-9][0-9A-Za-z.+-]{0,40}")


class Refused(Exception):  # noqa: N818 - a state of affairs, which a person can see the end of
    """A state directory that this version must not touch. remedy: what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def insist(state: StateDirectory) -> int | None:
    """The format that the directory says it has; None where it says none. Changes nothing.

    Raises Refused where that is a later one, or where nobody can tell, and OSError where it cannot be read.
    """
    said = _said(state)
    # that file may have been removed, or the cards be those of another directory
    if formats.is_later(_index_schema(state), formats.INDEX):
        raise _later(f"{state.cards / INDEX} is of a later format", "a later dxwatchd")
    return said


def take(state: StateDirectory) -> None:
    """Make a directory one of this format, before anything of that format is written there.

    Raises Refused as `insist` does, and nothing was changed then; OSError where it cannot be made one.
    """
    said = insist(state)
    if said == FORMAT:
        return
    plain = {"format": FORMAT, "written_by": f"dxwatchd {version('dxwatchd')}"}
    try:
        write_atomically(state.format, (json.dumps(plain) + "\n").encode())
    except OSError:
        if (said or FIRST) != FORMAT:
            raise
        # it has this format already, and a full disk is no reason not to start


def _said(state: StateDirectory) -> int | None:
    try:
        plain = json.loads(read_plain(state.format, MAX_SIZE))
        said = plain["format"]
        if type(said) is not int or said < FIRST:
            raise _unknown(state)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in _NO_FILE_OF_OURS:
            raise
        raise _unknown(state) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unknown(state) from None
    if said > FORMAT:
        by = str(plain.get("written_by"))
        by = by if _RELEASE.fullmatch(by) else "a later dxwatchd"
        raise _later(f"{state.format} says format {printable(str(said), 20)}, written by {by}", by)
    return said


def _index_schema(state: StateDirectory) -> Any:
    """What the index says of itself; None where there is none, or none that can be read."""
    try:
        return json.loads(read_plain(state.cards / INDEX)).get("schema")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def _later(found: str, by: str) -> Refused:
    return Refused(
        f"{found}; dxwatchd {version('dxwatchd')} knows formats up to {FORMAT}, and has changed nothing",
        f"install {by} again, or bring back the copy of the whole state directory from before the upgrade",
    )


def _unknown(state: StateDirectory) -> Refused:
    ours = version("dxwatchd")
    return Refused(
        f"{state.format} does not say which format the state directory has; nothing was changed",
        f"if no dxwatchd later than {ours} ever ran on it, remove that file; else install that one again",
    )
