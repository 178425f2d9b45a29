"""Which registered model a stated name means, and which cards are to say so anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.lineage import Registry, resolved
from dxwatchd.core.naming import canonical
from dxwatchd.core.publishers import published_as
from dxwatchd.core.records import UNRESOLVED, Availability, Base, CardRecord, Change
from dxwatchd.core.revisions import CardChange, next_revision
from tests.core.making import adapter, card, only, published

CACHED = "models--Qwen--Qwen3-8B/snapshots/0123456789abcdef0123456789abcdef01234567"


def registry(*places: str | tuple[str, str]) -> Registry:
    """Models m0, m1, … at these paths, with a model name where one is given."""
    given_names = [
        place if isinstance(place, tuple) else (place, f"Model {n}") for n, place in enumerate(places)
    ]
    return Registry(card(f"m{n}", path, model_name=name) for n, (path, name) in enumerate(given_names))


@pytest.mark.parametrize(
    ("name", "places", "found"),
    [
        # the whole id, in whatever spelling
        ("Qwen/Qwen3-8B", ["Qwen/Qwen3-8B", "other"], ["m0"]),
        ("Qwen/Qwen3-8B", ["mirror/hf/qwen/QWEN3-8b"], ["m0"]),
        ("Qwen/Qwen3-8B", [CACHED], ["m0"]),
        ("Qwen/Qwen2.5-7B", ["Qwen/Qwen2___5-7B"], ["m0"]),
        ("Qwen/Qwen3-8B", [("x/y", "Qwen/Qwen3-8B")], ["m0"]),
        ("Qwen/Qwen3-8B", [("Qwen/final", "Qwen3-8B")], ["m0"]),
        # no publisher is known of the registered one
        ("Qwen/Qwen3-8B", ["Qwen3-8B"], ["m0"]),
        ("Qwen/Qwen3-8B", ["models/Qwen3-8B"], ["m0"]),
        ("Qwen/Qwen3-8B", [("folder", "qwen3-8b")], ["m0"]),
        # another publisher's is another model
        ("Qwen/Qwen3-8B", ["unsloth/Qwen3-8B"], []),
        ("Qwen/Qwen3-8B", ["models--unsloth--Qwen3-8B"], []),
        ("Qwen/Qwen3-8B", [("x", "unsloth/Qwen3-8B")], []),
        ("Qwen/Qwen3-8B", [("unsloth/x", "Qwen3-8B")], []),
        # the better evidence counts alone
        ("Qwen/Qwen3-8B", ["Qwen3-8B", "Qwen/Qwen3-8B"], ["m1"]),
        # several of equal evidence
        ("Qwen/Qwen3-8B", ["a/Qwen/Qwen3-8B", "b/Qwen/Qwen3-8B"], ["m0", "m1"]),
        ("Qwen3-8B", ["Qwen/Qwen3-8B", "unsloth/Qwen3-8B"], ["m0", "m1"]),
        # a mere name
        ("Qwen3-8B", ["Qwen/Qwen3-8B"], ["m0"]),
        ("Ｑｗｅｎ３-8b", ["Qwen/Qwen3-8B"], ["m0"]),
        ("Qwen3-8B", [("org/x", "QWEN3-8B")], ["m0"]),
        ("Qwen3-8B", ["Qwen3-8B-Base", "Qwen3-8B/gguf"], []),
        ("m0", ["a"], []),  # a folder does not know our technical names
    ],
)
def test_what_a_folder_states(name: str, places: list[str], found: list[str]) -> None:
    """A hub id, its last part or a mere name; publishers that differ never match."""
    assert list(registry(*places).candidates(Base(name), "other")) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("m1", ["m1"]),
        ("Model 1", ["m1"]),
        ("model 1", ["m1"]),
        ("Qwen/Qwen3-8B", ["m0"]),
        ("Qwen3-8B", ["m2"]),  # a model name before a folder's
        ("other", []),
    ],
)
def test_what_a_person_states(name: str, found: list[str]) -> None:
    """A technical name first, then a model name, then as a folder would state it."""
    known = registry("Qwen/Qwen3-8B", "x/y", ("z", "Qwen3-8B"))
    assert list(known.candidates(Base(name, by_person=True), "other")) == found


def test_a_model_is_never_its_own_base() -> None:
    """Neither by its folder's word nor by a person's."""
    known = registry("Qwen/Qwen3-8B")
    for base in (Base("Qwen/Qwen3-8B"), Base("m0", by_person=True)):
        assert known.candidates(base, "m0") == ()


def test_what_was_made_from_the_base_is_not_the_base() -> None:
    """A quantised copy under the same name is not what it was made from, unless a person says so."""
    copy = card("copy", "Qwen3-8B", bases=(Base("Qwen/Qwen3-8B"),))
    known = Registry([copy])
    assert known.candidates(Base("Qwen3-8B"), "adapter") == ()
    assert known.candidates(Base("Qwen3-8B", by_person=True), "adapter") == ("copy",)
    known.add(card("base", "Qwen/Qwen3-8B"))
    assert known.candidates(Base("Qwen3-8B"), "adapter") == ("base",)
    assert known.candidates(Base("Qwen/Qwen3-8B"), "copy") == ("base",)


def test_a_card_taken_up_again_stands_in_place_of_the_earlier() -> None:
    """After a move or a rename only the new names count."""
    known = registry("old/place")
    known.add(card("m0", "now/place", model_name="New"))
    assert known.candidates(Base("old/place"), "x") == ()
    assert known.candidates(Base("now/place"), "x") == ("m0",)


NAMES = st.sampled_from(["a", "A", "b", "p/a", "P/A", "q/a", "q/b", "t0", "t1", "ａ", "M0"])
PATHS = st.sampled_from(["a", "b", "p/a", "q/a", "x/p/A", "models/a", "models--p--a", "q/b"])


@given(st.lists(PATHS, max_size=5), NAMES, st.booleans())
def test_the_order_of_registration_does_not_matter(paths: list[str], name: str, by_person: bool) -> None:
    """What is found are registered names, each once, the same in any order of the cards."""
    cards = [card(f"t{n}", path, model_name=f"M{n}") for n, path in enumerate(paths)]
    base = Base(name, by_person=by_person)
    found = Registry(cards).candidates(base, "t0")
    turned = Registry(reversed(cards)).candidates(base, "t0")
    assert set(found) == set(turned)
    assert len(found) == len(set(found))
    assert set(found) <= {one.technical_name for one in cards} - {"t0"}


@given(st.lists(PATHS, max_size=6), st.lists(st.tuples(st.integers(0, 5), NAMES), max_size=6))
def test_once_resolved_nothing_is_left_to_resolve(paths: list[str], stated: list[tuple[int, str]]) -> None:
    """Whoever names whom, in circles too: one revision each, and then silence."""
    cards = [card(f"t{n}", path) for n, path in enumerate(paths)]
    for number, name in stated:
        if number < len(cards):
            bases = (*cards[number].bases, Base(name))
            cards[number] = replace(cards[number], bases=bases)
    by_name = {one.technical_name: one for one in cards}
    for change in resolved(published(*cards)):
        assert (change.change, change.model, change.record.revision) == (Change.RESOLVED, None, 2)
        by_name[change.record.technical_name] = change.record
    assert resolved(published(*by_name.values())) == ()
    for one in by_name.values():
        assert all(base.technical_name != one.technical_name for base in one.bases)


def _lora(technical_name: str = UNRESOLVED) -> CardRecord:
    return card("lora", bases=(Base("org/base", technical_name),))


def test_a_base_that_comes_is_renamed_and_goes() -> None:
    """Each time one revision of what was made from it, content kept."""
    (came,) = resolved(published(_lora(), card("b", "org/base")))
    assert came.record == replace(_lora("b"), revision=2)
    assert resolved(published(came.record, card("b", "org/base"))) == ()
    (renamed,) = resolved(published(came.record, card("b2", "org/base")))
    assert renamed.record.bases == (Base("org/base", "b2"),)
    (gone,) = resolved(published(renamed.record))
    assert gone.record.bases == _lora().bases
    assert gone.record.revision == 4


def test_another_change_of_the_card_takes_the_new_base_along() -> None:
    """One revision says both, by the graver word; what is read from its folder is resolved there."""
    seen = published(_lora(), card("b", "org/base"))
    missing = next_revision(replace(_lora(), availability=Availability.MISSING), _lora())
    (both,) = resolved(seen, (CardChange(missing, Change.MISSING, None),))
    assert both.change is Change.MISSING
    assert both.record == replace(missing, bases=(Base("org/base", "b"),))
    model, _ = only({"m": adapter()})
    read = CardChange(missing, Change.RESTORED, model)
    assert resolved(seen, (read,)) == (read,)


def test_cards_without_bases_cost_nothing() -> None:
    """The plan is what it was."""
    change = CardChange(card("a"), Change.REGISTERED, None)
    assert resolved(published(card("a"), card("b")), (change,)) == (change,)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Qwen3-8B", ("", "Qwen3-8B")),
        ("Qwen/Qwen3-8B", ("Qwen", "Qwen3-8B")),
        ("a/b/Qwen/Qwen3-8B", ("Qwen", "Qwen3-8B")),
        ("models/Qwen3-8B", ("", "Qwen3-8B")),
        (CACHED, ("Qwen", "Qwen3-8B")),
        ("models--gpt2/snapshots/" + "0" * 40, ("", "gpt2")),
        ("models--Qwen--Qwen3-8B", ("Qwen", "Qwen3-8B")),
        ("Qwen/Qwen2___5-7B", ("Qwen", "Qwen2.5-7B")),
    ],
)
def test_publisher_and_name_of_a_path(path: str, expected: tuple[str, str]) -> None:
    """From the two last folders, or from the folder of a cache; a generic folder is no publisher."""
    assert published_as(path) == expected


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_to_a_canonical_form_is_the_long_one(name: str) -> None:
    """Plain ASCII is lower-cased and nothing else: as if something that is not ASCII stood behind it."""
    assert canonical(name) + "é" == canonical(name + "é")
