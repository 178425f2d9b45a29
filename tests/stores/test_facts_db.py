"""The cache of facts gives back what it was given, and is never missed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dxwatchd.core import document_facts, facts
from dxwatchd.core.facts import FACT_TYPES, Facts, Fault
from dxwatchd.core.snapshot import SeenFile, Stat
from dxwatchd.stores.facts_db import VERSION, FactsDb

DIGEST = "sha256:" + "a" * 64
STAT = Stat(2**50, 2**62, 2**62 + 1, 2**64 - 1, 2**63 + 5)
EVERY: list[Facts] = [
    facts.Unusable(Fault.TRUNCATED, "It ends.", 3, DIGEST),
    facts.Pointer("ab" * 32, 2**40, DIGEST),
    facts.Content(DIGEST),
    document_facts.Config(DIGEST, "qwen3", ("Qwen3ForCausalLM",), "Qwen/Qwen3"),
    document_facts.AdapterConfig(DIGEST, "LORA", None),
    document_facts.Modules(DIGEST, ("", "1_Pooling")),
    document_facts.PipelineIndex(DIGEST, "FluxPipeline", ("vae", "text_encoder")),
    document_facts.WeightIndex(DIGEST, ("a.safetensors", "b.safetensors"), 2**45),
    facts.Safetensors(DIGEST, 2**45, 310, "pt"),
    document_facts.Document(DIGEST, ("dim",), ("model.onnx",)),
    document_facts.ShardTable(DIGEST, ("params_shard_0.bin",), (2**45,)),
    document_facts.Readme(DIGEST, ("Qwen3 8B",), "Qwen3-8B"),
    document_facts.FileList(DIGEST, ("consolidated.00.pth",)),
    document_facts.Ref(DIGEST, "ab" * 20),
    document_facts.HubMetadata(DIGEST, "ab" * 20, "cd" * 32, 2**62),
    facts.Gguf(DIGEST, 2**45, 32, 310, "llama", "通义千问", 0, 3, "model"),
    facts.Sized(DIGEST, "HDF5", 2**45, exact=False, tensors=3),
    facts.Onnx(DIGEST, 2**31, ("model.onnx_data",), (2**45,)),
    facts.OpenVino(DIGEST, 2**45),
    facts.Hollow(DIGEST),
    facts.TorchArchive(DIGEST, "zip", complete=False),
    facts.Opaque(DIGEST),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the cache lies."""
    return tmp_path / "facts.db"


@pytest.fixture
def db(path: Path) -> Iterator[FactsDb]:
    """An open cache."""
    opened = FactsDb(path)
    yield opened
    opened.close()


def _seen(name: str, told: Facts | None = None, *, hole: bool = False) -> SeenFile:
    return SeenFile(name, STAT, told or facts.Content(DIGEST), hole)


def _again(path: Path, folder: str) -> dict[str, SeenFile]:
    opened = FactsDb(path)
    try:
        return dict(opened.folder(folder))
    finally:
        opened.close()


def test_every_kind_of_fact_is_given_back_after_a_restart(db: FactsDb, path: Path) -> None:
    """Numbers beyond SQLite's integers too: an inode may have 64 bits."""
    assert {type(told).__name__ for told in EVERY} == set(FACT_TYPES)
    files = {f"{number}": _seen(f"{number}", told, hole=number % 2 == 0) for number, told in enumerate(EVERY)}
    db.remember("folder", files.values())
    assert db.folder("folder") == files
    assert _again(path, "folder") == files


def test_names_that_are_no_text_are_kept(db: FactsDb, path: Path) -> None:
    """A file name is bytes to the kernel."""
    name = os.fsdecode(b"w\xff\xfe\n.safetensors")
    folder = os.fsdecode(b"d\xe9")
    db.remember(folder, [_seen(name)])
    assert _again(path, folder) == {name: _seen(name)}


def test_a_folder_is_replaced_as_a_whole(db: FactsDb) -> None:
    """Files that are gone are forgotten, files without facts are not remembered."""
    db.remember("folder", [_seen("a"), _seen("b")])
    db.remember("folder", [_seen("b"), SeenFile("c", STAT), SeenFile("d", None)])
    assert set(db.folder("folder")) == {"b"}
    assert db.folder("other") == {}


@pytest.mark.parametrize("garbage", [b"garbage" * 1000, b"SQLite format 3\0" + bytes(5000), b"x"])
def test_a_damaged_file_is_made_anew(path: Path, garbage: bytes) -> None:
    """Nothing is lost but time."""
    path.write_bytes(garbage)
    db = FactsDb(path)
    assert db.folder("folder") == {}
    db.remember("folder", [_seen("a")])
    db.close()
    assert set(_again(path, "folder")) == {"a"}


def test_one_that_is_damaged_while_open_is_made_anew(db: FactsDb, path: Path) -> None:
    """A look finds nothing, and what is remembered afterwards stays."""
    db.remember("folder", [_seen(f"{number}") for number in range(2000)])
    for file in (path, path.with_name("facts.db-wal")):
        file.write_bytes(b"garbage" * 10_000)
    db.folder("folder")
    db.remember("folder", [_seen("a")])
    db.remember("folder", [_seen("a")])
    assert set(db.folder("folder")) == {"a"}


def test_one_that_is_deleted_while_open_is_made_anew(db: FactsDb, path: Path) -> None:
    """With its companions or without."""
    db.remember("folder", [_seen("a")])
    for file in path.parent.iterdir():
        file.unlink()
    assert db.folder("folder") == {}
    db.remember("folder", [_seen("b")])
    assert set(_again(path, "folder")) == {"b"}
    path.unlink()
    db.remember("folder", [_seen("c")])
    assert set(_again(path, "folder")) == {"c"}


def test_one_of_another_version_is_thrown_away(db: FactsDb, path: Path) -> None:
    """What another version's readers said may be wrong by now."""
    db.remember("folder", [_seen("a")])
    db.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    assert _again(path, "folder") == {}


def test_rows_that_make_no_sense_are_passed_over(db: FactsDb, path: Path) -> None:
    """The others are given back."""
    db.remember("folder", [_seen("a"), _seen("b"), _seen("c"), _seen("d")])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE facts SET facts = 'x' WHERE name = ?", (b"a",))
    connection.execute("""UPDATE facts SET facts = '["NoSuch"]' WHERE name = ?""", (b"b",))
    connection.execute("UPDATE facts SET stat = '[1]' WHERE name = ?", (b"c",))
    connection.commit()
    connection.close()
    assert set(db.folder("folder")) == {"d"}


def test_without_a_place_for_the_file_it_lasts_as_long_as_the_process(tmp_path: Path) -> None:
    """A cache that cannot be written is no reason not to start."""
    (tmp_path / "facts.db").mkdir()
    (tmp_path / "facts.db" / "in the way").write_bytes(b"")
    db = FactsDb(tmp_path / "facts.db")
    db.remember("folder", [_seen("a")])
    assert set(db.folder("folder")) == {"a"}
    db.close()
