"""Looking at what is around the daemon: it gives facts whatever is there, and never hangs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Final

import pytest

from dxwatchd.checkup import machine, people, places, unit
from dxwatchd.checkup.apart import Failed, Late, apart
from dxwatchd.commands import doctoring
from dxwatchd.core.checkup.rights import Kind, Person
from dxwatchd.settings import Settings, load
from dxwatchd.state import StateDirectory

STRANGER: Final = Person("stranger", 54_321, frozenset({54_321}))


def test_what_is_looked_at_apart_comes_back() -> None:
    """Plain data, also more than a pipe holds at once."""
    assert apart(lambda: ("x" * 1_000_000, os.getpid()))[1] != os.getpid()


def test_a_look_that_hangs_is_left_behind() -> None:
    """After its time it is given up, and its process ended."""
    began = time.monotonic()
    with pytest.raises(Late):
        apart(lambda: time.sleep(600), within=0.2)
    assert time.monotonic() - began < 60


def test_a_look_that_fails_says_how() -> None:
    """By an exception, or by the end of its process."""

    def fail() -> None:
        raise KeyError("why")

    with pytest.raises(Failed, match="KeyError: 'why'"):
        apart(fail)
    with pytest.raises(Failed, match="has died"):
        apart(lambda: os._exit(3))


def test_the_way_to_a_place_goes_by_its_links_too(tmp_path: Path) -> None:
    """A closed folder before a link stops whoever comes, and so does one behind it."""
    (tmp_path / "real" / "m").mkdir(parents=True)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "link").symlink_to(tmp_path / "real")
    way = places.way_to(tmp_path / "closed" / "link" / "m", STRANGER)
    assert [place.path for place in way][-1] == str(tmp_path / "real" / "m")
    assert {str(tmp_path / "closed"), str(tmp_path / "real")} <= {place.path for place in way}


def test_what_lies_at_a_place(tmp_path: Path) -> None:
    """A folder, a file, a pipe, nothing; below a file there is nothing."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    kinds = [
        places.place_of(tmp_path / name, STRANGER).kind for name in (".", "file", "pipe", "none", "file/x")
    ]
    assert kinds == [Kind.FOLDER, Kind.FILE, Kind.OTHER, Kind.MISSING, Kind.MISSING]


def test_a_walk_counts_folders_and_finds_what_is_closed(tmp_path: Path) -> None:
    """For another user by the modes; what is never looked at, as lost+found, is passed over."""
    for name in ("a/b", "closed", "lost+found", "kept.bak"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "open").touch(0o644)
    for path in (tmp_path / "a" / "own", tmp_path / "lost+found" / "x"):
        path.touch(0o600)
    for name in ("closed", "kept.bak"):
        (tmp_path / name).chmod(0o700)
    found = places.walk(tmp_path, ("*.bak",), STRANGER, 60)
    assert (found.folders, found.closed, found.in_full) == (3, 2, True)
    assert sorted(found.unreadable) == ["a/own", "closed"]
    assert not places.walk(tmp_path, (), STRANGER, 0).in_full


def test_the_clock_knows_the_latest_time_that_was_told(tmp_path: Path) -> None:
    """By the journal, by the status, by the files' own times; torn files tell nothing."""
    state = StateDirectory(tmp_path)
    assert machine.clock(state, with_systemd=False).told == ""
    state.journal.write_text('{"time": "2222-02-22T00:00:00Z"}\n')
    state.status.write_text("{")
    told = machine.clock(state, with_systemd=False)
    assert "events.jsonl is 2222-02-22T00:00:00Z" in told.told
    assert told.ahead > 1e9
    state.status.write_text(json.dumps({"pass": {"ended_at": "2333-02-22T00:00:00Z"}}))
    assert "status.json is 2333" in machine.clock(state, with_systemd=False).told


def test_a_process_tells_whose_it_is() -> None:
    """With all its groups; one that is gone tells nothing."""
    me = people.of_process(os.getpid())
    assert me is not None
    assert (me.user, me.groups) == (os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))
    assert people.of_process(2**30) is None
    assert people.named("no-such-user", "") is None


CONFIG: Final = 'models_root = "/srv/models"\nstate_dir = "/elsewhere"\nmanifest = "/srv/manifest/m.toml"\n'


