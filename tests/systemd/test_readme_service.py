"""README's section on the service is followed to the letter, on a fresh Debian."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.systemd.box import Box
from tests.systemd.service import MANIFEST
from tests.test_readme import compare, steps_after

pytestmark = [pytest.mark.xdist_group("box"), pytest.mark.timeout(600)]


def test_from_a_fresh_debian_to_the_first_card(box: Box, package: Path, real_model: Path) -> None:
    """Every command does what it shows, and the time that it takes is told."""
    box.put(package, f"/root/{package.name}")
    box.put(real_model, "/root/all-MiniLM-L6-v2")
    box.run("chmod -R a+rX /root/all-MiniLM-L6-v2")
    began = time.monotonic()
    told = steps_after("# ")
    assert re.sub(r"_\d[\w.]*_\w+\.deb", "", told[0].command) == "apt-get install -y ./dxwatchd"
    for step in told:
        command = re.sub(r"\./dxwatchd_\S+\.deb", f"./{package.name}", step.command)
        if command == "dxwatchd status":
            box.until(f"grep -q all-minilm {MANIFEST}", "the proposal")
        if command.startswith("systemctl show"):
            box.until(f"{command} | grep -v 'to hash' | grep registered", "the digests")
        compare(step, box.run(f"cd /root && {command}"), Path("/"))
    print(f"from a fresh Debian to the first card: {time.monotonic() - began:.0f} s")
