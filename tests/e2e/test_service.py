"""The daemon as a process: how it starts, stops, reloads, and what it tells the service manager."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND, PATIENCE, Place
from tests.e2e.test_names import drop


def test_it_says_in_three_lines_what_to_do(place: Place) -> None:
    """What is watched, where the manifest is, what to do next; a missing models root is made."""
    place.models.rmdir()
    place.start()
    lines = [line for line in place.log.read_text().splitlines() if not line.startswith("{")]
    assert lines[0] == f"Watching  {place.models} (just made)"
    assert lines[1] == f"Manifest  {place.manifest}"
    assert lines[2].startswith("Next      copy a model folder into the first")
    assert len(lines) == 3
    assert place.manifest.read_text().startswith("# The manifest of dxwatchd")


def test_it_logs_json_where_no_terminal_is(place: Place) -> None:
    """Every line of the log is a JSON object with event, level and time."""
    place.start("--log-format", "json")
    drop(place, "m")
    place.proposed("m")
    place.stop()
    events = [json.loads(line) for line in place.log.read_text().splitlines()]
    assert {"watching", "model proposed", "stopping", "stopped"} <= {event["event"] for event in events}
    assert all({"timestamp", "level"} <= event.keys() for event in events)


def test_sigterm_and_sigint_end_it_promptly_and_cleanly(place: Place) -> None:
    """Either signal ends it with code 0, with nothing half-written and the lock free."""
    for number in (signal.SIGTERM, signal.SIGINT):
        place.start()
        began = time.monotonic()
        assert place.stop(number) == 0
        print(f"{signal.Signals(number).name} → end: {time.monotonic() - began:.3f} s")
        assert not list(place.state.rglob(".writing-*"))
    assert not place.json("status")["running"]


def test_it_ends_promptly_in_the_middle_of_a_pass(place: Place) -> None:
    """A stop while thousands of folders are being looked at for the first time does not wait for the end."""
    for number in range(3000):
        (place.models / f"d{number % 50}" / f"e{number}").mkdir(parents=True)
    process = place.start(wait=False)
    place.until(lambda: "Watching" in place.log.read_text(), "the start")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    place.process = None


def test_a_second_daemon_is_told_who_holds_the_state_directory(place: Place) -> None:
    """It ends with code 3 and names the process that runs."""
    process = place.start()
    said = place.run("run", code=3)
    assert f"in use by `dxwatchd run`, process {process.pid}" in said
    assert "Traceback" not in said


def test_commands_are_heard_again_after_their_folder_was_removed(place: Place) -> None:
    """Somebody tidies up empty folders: the next pass makes it again, and a request in it is answered."""
    place.start()
    requests = place.state / "requests"
    requests.rmdir()
    drop(place, "m")
    place.proposed("m")
    place.until(requests.is_dir, "the folder to be made again")
    assert "waits for approval" in place.run("scan")


def test_sighup_reloads_the_settings_and_says_what_changed(place: Place) -> None:
    """A changed setting takes effect and is logged; wrong ones are refused and the old ones stay."""
    config = place.folder / "dxwatchd.toml"
    config.write_text("quiet_period = 3600\n")
    place.options = {"rescan_interval": 0.5, "remote_quiet_period": 0.2}
    process = place.start("--config", str(config), "--log-format", "json")
    slow = place.models / "slow"
    drop(place, "aside/slow")
    (place.models / "aside" / "slow").rename(slow)
    (slow / "README.md").write_text("touched, so that it did not come in as one\n")
    place.until(lambda: place.folder_state("slow"), "slow to be seen")
    config.write_text("quiet_periode = 1\n")
    process.send_signal(signal.SIGHUP)
    place.until(lambda: "settings cannot be used" in place.log.read_text(), "the refusal")
    assert "did you mean" in place.log.read_text()
    config.write_text("quiet_period = 0.1\n")
    process.send_signal(signal.SIGHUP)
    place.until(lambda: "setting changed" in place.log.read_text(), "the reload")
    place.proposed("slow")


def test_it_speaks_to_the_service_manager(place: Place) -> None:
    """READY, STATUS, WATCHDOG while it lives, RELOADING, and STOPPING at the end."""
    address = str(place.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(PATIENCE)
        environ = {**place.environ(), "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
        with place.log.open("ab") as log:
            place.process = subprocess.Popen([COMMAND, "run"], stdout=log, stderr=log, env=environ)

        def told(wanted: str) -> str:
            while True:
                message = manager.recv(4096).decode()
                if wanted in message:
                    return message

        assert f"STATUS=Looking at {place.models}" in told("READY=1")
        told("WATCHDOG=1")
        told("WATCHDOG=1")
        drop(place, "m")
        told("STATUS=1 proposed")
        place.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in told("RELOADING=1")
        assert "STATUS=Settings reloaded: nothing has changed" in told("READY=1")
        place.process.send_signal(signal.SIGTERM)
        told("STOPPING=1")
        assert place.process.wait(PATIENCE) == 0
        place.process = None


def test_a_lost_root_withdraws_nothing_and_comes_back(place: Place) -> None:
    """Root renamed away: the card says missing, the reason is told; root back: available by itself."""
    place.options |= {"rescan_interval": 0.5}
    place.start()
    drop(place, "m")
    place.proposed("m")
    place.edit('status = "proposed"', 'status = "approved"')
    place.registered("m")
    away = place.models.with_name("away")
    place.models.rename(away)
    place.until(lambda: place.index()[0]["availability"] == "missing", "missing")
    assert "the models root cannot be looked at" in place.run("status", code=1)
    away.rename(place.models)
    place.until(lambda: place.index()[0]["availability"] == "available", "available again")
    drop(place, "late", 2)
    place.proposed("late")


@pytest.mark.usefixtures("without_digests")
def test_the_manifest_survives_being_torn_and_emptied(place: Place) -> None:
    """A file that does not parse, or is suddenly empty, leaves every card; `check` says line and column."""
    place.start()
    drop(place, "m")
    place.proposed("m")
    place.edit('status = "proposed"', 'status = "approved"')
    card = place.registered("m")
    good = place.manifest.read_text()
    for bad in (good + '[[models]]\nstatus = "appr', ""):
        place.manifest.write_text(bad)
        place.run("scan", code=1)
        assert place.card("m") == card
        assert place.manifest.read_text() == bad
        if bad:
            assert f"manifest.toml:{len(bad.splitlines())}:" in place.run("check", code=1)
    place.manifest.write_text(good)
    place.run("scan")
    assert place.card("m") == card


def test_many_commands_at_once_all_get_their_answer(place: Place) -> None:
    """Twenty scans asked of one daemon at the same time all end well."""
    place.start()
    running = [
        subprocess.Popen(
            [COMMAND, "scan"], env=place.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(20)
    ]
    assert [process.wait(PATIENCE) for process in running] == [0] * 20
    assert not list((place.state / "requests").iterdir())


def test_no_process_is_left_when_its_parent_dies_hard(place: Place, tmp_path: Path) -> None:
    """After SIGKILL the next start needs no cleaning up: the kernel freed the lock."""
    place.start()
    place.kill()
    assert (place.state / "daemon.lock").exists()
    place.start()
    assert place.json("status")["running"]
    assert os.listdir(place.state / "requests") == []
