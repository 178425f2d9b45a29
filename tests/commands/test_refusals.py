"""How a refusal reaches whoever started the command: a person at a terminal, or the journal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("dxwatchd")


def refusal(folder: Path, **more: str) -> list[str]:
    """What the daemon says that is started with two settings that cannot be used."""
    (folder / "dxwatchd.toml").write_text('quiet_period = -1\nrescan_interval = "often"\n')
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DXWATCHD_")}
    said = folder / "said"
    with said.open("wb") as stream:
        journal = os.fstat(stream.fileno())
        known = {name: value.format(f"{journal.st_dev}:{journal.st_ino}") for name, value in more.items()}
        done = subprocess.run(
            [COMMAND, "run", "--config", folder / "dxwatchd.toml"],
            env={**inherited, **known},
            stderr=stream,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    return said.read_text().splitlines()


def test_a_person_reads_every_problem(tmp_path: Path) -> None:
    """One line for each, and nothing else before them."""
    lines = refusal(tmp_path)
    assert lines[0] == "dxwatchd: the settings cannot be used"
    for name in ("quiet_period", "rescan_interval"):
        assert any(name in line for line in lines)
    assert not any(line.startswith("<") for line in lines)


def test_in_the_journal_each_line_is_an_error(tmp_path: Path) -> None:
    """`journalctl -p err` shows why a service did not start."""
    lines = refusal(tmp_path, JOURNAL_STREAM="{}")
    assert lines[0] == "<3>dxwatchd: the settings cannot be used"
    assert len(lines) >= 3
    assert all(line.startswith("<3>") for line in lines)
