"""What `doctor` makes of what it saw: each state of affairs has its grade, its words and its remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from dxwatchd.core.checkup.daemon import DaemonFacts, judge_daemon
from dxwatchd.core.checkup.findings import About, Finding, Grade, size, worst
from dxwatchd.core.checkup.machine import ClockFacts, LimitFacts, judge_clock, judge_limits
from dxwatchd.core.checkup.manifest import ManifestFacts, judge_manifest
from dxwatchd.core.checkup.rights import Kind, Person, Place
from dxwatchd.core.checkup.root import FileSystem, RootFacts, judge_root
from dxwatchd.core.checkup.service import Places, ServiceFacts, UnitFacts, judge_service
from dxwatchd.core.checkup.state import Room, StateFacts, judge_state
from dxwatchd.core.entries import Problem

ANNA: Final = Person("anna", 1000, frozenset({1000}))
TOP: Final = Place("/", Kind.FOLDER, 5)
GIB: Final = 2**30
LOCAL: Final = FileSystem("/", "ext4", tells=True)
REMOTE: Final = FileSystem("/srv", "nfs4", tells=False)


def _grades(findings: list[Finding], words: str) -> set[Grade]:
    """The grades of the findings that have these words."""
    told = [finding for finding in findings if words in finding.found]
    assert told, f"nothing says {words!r}: {findings}"
    return {finding.grade for finding in told}


def _all_well_but(findings: list[Finding], words: str, grade: Grade) -> None:
    """One finding has these words and this grade, with a remedy where something is wrong; no other is bad."""
    assert _grades(findings, words) == {grade}
    for finding in findings:
        if words not in finding.found:
            assert finding.grade in (Grade.WELL, Grade.NOT_CHECKED), finding
        if finding.grade in (Grade.LOOK, Grade.WRONG):
            assert finding.remedy, finding


ROOT: Final = RootFacts(
    ANNA, "/srv/m", (TOP, Place("/srv/m", Kind.FOLDER, 5)), (LOCAL,), 100 * GIB, 200 * GIB
)


def _root(place: Place) -> dict[str, Any]:
    return {"way": (TOP, place)}


@pytest.mark.parametrize(
    ("changed", "words", "grade"),
    [
        ({}, "anna may read and search", Grade.WELL),
        (_root(Place("/srv/m", Kind.MISSING)), "/srv/m is not there", Grade.WRONG),
        (_root(Place("/srv/m", Kind.FILE, 7)), "/srv/m is a file, not a folder", Grade.WRONG),
        (_root(Place("/srv/m", Kind.HIDDEN)), "cannot be looked at", Grade.NOT_CHECKED),
        (_root(Place("/srv/m", Kind.FOLDER, 4)), "anna may not search /srv/m (of root:root", Grade.WRONG),
        (_root(Place("/srv/m", Kind.FOLDER, 0)), "anna may not read or search", Grade.WRONG),
        (
            {"way": (TOP, Place("/srv", Kind.FOLDER, 6), Place("/srv/m", Kind.HIDDEN))},
            "anna may not go through /srv (",
            Grade.WRONG,
        ),
        ({"file_systems": (LOCAL, REMOTE)}, "/srv is of kind nfs4, which may send no events", Grade.LOOK),
        ({"file_systems": (FileSystem("/m", "", tells=False),)}, "of unknown kind", Grade.LOOK),
        ({"free": GIB // 2}, "512 MiB of 200 GiB are free", Grade.LOOK),
        ({"closed": 1, "unreadable": ("a",)}, "anna may not read 1 file or folder in it: a", Grade.WRONG),
        ({"closed": 9, "unreadable": ("a", "b")}, "9 files and folders in it: a, b, …", Grade.WRONG),
        ({"in_full": False}, "of those that could be looked at", Grade.WELL),
    ],
)
def test_models_root(changed: dict[str, Any], words: str, grade: Grade) -> None:
    """There, a folder, open to the daemon's user with all above and below it, telling of changes, roomy."""
    _all_well_but(list(judge_root(replace(ROOT, **changed))), words, grade)


