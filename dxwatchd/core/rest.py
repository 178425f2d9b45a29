"""Has a folder come to rest? Judged by an unchanged signature over a period of the caller's own clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

from dxwatchd.core.hub_cache import unfinished
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.ownership import download_notes, owned_folders, seen_folders
from dxwatchd.core.snapshot import Snapshot, parent


@dataclass(frozen=True, slots=True)
class Periods:
    """How long a folder must be unchanged, in seconds.

    quiet: usually; patient: on file systems without events, and where a look proves less (holes).
    """

    quiet: float
    patient: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A signature and the (monotonic, seconds) time at which it was first seen."""

    signature: str
    since: float


@dataclass(frozen=True, slots=True)
class Rest:
    """settled: nothing more to wait for; due: when it will be, if nothing changes; watched: to remember."""

    settled: bool
    due: float
    watched: Watched


def signature(model: ModelFolder, snapshot: Snapshot) -> str:
    """Digest of path, size, times and inode of everything below the model folder, and behind its links."""
    total = hashlib.blake2b(digest_size=16)
    below = {folder.path: folder for folder in owned_folders(snapshot, model.path, frozenset())}
    below |= {folder.path: folder for folder in seen_folders(model, snapshot).values()}
    for path, folder in sorted(below.items()):
        total.update(repr((path, folder.stat, folder.trouble)).encode(errors="backslashreplace"))
        for name in sorted(folder.files):
            total.update(repr((name, folder.files[name].stat)).encode(errors="backslashreplace"))
    downloads = [*download_notes(snapshot, model.path).items(), *unfinished(snapshot, model.path)]
    for name, file in sorted(downloads, key=itemgetter(0)):
        total.update(repr((name, file.stat)).encode(errors="backslashreplace"))
    return total.hexdigest()


def rest(
    model: ModelFolder,
    snapshot: Snapshot,
    before: Mapping[str, Watched],
    moved_in: frozenset[str],
    periods: Periods,
    now: float,
    seen_at: float,
    *,
    patient: bool,
    unproven: bool = False,
) -> Rest:
    """Whether `model` is at rest, given what was remembered `before` by path.

    moved_in: folders that the kernel reported as moved in by one rename; now: when the look began, seen_at:
    when it ended (a long look must not shorten the period); patient: whether the long period applies (it
    also does on file systems that report no events); unproven: whether it does unless moved in as one.
    """
    seen = signature(model, snapshot)
    last = before.get(model.path)
    watched = last if last is not None and last.signature == seen else Watched(seen, seen_at)
    remote = snapshot.folders[model.path].stat.device in snapshot.remote_devices
    if not patient and _moved_as_one(model, snapshot, moved_in):
        return Rest(True, now, watched)
    period = periods.patient if patient or unproven or remote else periods.quiet
    due = watched.since + period
    return Rest(period <= 0 or now >= due, due, watched)


def _moved_as_one(model: ModelFolder, snapshot: Snapshot, moved_in: frozenset[str]) -> bool:
    """Whether the folder, or one above it, came in by a rename and nothing in it was touched since.

    A rename stamps the moved folder's own ctime. Whatever is stamped at that very tick or later may still be
    written to, so then the quiet period applies.
    """
    path = model.path
    while path:
        top = snapshot.folders.get(path)
        if path in moved_in and top is not None:
            moment = top.stat.ctime_ns
            return top.stat.mtime_ns < moment and all(
                stamp < moment for stamp in _stamps(model, snapshot, without=path)
            )
        path = parent(path)
    return False


def _stamps(model: ModelFolder, snapshot: Snapshot, *, without: str) -> list[int]:
    stamps = []
    for folder in owned_folders(snapshot, model.path, frozenset()):
        if folder.path != without:
            stamps.append(folder.stat.ctime_ns)
        stamps.extend(file.stat.ctime_ns for file in folder.files.values() if file.stat is not None)
    return stamps
