"""Names and paths belong to one entry: the incumbent keeps them, the newcomer is told why."""

from __future__ import annotations

import pytest

from dxwatchd.core.claims import settle
from tests.core.making import card, manifest, named, published


@pytest.mark.promise(6, "two entries made equal in a name or path: the published one keeps it")
@pytest.mark.parametrize(
    ("key", "mine", "theirs"),
    [
        ("technical_name", "same", "same"),
        ("model_name", "Same", "Same"),
        ("model_name", "STRASSE", "straße"),
        ("model_name", "ｗｉｄｅ", "wide"),
        ("path", "p/same", "p/same"),
    ],
)
@pytest.mark.parametrize("incumbent", [0, 1])
def test_the_entry_whose_card_is_published_keeps_it(key: str, mine: str, theirs: str, incumbent: int) -> None:
    """Wherever in the file it stands; the problem names the line of the other."""
    entries = [named("a", "p/a") | {key: mine}, named("b", "p/b") | {key: theirs}]
    owner = entries[incumbent]
    cards = published(card(owner["technical_name"], owner["path"], model_name=owner["model_name"]))
    claims = settle(manifest(*entries), cards)
    assert [entry.number for entry in claims.entries] == [incumbent]
    (problem,) = claims.problems
    order = ["status", "technical_name", "model_name", "path"]
    lines = [number * 5 + 2 + order.index(key) for number in (0, 1)]
    assert problem.line == lines[1 - incumbent]
    assert f"line {lines[incumbent]}" in problem.message
    assert problem.remedy


def test_without_a_card_approved_comes_before_proposed_and_earlier_before_later() -> None:
    """The person's word counts more than ours."""
    approved_later = settle(
        manifest(named("x", "a", "proposed"), named("x", "b", model_name="Y")), published()
    )
    assert [entry.path for entry in approved_later.entries] == ["b"]
    both = settle(manifest(named("x", "a"), named("x", "b", model_name="Y")), published())
    assert [entry.path for entry in both.entries] == ["a"]


@pytest.mark.promise(6, "the name of a rejected entry taken by another one")
def test_a_rejected_entry_keeps_its_folder_and_no_name() -> None:
    """Its name is free for others, its folder is not proposed to them."""
    claims = settle(manifest(named("x", "a", "rejected"), named("x", "b")), published())
    assert len(claims.entries) == 2
    assert claims.problems == ()
    same_path = settle(manifest(named("x", "a", "rejected"), named("y", "a")), published())
    assert [entry.technical_name for entry in same_path.entries] == ["y"]


@pytest.mark.promise(6, "a broken entry that wants another's name under NFKC")
def test_a_broken_entry_claims_nothing_but_is_told_of_the_collision() -> None:
    """A full-width letter is no technical name, and besides it is that of another line."""
    claims = settle(manifest(named("Ａ", "p/x", model_name="X"), named("a", "p/y")), published())
    assert [entry.path for entry in claims.entries] == ["p/y"]
    assert any("NFKC and case folding" in problem.message for problem in claims.problems)


def test_entries_that_share_nothing_are_all_in_force() -> None:
    """No collision, no problem."""
    claims = settle(manifest(named("a"), named("b"), named("c", status="proposed")), published())
    assert len(claims.entries) == 3
    assert claims.problems == ()
    assert claims.losers == {}
