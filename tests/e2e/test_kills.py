"""Killed at any moment, the daemon ends where it would have ended undisturbed."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dxwatchd import ModelNotRegistered, StateDirectoryNotFound, list_cards, load_card
from tests.e2e.conftest import Place
from tests.e2e.test_names import drop, tiny_model

ROUNDS, KILLS = 5, 10  # fifty random moments


def _scenario(place: Place) -> None:
    """Everything that a pass can do: propose in batches, register, drift, approve again, miss, remove."""
    for number in range(4):
        drop(place, f"batch/m{number}", number)
    for number in range(4):
        place.proposed(f"batch/m{number}")
    place.edit('status = "proposed"', 'status = "approved"')
    for number in range(4):
        place.registered(f"m{number}")
    with place.manifest.open("a") as file:
        file.write(
            '\n[[models]]\nstatus = "approved"\n'
            'technical_name = "by-hand"\nmodel_name = "By Hand"\npath = "hand"\n'
        )
    drop(place, "hand", 9)
    place.registered("by-hand")
    (place.models / "batch" / "m1").rename(place.folder / "gone")
    place.until(lambda: _availability(place, "m1") == "missing", "m1 missing")
    (place.folder / "gone").rename(place.models / "batch" / "m1")
    place.until(lambda: _availability(place, "m1") == "available", "m1 available")
    tiny_model(place.folder / "other", 77)
    (place.folder / "other" / "model.safetensors").rename(place.models / "batch" / "m2" / "model.safetensors")
    place.until(lambda: _availability(place, "m2") == "drifted", "m2 drifted")
    _remove_entry(place, "m3")
    place.until(lambda: place.card("m3") is None and _availability(place, "m3") is None, "m3 removed")
    drop(place, "last", 5)
    place.proposed("last")


def _availability(place: Place, name: str) -> str | None:
    return next((line["availability"] for line in place.index() if line["technical_name"] == name), None)


def _remove_entry(place: Place, name: str) -> None:
    blocks = place.manifest.read_text().split("\n[[models]]\n")
    kept = [block for block in blocks if f'technical_name = "{name}"' not in block]
    aside = place.manifest.with_suffix(".swp")
    aside.write_text("\n[[models]]\n".join(kept))
    aside.rename(place.manifest)


def _end_state(place: Place) -> dict[str, Any]:
    """All that counts of the state directory; times and generations may differ."""
    place.until(lambda: not (place.state / "append.pending").exists(), "the last append")
    index = json.loads((place.state / "cards" / "index.json").read_bytes())
    events = place.events()
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    return {
        "cards": {
            path.name: path.read_text()
            for path in (place.state / "cards").glob("*.json")
            if path.stem != "index"
        },
        "models": index["models"],
        "tombstones": index["tombstones"],
        "entries": sorted(place.entries(), key=lambda entry: str(entry["path"])),
        "events": sorted((event["event"], event["path"], event.get("revision", 0)) for event in events),
        "leftovers": place.never_ended(),
    }


class _Killer:
    """Kills and restarts a place's daemon at random moments while a scenario goes on."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place = place
        self.random = random.Random(seed)
        self.kills = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._end.wait(self.random.uniform(0.02, 1.4)):
            if self.kills < KILLS:
                self.place.kill()
                self.kills += 1
                self.place.start(wait=False)

    def __enter__(self) -> _Killer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        while self.kills < KILLS and error[0] is None:
            time.sleep(0.05)
        self._end.set()
        self._thread.join()


class _Reader:
    """A consumer who looks all the while. errors: what it saw that was no whole version."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.looks = 0
        self.errors: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._end.wait(0.002):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
                self.errors.append(repr(error))

    def _look(self) -> None:
        with suppress(FileNotFoundError):
            json.loads((self.state / "status.json").read_bytes())
        with suppress(StateDirectoryNotFound):
            for entry in list_cards(state_dir=self.state):
                with suppress(ModelNotRegistered):  # removed since the index was read
                    assert load_card(entry.technical_name, state_dir=self.state).path
        self.looks += 1

    def __enter__(self) -> _Reader:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.promise(
    5, "SIGKILL of a running daemon at random moments, with a reader that polls all the while"
)
def test_fifty_kills_leave_the_end_state_as_it_would_be(tmp_path: Path, tried: Callable[[int], None]) -> None:
    """Five rounds of the scenario with ten SIGKILLs each end like an undisturbed one."""
    undisturbed = _place(tmp_path / "undisturbed")
    undisturbed.start()
    _scenario(undisturbed)
    undisturbed.run("scan", code=None)
    undisturbed.stop()
    wanted = _end_state(undisturbed)
    total = looks = 0
    for seed in range(ROUNDS):
        place = _place(tmp_path / f"round{seed}")
        place.start()
        try:
            with _Reader(place.state) as reader, _Killer(place, seed) as killer:
                _scenario(place)
            assert reader.errors == []
            assert reader.looks > 100
            looks += reader.looks
            place.run("scan", code=None)
            total += killer.kills
        finally:
            if place.process is not None:
                place.stop()
        assert _end_state(place) == wanted, f"seed {seed}"
    print(f"{total} kills, {looks} looks of a reader meanwhile, the same end state each time")
    tried(total)
    assert total == ROUNDS * KILLS


def _place(folder: Path) -> Place:
    folder.mkdir()
    place = Place(folder)
    # whether digests come with a card's first revision or with one of their own is a matter of moments
    place.options |= {"quiet_period": 0.2, "rescan_interval": 0.5, "digests": "off"}
    return place
