"""The cache of facts gives back what it was given, and is never missed."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dxwatchd.core import document_facts, facts
from dxwatchd.core.facts import FACT_TYPES, Facts, Fault
from dxwatchd.core.snapshot import SeenFile, Stat
from dxwatchd.stores import cache_db
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


@pytest.mark.promise(7, "a cache that is garbage, of another version, or replaced by a folder")
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


@pytest.mark.promise(7, "every single byte of a cache flipped, closed or open")
@pytest.mark.parametrize("opened", [False, True])
def test_a_flipped_byte_never_gives_a_wrong_fact(
    path: Path, opened: bool, tried: Callable[[int], None]
) -> None:
    """What is damaged is left out or all is made anew; whatever is given back is what was remembered."""
    db = FactsDb(path)
    wanted = {f"{number}": _seen(f"{number}", told) for number, told in enumerate(EVERY)}
    db.remember("folder", wanted.values())
    db.close()
    whole = path.read_bytes()
    given = 0
    places = range(0, len(whole), 67)
    for place in places:
        path.write_bytes(whole)
        db = FactsDb(path)
        if opened:
            db.folder("folder")
        else:
            db.close()
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes([whole[place] ^ 0x15]))
        if not opened:
            db = FactsDb(path)
        found = db.folder("folder")
        assert found.items() <= wanted.items()
        given += len(found)
        db.remember("folder", wanted.values())
        # a search may go past what lies out of order now, which costs a look
        assert db.folder("folder").items() <= wanted.items(), place
        db.close()
    assert given > len(places)
    tried(len(places))


_ATTACKED = """
import sys
from pathlib import Path
from dxwatchd.core import facts
from dxwatchd.core.snapshot import SeenFile, Stat
from dxwatchd.stores.facts_db import FactsDb
db = FactsDb(Path(sys.argv[1]))
for line in sys.stdin:
    number = int(line)
    files = [SeenFile(f"{n}", Stat(1, 2, 3, 4, 5), facts.Content(f"sha256:{number:064d}")) for n in range(20)]
    db.remember(f"f{number % 7}", files)
    for folder in range(7):
        for file in db.folder(f"f{folder}").values():
            assert int(file.facts.digest[7:]) % 7 == folder
    print("done", flush=True)
db.close()
"""


def _attack(path: Path, chance: random.Random) -> None:
    """One of the things that happen to files."""
    beside = [one for one in path.parent.iterdir() if one.name.startswith(path.name)] or [path]
    victim = chance.choice(beside)
    kind = chance.randrange(6)
    if victim.is_dir() or kind == 0:
        shutil.rmtree(victim) if victim.is_dir() else victim.unlink(missing_ok=True)
    elif kind == 1:
        os.truncate(victim, chance.randrange(victim.stat().st_size + 1)) if victim.exists() else None
    elif kind == 2:
        victim.write_bytes(chance.randbytes(chance.randrange(20_000)))
    elif kind == 3:
        victim.unlink(missing_ok=True)
        victim.mkdir()
    elif kind == 4:
        beside = [path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm")]
        victim = chance.choice([one for one in beside if not one.is_dir()] or [victim])
        victim.write_bytes(b"\xff" * 5000)
    elif victim.exists():
        with victim.open("r+b") as file:
            file.seek(chance.randrange(victim.stat().st_size + 1))
            file.write(chance.randbytes(300))


@pytest.mark.promise(7, "caches deleted, cut, overwritten, replaced by folders, between a process's calls")
def test_whatever_happens_to_the_file_the_process_lives(path: Path, tried: Callable[[int], None]) -> None:
    """No signal kills it, which a file cut while it is mapped would do, and no fact is another folder's."""
    chance = random.Random(5)
    tried(400)
    program = _ATTACKED.replace(
        "import sys\n", "import sys\nimport dxwatchd.stores.cache_db as c\nc.RETRY = 0\n", 1
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(400):
            _attack(path, chance)
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n", process.poll()
            assert f"{path}" not in Path(f"/proc/{process.pid}/maps").read_text()
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.promise(7, "a full disk while caches are written")
def test_a_cache_comes_back_to_the_disk_when_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before and what was remembered meanwhile are in the file then."""
    monkeypatch.setattr(cache_db, "RETRY", 0.0)
    db = FactsDb(path)
    db.remember("before", [_seen("a")])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limits[1]))
    try:
        for number in range(50):
            db.remember(f"meanwhile{number}", [_seen(f"{one}") for one in range(50)])
            assert len(db.folder(f"meanwhile{number}")) == 50
        assert set(db.folder("before")) == {"a"}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    db.remember("after", [_seen("b")])
    assert set(_again(path, "meanwhile49")) == {f"{one}" for one in range(50)}
    assert set(_again(path, "before")) == {"a"}
    db.close()


def test_rows_beside_a_damaged_page_are_saved(path: Path) -> None:
    """They may have cost hours."""
    db = FactsDb(path)
    for number in range(300):
        db.remember(f"{number:03}", [_seen(f"{one}") for one in range(10)])
    db.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)
    db = FactsDb(path)
    for number in range(300):
        db.folder(f"{number:03}")
    kept = [number for number in range(300) if db.folder(f"{number:03}")]
    assert len(kept) > 200
    db.close()


def test_folders_that_are_gone_are_forgotten(db: FactsDb) -> None:
    """The file does not grow for ever."""
    for number in range(5):
        db.remember(f"{number}", [_seen("a")])
    db.forget_others({"1", "3", "9"})
    assert [number for number in range(5) if db.folder(f"{number}")] == [1, 3]
