"""The package, and boxes to install it in. All these tests run one after the other, by one worker."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.systemd.box import Box, base, booted
from tests.systemd.service import Service

MINUTES = 60


@pytest.fixture(scope="session")
def package() -> Path:
    """The Debian package, built from what lies here."""
    base()  # says first whether boxes can be had
    done = subprocess.run(
        ["make", "--no-print-directory", "deb", "PYTHON=/usr/bin/python3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * MINUTES,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return REPOSITORY / done.stdout.splitlines()[-1]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A fresh Debian."""
    (tmp_path / "box").mkdir()
    with booted(tmp_path / "box") as made:
        yield made


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A Debian with the package installed, shared by the tests of a module."""
    with booted(tmp_path_factory.mktemp("box")) as made:
        made.put(package, "/root/dxwatchd.deb")
        made.run("apt-get install -y /root/dxwatchd.deb")
        made.run(
            "mount -t tmpfs tmpfs /srv"
        )  # as a disk of its own: overlays know no leases and tell few events
        yield made


@pytest.fixture
def service(installed: Box) -> Service:
    """The service in that Debian, running, with quick settings and nothing registered."""
    return Service(installed).afresh()
