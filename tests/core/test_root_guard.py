"""What is gone from the models root, and whether that looks like an accident: the rules, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.root_guard import (
    Cause,
    Memory,
    Opinion,
    RootIdentity,
    Sight,
    difference,
    mounts_in,
    opinion,
    unseen,
)
from dxwatchd.core.snapshot import SeenFolder, Snapshot, Stat

HERE = RootIdentity(device=7, inode=2, file_system=70)
OTHER_DISK = RootIdentity(device=7, inode=2, file_system=71)
NAMES = frozenset("abcdefghij")
WELL = Memory(root=HERE, mounts={"big": 8})


def sight(letters: str, cards: frozenset[str] = NAMES, **more: Any) -> Sight:
    """The known root, with everything there but the models of these letters."""
    places = {name: f"p/{name}" for name in letters}
    return replace(Sight(HERE, {"big": 8}, empty=False, gone=places, cards=cards), **more)


def judged(seen: Sight, memory: Memory = WELL, *, accept: bool = False) -> Opinion:
    return opinion(memory, seen, accept=accept)


def cause(made: Opinion) -> Cause | None:
    """Why it is held, if it is; the reason, the memory and the remedy agree on whether it is."""
    hold = made.memory.hold
    assert (hold is None) is (made.held is None)
    if made.held is not None:
        assert made.held.kind is ReasonKind.ROOT_DOUBTED
        assert "`dxwatchd scan --accept-removals`" in made.held.remedy
    return hold.cause if hold is not None else None


@pytest.mark.promise(8, "the root is suddenly empty")
@pytest.mark.parametrize("cards", ["a", "ab", "abcdefghij"])
def test_an_empty_root_is_an_accident_however_few_were_in_it(cards: str) -> None:
    """The mount point of what is not mounted is an empty folder: also one model is not lost by it."""
    made = judged(sight(cards, frozenset(cards), empty=True))
    assert cause(made) is Cause.EMPTIED
    assert made.doubted == ()
    assert made.memory.missing == frozenset()


@pytest.mark.promise(8, "another file system in the root's place")
@pytest.mark.parametrize(
    "now",
    [
        OTHER_DISK,  # under the same device number
        replace(HERE, inode=3),  # a link that leads elsewhere now
        RootIdentity(device=9, inode=2),  # where file systems have no numbers of their own
    ],
)
def test_another_root_without_one_of_the_models_is_an_accident(now: RootIdentity) -> None:
    """Nothing new is taken from it; with every model in it, it is taken over, and that is told."""
    known = WELL if now.file_system else replace(WELL, root=RootIdentity(device=7, inode=2))
    made = judged(sight("a", root=now), known)
    assert cause(made) is Cause.REPLACED
    assert made.doubts("anything/below")
    assert made.memory.root == known.root  # the known one is still the known one
    taken_over = judged(sight("", root=now), known)
    assert cause(taken_over) is None
    assert taken_over.replaced
    assert taken_over.memory.root == now
    again = judged(sight("", root=now), taken_over.memory)
    assert again.replaced == ""


def test_a_device_number_that_changed_over_a_reboot_is_no_other_file_system() -> None:
    """Where the file system has a number of its own, that one counts."""
    assert difference(HERE, replace(HERE, device=99)) == ""
    assert difference(HERE, OTHER_DISK)
    assert difference(replace(HERE, file_system=0), RootIdentity(device=99, inode=2))
    assert difference(None, HERE) == ""


@pytest.mark.promise(8, "more than half of the registered folders gone in one pass")
@pytest.mark.parametrize(
    ("gone", "cards", "held"),
    [
        ("abcdef", "abcdefghij", True),
        ("abcde", "abcdefghij", False),  # half is not more than half
        ("abc", "abcde", True),
        ("ab", "abc", False),  # a few may always go
        ("abc", "abc", True),
    ],
)
def test_more_than_half_and_more_than_a_few_at_once(gone: str, cards: str, held: bool) -> None:
    """Fewer are known to be missing from then on."""
    made = judged(sight(gone, frozenset(cards)))
    assert cause(made) is (Cause.MANY if held else None)
    assert made.memory.missing == (frozenset() if held else frozenset(gone))


@pytest.mark.promise(8, "a file system below the root is unmounted")
@pytest.mark.parametrize("mounts", [{}, {"big": 9}])
def test_a_nested_file_system_that_is_gone_is_named(mounts: dict[str, int]) -> None:
    """Few of many models were on it: that it is gone tells more than their number."""
    gone = {"a": "big/a", "b": "big/inner/b"}
    made = judged(sight("", mounts=mounts, gone=gone))
    assert cause(made) is Cause.UNMOUNTED
    assert made.held is not None
    assert "big is not the file system that it was" in made.held.found
    assert made.doubts("big/new")
    assert not made.doubts("other")
    assert cause(judged(sight("ab", mounts=mounts))) is None  # those gone lay elsewhere
    assert judged(sight("", mounts=mounts)).memory.mounts == mounts  # nothing is gone: taken over


def test_where_many_were_together_it_is_said() -> None:
    """Of a mass loss below one folder, that folder is named."""
    together = judged(sight("", gone={name: f"big/{name}" for name in "abcdef"}))
    assert together.held is not None
    assert together.held.found == ("6 of 10 registered models went missing at once, all of them below big")
    apart = judged(sight("", gone={name: name for name in "abcdef"}))
    assert apart.held is not None
    assert apart.held.found == "6 of 10 registered models went missing at once"


def test_what_is_known_to_be_missing_alarms_nobody_again() -> None:
    """Nor does it count among those that were there before."""
    known = replace(WELL, missing=frozenset("abcde"))
    assert cause(judged(sight("abcde"), known)) is None
    assert cause(judged(sight("abcde", empty=True), known)) is None
    assert cause(judged(sight("abcdefgh"), known)) is Cause.MANY  # three of five
    back = judged(sight("a"), known)
    assert back.memory.missing == {"a"}


@pytest.mark.promise(8, "folders come back one by one: the hold stays while more than a few are gone")
def test_a_hold_ends_when_all_but_a_few_are_back() -> None:
    """Not as soon as half are there again; what is gone then is known; it is told in the same words."""
    held = judged(sight("abcdefgh"))
    for gone in ("abcdefg", "abcdef", "abcde", "abcd", "abc", "abcdef"):
        held, before = judged(sight(gone), held.memory), held
        assert held.held == before.held
    ended = judged(sight("ab"), held.memory)
    assert cause(ended) is None
    assert ended.memory.missing == {"a", "b"}


def test_the_right_root_ends_the_hold_on_the_wrong_one() -> None:
    """With one model gone from it meanwhile."""
    wrong = judged(sight("abcdefghij", root=OTHER_DISK))
    assert cause(wrong) is Cause.REPLACED
    right = judged(sight("c"), wrong.memory)
    assert cause(right) is None
    assert right.replaced == ""
    assert right.memory.missing == {"c"}


def test_a_hold_that_becomes_another_one_is_told_anew() -> None:
    """The root is mounted again, and most of it is gone."""
    empty = judged(sight("abcdefghij", empty=True))
    some = judged(sight("abcdefg"), empty.memory)
    assert (cause(empty), cause(some)) == (Cause.EMPTIED, Cause.MANY)


@pytest.mark.parametrize("more", [{"empty": True}, {"root": OTHER_DISK}, {}])
def test_a_persons_word_ends_the_hold(more: dict[str, Any]) -> None:
    """What is gone is known, what lies there is the root from now on, and what was confirmed is told."""
    held = judged(sight("abcdefgh", **more))
    assert cause(held) is not None
    done = judged(sight("abcdefgh", **more), held.memory, accept=True)
    assert cause(done) is None
    assert done.accepted == tuple("abcdefgh")
    assert done.memory.missing == frozenset("abcdefgh")
    assert done.memory.root == more.get("root", HERE)
    again = judged(sight("abcdefgh", **more), done.memory, accept=True)
    assert again.accepted == ()  # nothing is left to confirm


def test_a_proposal_alone_is_guarded_by_the_root_only() -> None:
    """An empty root is an accident for proposals too; deleting most of them one by one is not."""
    nobody = frozenset[str]()
    assert cause(judged(sight("abcdef", nobody, empty=True))) is Cause.EMPTIED
    assert cause(judged(sight("abcdef", nobody))) is None
    assert cause(judged(sight("a", nobody, root=OTHER_DISK))) is Cause.REPLACED
    proven = judged(sight("a", frozenset("bc"), root=OTHER_DISK))
    assert cause(proven) is None  # b and c are there
    assert proven.memory.root == OTHER_DISK


def test_a_root_that_cannot_be_looked_at_changes_no_memory() -> None:
    """Unless a person confirms that all of it is gone."""
    held = judged(sight("abcdef")).memory
    assert unseen(held, NAMES, accept=False) == Opinion(held)
    known = replace(WELL, missing=frozenset("ab"))
    done = unseen(known, NAMES, accept=True)
    assert done.accepted == tuple("cdefghij")
    assert done.memory.missing == NAMES
    assert done.memory.hold is None


def test_mounts_are_told_by_their_devices() -> None:
    """A folder with another device than the one above it; what lies below it is no mount of its own."""
    devices = {"": 7, "a": 7, "big": 8, "big/x": 8, "big/y": 9}
    folders = {path: SeenFolder(path, Stat(0, 0, 0, 1, device)) for path, device in devices.items()}
    assert mounts_in(Snapshot(folders)) == {"big": 8, "big/y": 9}
