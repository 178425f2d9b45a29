"""A systemd that knows `Type=notify-reload`, and a newer Python: installed from a wheelhouse, reloaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.systemd.box import NEWER, booted
from tests.systemd.service import QUICK, Service

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("box"), pytest.mark.timeout(900)]

PYTHON = "3.13"  # the newer Debian's


@pytest.fixture
def wheelhouse(package: Path, tmp_path: Path) -> Path:
    """What `make wheelhouse` would fetch there, for its Python."""
    folder = tmp_path / "wheelhouse"
    assert package.exists()
    (program,) = (REPOSITORY / "build" / "wheelhouse").glob("dxwatchd-*.whl")
    words = ["download", "--quiet", f"--dest={folder}", "--only-binary=:all:", f"--python-version={PYTHON}"]
    platforms = ["--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64"]
    versions = f"--constraint={REPOSITORY / 'build' / 'constraints.txt'}"
    subprocess.run(
        [sys.executable, "-m", "pip", *words, *platforms, versions, str(program)], check=True, timeout=300
    )
    return folder


def test_a_reload_has_ended_when_systemctl_has(wheelhouse: Path, tmp_path: Path) -> None:
    """The type is notify-reload there: what changed is in force when `systemctl reload` returns."""
    (tmp_path / "box").mkdir()
    with booted(tmp_path / "box", NEWER) as box:
        for name in ("Makefile", "systemd", "config", "pyproject.toml", "requirements-dev.lock", "README.md"):
            box.put(REPOSITORY / name, f"/root/dxwatchd/{name}")
        box.put(wheelhouse, "/root/dxwatchd/wheelhouse")
        box.run("cd /root/dxwatchd && make install WHEELHOUSE=wheelhouse")
        service = Service(box)
        service.set(QUICK)
        box.run("systemctl enable --now dxwatchd")
        assert service.show("Type", "ExecReload") == {"Type": "notify-reload"}
        assert box.run("systemd-analyze verify dxwatchd.service") == ""
        exposure = box.run("systemd-analyze security --no-pager dxwatchd.service | tail -n 1")
        assert float(exposure.split(": ")[1].split()[0]) <= 0.3, exposure
        service.register("tiny")
        process = service.pid()
        for value in ("1.5", "0.4", "0.3"):
            service.set({"quiet_period": value})
            box.run("systemctl reload dxwatchd")
            changed = [
                json.loads(line["MESSAGE"]) for line in service.log() if "setting changed" in line["MESSAGE"]
            ]
            assert changed[-1]["value"] == value
        service.set({"quiet_period": "-1"})
        box.try_("systemctl reload dxwatchd")
        assert any("the old ones stay" in line["MESSAGE"] for line in service.log())
        assert (service.pid(), service.card("tiny")["availability"]) == (process, "available")
        box.run("systemctl stop dxwatchd")
        assert service.show("Result") == {"Result": "success"}
