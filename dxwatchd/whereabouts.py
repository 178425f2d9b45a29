"""Where a pass is at: for whoever wonders why it takes so long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Whereabouts:
    """Written by the thread that makes the passes, read by others at any moment.

    place: what is looked at just now, relative to the models root; "" for that itself.
    """

    place: str = ""
