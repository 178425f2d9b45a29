"""What a pipeline is put together from."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part


class Component(Part):
    """One component of a pipeline: its folder and the class that loads it."""

    name: str
    library: str
    class_name: str
