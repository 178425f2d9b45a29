"""The systemd unit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

UNIT = REPOSITORY / "systemd" / "dxwatchd.service"
LINES = UNIT.read_text(encoding="utf-8").splitlines()


def options() -> dict[str, str]:
    """Give the unit's options; of one that is there twice the last."""
    return dict(line.split("=", 1) for line in LINES if "=" in line and not line.startswith("#"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    """The unit is accepted by systemd-analyze without a word."""
    program = shutil.which("true")
    assert program is not None
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program}", UNIT.read_text(encoding="utf-8")))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_says_when_it_is_ready_and_alive() -> None:
    """The manager waits for the daemon's word, and starts it anew where that stays away."""
    unit = options()
    assert (unit["Type"], unit["NotifyAccess"], unit["WatchdogSec"]) == ("notify", "main", "30")
    assert unit["Restart"] == "on-failure"


def test_writes_its_state_only() -> None:
    """Nothing but the state directory can be written to, and no network is there."""
    unit = options()
    assert unit["ProtectSystem"] == "strict"
    assert not any(option.startswith("ReadWritePaths") for option in unit)
    assert unit["StateDirectory"] == "dxwatchd"
    assert (unit["PrivateNetwork"], unit["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")


def test_every_group_of_options_is_explained() -> None:
    """No option stands without a comment above it or above its neighbours."""
    explained = False
    for line in LINES:
        if not line.strip() or line.startswith("["):
            explained = line in {"[Unit]", "[Install]"}  # these begin with what needs no word
        elif line.startswith("#"):
            explained = True
        else:
            assert explained, f"{line} has no comment"
