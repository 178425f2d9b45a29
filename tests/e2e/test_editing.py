"""Real editors, shells, commands and a daemon at one manifest, each in its own process, all at once."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.conftest import COMMAND, PATIENCE, Place
from tests.e2e.test_names import tiny_model

SAVES: Final = 520
MODELS: Final = 16
COMMANDS: Final = 3

IN_PLACE: Final = """
import os, sys, time
path, line = sys.argv[1:]
text = open(path).read() + line + "\\n"
with open(path, "w") as file:
    for start in range(0, len(text), 700):
        file.write(text[start : start + 700])
        file.flush()
        time.sleep(0.002)
"""
RENAMED: Final = """
import os, sys
path, line = sys.argv[1:]
text = line + "\\n" + open(path).read()
with open(path + ".swp", "w") as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
os.rename(path + ".swp", path)
"""
# Changes one entry over and over, as a person with many shells would.
CHANGING: Final = """
import sys, time
from pathlib import Path
from dxwatchd.stores.manifest_edit import edit, put, table_of
from dxwatchd.stores.manifest_file import ManifestError
path, stop = Path(sys.argv[1]), Path(sys.argv[2])
number = done = 0
while not stop.exists():
    number += 1
    try:
        edit(path, lambda tables: put(table_of(tables, sys.argv[3]), {"notes": f"change {number}"}))
        done += 1
    except ManifestError as error:
        # `install` takes the file away before it makes the new one, and may be kept from that for a while
        assert "keep saving" in error.message or "is gone" in error.message, error.message
    if number % 6 == 0:
        time.sleep(0.6)  # the daemon appends when nobody has written for a moment
edit(path, lambda tables: put(table_of(tables, sys.argv[3]), {"notes": "the last"}))
print(done)
"""


# Where the file has changed since vim read it, it asks whether to write all the same. Where nobody answers it
# ends with 0 as if it had; where the answer is no it goes on, to what comes next.
SAVING: Final = ("wq!", "cquit")
ANSWER: Final = "no\n"


def _vim(*settings: str) -> Callable[[Path, str], list[str]]:
    def command(path: Path, line: str) -> list[str]:
        # what lies below /tmp, as tests do, gets no backup unless this is said
        said = ("set backupskip=", *(f"set {setting}" for setting in settings), f"$put ='{line}'", *SAVING)
        silently = ["vim", "-es", "-u", "NONE", "-i", "NONE", "-n"]
        return [*silently, *(part for one in said for part in ("-c", one)), str(path)]

    return command


def _shell(script: str) -> Callable[[Path, str], list[str]]:
    return lambda path, line: ["sh", "-ec", script, "sh", str(path), line]


def _python(program: str) -> Callable[[Path, str], list[str]]:
    return lambda path, line: [sys.executable, "-S", "-E", "-c", program, str(path), line]


WAYS: Final[dict[str, Callable[[Path, str], list[str]]]] = {
    "vim, renaming": _vim("backupcopy=no", "writebackup"),
    "vim, copying": _vim("backupcopy=yes", "writebackup"),
    "vim, keeping a backup": _vim("backup", "backupcopy=auto"),
    "vim, in place": _vim("nobackup", "nowritebackup"),
    "ed": _shell('printf "0a\\n%s\\n.\\nw\\nq\\n" "$2" | ed -s "$1"'),
    "sed -i": _shell('sed -i "1i $2" "$1"'),
    "sed -i with a backup": _shell('sed -i.bak "\\$a $2" "$1"'),
    "cp over it": _shell('cp "$1" "$1.mine"; echo "$2" >> "$1.mine"; cp "$1.mine" "$1"'),
    "mv over it": _shell('cp "$1" "$1.mine"; echo "$2" >> "$1.mine"; mv "$1.mine" "$1"'),
    "install": _shell('cp "$1" "$1.mine"; echo "$2" >> "$1.mine"; install -m 644 "$1.mine" "$1"'),
    "dd": _shell('cp "$1" "$1.mine"; echo "$2" >> "$1.mine"; dd if="$1.mine" of="$1" bs=512 status=none'),
    ">>": _shell('echo "$2" >> "$1"'),
    "tee -a": _shell('echo "$2" | tee -a "$1" >/dev/null'),
    "a program, in place and slowly": _python(IN_PLACE),
    "a program, by rename": _python(RENAMED),
}


def usable_ways() -> list[str]:
    """Those whose program is here. With CI set they all have to be."""
    missing = {name for name in ("vim", "ed") if shutil.which(name) is None}
    if missing and os.environ.get("CI"):
        pytest.fail(f"{sorted(missing)} are not installed: .ci/run installs them")
    return [way for way in WAYS if way.split(",")[0] not in missing]


def ended(command: list[str]) -> subprocess.CompletedProcess[str]:
    """One save. Its code is 0 only where it was made."""
    return subprocess.run(
        command, input=ANSWER, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def refused(way: str, done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a program did not save because the file is not the one any more that it had looked at."""
    return way.startswith("vim") or "as it was replaced while being copied" in done.stderr


