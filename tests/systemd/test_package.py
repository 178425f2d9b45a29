"""The Debian package: installed on a fresh Debian, upgraded, removed, purged."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.systemd.box import Box
from tests.systemd.service import CONFIG, MANIFEST, STATE, Service

pytestmark = [pytest.mark.xdist_group("box"), pytest.mark.timeout(600)]

INSTALL = "apt-get install -y /root/dxwatchd.deb"
OWN = f"{STATE}/manifest/manifest.toml {STATE}/cards/tiny.json {CONFIG}"


@pytest.fixture
def made(box: Box, package: Path) -> Service:
    """A service that was just installed from the package, as it starts by itself, and has one model."""
    box.put(package, "/root/dxwatchd.deb")
    box.run(INSTALL)
    service = Service(box)
    service.register("tiny")
    return service


def newer(package: Path, folder: Path, change: Callable[[str], str] = str) -> Path:
    """The package with a higher version, and with its settings changed."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", "Version: 99.0", control.read_text()))
    settings = tree / CONFIG.lstrip("/")
    settings.write_text(change(settings.read_text()))
    made = folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, made], check=True, capture_output=True)
    return made


def test_it_installs_and_starts_at_once(made: Service) -> None:
    """User, groups, folders, command and unit are there, and the service runs and comes back at boot."""
    box = made.box
    assert box.run("systemctl is-active dxwatchd; systemctl is-enabled dxwatchd").split() == [
        "active",
        "enabled",
    ]
    assert "dxwatchd" in box.run("dxwatchd --version")
    box.run("cd /usr/share/doc/dxwatchd && ls README.md systemd/README.md copyright config/*.yml")
    assert box.run(f"stat -c '%U %G %a' {STATE} {STATE}/manifest {MANIFEST}").splitlines() == [
        "dxwatchd dxwatchd 750",
        "dxwatchd dxwatchd-approvers 2770",
        "dxwatchd dxwatchd-approvers 660",
    ]
    assert "groups" in box.run("id dxwatchd")
    assert "dxwatchd-approvers" in box.run("id dxwatchd")
    assert "nologin" in box.run("getent passwd dxwatchd")
    assert box.run("dpkg --verify dxwatchd; find /opt/dxwatchd -newer /var/lib/dpkg/info/dxwatchd.list") == ""


def test_an_upgrade_keeps_what_is_an_administrators(made: Service, package: Path, tmp_path: Path) -> None:
    """Settings that were edited, manifest and cards stay, the service runs the new version."""
    box = made.box
    made.set({"quiet_period": "0.5"})
    before = box.run(f"sha256sum {OWN}")
    process = made.pid()
    box.put(newer(package, tmp_path, lambda text: text + "# new in this version\n"), "/root/newer.deb")
    told = box.run(
        "DEBIAN_FRONTEND=noninteractive apt-get install -y -o Dpkg::Options::=--force-confold /root/newer.deb"
    )
    assert "99.0" in box.run("dpkg-query --show dxwatchd"), told
    assert box.run(f"sha256sum {OWN}") == before
    assert made.pid() not in (0, process)
    assert "1 registered" in box.until(
        "systemctl show dxwatchd -P StatusText | grep registered", "the model in the new one"
    )


def test_a_stopped_service_stays_stopped_over_an_upgrade(
    made: Service, package: Path, tmp_path: Path
) -> None:
    """And one that was disabled stays disabled."""
    made.box.run("systemctl disable --now dxwatchd")
    made.box.put(newer(package, tmp_path), "/root/newer.deb")
    made.box.run("apt-get install -y /root/newer.deb")
    told = made.box.try_("systemctl is-active dxwatchd; systemctl is-enabled dxwatchd").told
    assert told.split() == ["inactive", "disabled"]


def test_removed_it_leaves_what_people_wrote_and_purged_nothing(made: Service) -> None:
    """A removal keeps settings, manifest and cards, and an installation goes on from there; models stay."""
    box = made.box
    before = box.run(f"sha256sum {OWN}")
    box.run("apt-get remove -y dxwatchd")
    assert box.try_("systemctl cat dxwatchd").code != 0
    assert box.try_("ls /opt/dxwatchd /usr/bin/dxwatchd").code != 0
    assert box.run(f"sha256sum {OWN}") == before
    box.run(INSTALL)
    box.until("dxwatchd status | grep registered", "the model again")
    assert box.run("systemctl is-active dxwatchd; systemctl is-enabled dxwatchd").split() == [
        "active",
        "enabled",
    ]
    assert box.run(f"sha256sum {OWN}") == before
    box.run("apt-get purge -y dxwatchd")
    assert box.run("ls -d /etc/dxwatchd /var/lib/dxwatchd /opt/dxwatchd 2>/dev/null; true") == ""
    assert box.run("ls /srv/models").split() == ["tiny"]