STATE: Final = StateFacts(
    ANNA,
    "/v/s",
    (TOP, Place("/v", Kind.FOLDER, 5), Place("/v/s", Kind.FOLDER, 7, 0o750, "anna", "anna")),
    (Place("/v/s/events.jsonl", Kind.FILE, 6), Place("/v/s/cards", Kind.MISSING, 0)),
    Place("/v/s/requests", Kind.FOLDER, 7, 0o2770, "anna", "team"),
    LOCAL,
    Room(100 * GIB, 200 * GIB, 10**6, 10**7),
)


def _state(place: Place, above: int = 5) -> dict[str, Any]:
    return {"way": (TOP, Place("/v", Kind.FOLDER, above), place)}


@pytest.mark.parametrize(
    ("changed", "words", "grade"),
    [
        ({}, "is anna's to work in", Grade.WELL),
        ({}, "anna and members of team may ask", Grade.WELL),
        (_state(Place("/v/s", Kind.MISSING), above=7), "the first start makes it", Grade.WELL),
        (_state(Place("/v/s", Kind.MISSING)), "anna may not make it in /v", Grade.WRONG),
        (
            {"way": (Place("/", Kind.FOLDER, 5), Place("/v", Kind.MISSING), Place("/v/s", Kind.MISSING))},
            "anna may not make it in /",
            Grade.WRONG,
        ),
        (_state(Place("/v/s", Kind.FILE)), "/v/s is a file, not a folder", Grade.WRONG),
        (_state(Place("/v/s", Kind.HIDDEN)), "cannot be looked at", Grade.NOT_CHECKED),
        (_state(Place("/v/s", Kind.FOLDER, 5)), "anna may not write to /v/s", Grade.WRONG),
        (_state(Place("/v/s", Kind.FOLDER, 7), above=4), "may not go through /v", Grade.WRONG),
        (_state(Place("/v/s", Kind.FOLDER, 7, 0o777)), "everybody on this machine may write", Grade.LOOK),
        (
            {"inside": (Place("/v/s/events.jsonl", Kind.FILE, 4), Place("/v/s/cards", Kind.FOLDER, 5))},
            "anna cannot read and write events.jsonl, cards in it (of root)",
            Grade.WRONG,
        ),
        ({"inside": (Place("/v/s/cards", Kind.HIDDEN),)}, "what lies in /v/s cannot", Grade.NOT_CHECKED),
        ({"requests": Place("/v/s/requests", Kind.FILE)}, "commands cannot ask", Grade.WRONG),
        ({"requests": Place("/v/s/requests", Kind.FOLDER, 5)}, "anna may not use", Grade.WRONG),
        ({"file_system": REMOTE}, "of kind nfs4", Grade.LOOK),
        ({"file_system": FileSystem("/", "overlay", tells=False)}, "to work in", Grade.WELL),
        ({"room": Room(9, 9, read_only=True)}, "is mounted read-only", Grade.WRONG),
        ({"room": Room(2**20, GIB)}, "1 MiB of 1 GiB are free", Grade.WRONG),
        ({"room": Room(2**27, GIB)}, "128 MiB of 1 GiB are free", Grade.LOOK),
        ({"room": Room(GIB, GIB, 5, 100)}, "5 files more can be made", Grade.LOOK),
        ({"room": Room(GIB, GIB, 0, 100)}, "0 files more can be made", Grade.WRONG),
    ],
)
def test_state_directory(changed: dict[str, Any], words: str, grade: Grade) -> None:
    """The daemon's user owns it or may use it, and all that is in it; it has room, inodes and a near disk."""
    _all_well_but(list(judge_state(replace(STATE, **changed))), words, grade)


