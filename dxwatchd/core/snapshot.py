"""What was seen of the models root: folders, files, their stats and the facts read from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dxwatchd.core.facts import Facts


@dataclass(frozen=True, slots=True)
class Stat:
    """The part of `stat(2)` that tells whether something changed. Times in nanoseconds, size in bytes."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class Trouble(StrEnum):
    """Why an entry of a listing is not looked into."""

    LINK_OUTSIDE = "link_outside"  # a link that leads out of the models root
    LINK_BROKEN = "link_broken"  # a link to nothing, or round in a circle
    SPECIAL = "special"  # a device, a FIFO, a socket
    UNREADABLE = "unreadable"  # the operating system refused to list or to stat it
    TOO_DEEP = "too_deep"  # more levels below the root than anybody's models have


@dataclass(frozen=True, slots=True)
class SeenFile:
    """One file of a listing.

    stat: of the file itself or, for a link inside the root, of what it leads to (None with a trouble);
    facts: what a reader told of it (None for files that nobody reads);
    hole: the file has unwritten ranges, so its size proves nothing yet;
    blob: of a link into huggingface_hub's `blobs`, the blob's name, which is a digest of the content.
    """

    name: str
    stat: Stat | None
    facts: Facts | None = None
    hole: bool = False
    trouble: Trouble | None = None
    blob: str = ""


@dataclass(frozen=True, slots=True)
class SeenFolder:
    """One folder of the walk.

    path: relative to the models root, parts joined by "/", "" for the root itself;
    files: by name; folders: names of the subfolders that were walked, sorted;
    links: names of folder links whose target was walked elsewhere, with that target's path;
    trouble: why it could not be listed (then it looks empty, and is not).
    """

    path: str
    stat: Stat
    files: Mapping[str, SeenFile] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole models root at one moment.

    folders: by path; the root itself is `folders[""]`; remote_devices: the device numbers of file systems
    that send no or only some events.
    """

    folders: Mapping[str, SeenFolder]
    remote_devices: frozenset[int] = frozenset()

    def file(self, path: str) -> SeenFile | None:
        """The file at `path`; None where none was seen."""
        folder = self.folders.get(parent(path))
        return folder.files.get(basename(path)) if folder is not None else None

    def below(self, path: str) -> Iterator[SeenFolder]:
        """The folder at `path` and all below it, parents before children, names in order."""
        folder = self.folders.get(path)
        if folder is None:
            return
        yield folder
        for name in folder.folders:
            yield from self.below(join(path, name))


def join(folder: str, name: str) -> str:
    """`name` inside `folder`, where "" is the models root."""
    return f"{folder}/{name}" if folder else name


def is_below(path: str, top: str) -> bool:
    """Whether `path` is `top` or lies in it; "" is the models root, which everything lies in."""
    return not top or path == top or path.startswith(f"{top}/")


def is_below_any(path: str, tops: Collection[str]) -> bool:
    """Whether `path` is one of `tops` or lies in one; as fast for many, where they are a set."""
    while path and path not in tops:
        path = parent(path)
    return path in tops


def parent(path: str) -> str:
    """The folder that holds `path`; "" for what lies directly in the models root."""
    return path.rpartition("/")[0]


def basename(path: str) -> str:
    """The last part of `path`."""
    return path.rpartition("/")[2]
