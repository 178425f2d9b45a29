"""An entry's folder is not there: what else the person may have meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from dxwatchd.core.naming import canonical
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import Snapshot, Trouble, join, parent
from dxwatchd.core.text import printable

_MOST_NAMES = 2_000
"""Names in one folder that are compared: the comparison of each takes some time."""

_MOST_TOPS = 200


@dataclass(frozen=True, slots=True)
class Names:
    """What lies in one folder. links: of links to folders inside the models root, where they lead;
    outside: links that lead out of it.
    """

    folders: Collection[str] = ()
    files: Collection[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    outside: Collection[str] = ()


Inside = Callable[[str], Names]
"""The names in a folder, "" being the models root; none where there is no such folder."""


def names_in(snapshot: Snapshot) -> Inside:
    """The names in the folders of a snapshot."""

    def inside(path: str) -> Names:
        folder = snapshot.folders.get(path)
        if folder is None:
            return Names()
        outside = {name for name, file in folder.files.items() if file.trouble is Trouble.LINK_OUTSIDE}
        return Names(folder.folders, folder.files.keys() - outside, folder.links, outside)

    return inside


def hint(path: str, inside: Inside) -> Reason | None:
    """What to say of a path at which there is no folder, where something is known."""
    here, parts = "", path.split("/")
    for number, part in enumerate(parts):
        names, place = inside(here), join(here, part)
        if part in names.outside:
            return leads_out(place)
        if part in names.files:
            return _hint("it is a file and no folder", here)
        if part in names.links:
            return _hint(f"{printable(place)} is a link", "/".join((names.links[part], *parts[number + 1 :])))
        if part not in names.folders:
            break
        here = place
    else:
        return None
    meant = resembling(path, inside)
    if meant is None and path.startswith("~/"):
        return Reason(
            ReasonKind.NOT_THERE_YET,
            found="no folder ~ is there",
            remedy="only a shell knows ~: write the path relative to the models root",
        )
    return _hint("no such folder is there", meant) if meant is not None else None


def leads_out(place: str) -> Reason:
    """What to say of a link that leads out of the models root."""
    return Reason(
        ReasonKind.LINK_OUTSIDE,
        found=f"{printable(place)} is a link that leads out of the models root",
        remedy="copy the folder itself into the models root",
    )


def _hint(found: str, meant: str) -> Reason:
    remedy = f'did you mean path = "{printable(meant)}"?' if meant else "put it into a folder of its own"
    return Reason(ReasonKind.NOT_THERE_YET, found=found, remedy=remedy)


def resembling(path: str, inside: Inside) -> str | None:
    """A folder whose path is nearly this one: case, spaces, the other slash, a letter more or less, or a
    publisher's folder left out.
    """
    here = ""
    for part in path.replace("\\", "/").split("/"):
        names = inside(here).folders
        name = part if part in names else _like(part, names)
        if name is None:
            break
        here = join(here, name)
    else:
        return here if here != path else None
    if parent(path):
        return None
    for top in sorted(inside("").folders)[:_MOST_TOPS]:
        same = [name for name in inside(top).folders if canonical(name) == canonical(path)]
        if same:
            return join(top, min(same))
    return None


def _like(part: str, names: Collection[str]) -> str | None:
    """The one of `names` that `part` was meant to be."""
    wanted = canonical(part.strip())
    forms = {canonical(name.strip()): name for name in sorted(names)[:_MOST_NAMES]}
    if wanted in forms:
        return forms[wanted]
    for close in get_close_matches(wanted[:200], forms, n=3, cutoff=0.8):
        if _shape(close) != _shape(wanted):  # another version or size is another model
            return forms[close]
    return None


_NUMBER = re.compile(r"[0-9][0-9.]*")


def _shape(name: str) -> str:
    return _NUMBER.sub("0", name)
