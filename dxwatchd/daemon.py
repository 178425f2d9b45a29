"""The daemon: start, loop, stop.

The main thread only waits: for signals, hints and finished passes. Passes are made by one worker thread, so
that a file system which hangs holds up neither the stop nor the word to the service manager.
"""

from __future__ import annotations

import contextlib
import os
import queue
import random
import signal
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

import structlog

from dxwatchd.hints import Hints
from dxwatchd.leases import ignore_lease_breaks
from dxwatchd.log import Key
from dxwatchd.passing import Passes
from dxwatchd.reloading import Reloader, reloaded
from dxwatchd.schedule import Finished, Job, Message, Signalled, Times, Woken
from dxwatchd.sdnotify import Notifier, watchdog_interval
from dxwatchd.settings import Settings
from dxwatchd.status import summary
from dxwatchd.stores.format_file import Refused
from dxwatchd.stores.instance_lock import Lost
from dxwatchd.vitality import Vitality

GATHER = 0.05
"""Seconds for which events are gathered before a pass: a folder moved in sends one for each of its files."""

MOST_SPACING = 1.0
"""Seconds between two passes at most, however long the last one took."""

WEAK_INTERVAL = 10.0
"""Seconds between looks at everything where events cannot be relied on, if `rescan_interval` is longer."""

TEND_EVERY = 30.0
"""Seconds between looks at the watch itself, which each pass begins with."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

STOP_WITHIN = 1.5
"""Seconds that a pass under way gets to end."""

log = structlog.get_logger()


class Daemon:
    """One running daemon. reload: gives the settings as they are now; raises SettingsError."""

    def __init__(
        self, settings: Settings, reload: Callable[[], Settings], environ: Mapping[str, str]
    ) -> None:
        self.settings = settings
        self._reloader = Reloader(reload, lambda: self._inbox.put(Signalled(signal.SIGHUP)))
        self._notifier = Notifier(environ)
        self._ping_every = watchdog_interval(environ)
        # SimpleQueue.put is reentrant: a signal handler may call it whatever the main thread is at
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._passes = Passes(
            settings, lambda: self._inbox.put(Woken()), self._inbox.put, self._notifier.status
        )
        self._failure = ""
        self._vitality, self._alive = Vitality(), True

    def run(self, announce: Callable[[], None]) -> int:
        """Start, loop until a signal says stop, stop. Returns the exit code.

        announce: called once it has started and hears signals. Raises stores.instance_lock.Held where another
        process has the state directory, stores.format_file.Refused where a later dxwatchd wrote it, OSError
        where it cannot be used.
        """
        self._start()
        try:
            announce()
            self._loop()
        finally:
            clean = self._stop()
        if not clean:
            # a thread hangs in the kernel: nothing is half written, and nobody could wait for it
            log.warning("what is under way did not end in time; leaving without it")
            os._exit(0)
        return 0

    def _start(self) -> None:
        self._passes.hold()
        ignore_lease_breaks()
        for number in SIGNALS:
            signal.signal(number, lambda received, _frame: self._inbox.put(Signalled(received)))
        self._passes.start()
        log.info(
            "watching",
            **{
                Key.MODELS_ROOT: str(self.settings.models_root),
                Key.MANIFEST: str(self.settings.manifest),
                Key.STATE_DIR: str(self.settings.state_dir),
                Key.PID: os.getpid(),
                Key.VERSION: version("dxwatchd"),
            },
        )
        self._notifier.ready(f"Looking at {self.settings.models_root} for the first time")

    def _loop(self) -> None:
        """Wait for what happens and make passes when they are due, until a signal says stop."""
        times = Times(rescan_at=time.monotonic() + self._interval())
        self._passes.make(Job(Hints(everything=True)))
        while True:
            if self._ping_every is not None and self._gets_on():
                self._notifier.ping()
            message = self._next_message(times.wait(time.monotonic(), self._ping_every or TEND_EVERY))
            now = time.monotonic()
            if isinstance(message, Signalled):
                if message.number != signal.SIGHUP:
                    log.info("stopping", **{Key.SIGNAL: signal.Signals(message.number).name})
                    return
                times.settings = self._reloaded() or times.settings
                times.next_at = now
            elif isinstance(message, Finished):
                self._after(message, times, now)
            elif isinstance(message, Woken):
                times.next_at = min(times.next_at, max(now + GATHER, times.earliest))
            if not times.busy and now >= times.next_at:
                self._passes.make(times.job(now, self._interval()))

    def _gets_on(self) -> bool:
        """Whether the service manager may hear that all is well. Says so once where it may not."""
        at, thread = self._passes.overdue.under_way(), self._passes.thread.native_id
        alive = self._vitality.gets_on(at, thread, time.monotonic())
        if not alive and self._alive:
            log.error("a pass is stuck; the service manager is to start dxwatchd anew")
        self._alive = alive
        return alive

    def _next_message(self, wait: float) -> Message | None:
        try:
            return self._inbox.get(timeout=wait)
        except queue.Empty:
            return None

    def _after(self, finished: Finished, times: Times, now: float) -> None:
        """A pass has ended: when may the next one be, at the earliest, and when will it be?"""
        times.busy = False
        result = finished.result
        if result is None:
            self._failed(finished.error)
            times.earliest = now + MOST_SPACING
            # the hints that it had taken are lost with it: whatever wakes us first, everything is looked at
            times.next_at, times.rescan_at = min(times.rescan_at, now + WEAK_INTERVAL), now
            return
        self._failure = ""
        times.earliest = now + min(max(GATHER, result.duration), MOST_SPACING)
        if self._passes.keeper.weaknesses:
            times.rescan_at = min(times.rescan_at, now + WEAK_INTERVAL)
        due = times.rescan_at if result.due is None else min(times.rescan_at, max(result.due, times.earliest))
        if times.settings is not None or self._passes.keeper.box.waiting() or self._passes.requests.waiting():
            due = min(due, times.earliest)
        times.next_at = min(due, now + TEND_EVERY)
        self._notifier.status(summary(result.plan, result.trouble, result.digests))

    def _failed(self, error: BaseException | None) -> None:
        """A pass failed for a reason that nobody foresaw: said once, tried again."""
        told = repr(error)
        if error is not None and told != self._failure:
            if isinstance(error, Lost):
                log.error("the state directory is lost; nothing is done until it is back", reason=str(error))
            elif isinstance(error, Refused):
                log.error(
                    "the state directory cannot be used; nothing is done until it can",
                    **{Key.REASON: str(error), Key.REMEDY: error.remedy},
                )
            else:
                log.error("a pass failed; it is tried again", exc_info=error)
            self._notifier.status(f"A pass failed: {error}")
        self._failure = told

    def _interval(self) -> float:
        """Seconds to the next look at everything, spread so that many daemons do not beat in time."""
        base = self.settings.rescan_interval
        if self._passes.keeper.weaknesses:
            base = min(base, WEAK_INTERVAL)
        return base * random.uniform(0.75, 1.25)  # noqa: S311 - spreading, not secrecy

    def _reloaded(self) -> Settings | None:
        settings = reloaded(self._reloader, self.settings, self._notifier)
        self.settings = settings or self.settings
        return settings

    def _stop(self) -> bool:
        """End everything. Whether all threads ended in time."""
        self._notifier.stopping()
        clean = self._passes.stop(STOP_WITHIN)
        for number in SIGNALS:
            with contextlib.suppress(ValueError):
                signal.signal(number, signal.SIG_DFL)
        self._passes.release()
        log.info("stopped")
        return clean
