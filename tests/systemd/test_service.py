"""The installed service under a real systemd: it comes back, it reloads, it stops, it is confined."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.systemd.box import Box
from tests.systemd.service import MANIFEST, STATE, Service

pytestmark = [pytest.mark.xdist_group("box"), pytest.mark.timeout(600)]


def test_a_folder_is_dropped_approved_and_has_a_card(service: Service) -> None:
    """The whole way; `systemctl status` says what the daemon knows, `status` that all is well."""
    service.drop("tiny")
    service.proposed("tiny")
    service.box.until("systemctl show dxwatchd -P StatusText | grep '1 proposed'", "the status line")
    service.box.run("dxwatchd approve tiny")
    assert service.card("tiny")["availability"] == "available"
    service.box.until("systemctl show dxwatchd -P StatusText | grep '1 registered'", "the status line")
    assert "dxwatchd is running" in service.box.run("dxwatchd status")


@pytest.mark.promise(2, "the installed service killed by SIGKILL under systemd")
def test_a_killed_daemon_is_back_and_nothing_is_lost(service: Service) -> None:
    """Another one is started; cards stay as they were, the journal has no doubles, new folders are found."""
    card = service.register("tiny")
    before = service.pid()
    service.box.run(f"kill -9 {before}")
    service.box.until(
        f"p=$(systemctl show dxwatchd -P MainPID); [ $p -gt 0 ] && [ $p -ne {before} ]", "another process"
    )
    service.drop("later", 2)
    service.proposed("later")
    service.box.run("systemctl is-active dxwatchd")
    again = service.card("tiny")
    assert (again["revision"] >= card["revision"], again["availability"]) == (True, "available")
    events = [json.loads(line) for line in service.box.run(f"cat {STATE}/events.jsonl").splitlines()]
    told = [(event["event"], event["path"]) for event in events if event["event"] != "digested"]
    assert sorted(told) == [("proposed", "later"), ("proposed", "tiny"), ("registered", "tiny")]


def test_a_stopped_loop_is_started_anew_by_the_watchdog(service: Service) -> None:
    """A process that does not answer is killed after WatchdogSec and replaced."""
    with service.altered("WatchdogSec=2"):
        service.box.run("systemctl restart dxwatchd")
        before = service.pid()
        service.box.run(f"kill -STOP {before}")
        service.box.until(
            f"p=$(systemctl show dxwatchd -P MainPID); [ $p -gt 0 ] && [ $p -ne {before} ] "
            "&& systemctl is-active dxwatchd",
            "another process",
        )
        assert "Watchdog timeout" in service.box.run("journalctl -u dxwatchd --no-pager")
        assert int(service.show("NRestarts")["NRestarts"]) >= 1


def test_a_long_life_is_no_reason_for_the_watchdog(service: Service) -> None:
    """It feeds the watchdog: nothing is started anew while it works."""
    before = service.show("WatchdogTimestampMonotonic", "MainPID")
    fed = "$(systemctl show dxwatchd -P WatchdogTimestampMonotonic)"
    service.box.until(f"[ {fed} -gt {before['WatchdogTimestampMonotonic']} ]", "a ping")
    assert service.show("MainPID")["MainPID"] == before["MainPID"]


def test_a_reload_says_what_changed(service: Service) -> None:
    """The same process, with the new settings; a setting that cannot be used leaves the old ones."""
    before = service.pid()
    service.set({"quiet_period": "1.5"})
    service.box.run("systemctl reload dxwatchd")
    service.box.until("journalctl -u dxwatchd -o cat | grep 'settings reloaded'", "the reload")
    changed = [json.loads(line["MESSAGE"]) for line in service.log() if "setting changed" in line["MESSAGE"]]
    assert (changed[-1]["setting"], changed[-1]["value"], changed[-1]["was"]) == (
        "quiet_period",
        "1.5",
        "0.3",
    )
    service.set({"quiet_period": "-1"})
    service.box.run("systemctl reload dxwatchd; true")
    service.box.until("journalctl -u dxwatchd -o cat | grep 'the old ones stay'", "the refusal")
    assert service.pid() == before
    service.drop("after", 3)
    service.proposed("after")


def test_it_stops_within_its_limit(service: Service) -> None:
    """By SIGTERM, cleanly, long before systemd would kill it."""
    service.register("tiny")
    service.box.run("systemctl stop dxwatchd")
    shown = service.show("Result", "ExecMainStatus", "ActiveState", "ExecMainCode")
    assert shown == {
        "Result": "success",
        "ExecMainStatus": "0",
        "ActiveState": "inactive",
        "ExecMainCode": "1",
    }


def test_settings_that_cannot_be_used_are_told_and_not_tried_again(service: Service) -> None:
    """Exit code 3 or 2 stays so until a person acts; the journal has every problem."""
    service.box.run("systemctl stop dxwatchd")
    service.set({"quiet_period": "-1", "rescan_interval": '"often"'})
    assert service.box.try_("systemctl start dxwatchd").code != 0
    shown = service.show("NRestarts", "ExecMainStatus")
    assert shown["NRestarts"] == "0"
    assert shown["ExecMainStatus"] in "23"
    told = service.box.run("journalctl -u dxwatchd -p err -o cat --no-pager")
    assert "quiet_period" in told
    assert "rescan_interval" in told


def test_doctor_finds_nothing_wrong_until_something_is(service: Service) -> None:
    """All is well as installed; a file that another user owns now is told with its remedy, by exit code 1."""
    service.register("tiny")
    well = service.box.try_("dxwatchd doctor")
    assert well.code == 0, well.told
    assert "dxwatchd, as which process" in well.told
    service.box.run(f"chown root:root {STATE}/events.jsonl; chmod 600 {STATE}/events.jsonl")
    ill = service.box.try_("dxwatchd doctor")
    assert ill.code == 1, ill.told
    assert re.search(r"wrong +dxwatchd cannot read and write events.jsonl", ill.told), ill.told
    assert "chown" in ill.told


@pytest.mark.promise(
    1, "the installed service tries to write to the models root, to use a network, to read /home"
)
def test_it_is_confined(service: Service, installed: Box) -> None:
    """Another program in its place, with every option of the unit, can do none of what it need not do."""
    service.register("tiny")
    installed.run("mkdir -p /home/alice; echo secret >/home/alice/secret; chmod -R a+rX /home")
    installed.put(Path(__file__).with_name("probe.py"), "/usr/local/lib/probe.py")
    with service.altered(
        "Type=oneshot",
        "Restart=no",
        "ExecStart=",
        "ExecStart=/opt/dxwatchd/bin/python /usr/local/lib/probe.py",
    ):
        installed.run("systemctl restart dxwatchd")
        (line,) = [line for line in service.log() if line["MESSAGE"].startswith('{"tried"')]
    tried = json.loads(line["MESSAGE"])["tried"]
    assert tried.pop("read a model") == tried.pop("write the state") == "done"
    assert len(tried) >= 15
    assert not {what: how for what, how in tried.items() if how == "done"}
    assert tried["write into the models root"] == tried["delete from the models root"] == "EROFS"
    assert tried["open an internet socket"] == "EAFNOSUPPORT"


def test_a_file_that_another_user_holds_open(service: Service, installed: Box) -> None:
    """Seen by a lease only where the unit gives the right to one, by the lines that the guide has."""
    guide = (REPOSITORY / "systemd" / "README.md").read_text()
    lines = next(
        text for text in re.findall(r"```ini\n\[Service\]\n(.*?)```", guide, re.DOTALL) if "LEASE" in text
    )
    with service.altered(*lines.split()):
        installed.run("systemctl restart dxwatchd")
        service.aside("held")
        hold = "exec 3<>/srv/aside/held/model.safetensors; echo held; sleep 1000"
        installed.run(f"systemd-run --quiet --unit=holder --uid=daemon sh -c '{hold}'")
        installed.until("journalctl -u holder -o cat | grep held", "the file to be held")
        installed.run("mv /srv/aside/held /srv/models/")
        installed.until("dxwatchd explain held | grep 'open for writing'", "the open file to be seen")
        assert service.entry("held") is None
        installed.run("systemctl stop holder")
        service.proposed("held")


def test_digests_give_way_to_everybody_else(service: Service, installed: Box) -> None:
    """The thread that computes them has the idle class of disk and processor, and no other thread has."""
    service.register("tiny")
    told = "echo $(ionice -p ${t##*/}) $(cut -d' ' -f19 $t/stat)"
    threads = installed.run(f"for t in /proc/{service.pid()}/task/*; do {told}; done").splitlines()
    idle = [thread for thread in threads if thread.startswith("idle")]
    assert [thread.split()[-1] for thread in idle] == ["19"]
    assert len(threads) > 3


def test_an_approver_needs_no_rights_of_roots(service: Service, installed: Box) -> None:
    """A member of the two groups edits and approves; the daemon goes on appending to what that leaves."""
    installed.run("id alice 2>/dev/null || useradd --create-home --groups dxwatchd,dxwatchd-approvers alice")
    service.drop("one", 1)
    service.proposed("one")
    assert "approved" in installed.run("dxwatchd approve one", user="alice")
    service.card("one")
    service.drop("two", 2)
    service.proposed("two")
    installed.run(f'sed -i \'s/"proposed"/"approved"/\' {MANIFEST}', user="alice")
    service.card("two")
    service.drop("three", 3)
    service.proposed("three")
    assert "dxwatchd is running" in installed.run("dxwatchd status", user="alice")
    installed.run("dxwatchd scan", user="alice")
    refused = installed.try_(f"cat {MANIFEST}", user="nobody")
    assert "Permission denied" in refused.told
