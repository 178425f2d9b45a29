"""A running daemon and bytes that change after they were approved, also those that only digests see."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.layouts.making import CONFIG, TOKENIZER, lay, tensors

WEIGHTS = tensors(1, 50_000)
"""1.6 MB: more than is hashed whole for the fingerprint."""
BETWEEN = len(WEIGHTS) // 30
"""Half-way from the first sample to the second."""
FILES = {"config.json": CONFIG, "tokenizer.json": TOKENIZER, "model.safetensors": WEIGHTS}


def flip(file: Path, at: int = BETWEEN) -> None:
    """Change one byte in place."""
    with file.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)
        stream.seek(at)
        stream.write(bytes([byte[0] ^ 1]))


def pinned(place: Place) -> dict[str, Any]:
    """Wait until the card has the digests of what was approved."""

    def told() -> dict[str, Any] | None:
        card = place.card("m")
        return card if card is not None and card["integrity"]["approved_digest"] else None

    return place.until(told, "the digests of what was approved")


def available(place: Place, availability: str) -> dict[str, Any]:
    """Wait until the card says this."""

    def told() -> dict[str, Any] | None:
        card = place.card("m")
        return card if card is not None and card["availability"] == availability else None

    return place.until(told, f"a card that says {availability}")


@pytest.fixture
def weights(place: Place) -> Path:
    """The weights of `m`, registered by a running daemon, its digests known."""
    place.start()
    lay(FILES, place.folder / "aside").rename(place.models / "m")
    place.proposed("m")
    place.run("approve", "m")
    place.registered("m")
    pinned(place)
    return place.models / "m" / "model.safetensors"


def changes(place: Place) -> list[str]:
    """The journal's events of cards, but for digests that became known."""
    events = [event["event"] for event in place.settled_events()]
    return [event for event in events if event not in ("proposed", "digested")]


@pytest.mark.promise(9, "one byte between the samples changed in place, with a daemon running")
def test_one_byte_in_place_is_drift_until_approved_again(place: Place, weights: Path) -> None:
    """The fingerprint is the same, the file is named; approved by command, by hand; then restored."""
    before = weights.stat()
    first = pinned(place)
    flip(weights)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    card = available(place, "drifted")
    assert card["fingerprint"] == first["fingerprint"] == place.entries()[0]["fingerprint"]
    assert card["integrity"]["found_digest"] != card["integrity"]["approved_digest"]
    place.run("scan", code=None)
    (folder,) = place.json("status", code=None)["folders"]
    assert folder["reasons"][0]["told"].startswith("model.safetensors: other bytes")
    place.run("approve", "m")
    card = available(place, "available")
    assert place.entries()[0]["digest"] == card["integrity"]["approved_digest"]
    flip(weights, BETWEEN + 1)
    available(place, "drifted")
    line = f'fingerprint = "{card["fingerprint"]}"\n'
    place.edit(line, "")  # by hand, with the line `digest` forgotten
    available(place, "available")
    again = pinned(place)["integrity"]["approved_digest"]
    flip(weights, BETWEEN + 1)
    available(place, "drifted")
    flip(weights, BETWEEN + 1)
    assert available(place, "available")["integrity"]["approved_digest"] == again
    assert changes(place) == [
        "registered",
        *("drifted", "approved_again"),
        *("drifted", "approved_again"),
        *("drifted", "restored"),
    ]


@pytest.mark.promise(9, "bytes changed and digests lost while the daemon is down")
def test_changed_while_it_was_down_and_the_digests_deleted(place: Place, weights: Path) -> None:
    """Found at the next start; a restart without any digests does not forget it."""
    place.stop()
    flip(weights)
    place.start()
    available(place, "drifted")
    place.kill()
    for kept in place.state.glob("*.db*"):
        kept.unlink()
    place.options["digests"] = "off"
    place.start()
    assert available(place, "drifted")["integrity"]["found_digest"]
    place.run("approve", "m")
    available(place, "available")
    assert changes(place) == ["registered", "drifted", "approved_again"]


@pytest.mark.promise(9, "touched, replaced by an equal copy, README edited: nothing is to happen")
def test_equal_bytes_are_no_event(place: Place, weights: Path) -> None:
    """Read again, found equal: the card is not written anew."""
    revision = pinned(place)["revision"]
    os.utime(weights)
    aside = place.folder / "copy"
    aside.write_bytes(WEIGHTS)
    aside.rename(weights)

    def read_again() -> bool:
        status = json.loads((place.state / "status.json").read_text())
        digests: dict[str, int] = (place.folder_state("m") or {}).get("digests") or {"pending": 1}
        return status["digests"]["files_left"] == 0 and not digests["pending"]

    place.run("scan")
    place.until(read_again, "the digests of the copy")
    place.run("scan")
    card = place.card("m")
    assert card is not None
    assert (card["revision"], card["availability"]) == (revision, "available")
