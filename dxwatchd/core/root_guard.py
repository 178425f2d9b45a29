"""Whether the models root is to be believed: what is gone from it, and whether that looks like an accident.

An unmounted disk looks like an empty folder, a wrong one like a root without its models. So what goes missing
in a suspicious way is *held*: nothing is withdrawn, until the folders are back or a person confirms. The
cards of what is gone say `missing` all the same, since nothing can be loaded from there.

While another file system or folder lies where the known one was, nothing new is taken from there either: a
person who mounts the wrong disk does not want its folders proposed, and the same headers on another disk do
not prove that a model has moved there. Where models are only gone, what else is there goes on as always.

A registered model that is there proves the root, so that a proposal alone is missed from another one only
where no registered model is.

A hold ends by itself when no more than `FEW` of what it is about are gone and the root is the known one;
what is still gone then is known to be missing, as after a confirmation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import Snapshot, is_below, parent
from dxwatchd.core.text import count, printable
from dxwatchd.core.withdrawal import CONFIRM, FEW, is_many


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """Tells one models root from another in its place.

    file_system: the file system's own number, which outlives reboots (0: it has none); device: the kernel's
    number for it, which may not; inode: of the root folder.
    """

    device: int = 0
    inode: int = 0
    file_system: int = 0


class Cause(StrEnum):
    """Why models that are gone are held to be an accident."""

    EMPTIED = "emptied"  # the root holds nothing
    REPLACED = "replaced"  # another file system or folder lies there
    UNMOUNTED = "unmounted"  # as that, of a file system mounted below the root
    MANY = "many"  # more than half, and more than a few


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold. names: of what went missing, canonical; found: what happened, in words that stay the same."""

    cause: Cause
    names: frozenset[str]
    found: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What passes remember of the root. Without it the next loss is looked at as if it were the first.

    root: when it was last believed; mounts: the device of every folder that was another file system then
    than the one above it; missing: canonical names of what is known to be gone; orphaned: of cards that
    lost their entries suspiciously; hold: the one that is on.
    """

    root: RootIdentity | None = None
    mounts: Mapping[str, int] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    orphaned: frozenset[str] = frozenset()
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """The root as a pass sees it.

    empty: it holds nothing at all; gone: canonical names of published and proposed models without a folder,
    with the path where it was; cards: the names of all published ones.
    """

    root: RootIdentity
    mounts: Mapping[str, int]
    empty: bool
    gone: Mapping[str, str]
    cards: frozenset[str]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is to be thought of it.

    memory: for the next pass; held: why withdrawals are to be held, if so; doubted: the folders (paths)
    below which nothing new is to be taken; accepted: what a person confirmed to be gone;
    replaced: that another root was taken over because nothing is gone from it.
    """

    memory: Memory
    held: Reason | None = None
    doubted: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    replaced: str = ""

    def doubts(self, path: str) -> bool:
        """Whether nothing new is to be taken from `path`."""
        return any(is_below(path, top) for top in self.doubted)


def opinion(memory: Memory, sight: Sight, *, accept: bool) -> Opinion:
    """Judge the root. accept: a person confirmed that what is gone is gone."""
    newly = sight.gone.keys() - memory.missing
    changed = difference(memory.root, sight.root)
    unmounted = tuple(_unmounted(memory, sight, newly))
    believed = Memory(sight.root, sight.mounts, frozenset(sight.gone), memory.orphaned)
    hold = _hold(memory, sight, newly, changed, unmounted)
    if hold is None:
        return Opinion(believed, replaced=changed)
    if accept:
        return Opinion(believed, accepted=tuple(sorted(newly)))
    held = replace(memory, missing=memory.missing & sight.gone.keys(), hold=hold)
    return Opinion(held, _reason(hold), ("",) if changed else unmounted)


def unseen(memory: Memory, names: Iterable[str], *, accept: bool) -> Opinion:
    """The opinion where the root cannot be looked at, so that the models of all these names are gone."""
    if not accept:
        return Opinion(memory)
    newly = set(names) - memory.missing
    return Opinion(replace(memory, missing=memory.missing | newly, hold=None), accepted=tuple(sorted(newly)))


def difference(before: RootIdentity | None, now: RootIdentity) -> str:
    """What lies at the root instead of what was there before; "" where it is the same."""
    if before is None:
        return ""
    same = before.device == now.device
    if before.file_system and now.file_system:
        same = before.file_system == now.file_system
    if not same:
        return "another file system lies at the models root"
    return "another folder lies at the models root" if before.inode != now.inode else ""


def mounts_in(snapshot: Snapshot) -> dict[str, int]:
    """The device of every folder below the root that is another file system than the folder above it."""
    found = {}
    for path, folder in snapshot.folders.items():
        above = snapshot.folders.get(parent(path))
        if path and above is not None and above.stat.device != folder.stat.device:
            found[path] = folder.stat.device
    return found


def _unmounted(memory: Memory, sight: Sight, newly: Iterable[str]) -> Iterable[str]:
    """Where a file system below the root is another one or none, and models are gone from it."""
    paths = [sight.gone[name] for name in newly]
    for top, device in sorted(memory.mounts.items()):
        if sight.mounts.get(top) != device and any(is_below(path, top) for path in paths):
            yield top


def _hold(
    memory: Memory, sight: Sight, newly: Iterable[str], changed: str, unmounted: tuple[str, ...]
) -> Hold | None:
    names = frozenset(newly)
    there = sight.cards - memory.missing
    cards = names & sight.cards
    before = memory.hold
    if not names:
        return None
    many = f"{count(len(names), 'model')} {'is' if len(names) == 1 else 'are'} gone from it"
    if sight.empty:
        fresh = Hold(Cause.EMPTIED, names, f"the models root is empty, and {many}")
    elif changed and (cards or not sight.cards - sight.gone.keys()):
        fresh = Hold(Cause.REPLACED, names, f"{changed}, and {many}")
    elif unmounted:
        places = ", ".join(printable(path) for path in unmounted[:3])
        fresh = Hold(Cause.UNMOUNTED, names, f"{places} is not the file system that it was, and {many}")
    elif is_many(len(cards), len(there)):
        where = _together([sight.gone[name] for name in cards])
        found = f"{len(cards)} of {count(len(there), 'registered model')} went missing at once{where}"
        fresh = Hold(Cause.MANY, names, found)
    else:
        return before if before is not None and len(before.names & names) > FEW else None
    # what came back meanwhile is no news: what was said once is not to be said again with another number
    same = before is not None and before.cause is fresh.cause and fresh.names <= before.names
    return before if same else fresh


def _together(paths: list[str]) -> str:
    """Where most of them were, if that is one folder of the root."""
    tops = Counter(path.partition("/")[0] for path in paths if "/" in path)
    for top, number in tops.most_common(1):
        if number > FEW and 2 * number > len(paths):
            return f", {'all' if number == len(paths) else number} of them below {printable(top)}"
    return ""


def _reason(hold: Hold) -> Reason:
    if hold.cause in (Cause.MANY, Cause.EMPTIED):
        remedy = f"bring back what is gone, or {CONFIRM}; nothing is withdrawn until then"
    else:
        remedy = f"mount the right one, or {CONFIRM}; nothing is withdrawn and nothing new taken until then"
    return Reason(ReasonKind.ROOT_DOUBTED, found=hold.found, remedy=remedy)


DOUBTED = Reason(
    ReasonKind.ROOT_DOUBTED,
    found="whole, but models are gone from this place, and another file system or folder lies there",
    remedy="mount the right one, or " + CONFIRM,
)
