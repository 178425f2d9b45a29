"""Which digests are wanted from pass to pass, in which order, and which are forgotten."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dxwatchd import integrity
from dxwatchd.core.digest_view import DigestView
from dxwatchd.core.plan import FolderState, Plan
from dxwatchd.core.provenance import Check, Wanted, overall
from dxwatchd.core.reasons import State
from dxwatchd.digesting import Digester
from dxwatchd.integrity import Integrity
from dxwatchd.stores.digests_db import DigestsDb
from tests.layouts.conftest import look
from tests.layouts.making import CONFIG, lay, tensors

PATIENCE = 30.0


class Made:
    """A models root whose digests are computed, and every list of places that was wanted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder / "models"
        self.path = folder / "digests.db"
        self.idle = threading.Event()
        self.wanted: list[list[str]] = []
        want = Digester.want

        def noting(digester: Digester, wanted: list[Wanted]) -> None:
            self.wanted.append([one.place for one in wanted])
            want(digester, wanted)

        monkeypatch.setattr(Digester, "want", noting)
        self.integrity = Integrity(self.root, self.path, self.idle.set)

    def put(self, *names: str) -> None:
        """Add models."""
        for number, name in enumerate(names):
            lay({"config.json": CONFIG, "model.safetensors": tensors(number)}, self.root / name)

    def after(self, **states: State) -> Plan:
        """What a pass says of these folders."""
        seen = look(self.root)
        view = DigestView(seen.snapshot, self.integrity.known())
        folders = (FolderState(path, state, model=seen.models[path]) for path, state in states.items())
        plan = Plan(folders=view.told(tuple(folders)))
        self.integrity.after(plan, seen.snapshot, 0.0)
        return plan

    def places(self) -> set[str]:
        """The files whose digests are kept."""
        kept = DigestsDb(self.path)
        found = {place for place, _ in kept.all()}
        kept.close()
        return found


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """One that is running."""
    one = Made(tmp_path, monkeypatch)
    yield one
    one.integrity.close()


def test_registered_models_come_first_and_nothing_is_computed_twice(made: Made) -> None:
    """All that is pending is wanted, in this order; once it is known, nothing."""
    made.put("a", "b", "c")
    states = {"a": State.PROPOSED, "b": State.INCOMPLETE, "c": State.REGISTERED}
    first = made.after(**states)
    assert [overall(folder.checked) for folder in first.folders if folder.checked] == [Check.PENDING] * 2
    assert made.idle.wait(PATIENCE)
    second = made.after(**states)
    assert {folder.path: overall(folder.checked) for folder in second.folders if folder.checked} == {
        "a": Check.COMPUTED,
        "c": Check.COMPUTED,
    }
    files = ("config.json", "model.safetensors")
    assert made.wanted == [[f"c/{name}" for name in files] + [f"a/{name}" for name in files], []]


def test_what_is_approved_is_read_last(made: Made) -> None:
    """Its digests would make a revision by themselves, and those of the rest another one."""
    lay({"z.txt": b"z", "config.json": CONFIG, "model.safetensors": tensors(1)}, made.root / "a")
    made.after(a=State.REGISTERED)
    assert made.wanted[0] == ["a/z.txt", "a/config.json", "a/model.safetensors"]


def test_digests_of_what_is_gone_are_kept_until_there_are_many(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that comes back within that many files is not read again; beyond, the file cannot grow."""
    monkeypatch.setattr(integrity, "MANY_STALE", 5)
    made.integrity._forget_at = 5
    made.put("a", "b")
    made.after(a=State.REGISTERED, b=State.REGISTERED)
    assert made.idle.wait(PATIENCE)
    made.after()
    shutil.rmtree(made.root / "a")
    made.after(b=State.REGISTERED)
    assert len(made.places()) == 4
    shutil.rmtree(made.root / "b")
    made.put("c", "d")
    made.idle.clear()
    made.after(c=State.REGISTERED, d=State.REGISTERED)
    assert made.idle.wait(PATIENCE)
    made.after(c=State.REGISTERED, d=State.REGISTERED)
    assert len(made.places()) == 8  # four of them stale: not many
    shutil.rmtree(made.root / "c")
    made.put("e", "f")
    made.idle.clear()
    made.after(d=State.REGISTERED, e=State.REGISTERED, f=State.REGISTERED)
    assert made.idle.wait(PATIENCE)
    made.after(d=State.REGISTERED, e=State.REGISTERED, f=State.REGISTERED)
    made.put("g")
    made.idle.clear()
    made.after(g=State.REGISTERED)
    assert made.idle.wait(PATIENCE)
    made.after(g=State.REGISTERED)
    assert {place.partition("/")[0] for place in made.places()} == {"d", "e", "f", "g"}


def test_a_file_that_could_not_be_read_is_tried_again_later(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at once, which would read a bad disk without end, and not never: after a while."""
    made.put("a")
    monkeypatch.setattr(Digester, "_digests", lambda _digester, _wanted: None)
    made.after(a=State.REGISTERED)
    assert made.idle.wait(PATIENCE)
    made.after(a=State.REGISTERED)
    made.after(a=State.REGISTERED)
    assert [bool(places) for places in made.wanted] == [True, False, False]
    made.integrity._refused = dict.fromkeys(made.integrity._refused, -1.0)
    made.after(a=State.REGISTERED)
    assert made.wanted[-1] == made.wanted[0]