def _told(config: Path) -> dict[str, str]:
    """The unit as systemctl shows it."""
    daemon = "/opt/dxwatchd/bin/dxwatchd"
    return {
        "LoadState": "loaded",
        "ActiveState": "active",
        "UnitFileState": "enabled",
        "NRestarts": "2",
        "NeedDaemonReload": "no",
        "MainPID": "77",
        "User": "dxwatchd",
        "ExecStart": f"{{ path={daemon} ; argv[]={daemon} run --config {config} ; ignore_errors=no }}",
        "Environment": "DXWATCHD_STATE_DIR=/var/lib/dxwatchd 'OTHER=a b'",
        "WorkingDirectory": "/var/lib/dxwatchd",
        "ProtectHome": "yes",
        "ProtectSystem": "strict",
        "PrivateTmp": "yes",
        "ReadWritePaths": "-/data",
        "StateDirectory": "dxwatchd",
    }


def test_the_units_settings_are_those_that_its_daemon_reads(tmp_path: Path) -> None:
    """Its own config file, environment and options; what it may write to beside."""
    config = tmp_path / "d.toml"
    config.write_text(CONFIG)
    facts = unit.unit_of(_told(config))
    assert facts.places is not None
    assert (facts.places.models_root, facts.places.state_dir, facts.places.manifest) == (
        "/srv/models",
        "/var/lib/dxwatchd",
        "/srv/manifest/m.toml",
    )
    assert (facts.restarts, facts.process, facts.user, facts.config) == (2, 77, "dxwatchd", str(config))
    assert {"/data", "/var/lib/dxwatchd", "/tmp"} <= set(facts.writable)
    told = {**_told(config), "ExecStart": "argv[]=/x/dxwatchd run --state-dir=/a --models-root /b ; "}
    facts = unit.unit_of(told)
    assert facts.places is not None
    assert (facts.places.models_root, facts.places.state_dir) == ("/b", "/a")


def test_settings_of_a_unit_that_cannot_be_told_are_not_guessed(tmp_path: Path) -> None:
    """A config file that is gone, an environment in a file, nothing at all."""
    assert "there is no such file" in unit.unit_of(_told(tmp_path / "none")).why
    config = tmp_path / "d.toml"
    config.write_text(CONFIG)
    facts = unit.unit_of({**_told(config), "EnvironmentFiles": "/etc/default/dxwatchd"})
    assert (facts.places, "EnvironmentFile" in facts.why) == (None, True)
    assert unit.unit_of({}).load == "not-found"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose systemd says what the files in the folder say, a program each."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(unit, "RUNS", tmp_path)
    monkeypatch.setattr(unit, "ASK_WITHIN", 1.0)
    monkeypatch.setattr(machine, "SYNCHRONISED", tmp_path / "none")
    return programs


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty models root, and no state directory."""
    (tmp_path / "models").mkdir()
    given = {"models_root": str(tmp_path / "models"), "state_dir": str(tmp_path / "state")}
    return load(given, config=None, environ={}, cwd=tmp_path)


def _doctor(settings: Settings, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str]]:
    doctoring.doctor(lambda **_: settings, as_json=True)
    found = json.loads(capsys.readouterr().out)["findings"]
    return [(one["about"], one["grade"], one["found"]) for one in found]


def test_the_service_is_looked_at(
    systemd: Path, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """As systemd and its clock's keeper show it."""
    config = tmp_path / "d.toml"
    config.write_text(CONFIG)
    lines = "\n".join(f"{name}={value}" for name, value in _told(config).items())
    _program(systemd / "systemctl", f"cat <<'END'\n{lines}\nEND")
    _program(systemd / "timedatectl", "echo no")
    told = _doctor(settings, capsys)
    assert ("service", "well", "the service is active, process 77") in told
    assert ("service", "worth a look", "systemd has started it anew 2 times") in told
    assert any(
        about == "service" and "state_dir is /var/lib/dxwatchd for it" in text for about, _, text in told
    )
    assert ("clock", "worth a look", "it is not kept right by other clocks, says timedatectl") in told


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("sleep 600", "systemd could not be asked: it does not answer"),
        ("echo no bus >&2; exit 1", "systemd could not be asked: no bus"),
        ("echo; echo LoadState; echo =; head -c 9999 /dev/urandom", "systemd knows no unit dxwatchd"),
    ],
)
def test_a_systemd_that_is_ill_is_no_trouble(
    systemd: Path, settings: Settings, capsys: pytest.CaptureFixture[str], program: str, words: str
) -> None:
    """One that hangs, fails or babbles: it was not checked, and all the rest was."""
    _program(systemd / "systemctl", program)
    _program(systemd / "timedatectl", program)
    told = _doctor(settings, capsys)
    assert ("service", "not checked", words) in told
    assert {about for about, _, _ in told} >= {"settings", "models root", "manifest", "limits", "clock"}
