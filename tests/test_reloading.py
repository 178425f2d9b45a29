"""Settings are read without waiting for a file system that hangs."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from dxwatchd import reloading
from dxwatchd.reloading import NotYet, Reloader, reloaded
from dxwatchd.sdnotify import Notifier
from dxwatchd.settings import Settings, SettingsError, load

PATIENCE = 30.0


def test_what_takes_too_long_is_told_of_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """At first not yet, also when asked again meanwhile; once it is read it says so, and is there."""
    monkeypatch.setattr(reloading, "WITHIN", 0.05)
    released, again = threading.Event(), threading.Event()
    settings = Settings(models_root=Path("/models"), state_dir=Path("/state"))

    def load() -> Settings:
        released.wait(PATIENCE)
        return settings

    reloader = Reloader(load, again.set)
    for _ in range(2):
        with pytest.raises(NotYet):
            reloader.load()
    released.set()
    assert again.wait(PATIENCE)
    assert reloader.load() is settings


def test_wrong_settings_are_told_as_ever() -> None:
    """The error of the thread is raised where it was asked."""

    def load() -> Settings:
        raise SettingsError([])

    with pytest.raises(SettingsError):
        Reloader(load, lambda: None).load()


def test_what_nobody_foresaw_ends_nothing() -> None:
    """The old settings stay, and it can be asked again."""
    old = Settings(models_root=Path("/models"), state_dir=Path("/state"))
    failures = [RuntimeError("unforeseen")]

    def load_() -> Settings:
        if failures:
            raise failures.pop()
        return old

    reloader = Reloader(load_, lambda: None)
    assert reloaded(reloader, old, Notifier({})) is None
    assert reloader.load() is old


def test_a_working_directory_that_was_removed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a problem of the settings, with its remedy: relative paths would count from it."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    shutil.rmtree(here)
    with pytest.raises(SettingsError, match="working directory"):
        load({}, config=None, environ={})