FILE: Final = Place("/v/m/m.toml", Kind.FILE, 6, 0o660, "anna", "team")
FOLDER: Final = Place("/v/m", Kind.FOLDER, 7, 0o2770, "anna", "team")
MANIFEST: Final = ManifestFacts(ANNA, FILE.path, (TOP, FOLDER, FILE), entries=2)


@pytest.mark.parametrize(
    ("changed", "words", "grade"),
    [
        ({}, "is in order: 2 entries", Grade.WELL),
        ({}, "anna, root and members of team may change it", Grade.WELL),
        ({"problems": (Problem("bad", "mend", 3, 4),)}, "line 3, column 4: bad", Grade.WRONG),
        ({"problems": (Problem("bad", "mend"),)}, "/v/m/m.toml: bad", Grade.WRONG),
        ({"hints": (Problem("odd", "look", 3),)}, "line 3: odd", Grade.LOOK),
        ({"compared": False}, "were not compared", Grade.NOT_CHECKED),
        (
            {"way": (TOP, FOLDER, Place(FILE.path, Kind.MISSING)), "awaited": True, "entries": 0},
            "the first pass makes it",
            Grade.WELL,
        ),
        ({"way": (TOP, FOLDER, replace(FILE, rights=4))}, "anna may not write to", Grade.WRONG),
        ({"way": (TOP, FOLDER, replace(FILE, kind=Kind.HIDDEN))}, "cannot be looked at", Grade.NOT_CHECKED),
        ({"way": (replace(TOP, rights=4), FOLDER, FILE)}, "may not go through /", Grade.WRONG),
        ({"way": (TOP, replace(FOLDER, mode=0o755), FILE)}, "anna and root may change it", Grade.WELL),
        (
            {"way": (TOP, replace(FOLDER, mode=0o755, owner="root"), FILE)},
            "only root may change it",
            Grade.WELL,
        ),
        ({"way": (TOP, replace(FOLDER, mode=0o770), FILE)}, "others of team are locked out", Grade.LOOK),
        ({"way": (TOP, replace(FOLDER, mode=0o3770), FILE)}, "is sticky", Grade.LOOK),
        ({"way": (TOP, replace(FOLDER, mode=0o2777), FILE)}, "everybody on this machine may rep", Grade.LOOK),
        ({"way": (TOP, FOLDER, replace(FILE, mode=0o666))}, "everybody on this machine may app", Grade.LOOK),
        ({"way": (TOP, FOLDER, replace(FILE, mode=0o640))}, "but not write to it in place", Grade.LOOK),
        ({"way": (TOP, FOLDER, replace(FILE, group="x"))}, "but not write to it in place", Grade.LOOK),
        (
            {"way": (TOP, replace(FOLDER, rights=5), Place(FILE.path, Kind.MISSING)), "awaited": True},
            "anna may not make it in /v/m",
            Grade.WRONG,
        ),
    ],
)
def test_manifest(changed: dict[str, Any], words: str, grade: Grade) -> None:
    """The daemon reads and appends, approvers replace and write, nobody else does; its problems are told."""
    _all_well_but(list(judge_manifest(replace(MANIFEST, **changed))), words, grade)


@pytest.mark.parametrize(
    ("facts", "words", "grade"),
    [
        (DaemonFacts("/s"), "no daemon runs on /s", Grade.LOOK),
        (DaemonFacts("/s", can_tell=False), "may not see", Grade.NOT_CHECKED),
        (DaemonFacts("/s", "it"), "it runs as it; it has made no pass yet", Grade.WELL),
        (DaemonFacts("/s", "it", "then"), "it runs as it; its last pass ended then", Grade.WELL),
        (DaemonFacts("/s", "it", "then", stale=600.0), "10 minutes ago", Grade.WRONG),
        (DaemonFacts("/s", "it", under_way="It is at x"), "It is at x", Grade.LOOK),
        (
            DaemonFacts("/s", "it", others=(("manifest", "/a", "/b"),)),
            "its manifest is /a, and /b",
            Grade.LOOK,
        ),
        (DaemonFacts("/s", "it", weaknesses=(("why", "do"),)), "more often: why", Grade.LOOK),
    ],
)
def test_daemon(facts: DaemonFacts, words: str, grade: Grade) -> None:
    """Whether it runs, gets on, and hears."""
    _all_well_but(list(judge_daemon(facts)), words, grade)


