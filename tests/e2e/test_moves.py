"""A running daemon and folders that are moved: while it looks, and while it is down."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.conftest import Place
from tests.e2e.test_names import drop

pytestmark = pytest.mark.usefixtures("without_digests")

MANY = 20


def registered(place: Place, *paths: str) -> list[str]:
    """Models at these paths, approved; their technical names."""
    for number, path in enumerate(paths):
        drop(place, path, number)
    names = [place.proposed(path)["technical_name"] for path in paths]
    place.stop()
    place.manifest.write_text(place.manifest.read_text().replace('"proposed"', '"approved"'))
    place.start()
    for name in names:
        place.registered(name)
    return names


def moved(place: Place, count: int) -> list[dict[str, object]]:
    """Wait for that many moves; after one more pass, all that there are."""

    def told() -> list[dict[str, object]]:
        found = [event for event in place.events() if event["event"] == "moved"]
        return found if len(found) >= count else []

    place.until(told, f"{count} moves")
    place.run("scan", code=None)
    return told()


@pytest.mark.promise(
    2, "a publisher's folder of twenty models renamed under a running daemon, and while down"
)
def test_a_publisher_renamed_live_and_while_it_was_down(place: Place) -> None:
    """One event each time for each model, the same names, the next revision; then confirmed."""
    place.start()
    names = registered(place, *(f"org/m-{number}b" for number in range(1, MANY + 1)))
    (place.models / "org").rename(place.models / "other")
    assert len(moved(place, MANY)) == MANY
    place.kill()
    (place.models / "other").rename(place.models / "third")
    place.start()
    events = moved(place, 2 * MANY)
    assert len(events) == 2 * MANY
    assert sorted(str(event["technical_name"]) for event in events) == sorted(2 * names)
    for number, name in enumerate(names, 1):
        card = place.card(name)
        assert card is not None
        assert (card["path"], card["entry_path"]) == (f"third/m-{number}b", f"org/m-{number}b")
        assert (card["revision"], card["availability"]) == (3, "available")
    place.run("approve", names[0])
    assert place.entry("third/m-1b") is not None
    assert {event["event"] for event in place.settled_events()} == {"proposed", "registered", "moved"}
    assert len(place.entries()) == MANY


@pytest.mark.promise(2, "copied, proposed, then the original deleted, under a running daemon")
def test_copied_and_then_deleted(place: Place) -> None:
    """Two copies: asked with both paths; one of them gone: followed, and confirmed by the command."""
    place.start()
    (name,) = registered(place, "here")
    for copy in ("x", "y"):
        shutil.copytree(place.models / "here", place.models / copy)
        place.proposed(copy)
    shutil.rmtree(place.models / "here")
    place.until(lambda: (place.card(name) or {})["availability"] == "missing", "a card that says missing")
    place.run("scan", code=None)
    told = place.json("status", code=None)["folders"]
    (here,) = [one for one in told if one["path"] == "here"]
    assert "the same content lies in x, y" in " ".join(reason["told"] for reason in here["reasons"])
    shutil.rmtree(place.models / "x")
    place.until(lambda: (place.card(name) or {})["path"] == "y", "a card that has followed")
    place.run("approve", name)
    entry = place.entry("y")
    assert entry is not None
    assert (entry["technical_name"], entry["status"]) == (name, "approved")
    card = place.card(name)
    assert card is not None
    assert (card["path"], card["entry_path"], card["availability"]) == ("y", "y", "available")
