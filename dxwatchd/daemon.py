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
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType

import structlog

from dxwatchd.cycle import Cycle, PassResult
from dxwatchd.leases import ignore_lease_breaks
from dxwatchd.log import Key, configure
from dxwatchd.scan import Stopped
from dxwatchd.sdnotify import Notifier, watchdog_interval
from dxwatchd.settings import Settings, SettingsError
from dxwatchd.state import StateDirectory
from dxwatchd.stores.instance_lock import InstanceLock
from dxwatchd.stores.pass_requests import PassRequests
from dxwatchd.watching import Hints
from dxwatchd.watchkeeping import Watchkeeper

GATHER = 0.05
"""Seconds for which events are gathered before a pass: a folder moved in sends one for each of its files."""

MOST_SPACING = 1.0
"""Seconds between two passes at most, however long the last one took."""

WEAK_INTERVAL = 10.0
"""Seconds between passes where events cannot be relied on, if `rescan_interval` is longer."""

TEND_EVERY = 30.0
"""Seconds between looks at the watch itself."""

STOP_WITHIN = 1.5
"""Seconds that a pass under way gets to end."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Signalled:
    number: int


@dataclass(frozen=True, slots=True)
class _Finished:
    result: PassResult | None
    error: BaseException | None = None


class _Woken:
    """Hints or requests are waiting."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What the worker is to do: a pass, after taking over new settings where there are some."""

    hints: Hints
    settings: Settings | None = None


_Message = _Signalled | _Finished | _Woken


