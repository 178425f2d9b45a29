"""Reading the settings anew without waiting for a file system that hangs: they are checked on the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from dxwatchd.log import Key, configure
from dxwatchd.sdnotify import Notifier
from dxwatchd.settings import Settings, SettingsError

WITHIN = 2.0
"""Seconds that the settings get to be read."""

log = structlog.get_logger()


class NotYet(Exception):  # noqa: N818 - a state of affairs, which the daemon goes on from
    """The settings are still being read."""


class Reloader:
    """Reads the settings in a thread. again: called from it when they are read after all."""

    def __init__(self, load: Callable[[], Settings], again: Callable[[], None]) -> None:
        self._load = load
        self._again = again
        self._lock = threading.Lock()
        self._reading = False

    def load(self) -> Settings:
        """The settings as they are now. Raises SettingsError, NotYet where that takes too long, and whatever
        else reading them raised.
        """
        with self._lock:
            if self._reading:
                raise NotYet
            self._reading = True
        told: list[Settings | Exception] = []
        late = threading.Event()
        thread = threading.Thread(target=lambda: self._read(told, late), name="dxwatchd-reload", daemon=True)
        thread.start()
        thread.join(WITHIN)
        with self._lock:
            if self._reading:
                late.set()
                raise NotYet
        if isinstance(told[0], Exception):
            raise told[0]
        return told[0]

    def _read(self, told: list[Settings | Exception], late: threading.Event) -> None:
        try:
            told.append(self._load())
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            told.append(error)
        finally:
            with self._lock:
                self._reading = False
            if late.is_set():
                self._again()


def reloaded(reloader: Reloader, old: Settings, notifier: Notifier) -> Settings | None:
    """The settings as they are now; None, and the old ones stay, where they cannot be used, or not yet."""
    notifier.reloading(time.monotonic_ns() // 1000)
    try:
        settings = reloader.load()
    except NotYet:
        log.warning("settings are not read yet; they are taken over once their file system answers")
        notifier.ready("Settings are not read yet: their file system does not answer")
        return None
    except SettingsError as error:
        for problem in error.problems:
            log.error("settings cannot be used; the old ones stay", **{Key.REASON: str(problem)})
        notifier.ready("Settings cannot be used; the old ones stay")
        return None
    except Exception as error:  # what nobody foresaw must not end the daemon
        log.error("settings cannot be used; the old ones stay", exc_info=error)
        notifier.ready("Settings cannot be used; the old ones stay")
        return None
    if settings.state_dir != old.state_dir:
        log.error(
            "state_dir cannot change while running; the old settings stay",
            **{Key.REMEDY: "restart the daemon", Key.STATE_DIR: str(settings.state_dir)},
        )
        notifier.ready("state_dir cannot change while running")
        return None
    changed = []
    for name in type(settings).model_fields:
        before, now = getattr(old, name), getattr(settings, name)
        if before != now:
            log.info("setting changed", **{Key.SETTING: name, Key.VALUE: str(now), Key.WAS: str(before)})
            changed.append(f"{name} is {now} (was {before})")
    configure(settings.log_format, settings.log_level)
    log.info("settings reloaded", **{Key.COUNT: len(changed)})
    notifier.ready(f"Settings reloaded: {'; '.join(changed) or 'nothing has changed'}")
    return settings