def test_what_the_daemon_cannot_write_is_wrong() -> None:
    """In its own words, which have the remedy."""
    assert Finding(About.DAEMON, Grade.WRONG, "it cannot write: disk full; make room") in judge_daemon(
        DaemonFacts("/s", "it", troubles=("disk full; make room",))
    )


LIMITS: Final = LimitFacts(ANNA, 100_000, 128, 1024, "it", 10)


@pytest.mark.parametrize(
    ("changed", "words", "grade"),
    [
        ({}, "the models root has 10", Grade.WELL),
        ({"folders": 60_000}, "other programs watch folders too", Grade.LOOK),
        ({"folders": 100_000, "in_full": False}, "has at least 100,000, so some are only", Grade.WRONG),
        ({"folders": None}, "could not be counted", Grade.NOT_CHECKED),
        ({"watches": None}, "the kernel does not tell", Grade.NOT_CHECKED),
        ({"queues": 4}, "anna may have 4 event queues", Grade.LOOK),
        ({"files": 64}, "it may have 64 open files", Grade.LOOK),
        ({"files": None, "queues": None}, "the models root has 10", Grade.WELL),
    ],
)
def test_limits(changed: dict[str, Any], words: str, grade: Grade) -> None:
    """Watches for all folders and some more, queues, open files."""
    _all_well_but(list(judge_limits(replace(LIMITS, **changed))), words, grade)


def test_the_limit_that_is_advised_is_wide_enough() -> None:
    """Also for more folders than kernels usually watch."""
    (found, *_) = judge_limits(replace(LIMITS, folders=3_000_000))
    assert int(found.remedy.partition("max_user_watches=")[2].partition(" ")[0]) > 6_000_000


@pytest.mark.parametrize(
    ("facts", "words", "grade"),
    [
        (
            ClockFacts(2026, "now", synchronised=True, by="x"),
            "kept right by other clocks, says x",
            Grade.WELL,
        ),
        (ClockFacts(2026, "now", synchronised=False, by="x"), "it is not kept right", Grade.LOOK),
        (ClockFacts(2026, "now"), "nothing here tells", Grade.NOT_CHECKED),
        (ClockFacts(1970, "now"), "before this version of dxwatchd", Grade.WRONG),
        (ClockFacts(2026, "now", "x is later", 100.0), "it shows now, but x is later", Grade.LOOK),
        (ClockFacts(2026, "now", "x is later", 10.0), "it shows now, and x is later", Grade.WELL),
    ],
)
def test_clock(facts: ClockFacts, words: str, grade: Grade) -> None:
    """Later than what was written, later than the program, kept right by others."""
    _all_well_but(list(judge_clock(facts)), words, grade)


HERE: Final = Places("/srv/m", "/var/lib/dxwatchd", "/var/lib/dxwatchd/manifest/manifest.toml")
UNIT: Final = UnitFacts(
    "loaded",
    "active",
    "enabled",
    process=7,
    config="/etc/d.toml",
    places=HERE,
    protect_home="yes",
    protect_system="strict",
    private_tmp=True,
    writable=("/var/lib/dxwatchd", "/tmp"),
)
SERVICE: Final = ServiceFacts(runs=True, own=HERE, holder=7)


def _homed(root: str) -> dict[str, Any]:
    return {"places": replace(HERE, models_root=root)}