class Daemon:
    """One running daemon. reload: gives the settings as they are now; raises SettingsError."""

    def __init__(
        self, settings: Settings, reload: Callable[[], Settings], environ: Mapping[str, str]
    ) -> None:
        self.settings = settings
        self.state = StateDirectory(settings.state_dir)
        self._reload = reload
        self._notifier = Notifier(environ)
        self._ping_every = watchdog_interval(environ)
        # SimpleQueue.put is reentrant: a signal handler may call it whatever the main thread is at
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._lock = InstanceLock(self.state.lock)
        self._requests = PassRequests(self.state.requests)
        self._keeper = self._new_keeper(settings)
        self._cycle: Cycle | None = None
        self._worker = threading.Thread(target=self._work, name="dxwatchd-passes", daemon=True)

    def _new_keeper(self, settings: Settings) -> Watchkeeper:
        return Watchkeeper(
            settings.models_root, settings.manifest, self.state.requests, lambda: self._inbox.put(_Woken())
        )

    def run(self) -> int:
        """Start, loop until a signal says stop, stop. Returns the exit code.

        Raises stores.instance_lock.Held where another process has the state directory, OSError where it
        cannot be used.
        """
        self._start()
        try:
            self._loop()
        finally:
            clean = self._stop()
        if not clean:
            # a thread hangs in the kernel: nothing is half written, and nobody could wait for it
            log.warning("a pass did not end in time; leaving without it")
            os._exit(0)
        return 0

    def _start(self) -> None:
        self.settings.state_dir.mkdir(parents=True, exist_ok=True)
        self._lock.acquire("dxwatchd run")
        try:
            self._requests.prepare()
            self._cycle = Cycle(self.settings)
            ignore_lease_breaks()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self._on_signal)
        except BaseException:
            self._lock.release()
            raise
        self._worker.start()
        log.info(
            "watching",
            **{
                Key.MODELS_ROOT: str(self.settings.models_root),
                Key.MANIFEST: str(self.settings.manifest),
                Key.STATE_DIR: str(self.settings.state_dir),
                Key.PID: os.getpid(),
            },
        )
        self._notifier.ready(f"Watching {self.settings.models_root}")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._inbox.put(_Signalled(number))

    def _loop(self) -> None:
        busy = True
        self._jobs.put(_Job(Hints(everything=True)))
        rescan_at = next_at = time.monotonic() + self._interval()
        earliest = 0.0
        new_settings: Settings | None = None
        while True:
            now = time.monotonic()
            if self._ping_every is not None:
                self._notifier.ping()
            wait = self._ping_every or TEND_EVERY
            if not busy:
                wait = min(wait, max(0.0, next_at - now))
            try:
                message = self._inbox.get(timeout=wait)
            except queue.Empty:
                message = None
            now = time.monotonic()
            if isinstance(message, _Signalled):
                if message.number != signal.SIGHUP:
                    log.info("stopping", **{Key.SIGNAL: signal.Signals(message.number).name})
                    return
                new_settings = self._reloaded() or new_settings
                next_at = now
            elif isinstance(message, _Finished):
                busy = False
                earliest, next_at = self._after(message, now, rescan_at)
                if new_settings is not None:
                    next_at = earliest
            elif isinstance(message, _Woken):
                next_at = min(next_at, max(now + GATHER, earliest))
            if not busy and now >= next_at:
                hints = Hints(everything=now >= rescan_at or new_settings is not None)
                self._jobs.put(_Job(hints, new_settings))
                busy, new_settings = True, None
                if hints.everything:
                    rescan_at = now + self._interval()
                next_at = rescan_at

    def _after(self, finished: _Finished, now: float, rescan_at: float) -> tuple[float, float]:
        """When the next pass may be, at the earliest, and when it will be."""
        result = finished.result
        if result is None:
            log.error("a pass failed", exc_info=finished.error)
            return now + MOST_SPACING, min(rescan_at, now + WEAK_INTERVAL)
        earliest = now + min(max(GATHER, result.duration), MOST_SPACING)
        due = rescan_at if result.due is None else min(rescan_at, max(result.due, earliest))
        if self._keeper.weaknesses:
            due = min(due, now + WEAK_INTERVAL)
        if self._keeper.box.waiting() or self._requests.waiting():
            due = min(due, earliest)
        self._notifier.status(_summary(result))
        return earliest, due

    def _interval(self) -> float:
        """Seconds to the next look at everything, spread so that many daemons do not beat in time."""
        base = self.settings.rescan_interval
        if self._keeper.weaknesses:
            base = min(base, WEAK_INTERVAL)
        return base * random.uniform(0.75, 1.25)  # noqa: S311 - spreading, not secrecy

    def _reloaded(self) -> Settings | None:
        """The settings as they are now; None, and the old ones stay, where they cannot be used."""
        self._notifier.reloading(time.monotonic_ns() // 1000)
        try:
            settings = self._reload()
        except SettingsError as error:
            for problem in error.problems:
                log.error("settings cannot be used; the old ones stay", **{Key.REASON: str(problem)})
            self._notifier.ready("Settings cannot be used; the old ones stay")
            return None
        if settings.state_dir != self.settings.state_dir:
            log.error(
                "state_dir cannot change while running; the old settings stay",
                **{Key.REMEDY: "restart the daemon", Key.STATE_DIR: str(settings.state_dir)},
            )
            self._notifier.ready("state_dir cannot change while running")
            return None
        for name in type(settings).model_fields:
            old, new = getattr(self.settings, name), getattr(settings, name)
            if old != new:
                log.info("setting changed", **{Key.SETTING: name, Key.VALUE: str(new), Key.WAS: str(old)})
        configure(settings.log_format, settings.log_level)
        log.info("settings reloaded")
        self.settings = settings
        self._notifier.ready(f"Watching {settings.models_root}")
        return settings

    def _work(self) -> None:
        """The worker: one job after the other, until told to end."""
        while (job := self._jobs.get()) is not None:
            try:
                finished = _Finished(self._pass(job))
            except Stopped:
                finished = _Finished(None)
            except Exception as error:  # noqa: BLE001 - a pass that fails must not end the daemon
                finished = _Finished(None, error)
            self._inbox.put(finished)

    def _pass(self, job: _Job) -> PassResult:
        if job.settings is not None:
            self._take_over(job.settings)
        assert self._cycle is not None
        requests = self._requests.waiting()
        hints = job.hints
        if self._keeper.tend(len(self._cycle.scanner.folders)):
            hints.everything = True
        more = self._keeper.box.take()
        hints.folders |= more.folders
        hints.moved_in |= more.moved_in
        hints.everything = hints.everything or more.everything or bool(requests)
        result = self._cycle.run(
            hints,
            time.monotonic(),
            stop=self._stopping.is_set,
            accept_removals=any(request.accept_removals for request in requests),
            extra={
                "pid": os.getpid(),
                "watching": {
                    "by_events": not self._keeper.weaknesses,
                    "weaknesses": [
                        {"message": weakness.message, "remedy": weakness.remedy}
                        for weakness in self._keeper.weaknesses
                    ],
                    "overflows": self._keeper.box.overflows,
                },
            },
            always_status=bool(requests),
        )
        self._requests.answer(requests)
        return result

    def _take_over(self, settings: Settings) -> None:
        """Begin anew with other settings; what was published stays."""
        fresh = Cycle(settings)
        if self._cycle is not None:
            self._cycle.close()
        self._cycle = fresh
        self._keeper.stop()
        self._keeper = self._new_keeper(settings)

    def _stop(self) -> bool:
        """End everything. Whether all threads ended in time."""
        self._notifier.stopping()
        self._stopping.set()
        self._jobs.put(None)
        self._worker.join(timeout=STOP_WITHIN)
        clean = not self._worker.is_alive()
        if clean:
            self._keeper.stop()
            if self._cycle is not None:
                self._cycle.close()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with contextlib.suppress(ValueError):
                signal.signal(number, signal.SIG_DFL)
        self._lock.release()
        log.info("stopped")
        return clean


def _summary(result: PassResult) -> str:
    """One line for `systemctl status`."""
    if result.trouble:
        return f"Cannot write: {result.trouble}"
    counts: dict[str, int] = {}
    for folder in result.plan.folders:
        counts[folder.state.value] = counts.get(folder.state.value, 0) + 1
    told = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    return told or "No model folders yet"
