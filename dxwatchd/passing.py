"""The worker's side of the daemon: it makes the passes, and owns all that they need."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from dxwatchd.cycle import Cycle, PassResult
from dxwatchd.hints import Hints
from dxwatchd.metrics import Metrics, Seen
from dxwatchd.overdue import Overdue
from dxwatchd.scan import Stopped
from dxwatchd.schedule import Finished, Job
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.format_file import insist
from dxwatchd.stores.instance_lock import SCAN, InstanceLock
from dxwatchd.stores.now_file import NowFile
from dxwatchd.stores.pass_requests import PassRequests
from dxwatchd.watchkeeping import Watchkeeper

log = structlog.get_logger()


class Passes:
    """Makes passes in a thread of its own. Its watch and its requests may be asked by the main thread.

    woken: called from any thread when a pass is wanted; finished: called from the worker after each; tell:
    gets a sentence for the service manager while a pass takes long.
    """

    def __init__(
        self,
        settings: Settings,
        woken: Callable[[], None],
        finished: Callable[[Finished], None],
        tell: Callable[[str], object],
    ) -> None:
        self.state = StateDirectory(settings.state_dir)
        self.requests = PassRequests(self.state.requests)
        self._woken = woken
        self._finished = finished
        self._settings = settings
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._lock = InstanceLock(self.state.lock)
        self._now = NowFile(self.state.now)
        self._metrics = Metrics(self.state.metrics)
        self.overdue = Overdue(self._now, tell)
        self.keeper = self._new_keeper(settings)
        self._cycle: Cycle | None = None
        self._wanted: Settings | None = None
        self.thread = threading.Thread(target=self._work, name="dxwatchd-passes", daemon=True)

    def _new_keeper(self, settings: Settings) -> Watchkeeper:
        return Watchkeeper(settings.models_root, settings.manifest, self.state.requests, self._woken)

    def hold(self) -> None:
        """Take the state directory.

        Raises stores.instance_lock.Held where another process has it, stores.format_file.Refused where a
        later dxwatchd wrote it, OSError where it cannot be used.
        """
        self._settings.state_dir.mkdir(parents=True, exist_ok=True)
        insist(self.state)  # else the lock itself would be the first thing that is changed
        self._lock.acquire("dxwatchd run", after=SCAN)
        try:
            self._cycle = self._open(self._settings)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, settings: Settings) -> Cycle:
        """Take up what lies in the state directory. Raises as `hold` does, but for the lock."""
        insist(self.state)
        self.requests.prepare()
        self._now.prepare()
        return Cycle(settings, digested=self._woken)

    def start(self) -> None:
        """Begin to work; what is held must be released."""
        self.thread.start()
        self.overdue.start()

    def make(self, job: Job) -> None:
        """Make one pass, after those that were asked for before."""
        self._jobs.put(job)

    def stop(self, within: float) -> bool:
        """End everything. Whether all ended within that many seconds."""
        self._stopping.set()
        self._jobs.put(None)
        if self.thread.ident is not None:
            self.thread.join(timeout=within)  # it also ends the watch and closes all files
        ended = not self.thread.is_alive()
        self.overdue.stop()
        return ended

    def release(self) -> None:
        """Give the state directory to others."""
        self._lock.release()

    def _work(self) -> None:
        """The worker: one job after the other, until told to end."""
        while (job := self._jobs.get()) is not None:
            try:
                finished = Finished(self._pass(job))
            except Stopped:
                finished = Finished(None)
            except Exception as error:  # noqa: BLE001 - a pass that fails must not end the daemon
                self._metrics.failed()
                finished = Finished(None, error)
            self._finished(finished)
        self.keeper.stop()
        if self._cycle is not None:
            self._cycle.close()

    def _pass(self, job: Job) -> PassResult:
        # until they are taken over, also where that fails at first
        self._wanted = job.settings or self._wanted
        if self._lock.keep():
            log.warning("the state directory was exchanged; what is there is gone by from now on")
            self._wanted = self._wanted or self._settings
        cycle = self._cycle
        if cycle is None or self._wanted is not None:
            cycle = self._take_over(self._wanted or self._settings)
        with self.overdue.watching(cycle.settings.models_root, cycle.at):
            return self._passed(cycle, job.hints)

    def _passed(self, cycle: Cycle, hints: Hints) -> PassResult:
        self.requests.keep()
        requests = self.requests.waiting()
        if self.keeper.tend(cycle.scanner.folders):
            hints.everything = True
        more = self.keeper.box.take()
        hints.folders |= more.folders
        hints.moved_in |= more.moved_in
        hints.everything = hints.everything or more.everything or bool(requests)
        result = cycle.run(
            hints,
            time.monotonic(),
            stop=self._stopping.is_set,
            accept_removals=any(request.accept_removals for request in requests),
            extra={
                "pid": os.getpid(),
                "watching": {
                    "by_events": not self.keeper.weaknesses,
                    "weaknesses": [
                        {"message": weakness.message, "remedy": weakness.remedy}
                        for weakness in self.keeper.weaknesses
                    ],
                    "overflows": self.keeper.box.overflows,
                },
            },
            always_status=bool(requests),
        )
        self._now.trouble(result.trouble)
        self._count(cycle, result)
        if result.conclusive:
            self.requests.answer(requests)
        return result

    def _count(self, cycle: Cycle, result: PassResult) -> None:
        """For the monitoring system; that it cannot be told is no reason to stop, and the status says so."""
        seen = Seen(
            plan=result.plan,
            events=result.events,
            trouble=result.trouble,
            duration=result.duration,
            cards=[stored.record.availability for stored in cycle.cards.cards.values()],
            digests=result.digests,
            overflows=self.keeper.box.overflows,
            weaknesses=len(self.keeper.weaknesses),
        )
        with suppress(OSError):
            self._metrics.passed(seen)

    def _take_over(self, settings: Settings) -> Cycle:
        """Begin anew, with other settings or what else lies in the state directory."""
        fresh = self._open(settings)
        if self._cycle is not None:
            self._cycle.close()
        self._cycle, self._settings, self._wanted = fresh, settings, None
        self.keeper.stop()
        self.keeper = self._new_keeper(settings)
        return fresh
