"""What systemd is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dxwatchd import sdnotify
from dxwatchd.sdnotify import Notifier, watchdog_interval


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket and its address as NOTIFY_SOCKET gives it."""
    name = f"dxwatchd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        if request.param == "file":
            receiver.bind(str(tmp_path / "n"))
            yield receiver, str(tmp_path / "n")
        else:
            receiver.bind("\0" + name)
            yield receiver, "@" + name


def test_each_message_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    """Ready, status, reload, stop and ping arrive as sd_notify(3) writes them."""
    receiver, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    assert notifier.ready("watching 3 folders")
    assert notifier.status("idle")
    assert notifier.reloading(123)
    assert notifier.stopping()
    assert notifier.ping()
    assert [receiver.recv(4096) for _ in range(5)] == [
        b"READY=1\nSTATUS=watching 3 folders",
        b"STATUS=idle",
        b"RELOADING=1\nMONOTONIC_USEC=123",
        b"STOPPING=1",
        b"WATCHDOG=1",
    ]


def test_a_status_cannot_add_assignments(manager: tuple[socket.socket, str]) -> None:
    """A folder's name with a line break in it stays within the status."""
    receiver, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.status("copying a\nSTOPPING=1\r\x85b \udcff" + "x" * 100_000)
    message = receiver.recv(1 << 20)
    assert message.startswith(b"STATUS=copying a STOPPING=1 b ?x")
    assert b"\n" not in message
    assert len(message) < 2 * sdnotify.STATUS_LIMIT


@pytest.mark.parametrize(
    "address", ["", "/nowhere/at/all", "@dxwatchd-nobody", "vsock:2:1", "relative", "/" + "x" * 200, "/a\0b"]
)
def test_without_a_listener_nothing_happens(address: str) -> None:
    """A manager that is not there, or an address that is none, never stops the daemon."""
    assert Notifier({"NOTIFY_SOCKET": address}).ready("on") is False


def test_without_a_manager_nothing_is_sent() -> None:
    """Started by hand, the daemon tells nobody."""
    assert Notifier({}).ping() is False


def test_a_manager_that_does_not_read_does_not_hold_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full socket is given up on after a moment."""
    monkeypatch.setattr(sdnotify, "SEND_TIMEOUT", 0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "n"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "n")})
        assert any(not notifier.ping() for _ in range(10_000))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "x"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_pings_come_twice_as_often_as_asked(environ: dict[str, str], expected: float | None) -> None:
    """The interval is half of what the manager allows, and none where it asked another process or nobody."""
    assert watchdog_interval(environ) == expected
