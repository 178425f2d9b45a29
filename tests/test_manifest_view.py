"""What of the manifest is in force: the last good one, until a new one is whole and has come to rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dxwatchd.core.manifest import Manifest
from dxwatchd.core.proposals import HEADER
from dxwatchd.manifest_view import QUIET, STALLED, ManifestView, View
from dxwatchd.stores import manifest_file

NOW = 1000.0
FINGERPRINT = "sha256:" + "1" * 64


def entries(*names: str, fingerprint: bool = True, extra: str = "") -> str:
    """A manifest with approved entries."""
    line = f'fingerprint = "{FINGERPRINT}"\n' if fingerprint else ""
    return "".join(
        f'[[models]]\nstatus = "approved"\ntechnical_name = "{name}"\nmodel_name = "{name}"\n'
        f'path = "p/{name}"\n{line}{extra}'
        for name in names
    )


def names(manifest: Manifest) -> list[str]:
    """The technical names in it."""
    return [entry.technical_name for entry in manifest.entries]


class Looking:
    """A manifest and looks at it; time is made up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "manifest.toml"
        self.view = ManifestView(self.path)
        self.now = NOW

    def write(self, text: str | bytes) -> None:
        """Save it, in place."""
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def settle(self) -> None:
        """Let the last save be long ago, for a first look."""
        past = time.time_ns() - 10**10
        os.utime(self.path, ns=(past, past))

    def look(self, after: float = 0.0, *, has_cards: bool = True, make: bool = True) -> View:
        """Look so many seconds later."""
        self.now += after
        return self.view.look(self.now, has_cards=has_cards, make=make)


@pytest.fixture
def looking(tmp_path: Path) -> Looking:
    """A manifest that is not there yet."""
    return Looking(tmp_path)


@pytest.fixture
def good(looking: Looking) -> Looking:
    """One with two entries in force."""
    looking.write(entries("a", "b"))
    looking.settle()
    view = looking.look()
    assert names(view.manifest) == ["a", "b"]
    assert view.quiet
    return looking


def test_a_missing_manifest_is_made_and_may_be_appended_to(looking: Looking) -> None:
    """At once: nobody else can be writing to what we made."""
    view = looking.look(has_cards=False)
    assert looking.path.read_text() == HEADER
    assert view.trouble is None
    assert view.quiet
    assert view.due is None


def test_a_look_that_may_write_nothing_makes_none(looking: Looking) -> None:
    """It shows what would be: an empty one."""
    view = looking.look(has_cards=False, make=False)
    assert not looking.path.exists()
    assert view.trouble is None


@pytest.mark.promise(8, "the manifest is gone")
def test_one_that_is_gone_though_models_are_registered_is_an_accident(good: Looking) -> None:
    """It is not made anew, and what was in force stays so."""
    good.path.unlink()
    good.look()
    view = good.look(QUIET)
    assert not good.path.exists()
    assert names(view.manifest) == ["a", "b"]
    assert view.trouble is not None
    assert not view.quiet


@pytest.mark.promise(8, "the manifest is torn, empty or no text")
@pytest.mark.parametrize(
    "content", ["", " \n", "[[models]]\nstatus = ", b"# \xff\n", entries("a")[:-30], 'x = """']
)
def test_the_last_good_one_stays_in_force(good: Looking, content: str | bytes) -> None:
    """For a file that is torn, empty or no text; and it ends when the file is mended."""
    good.write(content)
    for after in (0.0, 1.0, 100.0):
        view = good.look(after)
        assert names(view.manifest) == ["a", "b"]
        assert view.trouble is not None
        assert not view.quiet
    good.write(entries("a", "b", "c"))
    assert names(good.look(1.0).manifest) == ["a", "b", "c"]


def test_an_empty_file_where_nothing_is_registered_is_an_empty_manifest(looking: Looking) -> None:
    """Nothing can be lost by it."""
    looking.write("")
    looking.settle()
    view = looking.look(has_cards=False)
    assert view.trouble is None
    assert view.quiet


def test_what_is_added_or_changed_is_in_force_at_once(good: Looking) -> None:
    """A person's approval does not wait; appending does."""
    good.write(entries("a", "b", "c").replace("approved", "rejected", 1))
    view = good.look()
    assert names(view.manifest) == ["a", "b", "c"]
    assert not view.quiet
    assert view.due == pytest.approx(good.now + QUIET)
    assert good.look(QUIET).quiet


