"""What passes remember of the models root, kept in a file that may be lost or damaged at any time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.root_guard import Cause, Hold, Memory, RootIdentity
from dxwatchd.stores.guard_file import GuardFile

NUMBERS = st.integers(0, 2**64 - 1)
NAMES = st.frozensets(st.text(max_size=20), max_size=5)
MEMORIES = st.builds(
    Memory,
    root=st.none() | st.builds(RootIdentity, NUMBERS, NUMBERS, NUMBERS),
    mounts=st.dictionaries(st.text(max_size=20), NUMBERS, max_size=3),
    missing=NAMES,
    orphaned=NAMES,
    hold=st.none() | st.builds(Hold, st.sampled_from(Cause), NAMES, st.text(max_size=20)),
)
FULL = Memory(
    RootIdentity(1, 2, 3), {"big": 4}, frozenset("ab"), frozenset("c"), Hold(Cause.MANY, frozenset("d"), "x")
)


@given(MEMORIES)
def test_what_is_saved_is_known_to_the_next_process(
    tmp_path_factory: pytest.TempPathFactory, memory: Memory
) -> None:
    """Whatever it is."""
    path = tmp_path_factory.mktemp("state") / "guards.json"
    GuardFile(path).save(memory)
    again = GuardFile(path)
    assert again.memory == memory
    assert again.damaged == ""


def test_a_folder_name_that_is_no_text_is_kept(tmp_path: Path) -> None:
    """A mount point may have any name."""
    path = tmp_path / "guards.json"
    memory = Memory(mounts={b"caf\xe9".decode(errors="surrogateescape"): 7})
    GuardFile(path).save(memory)
    assert GuardFile(path).memory == memory


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    """A pass each minute is no reason to wear out a disk."""
    path = tmp_path / "guards.json"
    file = GuardFile(path)
    file.save(Memory())
    assert not path.exists()
    file.save(FULL)
    first = path.stat()
    file.save(FULL)
    GuardFile(path).save(FULL)
    assert path.stat() == first


def _damages() -> list[Any]:
    whole: dict[str, Any] = {
        "schema": "dxwatchd.guards/v1",
        "root": {"device": 1, "inode": 2, "file_system": 3},
        "mounts": {},
        "missing": [],
        "orphaned": [],
        "hold": None,
    }
    wrong: list[tuple[str, Any]] = [
        ("schema", "dxwatchd.guards/v2"),
        ("root", {"device": 1}),
        ("root", {"device": "1", "inode": 2, "file_system": 3}),
        ("root", [1, 2, 3]),
        ("mounts", ["big"]),
        ("mounts", {"big": None}),
        ("missing", "abc"),
        ("missing", [1]),
        ("orphaned", None),
        ("hold", {"cause": "no such", "names": [], "found": ""}),
        ("hold", {"cause": "many", "names": []}),
        ("hold", True),
    ]
    changed = [json.dumps({**whole, key: value}).encode() for key, value in wrong]
    left_out = [json.dumps({k: v for k, v in whole.items() if k != key}).encode() for key in whole]
    return [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, *changed, *left_out]


@pytest.mark.promise(8, "the memory of the root is damaged, of another version, or no file")
def test_damage_is_told_and_forgotten(tmp_path: Path, tried: Any) -> None:
    """Never an error: without memory the next loss is held as if it were the first."""
    path = tmp_path / "guards.json"
    for data in _damages():
        path.write_bytes(data)
        file = GuardFile(path)
        assert file.memory == Memory(), data
        assert file.damaged, data
        file.save(Memory())
        assert GuardFile(path).damaged == ""
    path.unlink()
    path.mkdir()
    assert GuardFile(path).damaged
    tried(len(_damages()) + 1)