class Person:
    """Adds one line after another, each with another editor; and looks that none goes."""

    def __init__(self, manifest: Path, seed: int) -> None:
        self.manifest = manifest
        self.random = random.Random(seed)
        self.ways = usable_ways()
        self.lines: list[str] = []

    def save(self) -> None:
        """One save; afterwards her line is there, and all that she saved before."""
        way = self.ways[len(self.lines) % len(self.ways)]
        line = f"# word {len(self.lines)} of {way}"
        command = WAYS[way](self.manifest, line)
        tries = 0
        while line not in self.manifest.read_text().splitlines():
            done = ended(command)
            if done.returncode == 0:
                break
            # nothing was saved: she does it anew
            tries += 1
            assert refused(way, done), f"{way}: {done.returncode} {done.stderr}"
            assert tries < 50, f"{way}: {done.returncode} {done.stderr}"
        self.lines.append(line)
        until = time.monotonic() + PATIENCE
        while lost := self.lost():  # a command may be about to give it back
            assert time.monotonic() < until, f"lost: {lost}"
            time.sleep(0.001)
        time.sleep(0.4 if len(self.lines) % 20 == 0 else self.random.choice((0, 0, 0.01, 0.05)))

    def lost(self) -> list[str]:
        """Which of her lines are not there, or not once; the file is whole, since nobody is saving it."""
        text = self.manifest.read_text()
        tomllib.loads(text)
        there = Counter(text.splitlines())
        return [line for line in self.lines if there[line] != 1]


class Approver:
    """Shells in which whatever is proposed gets approved, by the real command."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.stop = threading.Event()
        self.ran = 0
        self.errors: list[str] = []
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(COMMANDS)]

    def _run(self, number: int) -> None:
        while not self.stop.is_set():
            waiting = self._waiting()
            if len(waiting) <= number:
                self.stop.wait(0.05)
                continue
            done = subprocess.run(
                [COMMAND, "approve", waiting[number]],
                capture_output=True,
                text=True,
                env=self.place.environ(),
                timeout=PATIENCE,
                check=False,
            )
            self.ran += 1
            # what it waits for may be erased meanwhile by an editor's older buffer
            if "Traceback" in done.stderr or done.returncode not in (0, 1):
                self.errors.append(f"{done.returncode}: {done.stdout}{done.stderr}")

    def _waiting(self) -> list[str]:
        try:
            entries: list[dict[str, Any]] = self.place.entries()
        except (tomllib.TOMLDecodeError, OSError):  # somebody is saving it
            return []
        return [entry.get("technical_name", "") for entry in entries if entry.get("status") == "proposed"]


@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith("vim")])
def test_a_save_that_vim_did_not_make_is_none(tmp_path: Path, way: str) -> None:
    """It refuses where somebody else was faster; taken for a save, its line would be missed below as lost."""
    if way not in usable_ways():
        pytest.skip("vim is not installed")
    path = tmp_path / "file"
    path.write_text("first\n")
    command = WAYS[way](path, "second")
    assert ended(command).returncode == 0
    assert path.read_text() == "first\nsecond\n"
    at = command.index(SAVING[0]) - 1
    somebody = f"call system('sleep 0.01; echo third >> {path}')"
    assert ended([*command[:at], "-c", somebody, *command[at:]]).returncode == 1
    assert path.read_text() == "first\nsecond\nthird\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.promise(4, "real editors, `approve` and the daemon at one manifest, all at once")
def test_no_save_of_a_real_editor_is_lost(place: Place, tried: Callable[[int], None]) -> None:
    """Every line of every save is there once, the file is whole after each, and every model gets its card.

    Each save is made while one process changes an entry over and over, others approve proposals, and the
    daemon proposes what comes, again where an editor's older buffer erased it.
    """
    place.start()
    aside = place.folder / "aside"
    for number in range(MODELS):
        tiny_model(aside / f"m{number}", number)
    (aside / "m0").rename(place.models / "m0")
    first = place.proposed("m0")["technical_name"]
    place.run("approve", first)
    place.registered(first)
    person, approver = Person(place.manifest, 5), Approver(place)
    stop = place.folder / "stop"
    with subprocess.Popen(
        [sys.executable, "-c", CHANGING, place.manifest, stop, first], stdout=subprocess.PIPE, text=True
    ) as changing:
        try:
            for thread in approver.threads:
                thread.start()
            for number in range(SAVES):
                arrival, saves = divmod(number, SAVES // MODELS)
                if saves == 5 and (aside / f"m{arrival}").exists():
                    (aside / f"m{arrival}").rename(place.models / f"m{arrival}")
                    if arrival % 4 == 1:  # else the daemon might never come to it, and nothing be approved
                        place.proposed(f"m{arrival}")
                person.save()
        finally:
            approver.stop.set()
            stop.touch()
            for thread in approver.threads:
                thread.join()
            said, _ = changing.communicate(timeout=PATIENCE)
    assert changing.returncode == 0
    assert approver.errors == []
    assert int(said) > 0
    assert approver.ran > 0
    tried(SAVES)
    print(f"{SAVES} saves, {said.strip()} changes, {approver.ran} approvals by the command")
    _check_end(place, person, first)


def _check_end(place: Place, person: Person, first: str) -> None:
    for number in range(1, MODELS):
        if (place.models / f"m{number}").exists():
            name = place.proposed(f"m{number}")["technical_name"]
            place.run("approve", name)
            place.registered(name)
    assert person.lost() == []
    entries = place.entries()
    models = sorted(path.name for path in place.models.iterdir())
    assert sorted(entry["path"] for entry in entries) == models
    assert {entry["status"] for entry in entries} == {"approved"}
    assert next(entry for entry in entries if entry["technical_name"] == first)["notes"] == "the last"
    beside = {path.name for path in place.state.iterdir() if "manifest" in path.name}
    ours = {name for name in beside if not name.endswith("~")}  # vim's backups, also manifest.tomz~
    assert ours <= {"manifest.toml", "manifest.toml.bak", "manifest.toml.mine"}
