"""When the daemon makes its passes, and the messages that it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from dxwatchd.cycle import PassResult
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal came in. number: of signal(7)."""

    number: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The worker has ended a pass: its result, or why it has none (both None: it was told to stop)."""

    result: PassResult | None
    error: BaseException | None = None


class Woken:
    """Hints or requests are waiting."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the worker is to do: a pass, after taking over new settings where there are some."""

    hints: Hints
    settings: Settings | None = None


Message = Signalled | Finished | Woken


@dataclass(slots=True)
class Times:
    """When passes are due (monotonic seconds).

    rescan_at: the next look at everything; next_at: the next pass; earliest: not before; busy: one is under
    way (the first is from the beginning); settings: new ones, for the next pass to take over.
    """

    rescan_at: float
    next_at: float = 0.0
    earliest: float = 0.0
    busy: bool = True
    settings: Settings | None = None

    def wait(self, now: float, longest: float) -> float:
        """Seconds to wait for a message."""
        return longest if self.busy else min(longest, max(0.0, self.next_at - now))

    def job(self, now: float, interval: float) -> Job:
        """The pass that is due; the times move on."""
        everything = now >= self.rescan_at or self.settings is not None
        made = Job(Hints(everything=everything), self.settings)
        if everything:
            self.rescan_at = now + interval
        self.busy, self.settings, self.next_at = True, None, self.rescan_at
        return made
