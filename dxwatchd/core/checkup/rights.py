"""What a user may do with a file or folder, told from its mode and its access list (acl(5))."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from shlex import quote

READ, WRITE, SEARCH = 4, 2, 1


class Tag(IntEnum):
    """What an entry of an access list speaks of, as the kernel numbers it."""

    OWNER = 0x01
    USER = 0x02
    GROUP_OF_FILE = 0x04
    GROUP = 0x08
    MASK = 0x10
    OTHER = 0x20


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One entry of an access list. who: the user or group of a USER or GROUP."""

    tag: int
    rights: int
    who: int = 0


@dataclass(frozen=True, slots=True)
class Permissions:
    """Of one file or folder. acl: empty where the mode says it all."""

    mode: int
    owner: int
    group: int
    acl: tuple[AclEntry, ...] = ()
    is_folder: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """Whose rights count. groups: numbers of all of them; why: how it is known that these count."""

    name: str
    user: int
    groups: frozenset[int] = frozenset()
    why: str = ""


class Kind(StrEnum):
    """What lies at a path."""

    FOLDER = "a folder"
    FILE = "a file"
    OTHER = "neither a file nor a folder"
    MISSING = "missing"
    HIDDEN = "hidden from whoever looks"


@dataclass(frozen=True, slots=True)
class Place:
    """One file or folder as it was seen. rights: of the person; owner, group: names; mode: twelve bits."""

    path: str
    kind: Kind
    rights: int = 7
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"

    @property
    def described(self) -> str:
        """Its owner, group and mode."""
        return f"of {self.owner}:{self.group}, mode {self.mode:04o}"


def rights_of(person: Person, found: Permissions) -> int:
    """The rights of a person: a sum of READ, WRITE and SEARCH."""
    if person.user == 0:
        return 7 if found.is_folder or found.mode & 0o111 else READ | WRITE
    if person.user == found.owner:
        return found.mode >> 6 & 7
    mask = next((entry.rights for entry in found.acl if entry.tag == Tag.MASK), 7)
    for entry in found.acl:
        if entry.tag == Tag.USER and entry.who == person.user:
            return entry.rights & mask
    of_groups = [
        entry.rights & mask
        for entry in found.acl
        if (entry.tag == Tag.GROUP and entry.who in person.groups)
        or (entry.tag == Tag.GROUP_OF_FILE and found.group in person.groups)
    ]
    if not found.acl and found.group in person.groups:
        of_groups = [found.mode >> 3 & 7]
    if of_groups:
        return max(of_groups, key=lambda rights: (rights.bit_count(), rights))
    return found.mode & 7


def closed_at(way: Iterable[Place]) -> Place | None:
    """The first folder of a way that the person may not go through."""
    return next((place for place in way if place.kind is Kind.FOLDER and not place.rights & SEARCH), None)


def nearest(way: Sequence[Place]) -> Place:
    """The folder in which what is missing at the end of a way would be made."""
    return next((place for place in reversed(way[:-1]) if place.kind is Kind.FOLDER), way[-1])


def letters(rights: int) -> str:
    """Rights as `setfacl` takes them."""
    return "".join(letter for letter, bit in zip("rwx", (READ, WRITE, SEARCH), strict=True) if rights & bit)


def grant(person: Person, rights: int, path: str) -> str:
    """The command that gives a person rights."""
    return f"setfacl -m u:{person.name}:{letters(rights)} {quote(path)}"


def said(rights: int) -> str:
    """Rights in words: what may not be done."""
    words = {READ: "read", WRITE: "write to", SEARCH: "search"}
    named = [word for bit, word in words.items() if rights & bit]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} or {named[-1]}"
