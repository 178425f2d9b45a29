"""The consumer's process beside a soak."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.e2e.conftest import PATIENCE, Place


class Reading:
    """Runs `reader.py` on a place while the block does."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.out = place.folder / "reader.json"
        self.looks = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reading:
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("reader.py")),
                str(self.place.state),
                str(self.out),
            ],
            stdin=subprocess.PIPE,
            env=self.place.environ() | {"PYTHONPATH": str(REPOSITORY)},
            cwd=self.place.folder,
        )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()

    def problems(self) -> list[str]:
        """What it saw that no reader may see: told once it has ended; and that it has ended too early."""
        process = self._process
        assert process is not None
        if process.stdin is not None and not process.stdin.closed:
            return [] if process.poll() is None else ["the reader ended by itself"]
        if process.returncode != 0:
            return [f"the reader ended with {process.returncode}"]
        told: dict[str, Any] = json.loads(self.out.read_bytes())
        self.looks = told["looks"]
        return [f"reader: {problem}" for problem in told["problems"]]
