"""Does systemd's unit do what is wanted of it, and does it go by the same settings as this command?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from dxwatchd.core.checkup.findings import About, Finding, Grade
from dxwatchd.core.snapshot import is_below

_finding = partial(Finding, About.SERVICE)

UNIT = "dxwatchd"
_LOG = f"journalctl -u {UNIT} -n 50"
_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - names that are compared, where nothing is made


@dataclass(frozen=True, slots=True)
class Places:
    """What settings say of where things are, links followed."""

    models_root: str
    state_dir: str
    manifest: str


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """The unit as systemd shows it.

    load, active, file, result, protect_home, protect_system: as systemd names these; status: the daemon's
    last exit code; restarts: since it was last started by hand; process: of the daemon, 0 for none; config:
    the file that it is given; places: where its settings have things, None where that cannot be told, then
    `why` says why; writable: what it may write to; user: who it runs as, "" for root.
    """

    load: str = "not-found"
    active: str = ""
    file: str = ""
    result: str = ""
    status: int = 0
    restarts: int = 0
    needs_reload: bool = False
    process: int = 0
    config: str = ""
    places: Places | None = None
    why: str = ""
    protect_home: str = "no"
    protect_system: str = "no"
    private_tmp: bool = False
    writable: tuple[str, ...] = ()
    user: str = ""

    def is_for(self, own: Places | None) -> bool:
        """Whether it works, as far as can be told, in the state directory of this command's settings."""
        return own is None or self.places is None or own.state_dir == self.places.state_dir


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """systemd, and what is compared with its unit.

    runs: whether systemd does; unit: None where it could not be asked, then `why` says why; own: where this
    command's settings have things; origins: where each setting was set; holder: the process that holds the
    state directory, 0 for none.
    """

    runs: bool
    unit: UnitFacts | None = None
    why: str = ""
    own: Places | None = None
    origins: tuple[tuple[str, str], ...] = ()
    holder: int = 0


def judge_service(service: ServiceFacts) -> Iterator[Finding]:
    """What there is to say of it."""
    unit = service.unit
    if not service.runs:
        yield _finding(Grade.NOT_CHECKED, "systemd does not run here")
        return
    if unit is None:
        yield _finding(Grade.NOT_CHECKED, f"systemd could not be asked: {service.why}")
        return
    if unit.load == "not-found":
        yield _finding(Grade.NOT_CHECKED, f"systemd knows no unit {UNIT}")
        return
    if unit.load != "loaded":
        remedy = f"systemctl unmask {UNIT}" if unit.load == "masked" else f"systemctl status {UNIT} says why"
        yield _finding(Grade.WRONG, f"the unit is {unit.load}", remedy)
        return
    yield from _activity(service, unit)
    if unit.file in ("disabled", "masked"):
        remedy = f"systemctl enable {UNIT}"
        yield _finding(Grade.LOOK, f"the unit is {unit.file}: the daemon is not there after a reboot", remedy)
    elif unit.file:
        yield _finding(Grade.WELL, f"the unit is {unit.file}")
    if unit.needs_reload:
        found = "the unit's files have changed since systemd read them"
        yield _finding(Grade.LOOK, found, f"systemctl daemon-reload && systemctl restart {UNIT}")
    yield from _settings(service, unit)
    yield from _sight(unit)


def _activity(service: ServiceFacts, unit: UnitFacts) -> Iterator[Finding]:
    if unit.active == "failed":
        found = f"the service has failed: {unit.result}, exit code {unit.status}"
        remedy = f"mend what `{_LOG}` tells, then systemctl restart {UNIT}"
        yield _finding(Grade.WRONG, found, remedy)
    elif unit.active not in ("active", "reloading"):
        grade = Grade.LOOK
        remedy = f"systemctl start {UNIT}"
        if unit.active == "activating":
            remedy = f"wait; where it stays so, `{_LOG}` tells why"
        elif service.holder:
            remedy = f"stop process {service.holder}, which holds the state directory, then {remedy}"
        yield _finding(grade, f"the service is {unit.active}", remedy)
    else:
        yield _finding(Grade.WELL, f"the service is active, process {unit.process}")
        if service.holder not in (0, unit.process) and _is_same(service, unit):
            found = f"the state directory is held by process {service.holder}, which is not the service's"
            remedy = f"stop that process, then systemctl restart {UNIT}"
            yield _finding(Grade.WRONG, found, remedy)
    if unit.restarts:
        often = "once" if unit.restarts == 1 else f"{unit.restarts:,} times"
        yield _finding(Grade.LOOK, f"systemd has started it anew {often}", f"`{_LOG}` tells why")


def _is_same(service: ServiceFacts, unit: UnitFacts) -> bool:
    own, other = service.own, unit.places
    return own is not None and other is not None and own.state_dir == other.state_dir


def _settings(service: ServiceFacts, unit: UnitFacts) -> Iterator[Finding]:
    """Whether command and service speak of the same places: else a person approves where nobody looks."""
    own, other = service.own, unit.places
    if other is None or own is None:
        yield _finding(Grade.NOT_CHECKED, f"its settings were not compared with this command's: {unit.why}")
        return
    different = [
        (name, getattr(own, name), getattr(other, name))
        for name in ("models_root", "state_dir", "manifest")
        if getattr(own, name) != getattr(other, name)
    ]
    if not different:
        yield _finding(Grade.WELL, "it goes by the same models root, state directory and manifest")
        return
    told = "; ".join(f"{name} is {theirs} for it, and {ours} here" for name, ours, theirs in different)
    origins = dict(service.origins)
    file = unit.config
    if file and any(origins.get(name, "").startswith(file) for name, _, _ in different):
        remedy = f"let {file} say what the unit's Environment= says, or commands speak of another place"
        yield _finding(Grade.WRONG, told, remedy)
        return
    remedy = (
        f"to ask about the service: dxwatchd doctor --config {file}" if file else "give the same settings"
    )
    yield _finding(Grade.LOOK, told, remedy)


def _sight(unit: UnitFacts) -> Iterator[Finding]:
    """Whether the unit's own walls keep it from what it needs."""
    places = unit.places
    if places is None:
        return
    edit = f"systemctl edit {UNIT}, with a line in [Service]:"
    homes = [home for home in _HOMES if is_below(places.models_root, home)]
    if homes and unit.protect_home in ("yes", "tmpfs"):
        found = (
            f"the service does not see {places.models_root}: ProtectHome={unit.protect_home} hides {homes[0]}"
        )
        yield _finding(Grade.WRONG, found, f"{edit} ProtectHome=read-only")
    if unit.private_tmp and _is_in(places.models_root, _TEMPORARY):
        found = f"the service does not see {places.models_root}: PrivateTmp=yes gives it a folder of its own"
        yield _finding(Grade.WRONG, found, "put the models root elsewhere")
    if unit.protect_system != "strict":
        return
    for name, path in (("state directory", places.state_dir), ("manifest", places.manifest)):
        if not _is_in(path, unit.writable):
            found = f"the service may not write to its {name} {path}: ProtectSystem=strict"
            yield _finding(Grade.WRONG, found, f"{edit} ReadWritePaths={_folder(name, path)}")


def _folder(name: str, path: str) -> str:
    return path.rpartition("/")[0] if name == "manifest" else path


def _is_in(path: str, folders: Iterable[str]) -> bool:
    return any(is_below(path, folder) for folder in folders)
