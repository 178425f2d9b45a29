"""`make install` and `make uninstall`: from a wheelhouse, without a network, into a folder and in a box."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.systemd.box import Box
from tests.systemd.service import CONFIG, STATE, Service

pytestmark = [pytest.mark.xdist_group("box"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheelhouse(package: Path) -> Path:
    """What the package was built from."""
    return REPOSITORY / "build" / "wheelhouse"


def make(target: str, destdir: Path, wheelhouse: Path) -> str:
    """Run a target for a folder; returns what it printed."""
    words = [target, f"DESTDIR={destdir}", f"WHEELHOUSE={wheelhouse}", "PYTHON=/usr/bin/python3"]
    done = subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names(folder: Path) -> set[str]:
    """All files below a folder that are no Python code."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    return {name for name in found if not name.startswith("opt/dxwatchd/")}


def test_into_a_folder_and_out_of_it_again(wheelhouse: Path, tmp_path: Path) -> None:
    """Everything is where a packager expects it; nothing knows the folder; settings stay."""
    told = make("install", tmp_path, wheelhouse)
    assert "the command" in told
    assert names(tmp_path) == {
        "usr/local/bin/dxwatchd",
        "usr/local/lib/systemd/system/dxwatchd.service",
        "usr/local/lib/sysusers.d/dxwatchd.conf",
        "usr/local/lib/tmpfiles.d/dxwatchd.conf",
        "etc/dxwatchd/dxwatchd.toml",
    }
    for path in (tmp_path / "opt" / "dxwatchd" / "bin").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()[:10_000], path
    settings = tmp_path / CONFIG.lstrip("/")
    settings.write_text("quiet_period = 7\n")
    assert "kept" in make("install", tmp_path, wheelhouse)
    assert settings.read_text() == "quiet_period = 7\n"
    make("uninstall", tmp_path, wheelhouse)
    assert {name for name in names(tmp_path) if not name.startswith("etc/")} == set()
    assert settings.exists()


def test_in_a_debian_without_a_network(box: Box, wheelhouse: Path, tmp_path: Path) -> None:
    """As README has it for an offline machine: the source and a wheelhouse are all that is carried there."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("Makefile", "systemd", "config", "pyproject.toml", "requirements-dev.lock", "README.md"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, source / name)
    shutil.copytree(wheelhouse, source / "wheelhouse")
    box.put(source, "/root/dxwatchd")
    box.run("apt-get install -y make python3-venv")
    told = box.run("cd /root/dxwatchd && make install WHEELHOUSE=wheelhouse")
    assert "systemctl enable --now dxwatchd" in told
    box.run("systemctl enable --now dxwatchd")
    service = Service(box)
    service.register("tiny")
    process = service.pid()
    assert "restarted" in box.run("cd /root/dxwatchd && make install WHEELHOUSE=wheelhouse")
    assert service.pid() not in (0, process)
    assert service.card("tiny")["availability"] == "available"
    box.run("cd /root/dxwatchd && make uninstall")
    assert box.try_("systemctl cat dxwatchd").code != 0
    box.run(f"ls {CONFIG} {STATE}/manifest/manifest.toml {STATE}/cards/tiny.json")
