"""The systemd unit: systemd finds no fault in it, and what it promises is in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.faults.mounting_watch import program

UNIT = REPOSITORY / "systemd" / "dxwatchd.service"
LINES = UNIT.read_text(encoding="utf-8").splitlines()
BOUND = 0.3
"""Of the exposure that systemd-analyze computes, from 0 to 10."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy that starts a program which is there."""
    found = shutil.which("true")
    assert found is not None
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={found}", UNIT.read_text(encoding="utf-8")))
    return copy


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run(
        [program("systemd-analyze"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "LANG": "C.UTF-8", "SYSTEMD_COLORS": "0"},
    )


def options() -> dict[str, str]:
    """Give the unit's options; of one that is there twice the last."""
    return dict(line.split("=", 1) for line in LINES if "=" in line and not line.startswith("#"))


def test_systemd_finds_no_fault(unit: Path) -> None:
    """The unit is accepted by systemd-analyze without a word."""
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_exposure_is_under_the_bound(unit: Path) -> None:
    """As systemd-analyze sees it."""
    done = analyze("security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for dxwatchd\.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= BOUND, done.stdout


def test_says_when_it_is_ready_and_alive() -> None:
    """The manager waits for the daemon's word, and starts it anew where that stays away."""
    found = options()
    assert (found["Type"], found["NotifyAccess"], found["WatchdogSec"]) == ("notify", "main", "30")
    assert found["Restart"] == "on-failure"


def test_writes_its_state_only() -> None:
    """Nothing but the state directory can be written to, and no network is there."""
    found = options()
    assert found["ProtectSystem"] == "strict"
    assert not any(option.startswith("ReadWritePaths") for option in found)
    assert found["StateDirectory"] == "dxwatchd"
    assert (found["PrivateNetwork"], found["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")


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
