"""Cards without an approved entry: which go, and which are kept because it looks like an accident."""

from __future__ import annotations

import pytest

from dxwatchd.core.claims import settle
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.records import Published
from dxwatchd.core.withdrawal import Orphans, orphans
from tests.core.making import card, manifest, named, published


def _orphans(
    written: Manifest,
    cards: Published,
    *,
    trusted: bool = True,
    accept_removals: bool = False,
    suspected: frozenset[str] = frozenset(),
) -> Orphans:
    claims = settle(written, cards)
    return orphans(
        written, claims, cards, trusted=trusted, accept_removals=accept_removals, suspected=suspected
    )


def _gone(found: Orphans) -> list[str]:
    return sorted(record.technical_name for record in found.withdrawals)


def _held(found: Orphans) -> list[str]:
    return sorted(entry.technical_name for entry in found.held)


@pytest.mark.parametrize("status", [None, "rejected", "proposed"])
def test_a_card_goes_with_its_approval(status: str | None) -> None:
    """Its block deleted, rejected, or turned back into a proposal."""
    entries = [named("b")] + ([named("a", status=status)] if status else [])
    found = _orphans(manifest(*entries), published(card("a"), card("b")))
    assert _gone(found) == ["a"]
    assert found.held == ()
    assert found.reasons == ()


@pytest.mark.promise(8, "the manifest is not in force")
def test_nothing_goes_while_the_file_is_not_in_force() -> None:
    """A torn, empty or unreadable manifest says nothing about anybody."""
    found = _orphans(manifest(), published(card("a"), card("b")), trusted=False)
    assert _gone(found) == []
    assert _held(found) == ["a", "b"]


@pytest.mark.promise(7, "a slip of the pen in the entry of a published card")
@pytest.mark.parametrize(
    "slip",
    [
        named("a", "p", status="aproved"),
        named("A", "p"),
        named("a", "/absolute"),
        named("b", "p", model_name="Other"),  # the name of another's card
    ],
)
def test_a_slip_of_the_pen_costs_nobody_a_card(slip: dict[str, str]) -> None:
    """The entry is not in force, and what was published under it stays."""
    cards = published(card("a", "p"), card("b", "q"))
    found = _orphans(manifest(named("b", "q"), slip), cards)
    assert _gone(found) == []
    assert _held(found) == ["a"]
    (kept,) = found.held
    assert (kept.path, kept.model_name) == ("p", "A")


@pytest.mark.promise(8, "most entries removed from the manifest at once")
def test_most_cards_at_once_are_held_back_until_confirmed() -> None:
    """More than half of more than a few is suspicious; a person's word lets them go."""
    cards = published(*(card(name) for name in "abcde"))
    found = _orphans(manifest(named("a"), named("b")), cards)
    assert _gone(found) == []
    assert _held(found) == ["c", "d", "e"]
    (reason,) = found.reasons
    assert reason.found == "3 cards lost their entries in the manifest at once"
    assert "--accept-removals" in reason.remedy
    confirmed = _orphans(manifest(named("a"), named("b")), cards, accept_removals=True)
    assert _gone(confirmed) == ["c", "d", "e"]
    assert confirmed.held == ()


@pytest.mark.parametrize(("all_of", "left"), [("ab", ""), ("a", ""), ("abcdef", "abcd"), ("abcd", "ab")])
def test_a_few_or_less_than_half_may_go(all_of: str, left: str) -> None:
    """Who removes two of two entries means it; so does who removes two of six."""
    found = _orphans(manifest(*(named(name) for name in left)), published(*(card(name) for name in all_of)))
    assert _gone(found) == sorted(set(all_of) - set(left))
    assert found.reasons == ()


@pytest.mark.promise(8, "every entry renamed at once")
def test_renaming_many_entries_is_no_mass_removal() -> None:
    """Every folder still has an approved entry, under another name."""
    cards = published(*(card(name, f"p/{name}") for name in "abcde"))
    found = _orphans(manifest(*(named(f"new-{name}", f"p/{name}") for name in "abcde")), cards)
    assert _gone(found) == list("abcde")
    assert found.reasons == ()


@pytest.mark.promise(8, "entries put back one by one: the others stay suspected")
def test_what_was_held_stays_held_until_its_entry_is_back() -> None:
    """Also when what is still missing would be few enough by itself; what is removed beside it goes."""
    cards = published(*(card(name) for name in "abcdef"))
    first = _orphans(manifest(named("a")), cards)
    assert first.suspected == frozenset("bcdef")
    later = _orphans(manifest(*(named(name) for name in "abcd")), cards, suspected=first.suspected)
    assert (_held(later), _gone(later)) == (["e", "f"], [])
    assert later.suspected == frozenset("ef")
    beside = _orphans(manifest(*(named(name) for name in "bcd")), cards, suspected=later.suspected)
    assert (_held(beside), _gone(beside)) == (["e", "f"], ["a"])
    torn = _orphans(manifest(), cards, trusted=False, suspected=beside.suspected)
    assert torn.suspected == beside.suspected
    done = _orphans(
        manifest(*(named(name) for name in "bcd")), cards, accept_removals=True, suspected=torn.suspected
    )
    assert _gone(done) == ["a", "e", "f"]
    assert done.confirmed == ("e", "f")
    assert done.suspected == frozenset()


@pytest.mark.promise(8, "an entry removed or renamed while the models root is not believed")
def test_a_halt_holds_all_but_the_renamed() -> None:
    """A renamed card's folder has an entry still; nothing of it is lost."""
    cards = published(card("a"), card("b", "p"), card("c"))
    found = _orphans(manifest(named("c"), named("new", "p")), cards)
    assert _gone(found) == ["a", "b"]
    halted = found.halted()
    assert (_gone(halted), _held(halted)) == (["b"], ["a"])
