"""A file system that hangs: the daemon says so, goes on pinging, and ends when told to."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from dxwatchd.stores.instance_lock import InstanceLock
from tests.e2e.conftest import COMMAND, PATIENCE, Place
from tests.e2e.test_names import tiny_model
from tests.faults.mounting import FaultyFs, Mounts, rule

pytestmark = pytest.mark.xdist_group("mounts")

PING_USEC: Final = 400_000
"""What the service manager allows between two pings, in microseconds; the daemon then takes half of it."""

WHERE: Final[dict[str, dict[str, object]]] = {
    "the root is looked at": rule("getattr", path="/", hang=True, skip=3),
    "a folder is listed": rule("readdir", path="/new", hang=True),
    "a file is looked at": rule("getattr", path="/new/config.json", hang=True),
    "a header is read": rule("read", path="/new/model.safetensors", hang=True),
    "a digest is computed": rule("read", path="/new/big.bin", hang=True),
    "a card is made": rule("open", path="/new/config.json", hang=True, skip=1),
}


@dataclass(frozen=True)
class Service:
    """A daemon on a models root that can hang, and the service manager that it speaks to."""

    place: Place
    models: FaultyFs
    manager: socket.socket

    def told(self, wanted: str) -> str:
        """Wait for a message with this text."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            message = self.manager.recv(4096).decode()
            if wanted in message:
                return message
        pytest.fail(f"the service manager was never told {wanted}; {self.place.log.read_text()}")

    def pings(self) -> None:
        """The daemon goes on pinging: five more, none of them sent before."""
        self.manager.setblocking(False)
        try:
            while True:
                self.manager.recv(4096)
        except BlockingIOError:
            self.manager.settimeout(PATIENCE)
        for _ in range(5):
            self.told("WATCHDOG=1")

    def start(self) -> subprocess.Popen[bytes]:
        """Start the daemon."""
        environ = {
            **self.place.environ(),
            "NOTIFY_SOCKET": str(self.place.folder / "notify"),
            "WATCHDOG_USEC": str(PING_USEC),
        }
        with self.place.log.open("ab") as log:
            self.place.process = subprocess.Popen([COMMAND, "run"], stdout=log, stderr=log, env=environ)
        self.told("READY=1")
        return self.place.process

    def under_way(self) -> str:
        """Wait until `status` says what the pass hangs at; returns that line."""

        def look() -> str:
            lines = self.place.run("status", code=None).splitlines()
            return next((line for line in lines if "under way since" in line), "")

        return self.place.until(look, "a word on the pass under way")


@pytest.fixture
def service(place: Place, mounts: Mounts) -> Iterator[Service]:
    """A daemon that has made a pass over a good model."""
    source = place.folder / "source"
    tiny_model(source / "good", 1)
    models = mounts.faulty("faulty", source)
    place.models = models.point
    place.options |= {"quiet_period": 0, "remote_quiet_period": 0.1, "rescan_interval": 0.5}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place.folder / "notify"))
        manager.settimeout(PATIENCE)
        made = Service(place, models, manager)
        made.start()
        place.proposed("good")
        yield made
        models.set()
        place.kill()


def hang(service: Service, where: str) -> None:
    """Let the file system hang, and wait until the daemon does."""
    service.models.set(WHERE[where])
    tiny_model(service.models.source / "new", 2)
    (service.models.source / "new" / "big.bin").write_bytes(b"x" * 100)
    service.place.until(lambda: service.models.counts()[0] > 0, f"a hang while {where}")


@pytest.mark.promise(2, "the models root hangs while it is looked at, listed, read, digested")
@pytest.mark.promise(10, "the models root hangs while it is looked at, listed, read, digested")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("where", WHERE)
def test_a_hung_file_system_stops_neither_ping_nor_reload_nor_stop(service: Service, where: str) -> None:
    """The watchdog is fed, SIGHUP is answered, SIGTERM ends it with code 0; afterwards all is seen."""
    hang(service, where)
    service.pings()
    assert service.place.process is not None
    service.place.process.send_signal(signal.SIGHUP)
    service.told("RELOADING=1")
    service.told("READY=1")
    service.pings()
    began = time.monotonic()
    assert service.place.stop() == 0
    print(f"SIGTERM → end while {where}: {time.monotonic() - began:.1f} s")
    service.told("STOPPING=1")
    assert "Traceback" not in service.place.log.read_text()
    service.models.set()
    service.start()
    service.place.proposed("new")


@pytest.mark.promise(10, "a pass hangs: `status` says since when, and at which file")
@pytest.mark.timeout(240)
def test_status_says_what_a_pass_hangs_at_and_it_goes_on_after(service: Service) -> None:
    """From a process of its own, in words and as JSON, to the service manager too; then all is as it was."""
    hang(service, "a header is read")
    at = f"looking at {service.models.point / 'new' / 'model.safetensors'}"
    assert service.under_way().endswith(at)
    told = service.place.json("status", code=None)
    assert told["running"]
    assert told["under_way"]["place"] == at.removeprefix("looking at ")
    assert [folder["path"] for folder in told["folders"]] == ["good"]
    assert at in service.told("under way since")
    assert service.place.process is not None
    service.place.process.send_signal(signal.SIGHUP)
    service.told("READY=1")
    service.models.set()
    service.place.proposed("new")
    service.place.until(
        lambda: service.place.json("status", code=None)["under_way"] is None, "the end of the long pass"
    )
    assert "settings reloaded" in service.place.log.read_text()


@pytest.mark.timeout(240)
def test_a_first_pass_that_hangs_is_told_too(service: Service) -> None:
    """There is no status yet, and `status` says why."""
    assert service.place.stop() == 0
    (service.place.state / "status.json").unlink()
    service.models.set(WHERE["a folder is listed"] | {"path": "/good"})
    service.start()
    assert "no pass was ever made" in service.under_way()


@pytest.mark.timeout(240)
def test_a_file_system_that_hears_nothing_frees_the_state_directory_all_the_same(service: Service) -> None:
    """Where even a kill waits for the file system, the lock is given back and the process ends with it."""
    service.models.set(WHERE["a header is read"] | {"deaf": True})
    tiny_model(service.models.source / "new", 2)
    service.place.until(lambda: service.models.counts()[0] > 0, "the hang")
    process = service.place.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    service.told("STOPPING=1")
    lock = InstanceLock(service.place.state / "daemon.lock")
    service.place.until(lambda: lock.holder() is None, "the lock to be free")
    service.models.set()
    assert process.wait(PATIENCE) == 0
    service.place.process = None


@pytest.mark.promise(10, "the models root hangs, also for a caller that is killed: `doctor` says so and ends")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("deaf", [False, True], ids=["lets go", "holds on"])
def test_doctor_says_which_file_system_hangs_and_ends(service: Service, deaf: bool) -> None:
    """Whether or not the file system lets go of who looks; all the rest is looked at all the same."""
    service.models.set(rule("getattr", "readdir", path="/", hang=True, deaf=deaf))
    told = service.place.json("doctor", code=1)
    found = {(one["about"], one["grade"]): one["found"] for one in told["findings"]}
    assert found["models root", "wrong"] == f"{service.models.point} does not answer: its file system hangs"
    assert ("state directory", "well") in found
    assert ("manifest", "well") in found
    assert any(about == "daemon" for about, _ in found)
    assert any(about == "clock" for about, _ in found)
