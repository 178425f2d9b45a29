"""Telling systemd how the daemon is: the sd_notify protocol, one datagram per message."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

SEND_TIMEOUT: Final = 1.0  # seconds; a manager that does not read must not hold up the daemon
STATUS_LIMIT: Final = 1_000  # characters


class Notifier:
    """Sends what the service manager asked for in NOTIFY_SOCKET; without it every call does nothing.

    No call raises: that the manager cannot be told is no reason to stop. Each says whether it was sent.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = address if address.startswith(("/", "@")) else ""

    def ready(self, status: str) -> bool:
        """Say that the start, or a reload, is done."""
        return self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def status(self, text: str) -> bool:
        """Say in a line what the daemon does; `systemctl status` shows it."""
        return self._send(f"STATUS={_one_line(text)}")

    def reloading(self, monotonic_usec: int) -> bool:
        """Say that a reload began, at that reading of CLOCK_MONOTONIC. ready() has to follow."""
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_usec}")

    def stopping(self) -> bool:
        """Say that the stop began."""
        return self._send("STOPPING=1")

    def ping(self) -> bool:
        """Say that the daemon is alive."""
        return self._send("WATCHDOG=1")

    def _send(self, message: str) -> bool:
        if not self._address:
            return False
        # An abstract socket is written with "@" where its name has a zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(SEND_TIMEOUT)
                sender.sendto(message.encode("utf-8", "replace"), address)
        except (OSError, ValueError):
            return False
        return True


def watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Give the seconds to leave between pings, half of what is allowed; None where none are asked for."""
    try:
        allowed = int(environ.get("WATCHDOG_USEC", ""))
        meant_for = int(environ.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    if allowed <= 0 or meant_for != os.getpid():
        return None
    return allowed / 2 / 1_000_000


def _one_line(text: str) -> str:
    """Keep a text from adding an assignment of its own to the message."""
    return " ".join(text.split())[:STATUS_LIMIT]
