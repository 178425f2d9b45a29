"""The models root is lost in every way we know, below passes over real folders: nothing goes by it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
import structlog

from tests.guarding import Guarded, entry, guarded, mounted, unmount

__all__ = ["guarded"]

NAMES = ("a", "b", "c", "big/d", "big/e")
KEYS = {name: name.replace("/", "-") for name in NAMES}


@contextmanager
def emptied_in_place(place: Guarded) -> Iterator[None]:
    """All that is in it is moved away; the folder is the same."""
    aside = place.folder / "aside"
    aside.mkdir()
    for inner in list(place.models.iterdir()):
        inner.rename(aside / inner.name)
    yield
    for inner in aside.iterdir():
        inner.rename(place.models / inner.name)


@contextmanager
def replaced_by(place: Guarded, make: Callable[[Path], object]) -> Iterator[None]:
    """The root is moved away and something else lies there."""
    aside = place.folder / "aside"
    place.models.rename(aside)
    make(place.models)
    yield
    if place.models.is_symlink() or place.models.is_file():
        place.models.unlink()
    elif place.models.exists():
        shutil.rmtree(place.models)
    aside.rename(place.models)


def _wrong(folder: Path) -> None:
    """A folder with models of its own, one under the path of a known one."""
    other = Guarded.__new__(Guarded)
    other.models = folder
    other.put("other/x", 77)
    other.put("other/y", 78)


def _linked(root: Path, fill: Callable[[Path], object]) -> None:
    target = root.parent / "elsewhere"
    if not target.exists():
        target.mkdir()
        fill(target)
    root.symlink_to(target)


@contextmanager
def mounted_over(place: Guarded, fill: Callable[[Path], object] = lambda root: None) -> Iterator[None]:
    """Another file system is mounted over the root."""
    with mounted(place.models):
        fill(place.models)
        yield


@contextmanager
def most_deleted(place: Guarded) -> Iterator[None]:
    """Three of five models."""
    aside = place.folder / "aside"
    aside.mkdir()
    for name in ("a", "b", "c"):
        (place.models / name).rename(aside / name)
    yield
    for name in ("a", "b", "c"):
        (aside / name).rename(place.models / name)


FAULTS: dict[str, Callable[[Guarded], AbstractContextManager[None]]] = {
    "emptied in place": emptied_in_place,
    "gone": lambda place: replaced_by(place, lambda _: None),
    "deleted and made again, empty": lambda place: replaced_by(place, Path.mkdir),
    "made again with lost+found alone": lambda place: replaced_by(
        place, lambda root: (root / "lost+found").mkdir(parents=True)
    ),
    "a file in its place": lambda place: replaced_by(place, lambda root: root.write_text("oops")),
    "a link to nothing in its place": lambda place: replaced_by(
        place, lambda root: root.symlink_to("nowhere")
    ),
    "a link to itself in its place": lambda place: replaced_by(place, lambda root: root.symlink_to(root)),
    "a link to an empty folder in its place": lambda place: replaced_by(
        place, lambda root: _linked(root, lambda _: None)
    ),
    "a link to a folder of other models in its place": lambda place: replaced_by(
        place, lambda root: _linked(root, _wrong)
    ),
    "a folder of other models in its place": lambda place: replaced_by(place, _wrong),
    "an empty file system mounted over it": mounted_over,
    "the wrong file system mounted over it": lambda place: mounted_over(place, _wrong),
    "three of its five models deleted at once": most_deleted,
}


def _names(place: Guarded, seen: Callable[[Path], bool]) -> dict[str, str]:
    """What each card should say."""
    return {KEYS[name]: "available" if seen(place.models / name) else "missing" for name in NAMES}


def _entries(*left_out: str) -> list[str]:
    return [entry(KEYS[name], path=name) for name in NAMES if KEYS[name] not in left_out]


def _start(place: Guarded) -> None:
    for seed, name in enumerate(NAMES):
        place.put(name, seed)
    place.write(_entries())
    place.settle()
    assert place.availability() == dict.fromkeys(KEYS.values(), "available")


def _is_there(folder: Path) -> bool:
    return (folder / "config.json").exists()


@pytest.mark.promise(8, "the models root lost, emptied, replaced or mounted over, then back")
@pytest.mark.parametrize("was_down", [False, True], ids=["seen", "while down"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_root_withdraws_nothing_and_comes_back(
    guarded: Guarded, fault: str, was_down: bool, tried: Callable[[int], None]
) -> None:
    """Also an entry that a person removed meanwhile keeps its card until it is over; told once, also after a
    restart; nothing is proposed from what lies there; and once it is back all is as before, unasked.
    """
    _start(guarded)
    if was_down:
        guarded.restart()
    with structlog.testing.capture_logs() as logs, ExitStack() as undo:
        undo.enter_context(FAULTS[fault](guarded))
        guarded.write(_entries("c"))
        happened = guarded.settle()
        assert {event["event"] for event in happened} <= {"missing"}
        assert guarded.availability() == _names(guarded, _is_there)
        assert guarded.held() in (["root_lost"], ["root_doubted"])
        assert "`dxwatchd scan --accept-removals`" in guarded.told()
        assert guarded.settle() == []
        assert sum(log["event"] == "needs attention" for log in logs) == 1
        text = guarded.told()
        guarded.restart()
        assert guarded.settle() == []
        assert guarded.told() == text
        assert guarded.manifest.read_text() == "# mine\n" + "".join(_entries("c"))
    with structlog.testing.capture_logs() as logs:
        happened = guarded.settle()
    assert {event["event"] for event in happened} <= {"restored", "removed", "proposed"}
    assert [event["technical_name"] for event in happened if event["event"] == "removed"] == ["c"]
    left = {KEYS[name]: "available" for name in NAMES if name != "c"}
    assert guarded.availability() == left
    assert guarded.held() == []
    assert sum(log["event"] == "no longer so" for log in logs) == 1
    tried(len(NAMES))


@pytest.mark.promise(8, "a person confirms that what is gone from the root is gone")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_confirmed_loss_is_no_alarm_any_more(guarded: Guarded, fault: str) -> None:
    """The removed entry's card goes, the other entries and cards stay, the journal says what was confirmed,
    and the next loss is looked at anew.
    """
    _start(guarded)
    with FAULTS[fault](guarded):
        guarded.write(_entries("c"))
        guarded.settle()
        lost = guarded.held() == ["root_lost"]
        missing = {name for name, word in guarded.availability().items() if word == "missing"}
        happened = guarded.settle(accept=True)
        (accepted,) = [event for event in guarded.events() if event["event"] == "removals_accepted"]
        assert set(accepted["missing"]) | {"c"} == missing
        assert accepted in [{**accepted, **event} for event in happened]
        assert [event["technical_name"] for event in happened if event["event"] == "removed"] == ["c"]
        assert guarded.availability() == {
            name: word for name, word in _names(guarded, _is_there).items() if name != "c"
        }
        assert guarded.held() == (["root_lost"] if lost else [])  # a root that is not there is never well
        guarded.restart()
        assert [event for event in guarded.settle(accept=True) if event["event"] == "removals_accepted"] == []
        assert guarded.held() == (["root_lost"] if lost else [])
    guarded.settle()
    assert guarded.held() == []
    assert set(guarded.availability().values()) == {"available"}


@pytest.mark.promise(8, "another root with every model in it takes the place of the known one")
@pytest.mark.parametrize("how", ["copied to another folder", "copied to another file system"])
def test_a_root_that_has_everything_is_taken_over(guarded: Guarded, how: str) -> None:
    """No alarm, no event; it is said once."""
    _start(guarded)
    guarded.models.rename(guarded.folder / "old")
    with ExitStack() as undo, structlog.testing.capture_logs() as logs:
        guarded.models.mkdir()
        if how.endswith("file system"):
            undo.enter_context(mounted(guarded.models))
        shutil.copytree(guarded.folder / "old", guarded.models, dirs_exist_ok=True)
        assert guarded.settle() == []
        guarded.restart()
        assert guarded.settle() == []
        assert guarded.held() == []
        assert [log["reason"] for log in logs if log["event"] == "models root taken over"] == [
            f"another {how.split('another ')[1]} lies at the models root, with every model in it"
        ]
        shutil.rmtree(guarded.models / "a")
        guarded.settle()
        assert guarded.held() == []  # this one is the known one now


@pytest.mark.promise(8, "the wrong disk: its folders are neither proposed nor taken for moved models")
def test_nothing_is_taken_from_the_wrong_root(guarded: Guarded) -> None:
    """Folders there say why they wait, and an entry that waits for its folder does not get this one. Once a
    person confirms, they are like any others.
    """
    _start(guarded)
    guarded.write([*_entries(), entry("awaited", path="other/y")])
    with mounted(guarded.models):
        _wrong(guarded.models)
        guarded.put("copy-of-a", 0)
        guarded.put("b", 1)
        assert {event["event"] for event in guarded.settle()} == {"missing"}
        states = {folder["path"]: folder for folder in guarded.status()["folders"]}
        assert states["b"]["state"] == "registered"
        for path in ("other/x", "other/y", "copy-of-a"):
            assert states[path]["state"] == "copying", path
            assert [one["kind"] for one in states[path]["reasons"]] == ["root_doubted"]
        happened = guarded.settle(accept=True)
        assert {event["event"]: event["path"] for event in happened if "path" in event} == {
            "proposed": "other/x",
            "registered": "other/y",
            "moved": "copy-of-a",
        }


@pytest.mark.promise(2, "models copied into a root that was emptied are proposed while its loss is held")
def test_a_root_that_was_emptied_goes_on_working(guarded: Guarded) -> None:
    """The root is the known one: only withdrawals wait."""
    _start(guarded)
    guarded.empty(guarded.models)
    guarded.settle()
    assert guarded.held() == ["root_doubted"]
    guarded.put("new", 50)
    assert [(event["event"], event["path"]) for event in guarded.settle()] == [("proposed", "new")]
    assert guarded.held() == ["root_doubted"]


@pytest.mark.promise(8, "a file system below the root is unmounted, with a few of many models")
def test_an_unmounted_nested_file_system_is_named(guarded: Guarded) -> None:
    """Two of eight models: no mass loss by number, and yet held, by name, until it is mounted again."""
    nested = guarded.models / "big"
    nested.mkdir()
    with mounted(nested):
        for seed, name in enumerate(("big/x", "big/y", "s", "t", "u", "v", "w", "z")):
            guarded.put(name, seed)
        names = {"x": "big/x", "y": "big/y"} | {name: name for name in "stuvwz"}
        guarded.write([entry(name, path=path) for name, path in names.items()])
        guarded.settle()
        kept = guarded.folder / "kept"
        shutil.copytree(nested, kept)
        unmount(nested)
        guarded.write([entry(name, path=path) for name, path in names.items() if name != "y"])
        guarded.restart()
        assert [event["event"] for event in guarded.settle()] == ["missing", "missing"]
        assert "big is not the file system that it was, and 2 models are gone from it" in guarded.told()
        guarded.put("new", 60)
        assert [event["event"] for event in guarded.settle()] == ["proposed"]
        with mounted(nested):
            shutil.copytree(kept, nested, dirs_exist_ok=True)
            events = [(event["event"], event["technical_name"]) for event in guarded.settle()]
            assert ("restored", "x") in events
            assert ("removed", "y") in events
            assert guarded.held() == []
            assert guarded.availability()["x"] == "available"


@pytest.mark.promise(8, "a mount that comes and goes all the time")
def test_a_flapping_mount_writes_one_event_for_each_change(
    guarded: Guarded, tried: Callable[[int], None]
) -> None:
    """Nothing is said or written by the passes in between, and nothing is ever withdrawn."""
    _start(guarded)
    before = len(guarded.events())
    times = 10
    with structlog.testing.capture_logs() as logs:
        for number in range(times):
            with mounted(guarded.models):
                guarded.settle()
                guarded.settle()
                if number % 4 == 0:
                    guarded.restart()
                assert set(guarded.availability().values()) == {"missing"}
            guarded.settle()
            guarded.settle()
            assert set(guarded.availability().values()) == {"available"}
            assert guarded.held() == []
    events = guarded.events()[before:]
    assert [event["event"] for event in events] == (["missing"] * 5 + ["restored"] * 5) * times
    restarts = len(range(0, times, 4))
    assert sum(log["event"] == "needs attention" for log in logs) == times
    assert sum(log["event"] == "no longer so" for log in logs) == times - restarts
    tried(times)


@pytest.mark.promise(8, "the memory of the root is lost while it is unmounted")
def test_without_memory_a_loss_is_held_as_if_it_were_the_first(guarded: Guarded) -> None:
    """Also one that had been confirmed: losing the file costs a second word, and no card."""
    _start(guarded)
    shutil.rmtree(guarded.models)
    guarded.models.mkdir()
    guarded.settle(accept=True)
    assert guarded.held() == []
    guarded.restart()
    (guarded.state / "guards.json").write_text("{torn")
    guarded.settle()
    assert guarded.held() == ["root_doubted"]
    assert set(guarded.availability().values()) == {"missing"}
    guarded.settle(accept=True)
    assert guarded.held() == []


@pytest.mark.promise(8, "folders deleted a few at a time")
def test_slow_losses_are_no_accident(guarded: Guarded) -> None:
    """One pass sees two of five gone, the next two more: each is a few. The last one empties the root."""
    _start(guarded)
    for name in ("a", "b"):
        shutil.rmtree(guarded.models / name)
    guarded.settle()
    assert guarded.held() == []
    shutil.rmtree(guarded.models / "big")
    guarded.settle()
    assert guarded.held() == []
    shutil.rmtree(guarded.models / "c")
    guarded.settle()
    assert guarded.held() == ["root_doubted"]
    assert "the models root is empty, and 1 model is gone from it" in guarded.told()


@pytest.mark.promise(8, "ten thousand known digests while the root is empty")
def test_digests_are_not_forgotten_while_the_root_is_empty(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To compute them again may take days."""
    from dxwatchd import integrity
    from dxwatchd.cycle import Cycle

    monkeypatch.setattr(integrity, "MANY_STALE", 3)
    guarded.cycle = Cycle(guarded.settings, digested=lambda: None)
    _start(guarded)
    keeper = guarded.cycle._integrity
    assert keeper is not None
    deadline = 2000
    while len(keeper.known()) < 2 * len(NAMES) and (deadline := deadline - 1):
        guarded.look()
    known = set(keeper.known())
    assert len(known) >= 2 * len(NAMES)
    with emptied_in_place(guarded):
        keeper._forget_at = 0
        guarded.settle()
        guarded.settle()
        assert set(keeper.known()) == known
        keeper._forget_at = 0
        guarded.settle(accept=True)
        assert not set(keeper.known()) & known  # a person said that they are gone


@pytest.mark.promise(9, "an entry edited to approve anew while the wrong disk is mounted")
def test_an_edit_approves_nothing_of_the_wrong_root(guarded: Guarded) -> None:
    """By hand as by the command: the card keeps what was approved, says why, and takes what is on the right
    disk once that is back.
    """
    _start(guarded)
    assert guarded.cycle is not None
    pinned = guarded.cycle.cards.published().cards["b"].fingerprint
    with_line = dict.fromkeys(NAMES, "") | {"b": f'fingerprint = "{pinned}"\n'}
    guarded.write([one + with_line[name] for name, one in zip(NAMES, _entries(), strict=True)])
    guarded.settle()
    with mounted(guarded.models):
        _wrong(guarded.models)
        guarded.put("b", 70)
        guarded.settle()
        assert guarded.availability()["b"] == "drifted"
        guarded.write(_entries())  # without the line, what is there is taken
        assert guarded.settle() == []
        (told,) = [folder for folder in guarded.status()["folders"] if folder["path"] == "b"]
        assert told["reasons"][0]["kind"] == "root_doubted"
    guarded.settle()
    assert guarded.availability()["b"] == "available"
    assert guarded.cycle.cards.published().cards["b"].fingerprint == pinned
