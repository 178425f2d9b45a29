"""The README is followed to the letter: each command is run, and what it says must come."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from dxwatchd.settings import Settings
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
PATIENCE = 60.0


@dataclass
class Step:
    """One command of the README and the lines it shows."""

    command: str
    shown: list[str]


def steps_after(prompt: str) -> list[Step]:
    """The commands of all blocks that begin with a prompt: "$ " for anybody, "# " for root."""
    steps: list[Step] = []
    for language, text in BLOCKS:
        if language != "console" or not text.startswith(prompt):
            continue
        for line in text.splitlines():
            if line.startswith(prompt):
                steps.append(Step(line.removeprefix(prompt), []))
            else:
                steps[-1].shown.append(line)
    return steps


def _pattern(line: str, home: Path) -> str:
    """A shown line as a pattern: what differs from run to run may differ, spaces of columns too."""
    told = re.sub(r"\s+", " ", line.replace("/home/you/dxwatchd", str(home))).strip()
    pattern = re.escape(told)
    pattern = re.sub(r"process\\ \d+", r"process\\ \\d+", pattern)
    pattern = pattern.replace(r"that\ you\ may", r"that\ \S+\ may")
    return re.sub(r"\d{4}\\-\d\d\\-\d\dT[\d:]+Z", r"[\\d:TZ-]+", pattern)


@pytest.fixture
def followed(tmp_path: Path, real_model: Path) -> dict[str, str]:
    """What a reader has: the model in Downloads, the command on the path, an empty folder."""
    home = tmp_path / "home"
    shutil.copytree(real_model, home / "Downloads" / "all-MiniLM-L6-v2")
    work = home / "dxwatchd"
    work.mkdir()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DXWATCHD_")}
    bin_folder = Path(sys.executable).parent
    return {**inherited, "HOME": str(home), "PATH": f"{bin_folder}:{os.environ['PATH']}", "WORK": str(work)}


@pytest.mark.timeout(300)
def test_every_command_does_what_the_readme_shows(followed: dict[str, str]) -> None:
    """In an empty folder, one after the other, the daemon running: every shown line comes in its order."""
    work = Path(followed["WORK"])
    steps = steps_after("$ ")  # what root does is done in a box
    assert steps[0].command == "make run"
    log = work.parent / "run.log"
    with log.open("wb") as out:
        daemon = subprocess.Popen(
            [str(Path(sys.executable).with_name("dxwatchd")), "run", "--log-format", "console"],
            cwd=work,
            env=followed,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while log.read_text().count("\n") < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        compare(steps[0], log.read_text().replace(" (just made)", ""), work)
        for step in steps[1:]:
            if step.command.startswith("dxwatchd approve"):
                _wait_for_the_proposal(work, deadline=time.monotonic() + PATIENCE)
                _wait_for_the_digests(work, deadline=time.monotonic() + PATIENCE)
            done = subprocess.run(
                ["bash", "-c", step.command],
                cwd=work,
                env=followed,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode in (0, 1), f"{step.command}: {done.stdout}{done.stderr}"
            assert "Traceback" not in done.stderr
            compare(step, done.stdout, work)
        _python(work, followed)
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE) == 0


def compare(step: Step, said: str, home: Path) -> None:
    text = re.sub(r"\s+", " ", said)
    for line in step.shown:
        if not line.strip():
            continue
        found = re.search(_pattern(line, home), text)
        assert found, f"$ {step.command}\nthe README shows: {line}\nbut it said:\n{said}"
        text = text[found.end() :]


def _wait_for_the_proposal(work: Path, *, deadline: float) -> None:
    shown = next(text for language, text in BLOCKS if language == "toml")
    wanted = re.sub(r"found [\d-]+", r"found DATE", shown)
    manifest = work / "state" / "manifest.toml"
    while time.monotonic() < deadline:
        text = manifest.read_text() if manifest.exists() else ""  # made a moment after the start
        if wanted in re.sub(r"found [\d-]+", r"found DATE", text):
            return
        time.sleep(0.05)
    pytest.fail(f"the proposal in the README did not come:\n{manifest.read_text()}")


def _wait_for_the_digests(work: Path, *, deadline: float) -> None:
    """Whoever reads a proposal takes longer than they do."""
    while time.monotonic() < deadline:
        (folder,) = json.loads((work / "state" / "status.json").read_bytes())["folders"]
        if (folder.get("digests") or {}).get("status") == "computed":
            return
        time.sleep(0.05)
    pytest.fail("the digests did not come")


def _python(work: Path, environ: dict[str, str]) -> None:
    script = next(text for language, text in BLOCKS if language == "python")
    shown = next(text for language, text in BLOCKS if language == "text")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=work,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout == shown, done.stderr


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    """The table has each setting, its default and its variable, and nothing else."""
    rows = re.findall(r"^\| `(\w+)` \| `([^`]*)` \| `(\w+)` \|", README, flags=re.MULTILINE)
    assert [name for name, _, _ in rows] == list(Settings.model_fields)
    for name, default, variable in rows:
        assert variable == f"DXWATCHD_{name.upper()}"
        value = Settings.model_fields[name].default
        if name == "manifest":
            assert default == "<state_dir>/manifest.toml"
        elif isinstance(value, bool):
            assert default == str(value).lower()
        elif isinstance(value, float):
            assert float(default) == value
        elif isinstance(value, tuple):
            assert (default, value) == ("[]", ())
        else:
            assert default == str(value)


def test_every_command_is_named_in_the_readme() -> None:
    """A command that no reader learns of might as well not be there."""
    from dxwatchd.cli import app

    for command in app.registered_commands:
        assert re.search(rf"dxwatchd {command.name}\b|`{command.name}\b", README), command.name


def test_every_make_target_in_the_readme_is_there() -> None:
    """`make X` in the README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= targets
