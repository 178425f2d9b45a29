"""Records of cards, and their files' content."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from dxwatchd.core.records import Availability, CardRecord, Change

FINGERPRINT = "sha256:" + "1" * 64


@pytest.fixture
def record() -> Callable[..., CardRecord]:
    """A card's record by its technical name; anything else may be given."""

    def make(technical_name: str, **other: Any) -> CardRecord:
        values: dict[str, Any] = {
            "technical_name": technical_name,
            "model_name": technical_name.upper(),
            "path": f"models/{technical_name}",
            "entry_path": f"models/{technical_name}",
            "fingerprint": FINGERPRINT,
            "approved_fingerprint": None,
            "availability": Availability.AVAILABLE,
            "revision": 1,
            **other,
        }
        return CardRecord(**values)

    return make


@pytest.fixture
def content() -> Callable[[CardRecord, Change], bytes]:
    """A card file's bytes for a record: its keys and nothing else."""

    def make(record: CardRecord, change: Change = Change.REGISTERED) -> bytes:
        return json.dumps({**asdict(record), "change": change}).encode()

    return make
