"""The installed service, as an administrator and an approver see it."""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.e2e.test_names import tiny_model
from tests.systemd.box import Box

MODELS: Final = "/srv/models"
STATE: Final = "/var/lib/dxwatchd"
MANIFEST: Final = f"{STATE}/manifest/manifest.toml"
CONFIG: Final = "/etc/dxwatchd/dxwatchd.toml"
QUICK: Final = {"quiet_period": "0.3", "remote_quiet_period": "0.5", "rescan_interval": "2"}
"""Settings by which tests wait less. The box's disk is an overlay, whose changes are not all told."""


class Service:
    """dxwatchd in a box."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def afresh(self) -> Service:
        """Begin with nothing, and start."""
        self.box.run(
            "systemctl stop dxwatchd; systemctl reset-failed dxwatchd 2>/dev/null; "
            f"rm -rf {STATE} {MODELS}; systemd-tmpfiles --create dxwatchd.conf"
        )
        self.set(QUICK)
        self.box.run("systemctl start dxwatchd")
        return self

    def set(self, values: dict[str, str]) -> None:
        """Write settings into the config file, in place of what it says of them."""
        for name, value in values.items():
            line = f"^(# )?{name} = .*"
            self.box.run(f"grep -qE '{line}' {CONFIG} && sed -i -E 's|{line}|{name} = {value}|' {CONFIG}")

    @contextmanager
    def altered(self, *options: str) -> Iterator[None]:
        """Other options of the unit for the length of a block; the service is then to be started anew."""
        folder = "/run/systemd/system/dxwatchd.service.d"
        lines = " ".join(f"'{option}'" for option in ("[Service]", *options))
        self.box.run(
            f"mkdir -p {folder}; printf '%s\\n' {lines} >{folder}/test.conf; systemctl daemon-reload"
        )
        try:
            yield
        finally:
            self.box.run(f"rm {folder}/test.conf; systemctl daemon-reload; systemctl stop dxwatchd")

    def show(self, *properties: str) -> dict[str, str]:
        """What systemd knows of the unit."""
        told = self.box.run(f"systemctl show dxwatchd --property={','.join(properties)}")
        return dict(line.split("=", 1) for line in told.splitlines())

    def pid(self) -> int:
        """The daemon's process in the box."""
        return int(self.show("MainPID")["MainPID"])

    def aside(self, name: str, seed: int = 1) -> None:
        """Put a small model beside the models root, readable for all."""
        with tempfile.TemporaryDirectory() as folder:
            tiny_model(Path(folder) / name, seed)
            self.box.put(Path(folder) / name, f"/srv/aside/{name}")
        self.box.run("chmod -R a+rwX /srv/aside")

    def drop(self, name: str, seed: int = 1) -> None:
        """Move a small model into the models root, as an administrator does."""
        self.aside(name, seed)
        self.box.run(f"mv /srv/aside/{name} {MODELS}/")

    def entry(self, path: str) -> dict[str, Any] | None:
        """The manifest's entry of a folder."""
        entries = tomllib.loads(self.box.run(f"cat {MANIFEST}")).get("models", [])
        return next((entry for entry in entries if entry["path"] == path), None)

    def proposed(self, name: str) -> None:
        """Wait for the proposal."""
        self.box.until(f"grep -q 'path = \"{name}\"' {MANIFEST}", f"a proposal of {name}")

    def register(self, name: str) -> dict[str, Any]:
        """Drop a model, approve it and give its card."""
        self.drop(name)
        self.proposed(name)
        self.box.run(f"dxwatchd approve {name}")
        return self.card(name)

    def card(self, name: str) -> dict[str, Any]:
        """Wait for a card."""
        found: dict[str, Any] = json.loads(
            self.box.until(f"cat {STATE}/cards/{name}.json", f"the card of {name}")
        )
        return found

    def log(self) -> list[dict[str, Any]]:
        """The service's own words since the box was started, oldest first, each as journald keeps it."""
        told = self.box.run("journalctl -u dxwatchd _SYSTEMD_UNIT=dxwatchd.service -o json --no-pager")
        return [json.loads(line) for line in told.splitlines()]
