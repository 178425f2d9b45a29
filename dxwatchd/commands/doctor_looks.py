"""What `doctor` looks at by way of other commands: the settings, the daemon, the manifest, the unit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dxwatchd.checkup import unit
from dxwatchd.checkup.places import way_to
from dxwatchd.commands.checking import examine
from dxwatchd.commands.output import CommandError
from dxwatchd.commands.reporting import read_status, stale_for
from dxwatchd.core.checkup.daemon import DaemonFacts
from dxwatchd.core.checkup.manifest import ManifestFacts
from dxwatchd.core.checkup.rights import Kind, Person
from dxwatchd.core.checkup.service import ServiceFacts
from dxwatchd.setting_sources import DEFAULT_ORIGIN, SettingProblem
from dxwatchd.settings import Settings, SettingsError
from dxwatchd.state import StateDirectory
from dxwatchd.stores.instance_lock import InstanceLock
from dxwatchd.stores.now_file import NowFile
from dxwatchd.stores.plain_file import open_plain
from dxwatchd.troubles import hindrance
from dxwatchd.watchkeeping import SILENT

_PLACES = ("models_root", "state_dir", "manifest")


def read_settings(load: Callable[[], Settings]) -> tuple[Settings | None, tuple[SettingProblem, ...]]:
    """The settings, also where some of them cannot be used; None where they say not where things are."""
    try:
        return load(), ()
    except SettingsError as error:
        rest = error.rest
        if rest is not None and any(_hides_places(problem, rest) for problem in error.problems):
            rest = None
        return rest, error.problems


def _hides_places(problem: SettingProblem, settings: Settings) -> bool:
    """Whether it is not known which places a person means."""
    if problem.name in _PLACES:
        return str(getattr(settings, problem.name)) != str(problem.value)
    return problem.name in ("config", "working directory")


def sources_of(settings: Settings) -> str:
    """Where the settings come from, in few words."""
    found: dict[str, None] = {}
    for origin in settings.origins.values():
        if origin.startswith("environment variable"):
            found["the environment"] = None
        elif origin.startswith("option "):
            found["the command line"] = None
        elif origin != DEFAULT_ORIGIN:
            found[origin.partition(" line ")[0]] = None
    return f"{', '.join(found)} and defaults" if found else "defaults alone"


def look_at_service(settings: Settings | None, *, follow: bool) -> ServiceFacts:
    """What systemd says of the unit. follow: the links of places, to compare them."""
    if not unit.runs():
        return ServiceFacts(runs=False)
    own = unit.places_of(settings, follow=follow) if settings is not None else None
    origins = tuple(settings.origins.items()) if settings is not None else ()
    try:
        told = unit.shown()
    except subprocess.TimeoutExpired:
        return ServiceFacts(True, None, "it does not answer", own, origins)
    except subprocess.CalledProcessError as error:
        return ServiceFacts(True, None, error.stderr.strip() or str(error), own, origins)
    except OSError as error:
        return ServiceFacts(True, None, f"systemctl: {error.strerror}", own, origins)
    return ServiceFacts(True, unit.unit_of(told, follow=follow), "", own, origins)


def look_at_daemon(settings: Settings) -> tuple[DaemonFacts, int]:
    """What is known of the daemon, and the number of its process, 0 for none."""
    path, state = str(settings.state_dir), StateDirectory(settings.state_dir)
    if not _may_open(state.lock):
        return DaemonFacts(path, can_tell=False), 0
    holder = InstanceLock(state.lock).holder()
    told = _status(settings)
    ended = str(told.get("pass", {}).get("ended_at", "")) if told else ""
    if holder is None:
        return DaemonFacts(path, last_pass=ended), 0
    if told.get("pid") != holder.pid:
        told, ended = {}, ""  # of one that ran before
    now = NowFile(state.now).read(holder.pid)
    troubles = [now.trouble or str(told.get("trouble") or "") or hindrance(state.status)]
    watching = told.get("watching")
    weaknesses = watching.get("weaknesses", ()) if isinstance(watching, dict) else ()
    return DaemonFacts(
        path,
        str(holder),
        ended,
        tuple(trouble for trouble in troubles if trouble),
        str(now.under_way or ""),
        stale_for(settings, told, now.under_way),
        weaknesses=tuple(
            (str(one["message"]), str(one["remedy"])) for one in weaknesses if SILENT not in one["message"]
        ),
        others=tuple(
            (name, str(told[name]), str(getattr(settings, name)))
            for name in ("models_root", "manifest")
            if told.get(name, str(getattr(settings, name))) != str(getattr(settings, name))
        ),
    ), holder.pid


def _may_open(lock: Path) -> bool:
    """Whether whoever runs this can see if it is held; one that is not there is not."""
    try:
        os.close(open_plain(lock))
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def _status(settings: Settings) -> dict[str, Any]:
    """`status.json`, if there is one."""
    try:
        told = read_status(settings)
    except CommandError:
        return {}
    return told if isinstance(told.get("pass"), dict) else {}


def look_at_manifest(settings: Settings, person: Person, *, root_answers: bool) -> ManifestFacts:
    """The manifest, and what `check` finds in it."""
    way = way_to(settings.manifest, person)
    path = str(settings.manifest)
    if way[-1].kind is Kind.HIDDEN:
        return ManifestFacts(person, path, way)
    checked = examine(settings, look_at_places=root_answers)
    entries = len(checked.manifest.entries)
    return ManifestFacts(
        person, path, way, checked.awaited, checked.problems, checked.hints, entries, root_answers
    )
