"""Errors of disks and servers, one at a time: on the models root, and on the state directory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import Place
from tests.e2e.test_names import tiny_model
from tests.faults.mounting import FaultyFs, Mounts, rule
from tests.faults.test_full_disks import approved, whole
from tests.layouts.making import config, lay, sharded

pytestmark = [pytest.mark.xdist_group("mounts"), pytest.mark.usefixtures("without_digests")]

ALWAYS: Final = {"quiet_period": 0, "remote_quiet_period": 0.1, "rescan_interval": 0.5}


@pytest.fixture
def models(place: Place, mounts: Mounts) -> Iterator[FaultyFs]:
    """A models root that can be told to misbehave, with a good model and a bad one, both registered."""
    source = place.folder / "source"
    tiny_model(source / "good", 1)
    lay({"config.json": config(), **sharded(2), "unet/config.json": config(say="unet")}, source / "bad")
    made = mounts.faulty("faulty", source)
    place.models = made.point
    place.options |= ALWAYS
    place.start()
    place.proposed("good")
    place.proposed("bad")
    text = place.manifest.read_text()
    place.manifest.write_text(approved(approved(text, "good"), "bad"))
    place.registered("good")
    place.registered("bad")
    yield made
    made.set()
    place.kill()


def state(place: Place, path: str) -> str:
    """The state that the last pass gave a folder."""
    found = place.folder_state(path)
    return str(found["state"]) if found is not None else "none"


def events(place: Place) -> Counter[tuple[str, str]]:
    """What was decided so far."""
    return Counter((event["event"], event["path"]) for event in place.events())


FAULTS: Final[dict[str, list[dict[str, object]]]] = {
    "EIO at the header of a shard": [rule("read", path="/bad/model-00001*", errno="EIO")],
    "EIO at the config": [rule("read", path="/bad/config.json", errno="EIO")],
    "EIO at the list of weights": [rule("read", path="/bad/*.index.json", errno="EIO")],
    "EACCES at the open": [rule("open", path="/bad/*", errno="EACCES")],
    "EIO when it is listed": [rule("readdir", path="/bad", errno="EIO")],
    "EIO when a part is listed": [rule("readdir", path="/bad/unet", errno="EIO")],
    "EACCES when it is entered": [rule("getattr", path="/bad/*", errno="EACCES")],
    "EIO when it is looked at": [rule("getattr", path="/bad", errno="EIO")],
    "ESTALE everywhere in it": [rule("getattr", "open", "read", "readdir", path="/bad*", errno="ESTALE")],
    "ENOENT between listing and look": [rule("getattr", path="/bad/model-00002*", errno="ENOENT")],
    "ENOENT between look and open": [rule("open", path="/bad/model-00002*", errno="ENOENT")],
    "an end before the end": [rule("read", path="/bad/model-0000*", until=5)],
}


def _awaited(place: Place, wanted: str, what: str) -> None:
    place.until(lambda: state(place, "bad") == wanted, f"{wanted}: {what}")


@pytest.mark.promise(7, "a folder fails with EIO, EACCES, ENOENT, ESTALE or ends too early, in twelve ways")
@pytest.mark.promise(9, "a folder fails with EIO, EACCES, ENOENT, ESTALE or ends too early, in twelve ways")
@pytest.mark.timeout(400)
def test_what_cannot_be_read_keeps_its_card_and_stops_no_other(
    place: Place, models: FaultyFs, tried: Callable[[int], None]
) -> None:
    """It says so, nothing is decided about it, others go on, and it recovers by itself."""
    before = events(place)
    cards = {name: place.card(name) for name in ("good", "bad")}
    for number, (fault, rules) in enumerate(FAULTS.items()):
        models.set(*rules)
        (models.source / "bad" / "config.json").touch()  # nothing that is remembered holds any more
        (models.source / "bad" / "model-00001-of-00002.safetensors").touch()
        (models.source / "bad" / "model-00002-of-00002.safetensors").touch()
        (models.source / "bad" / "model.safetensors.index.json").touch()
        wanted = "copying" if fault == "ENOENT between look and open" else "unreadable"
        _awaited(place, wanted, fault)
        tiny_model(models.source / f"new{number}", 10 + number)
        place.proposed(f"new{number}")
        assert {name: place.card(name) for name in cards} == cards, fault
        assert state(place, "good") == "registered", fault
        reason = place.folder_state("bad")["reasons"][0]["told"]  # type: ignore[index]  # it was just there
        assert reason, fault
        assert models.set()[0] > 0, fault
        _awaited(place, "registered", f"the end of {fault}")
    assert events(place) - before == Counter(("proposed", f"new{number}") for number in range(len(FAULTS)))
    assert "Traceback" not in place.log.read_text()
    tried(len(FAULTS))


@pytest.mark.promise(2, "reads are interrupted, short or slow, or fail now and then")
def test_what_passes_by_itself_is_not_noticed(
    place: Place, models: FaultyFs, tried: Callable[[int], None]
) -> None:
    """EINTR is tried again, short reads are put together, slow ones awaited, single errors outlived."""
    before = events(place)
    cases = (
        rule("read", "open", errno="EINTR", times=3),
        rule("read", path="*.safetensors", most=3),
        rule("getattr", "read", "readdir", path="/new2*", delay=0.1),
        rule("read", path="/new3/*", errno="EIO", times=2),
        rule("open", "getattr", path="/new4/*", errno="EIO", times=3),
    )
    for number, case in enumerate(cases):
        models.set(case)
        tiny_model(models.source / f"new{number}", 10 + number)
        place.proposed(f"new{number}")
        assert models.counts()[0] > 0
    models.set()
    assert events(place) - before == Counter(("proposed", f"new{number}") for number in range(len(cases)))
    tried(len(cases))


@pytest.mark.promise(9, "a shard fails just when its card is made, after it was judged whole")
@pytest.mark.parametrize("what", ["proposal", "card"])
def test_no_card_is_made_from_half_a_model(place: Place, models: FaultyFs, what: str) -> None:
    """An error between the look and the card makes no poor card and no proposal: both wait."""
    good = place.card("good")
    assert good is not None
    assert good["parameters"]["total"]
    tiny_model(models.source / "late", 3)
    text = ""
    if what == "card":
        place.proposed("late")
        text = place.manifest.read_text()
    # the look reads the header once; what comes after that fails
    rules = [rule("read", path="/late/model.safetensors", errno="EIO", skip=0 if what == "card" else 1)]
    models.set(*rules)
    if what == "card":
        place.manifest.write_text(approved(text, "late"))
    else:
        (models.source / "late" / "model.safetensors").touch()
    place.until(lambda: state(place, "late") == "unreadable", "`unreadable`")
    assert place.card("late") is None
    models.set()
    if what == "proposal":
        place.proposed("late")
        place.manifest.write_text(approved(place.manifest.read_text(), "late"))
    made = place.registered("late")
    assert made["parameters"]["total"] == good["parameters"]["total"]
    assert not made["warnings"]


STATE_FAULTS: Final[dict[str, dict[str, object]]] = {
    "EIO when a card is written": rule("write", path="/cards/*", errno="EIO", times=2),
    "EIO when a card is synced": rule("fsync", path="/cards/*", errno="EIO", times=2),
    "EIO when a card is put in place": rule("rename", path="/cards/*", errno="EIO", times=2),
    "EIO when the folder of cards is synced": rule("fsyncdir", path="/cards", errno="EIO", times=2),
    "EIO when the journal is written": rule("write", path="/events.jsonl", errno="EIO", times=2),
    "EIO when the journal is synced": rule("fsync", path="/events.jsonl", errno="EIO", times=2),
    "EIO when the journal is synced and cut back": rule(
        "fsync", "truncate", path="/events.jsonl", errno="EIO", times=4
    ),
    "EIO when the manifest is appended to": rule("write", path="/manifest.toml", errno="EIO", times=2),
    "EIO when the manifest is synced": rule("fsync", path="/manifest.toml", errno="EIO", times=2),
    "EIO when the announcement is removed": rule("unlink", path="/append.pending", errno="EIO", times=2),
    "EIO when the status is put in place": rule("rename", path="/status.json", errno="EIO", times=2),
    "EROFS everywhere": rule("create", "rename", "unlink", "write", errno="EROFS", times=20),
    "EDQUOT everywhere": rule("write", "create", errno="EDQUOT", times=12),
}


@pytest.mark.promise(5, "writes, syncs, renames and removals in the state directory fail, in 13 ways")
@pytest.mark.promise(2, "writes, syncs, renames and removals in the state directory fail, in 13 ways")
@pytest.mark.timeout(400)
def test_the_state_directory_fails_for_a_while(
    place: Place, mounts: Mounts, tried: Callable[[int], None]
) -> None:
    """What failed does not count as written: it is done again, and each decision is journalled once."""
    source = place.folder / "source"
    source.mkdir()
    faulty = mounts.faulty("faulty", source)
    place.state = faulty.point / "state"
    (source / "state").mkdir()
    place.manifest = place.state / "manifest.toml"
    place.options |= ALWAYS
    place.start()
    wanted: Counter[tuple[str, str]] = Counter()
    try:
        for number, (fault, one) in enumerate(STATE_FAULTS.items()):
            path = f"m{number}"
            faulty.set({**one, "path": f"/state{one.get('path', '/*')}"})
            tiny_model(place.folder / "aside" / path, number)
            (place.folder / "aside" / path).rename(place.models / path)
            place.proposed(path)
            place.until(lambda: not (source / "state" / "append.pending").exists(), f"the append: {fault}")
            _approve(source / "state" / "manifest.toml", path)
            place.registered(path)
            wanted += Counter([("proposed", path), ("registered", path)])
            _settled(place)
            assert faulty.set()[0] > 0, fault
            whole(place)
            assert events(place) == wanted, fault
            assert {line["path"] for line in place.index()} == {f"m{n}" for n in range(number + 1)}, fault
            assert place.never_ended() == [], fault
        assert "Traceback" not in place.log.read_text()
    finally:
        faulty.set()
        place.kill()
    tried(len(STATE_FAULTS))


def _approve(manifest: Path, path: str) -> None:
    aside = manifest.with_name("aside")
    aside.write_text(approved(manifest.read_text(), path))
    aside.rename(manifest)


def _settled(place: Place) -> None:
    """Wait until a pass has written everything."""

    def all_well() -> bool:
        text = place.passes()
        return bool(text) and not json.loads(text)["trouble"]

    place.until(all_well, "the end of the trouble")
