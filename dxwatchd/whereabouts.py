"""Where a pass is at: for whoever wonders why it takes so long, or whether it gets on at all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Whereabouts:
    """Written by the thread that makes the passes, read by others at any moment.

    place: what is looked at just now, relative to the models root; "" for that itself; steps: counts up with
    everything that is come to.
    """

    place: str = ""
    steps: int = 0

    def come_to(self, place: str) -> None:
        """Note what is looked at from now on."""
        self.place = place
        self.steps += 1
