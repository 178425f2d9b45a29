"""When the daemon looks at everything: sooner wherever hints may be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dxwatchd.core.plan import Plan
from dxwatchd.cycle import PassResult
from dxwatchd.daemon import TEND_EVERY, WEAK_INTERVAL, Daemon
from dxwatchd.hints import Hints
from dxwatchd.schedule import Finished, Job, Times
from dxwatchd.settings import Settings
from dxwatchd.watchkeeping import Weakness

HOUR = 3600.0
NOW = 1000.0


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """A daemon that was never started, and looks at everything once an hour."""
    settings = Settings(models_root=tmp_path, state_dir=tmp_path / "state", rescan_interval=HOUR)
    return Daemon(settings, lambda: settings, {})


def _after(daemon: Daemon, finished: Finished) -> Times:
    times = Times(rescan_at=NOW + HOUR)
    daemon._after(finished, times, NOW)
    return times


def _passed() -> Finished:
    return Finished(PassResult(Plan(), (), None, 0.1))


@pytest.mark.promise(2, "a pass fails for an unforeseen reason, and the hints it had taken with it")
def test_after_a_pass_that_failed_everything_is_looked_at(daemon: Daemon) -> None:
    """Not in an hour: what it was told of is known to nobody any more."""
    times = _after(daemon, Finished(None, RuntimeError("unforeseen")))
    assert times.next_at <= NOW + WEAK_INTERVAL
    assert times.job(times.next_at, HOUR).hints.everything
    times = _after(daemon, Finished(None, RuntimeError("unforeseen")))
    assert times.job(times.earliest, HOUR).hints.everything, "an event that comes first is no reason for less"


def test_while_events_cannot_be_relied_on_everything_is_looked_at(daemon: Daemon) -> None:
    """By the short interval from the first pass on, whatever was planned before."""
    daemon._passes.keeper.weaknesses = (Weakness("the kernel does not watch it", "raise it"),)
    times = _after(daemon, _passed())
    assert times.next_at <= NOW + WEAK_INTERVAL
    assert times.job(times.next_at, HOUR).hints.everything


def test_the_watch_itself_is_looked_at_between_looks_at_everything(daemon: Daemon) -> None:
    """By a pass that looks at nothing else, unless something was told."""
    times = _after(daemon, _passed())
    assert times.next_at <= NOW + TEND_EVERY
    assert not times.job(times.next_at, HOUR).hints


def test_settings_that_cannot_be_taken_over_yet_are_later(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state directory may be unusable at the moment of a reload: the next pass tries again."""
    daemon.settings.state_dir.mkdir()
    changed = daemon.settings.model_copy(update={"quiet_period": 7.0})

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("dxwatchd.passing.Cycle", refuse)
        with pytest.raises(OSError, match="Read-only"):
            daemon._passes._pass(Job(Hints(), changed))
    daemon._passes._pass(Job(Hints(everything=True)))
    assert daemon._passes._cycle is not None
    assert daemon._passes._cycle.settings.quiet_period == 7.0
    daemon._passes.keeper.stop()
    daemon._passes._cycle.close()