@pytest.mark.parametrize(
    ("unit", "words", "grade"),
    [
        ({}, "the service is active, process 7", Grade.WELL),
        ({}, "the unit is enabled", Grade.WELL),
        ({}, "the same models root, state directory and manifest", Grade.WELL),
        ({"load": "not-found"}, "systemd knows no unit", Grade.NOT_CHECKED),
        ({"load": "masked"}, "the unit is masked", Grade.WRONG),
        ({"load": "bad-setting"}, "the unit is bad-setting", Grade.WRONG),
        ({"active": "failed", "result": "exit-code", "status": 2}, "exit-code, exit code 2", Grade.WRONG),
        ({"active": "inactive"}, "the service is inactive", Grade.LOOK),
        ({"active": "activating"}, "the service is activating", Grade.LOOK),
        ({"file": "disabled"}, "not there after a reboot", Grade.LOOK),
        ({"file": ""}, "is active", Grade.WELL),
        ({"restarts": 3}, "started it anew 3 times", Grade.LOOK),
        ({"needs_reload": True}, "have changed since", Grade.LOOK),
        ({"process": 8}, "held by process 7, which is not the service's", Grade.WRONG),
        (
            {"places": None, "why": "no rights"},
            "not compared with this command's: no rights",
            Grade.NOT_CHECKED,
        ),
        ({"writable": ()}, "may not write to its state directory", Grade.WRONG),
    ],
)
def test_service(unit: dict[str, Any], words: str, grade: Grade) -> None:
    """Active, enabled, whole, of one mind with the command, and not walled off from its own folders."""
    findings = list(judge_service(replace(SERVICE, unit=replace(UNIT, **unit))))
    if unit == {"writable": ()}:
        assert _grades(findings, "may not write to its manifest") == {Grade.WRONG}
        findings = [finding for finding in findings if "manifest /" not in finding.found]
    _all_well_but(findings, words, grade)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (ServiceFacts(runs=False), "systemd does not run here"),
        (ServiceFacts(runs=True, why="it is ill"), "could not be asked: it is ill"),
    ],
)
def test_service_that_cannot_be_looked_at(facts: ServiceFacts, words: str) -> None:
    """Is no trouble."""
    _all_well_but(list(judge_service(facts)), words, Grade.NOT_CHECKED)


@pytest.mark.parametrize("root", ["/home/anna/m", "/root", "/run/user/0/m", "/tmp/m"])
def test_a_root_that_the_units_walls_hide_is_wrong(root: str) -> None:
    """ProtectHome and PrivateTmp show the service empty folders instead."""
    own = replace(HERE, models_root=root)
    facts = replace(SERVICE, own=own, unit=replace(UNIT, places=own))
    _all_well_but(list(judge_service(facts)), f"the service does not see {root}", Grade.WRONG)
    open_unit = replace(UNIT, places=own, protect_home="read-only", private_tmp=False)
    assert worst(judge_service(replace(facts, unit=open_unit))) is Grade.WELL


def test_settings_that_part_command_and_service() -> None:
    """From elsewhere: another place is meant. From the service's own file: nobody can have meant that."""
    own = replace(HERE, state_dir="/s")
    facts = replace(SERVICE, own=own, unit=UNIT, origins=(("state_dir", "environment variable X"),))
    words = "state_dir is /var/lib/dxwatchd for it, and /s here"
    _all_well_but(list(judge_service(facts)), words, Grade.LOOK)
    same_file = replace(facts, origins=(("state_dir", "/etc/d.toml line 3"),))
    _all_well_but(list(judge_service(same_file)), words, Grade.WRONG)


def test_the_worst_grade_counts() -> None:
    """What could not be checked is better than what is worth a look; nothing at all is well."""
    found = [Finding(About.CLOCK, grade, "") for grade in (Grade.WELL, Grade.LOOK, Grade.NOT_CHECKED)]
    assert worst(found) is Grade.LOOK
    assert worst(found[::2]) is Grade.NOT_CHECKED
    assert worst([]) is Grade.WELL


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (3 * GIB, "3 GiB"), (2**41, "2.0 TiB")],
)
def test_sizes(number: int, told: str) -> None:
    """In binary units."""
    assert size(number) == told