@pytest.mark.promise(8, "a manifest that is being written loses entries for a moment")
@pytest.mark.parametrize(
    "content", [entries("a"), entries("a", "b", fingerprint=False), entries("a", "c"), "# nothing\n"]
)
def test_what_loses_something_is_in_force_once_it_rests(good: Looking, content: str) -> None:
    """A file that is being written may have whole entries at its beginning and the rest still to come."""
    good.write(content)
    view = good.look()
    assert names(view.manifest) == ["a", "b"]
    assert view.trouble is None
    assert not view.quiet
    assert view.due is not None
    good.write(content + "# and more\n")
    assert names(good.look(QUIET).manifest) == ["a", "b"]
    view = good.look(QUIET)
    assert names(view.manifest) != ["a", "b"] or view.manifest.entries[0].fingerprint is None
    assert view.quiet


def test_an_override_that_is_gone_waits_for_rest_too(looking: Looking) -> None:
    """Keys stand behind the others, so they are written last."""
    looking.write(entries("a", extra='license = "mit"\n'))
    looking.settle()
    looking.look()
    looking.write(entries("a"))
    assert looking.look().manifest.entries[0].overrides == {"license": "mit"}
    assert looking.look(QUIET).manifest.entries[0].overrides == {}


@pytest.mark.promise(8, "a manifest that is being written when the daemon starts")
def test_the_first_look_at_a_file_being_written_concludes_nothing(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not in it yet must not count as removed; once it rests it is in force."""
    looking.write(entries("a"))

    def save(seconds: float) -> None:
        looking.write(entries("a", "b"))

    with monkeypatch.context() as patch:
        patch.setattr("dxwatchd.manifest_view.time.sleep", save)
        view = looking.look()
    assert view.manifest == Manifest()
    assert view.trouble is not None
    assert view.due is not None
    view = looking.look(QUIET)
    assert names(view.manifest) == ["a", "b"]
    assert view.trouble is None


def test_a_write_during_the_look_leaves_the_last_good_one(
    good: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a look soon after."""

    def busy(path: Path) -> object:
        raise manifest_file.Changed

    monkeypatch.setattr("dxwatchd.manifest_view.read", busy)
    view = good.look()
    assert names(view.manifest) == ["a", "b"]
    assert view.read is None
    assert not view.quiet
    assert view.due == pytest.approx(good.now + QUIET)


@pytest.mark.promise(4, "a save between the daemon's look and its append")
@pytest.mark.parametrize("way", ["touched", "renamed over"])
def test_any_save_begins_the_rest_anew(good: Looking, way: str) -> None:
    """Also one that changed no byte: an editor is at it."""
    other: Callable[[], object] = lambda: os.utime(good.path)  # noqa: E731 - one of two ways
    if way == "renamed over":
        good.path.with_name("other").write_bytes(good.path.read_bytes())
        other = lambda: good.path.with_name("other").rename(good.path)  # noqa: E731 - the second way
    other()
    assert not good.look(50.0).quiet
    assert good.look(QUIET).quiet


@pytest.mark.promise(4, "an editor that renames the file away before it writes a new one")
def test_a_gap_between_two_renames_is_no_accident(good: Looking) -> None:
    """As vim saves: for a moment nothing is there; what was in force stays, nothing is made or told."""
    text = good.path.read_text()
    good.path.unlink()
    for make in (False, True):
        view = good.look(make=make)
        assert names(view.manifest) == ["a", "b"]
        assert view.trouble is None
        assert not view.quiet
        assert view.due is not None
    good.write(text)
    assert names(good.look(QUIET).manifest) == ["a", "b"]
    assert good.look(QUIET).quiet


@pytest.mark.promise(8, "an editor that has truncated the file and fallen asleep")
def test_what_an_open_editor_has_not_written_yet_is_not_gone(good: Looking) -> None:
    """While the file is open for writing nothing counts as removed, and it is not appended to."""
    with good.path.open("w") as editor:
        editor.write(entries("a"))
        editor.flush()
        good.look()
        for after in (QUIET, 1.0, 10.0):
            view = good.look(after)
            assert names(view.manifest) == ["a", "b"]
            assert not view.quiet
            assert view.due is not None
        good.look(STALLED)
        assert names(good.look(QUIET).manifest) == ["a"]  # some programs never close it
    assert good.look(QUIET).quiet


@pytest.mark.promise(8, "a manifest that is being written when the daemon starts")
def test_a_daemon_that_starts_in_the_middle_of_a_save_waits(looking: Looking) -> None:
    """Nothing is in force until the editor has closed it, so nothing is withdrawn."""
    with looking.path.open("w") as editor:
        editor.write(entries("a"))
        editor.flush()
        looking.settle()
        assert looking.look().trouble is not None
        editor.write(entries("b"))
    assert names(looking.look(QUIET).manifest) == ["a", "b"]
