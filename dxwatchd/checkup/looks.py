"""Looks at the folders, each of which gives plain facts and may hang: they are made apart."""

from __future__ import annotations

from dxwatchd.checkup.places import file_systems_of, place_of, room_of, walk, way_to
from dxwatchd.core.checkup.rights import Kind, Person
from dxwatchd.core.checkup.root import RootFacts
from dxwatchd.core.checkup.state import StateFacts
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory

WALK_WITHIN = 3.0
"""Seconds that go into looking through the models root."""


def look_at_root(settings: Settings, person: Person) -> tuple[RootFacts, int | None]:
    """The models root, and how many folders it has; None where it cannot be listed."""
    root = settings.models_root
    way = way_to(root, person)
    room = room_of(root)
    there = way[-1].kind is Kind.FOLDER
    walked = walk(root, settings.ignore, person, WALK_WITHIN) if there else None
    facts = RootFacts(
        person,
        str(root),
        way,
        file_systems_of(root, below=True) if there else (),
        room.free if room is not None and there else 0,
        room.total if room is not None and there else 0,
        tuple(walked.unreadable) if walked is not None else (),
        walked.closed if walked is not None else 0,
        walked.in_full if walked is not None else True,
    )
    return facts, walked.folders if walked is not None else None


def look_at_state(settings: Settings, person: Person) -> StateFacts:
    """The state directory, and what is in it."""
    folder = settings.state_dir
    state = StateDirectory(folder)
    ours = (
        state.cards,
        state.journal,
        state.status,
        state.now,
        state.metrics,
        state.facts,
        state.digests,
        state.guards,
        state.lock,
    )
    return StateFacts(
        person,
        str(folder),
        way_to(folder, person),
        tuple(place_of(path, person) for path in ours),
        place_of(state.requests, person),
        file_systems_of(folder, below=False)[0],
        room_of(folder),
    )
