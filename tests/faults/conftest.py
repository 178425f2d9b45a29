"""Places on file systems that misbehave."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import place, without_digests
from tests.faults.mounting import Mounts

__all__ = ["mounts", "place", "without_digests"]


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    """What makes mounts, in a folder that pytest does not clean up: it would go down into them."""
    folder = Path(tempfile.mkdtemp(prefix="dxwatchd-mounts-"))
    made = Mounts(folder)
    yield made
    made.end()
    for left in folder.iterdir():
        left.rmdir() if left.is_dir() else left.unlink()
    folder.rmdir()
