"""Cards without an approved entry: which go, and which are kept because it looks like an accident."""

from __future__ import annotations

import pytest

from dxwatchd.core.claims import settle
from dxwatchd.core.manifest import Manifest
from dxwatchd.core.records import Published
from dxwatchd.core.withdrawal import Orphans, orphans
from tests.core.making import card, manifest, named, published


def _orphans(
    written: Manifest, cards: Published, *, trusted: bool = True, accept_removals: bool = False
) -> Orphans:
    claims = settle(written, cards)
    return orphans(written, claims, cards, trusted=trusted, accept_removals=accept_removals)


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


def test_nothing_goes_while_the_file_is_not_in_force() -> None:
    """A torn, empty or unreadable manifest says nothing about anybody."""
    found = _orphans(manifest(), published(card("a"), card("b")), trusted=False)
    assert _gone(found) == []
    assert _held(found) == ["a", "b"]


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


def test_renaming_many_entries_is_no_mass_removal() -> None:
    """Every folder still has an approved entry, under another name."""
    cards = published(*(card(name, f"p/{name}") for name in "abcde"))
    found = _orphans(manifest(*(named(f"new-{name}", f"p/{name}") for name in "abcde")), cards)
    assert _gone(found) == list("abcde")
    assert found.reasons == ()
