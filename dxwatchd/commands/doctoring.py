"""`doctor`: everything around the daemon that a person could have got wrong, each with what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from dxwatchd.checkup import machine, people, unit
from dxwatchd.checkup.apart import WITHIN, Failed, Late, T, apart
from dxwatchd.checkup.looks import WALK_WITHIN, look_at_root, look_at_state
from dxwatchd.commands import doctor_screen
from dxwatchd.commands.doctor_looks import (
    look_at_daemon,
    look_at_manifest,
    look_at_service,
    read_settings,
    sources_of,
)
from dxwatchd.commands.output import DONE, PROBLEMS
from dxwatchd.core.checkup.daemon import judge_daemon
from dxwatchd.core.checkup.findings import About, Finding, Grade, worst
from dxwatchd.core.checkup.machine import judge_clock, judge_limits
from dxwatchd.core.checkup.manifest import judge_manifest
from dxwatchd.core.checkup.rights import Person
from dxwatchd.core.checkup.root import judge_root
from dxwatchd.core.checkup.service import ServiceFacts, judge_service
from dxwatchd.core.checkup.state import judge_state
from dxwatchd.setting_sources import SettingProblem, shown
from dxwatchd.settings import Settings, SettingsError
from dxwatchd.state import StateDirectory

CHECK_WITHIN = 20.0
"""Seconds for the manifest: those of ten thousand entries are compared with the models root."""


def doctor(load: Callable[..., Settings], *, as_json: bool) -> int:
    """Look at everything, and say what is well and what is not. Raises SettingsError for wrong options."""
    visit = Visit()
    visit.make(load)
    show = doctor_screen.as_json if as_json else doctor_screen.show
    show(visit.findings, visit.person)
    return PROBLEMS if worst(visit.findings) is Grade.WRONG else DONE


class Visit:
    """One look at everything. No look that fails keeps the others from being made."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.person = people.myself()
        self.follow = True
        """Whether links can be followed: nothing hangs."""

    def make(self, load: Callable[..., Settings]) -> None:
        """Look. Raises SettingsError where the command line is wrong."""
        settings = self._settings(load)
        looked = self._look(
            About.SERVICE,
            lambda: look_at_service(settings, follow=self.follow),
            "systemd",
            3 * unit.ASK_WITHIN,
        )
        service = looked or ServiceFacts(unit.runs(), why="it does not answer")
        daemon, process, folders, in_full = None, 0, None, True
        if settings is not None:
            told = self._look(About.DAEMON, lambda: look_at_daemon(settings), str(settings.state_dir))
            daemon, process = told if told is not None else (None, 0)
            service = replace(service, holder=process)
            seen = daemon is None or daemon.can_tell
            self.person = _person(service, process) or self._owner(settings, seen=seen) or self.person
            folders, in_full = self._places(settings)
        if daemon is not None:
            self.findings += judge_daemon(daemon)
        self.findings += judge_service(service)
        self.findings += judge_limits(machine.limits(self.person, process, folders, in_full=in_full))
        state = StateDirectory(settings.state_dir) if settings is not None and daemon is not None else None
        clock = self._look(
            About.CLOCK,
            lambda: machine.clock(state, with_systemd=service.runs),
            "what the state directory tells of times",
            WITHIN + unit.ASK_WITHIN,
        )
        if clock is not None:
            self.findings += judge_clock(clock)

    def _look(self, about: About, look: Callable[[], T], at: str, within: float = WITHIN) -> T | None:
        """Look apart; None where that failed, which is then a finding. at: what is looked at."""
        try:
            return apart(look, within)
        except Late:
            found = f"{at} does not answer: its file system hangs"
            remedy = "look at `dmesg`, and at what that file system depends on; then mount it anew"
            self.findings.append(Finding(about, Grade.WRONG, found, remedy))
        except (Failed, OSError) as error:
            self.findings.append(Finding(about, Grade.NOT_CHECKED, f"{at} could not be looked at: {error}"))
        return None

    def _settings(self, load: Callable[..., Settings]) -> Settings | None:
        got = self._look(About.SETTINGS, lambda: read_settings(load), "one of the places that they name")
        if got is None:  # most often it is the models root
            self.follow = False
            got = self._look(
                About.SETTINGS, lambda: read_settings(partial(load, compare=False)), "their file"
            )
        settings, problems = got if got is not None else (None, ())
        if any(problem.origin.startswith("option ") for problem in problems):
            raise SettingsError(problems)
        self.findings += map(_told, problems)
        if settings is None:
            found = "so where things are is not known: folders, manifest and daemon were not looked at"
            self.findings.append(Finding(About.SETTINGS, Grade.NOT_CHECKED, found))
        elif not problems and not self.findings:
            self.findings.append(
                Finding(About.SETTINGS, Grade.WELL, f"in order, from {sources_of(settings)}")
            )
        return settings

    def _owner(self, settings: Settings, *, seen: bool) -> Person | None:
        """Whose the state directory is, where that says more than who runs this. seen: if a daemon is."""
        if seen and self.person.user != 0:
            return None
        try:
            return apart(lambda: people.owner_of(settings.state_dir))
        except (Late, Failed):
            return None  # which is told when it is looked at

    def _places(self, settings: Settings) -> tuple[int | None, bool]:
        """Root, state directory and manifest. Gives how many folders the root has, and if that is all."""
        person = self.person
        root = self._look(
            About.ROOT,
            lambda: look_at_root(settings, person),
            str(settings.models_root),
            WITHIN + WALK_WITHIN,
        )
        if root is not None:
            self.findings += judge_root(root[0])
        state = self._look(About.STATE, lambda: look_at_state(settings, person), str(settings.state_dir))
        if state is not None:
            self.findings += judge_state(state)
        answers = root is not None and root[1] is not None
        manifest = self._look(
            About.MANIFEST,
            lambda: look_at_manifest(settings, person, root_answers=answers),
            str(settings.manifest),
            CHECK_WITHIN,
        )
        if manifest is not None:
            self.findings += judge_manifest(manifest)
        return (root[1], root[0].in_full) if root is not None else (None, True)


def _told(problem: SettingProblem) -> Finding:
    value = "" if problem.value is None else f" = {shown(problem.value)}"
    found = f"{problem.name}{value} ({problem.origin}): {problem.message}"
    return Finding(About.SETTINGS, Grade.WRONG, found, problem.remedy)


def _person(service: ServiceFacts, process: int) -> Person | None:
    """Who the daemon runs as, or would; None where nothing tells."""
    unit_told = service.unit
    if process and (person := people.of_process(process)) is not None:
        return person
    if unit_told is not None and unit_told.load == "loaded" and unit_told.is_for(service.own):
        return people.named(unit_told.user or "root", "as which the unit runs it")
    return None
