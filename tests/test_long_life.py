"""A daemon that runs for years: after 100,000 events it holds no more than after 10,000."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

EVENTS = 100_000
PASSES = 300

_PROGRAM = """
import gc, json, os, sys, threading
from pathlib import Path
from dxwatchd.core.records import CardRecord
from dxwatchd.cycle import Cycle
from dxwatchd.hints import HintBox
from dxwatchd.log import configure
from dxwatchd.settings import Settings
from dxwatchd.stores import journal
from tests.e2e.test_names import tiny_model

folder, events, passes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
configure("json", "error")
os.fsync = lambda descriptor: None  # no power is cut here
journal.FULL = 2**20
models = folder / "models"
for number in range(4):
    tiny_model(models / f"m{number}", number)
cycle = Cycle(Settings(models_root=models, state_dir=folder / "state", quiet_period=0, remote_quiet_period=0))
box = HintBox(lambda: None)

def measured():
    gc.collect()
    state = folder / "state"
    return {
        "rss": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "objects": len(gc.get_objects()),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "state": sum(path.stat().st_size for path in state.rglob("*") if path.is_file()),
        "index": (state / "cards" / "index.json").stat().st_size if number > 1 else 0,
    }

said = []
for number in range(passes):
    for _ in range(events // passes):
        box.add({f"m0/seen{number}"}, {f"gone{number}"})  # as the observer does
    (models / "m1").rename(models / f"other{number}")  # another name each time, seen by a pass
    (models / "m2" / "extra.py").write_text("x = 1")
    cycle.run(box.take(), number * 10.0)
    (models / f"other{number}").rename(models / "m1")
    (models / "m2" / "extra.py").unlink()
    box.add_everything()
    cycle.run(box.take(), number * 10.0 + 5)
    for batch in range(events // passes // 100 + 1):
        record = CardRecord(f"r{number}-{batch}", "R", "p", "p", "sha256:0", None, "available", 1)
        cycle.cards.bury(record)  # a model that came and went
        told = [{"id": f"{number}:{batch}:{one}", "event": "drifted", "path": "p" * 80} for one in range(100)]
        cycle.journal.append(told, time="2026", generation=cycle.cards.generation + 1)
        cycle.publisher._commit()
    if number in (passes // 10, passes - 1):
        said.append(measured())
cycle.close()
print(json.dumps([*said, cycle.journal.sequence]))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.promise(2, "100,000 events and hints: memory, descriptors, threads and state stay as they were")
def test_nothing_grows_over_a_hundred_thousand_events(tmp_path: Path, tried: Callable[[int], None]) -> None:
    """Folders come under ever new names, cards drift, models are removed, the journal is moved aside."""
    tried(EVENTS)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path), str(EVENTS), str(PASSES)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    early, late, sequence = json.loads(done.stdout)
    print(early, late, sequence)
    assert sequence >= EVENTS
    assert late["files"] == early["files"]
    assert late["threads"] == early["threads"]
    # what is bounded may still fill up: 1000 tombstones, 1000 events, 8 old journals
    assert late["objects"] - early["objects"] < 20_000
    assert late["rss"] - early["rss"] < 12 * 2**20
    assert late["index"] < 300_000
    assert late["state"] < 16 * 2**20
