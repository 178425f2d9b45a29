"""Files of the state directory replaced by anything at all, before a pass and between passes."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.cycle import Cycle
from dxwatchd.hints import Hints
from dxwatchd.settings import Settings
from dxwatchd.stores.instance_lock import InstanceLock
from dxwatchd.stores.manifest_append import PendingFile
from dxwatchd.stores.now_file import NowFile
from dxwatchd.stores.pass_requests import PassRequests
from tests.layouts.making import CONFIG, lay, tensors

NAMES = ("a", "b", "c")
FILES = ("status.json", "cards/index.json", "cards/a.json", "append.pending", "metrics.prom")
ROUNDS = 60
PATIENCE = 60.0

JSON = (
    *(
        b"",
        b"{",
        b"[]",
        b"null",
        b"0",
        b'"x"',
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        b'{"a": 1e999}',
        b"9" * 5000,
    ),
    *(b'{"generation": 1e9, "models": 5, "tombstones": {}}', b'{"technical_name": "a"}', b"\0" * 5000),
    b'{"base_size": -1, "base": "", "block": "\\ud800", "events": ["x"]}',
    b'{"base_size": 0, "base": "x", "block": "y", "events": [{"sequence": 1, "generation": 99, "id": "x"}]}',
)


class Place:
    """Three registered models, and what was published of them."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            models_root=folder / "models", state_dir=folder / "state", quiet_period=0, remote_quiet_period=0
        )
        self.state = self.settings.state_dir
        self.state.mkdir(parents=True)
        for name in NAMES:
            files = {"config.json": CONFIG, "model.safetensors": tensors(ord(name))}
            lay(files, self.settings.models_root / name)
        self.settings.manifest.write_text(
            "".join(
                f'[[models]]\nstatus = "approved"\ntechnical_name = "{name}"\nmodel_name = "{name.upper()}"\n'
                f'path = "{name}"\n\n'
                for name in NAMES
            )
        )
        self.cycle: Cycle | None = None
        self.now = 0.0

    def passes(self, count: int = 2, *, restart: bool) -> None:
        """Passes, by a new daemon if `restart`."""
        if restart and self.cycle is not None:
            self.cycle.close()
            self.cycle = None
        if self.cycle is None:
            self.cycle = Cycle(self.settings)
        for _ in range(count):
            self.now += 10
            self.cycle.run(Hints(everything=True), self.now, always_status=True)

    def close(self) -> None:
        if self.cycle is not None:
            self.cycle.close()

    def published(self) -> None:
        """Every model has its card, the index says so, and the journal has neither gaps nor doubles."""
        index = json.loads((self.state / "cards" / "index.json").read_bytes())
        assert {line["technical_name"] for line in index["models"]} == set(NAMES)
        for name in NAMES:
            card = json.loads((self.state / "cards" / f"{name}.json").read_bytes())
            assert (card["technical_name"], card["availability"]) == (name, "available")
        events = [json.loads(line) for line in (self.state / "events.jsonl").read_text().splitlines()]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        ids = [event["id"] for event in events]
        assert len(ids) == len(set(ids))
        assert not [event for event in events if event["event"] == "removed"]
        assert json.loads((self.state / "status.json").read_bytes())["folders"]


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replace(chance: random.Random, path: Path, secret: Path) -> str:
    """Put something in the place of `path`; says what."""
    good = path.read_bytes() if path.is_file() and not path.is_symlink() else b"{}"
    what = chance.choice(("json", "cut", "flip", "words", "gone", "link", "loop", "fifo", "huge"))
    _clear(path)
    if what == "json":
        path.write_bytes(chance.choice(JSON))
    elif what == "cut":
        path.write_bytes(good[: chance.randrange(len(good) + 1)])
    elif what == "flip":
        data = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
    elif what == "words":
        path.write_text(json.dumps(_other(chance, _loaded(good))))
    elif what == "link":
        path.symlink_to(secret)
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "huge":
        with path.open("wb") as file:
            file.truncate(2**31)
    return what


def _loaded(good: bytes) -> Any:
    try:
        return json.loads(good)
    except ValueError:
        return {}


def _other(chance: random.Random, data: Any) -> Any:
    """The same shape, with some values of other kinds."""
    if chance.random() < 0.1:
        return chance.choice((None, -1, 2**70, 1.5, "", "../../secret", "\ud800", [], {}, True, ["x"]))
    if isinstance(data, dict):
        return {key: _other(chance, value) for key, value in data.items() if chance.random() > 0.03}
    return [_other(chance, value) for value in data] if isinstance(data, list) else data


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.promise(5, "state files replaced by junk, links, FIFOs: cards and index are whole again")
@pytest.mark.promise(7, "state files replaced by junk, links, FIFOs between passes: none stops a pass")
def test_whatever_lies_in_the_state_directory_a_pass_is_made(
    tmp_path: Path, tried: Callable[[int], None]
) -> None:
    """No exception, no waiting, nothing published lost, the journal in order, files outside untouched."""
    memory = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else tmp_path)
    place = Place(Path(memory.name) / "place")
    secret = tmp_path / "secret.json"
    secret.write_text('{"mine": 1}')
    failed: list[BaseException] = []
    said: list[str] = []

    def rounds() -> None:
        try:
            place.passes(restart=True)
            place.published()
            for number in range(ROUNDS):
                chance = random.Random(number)
                hit = chance.sample(FILES, chance.choice((1, 1, 2, 3)))
                said[:] = [f"round {number}"]
                said.extend(f"{name}: {_replace(chance, place.state / name, secret)}" for name in hit)
                place.passes(restart=chance.random() < 0.7)
                place.passes(restart=True)
                place.published()
                assert secret.read_text() == '{"mine": 1}'
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)

    worker = threading.Thread(target=rounds, daemon=True)
    worker.start()
    worker.join(250)
    assert not worker.is_alive(), f"it waits for ever after {said}"
    place.close()
    memory.cleanup()
    if failed:
        raise AssertionError(said) from failed[0]
    tried(ROUNDS)


def test_a_tombstone_that_leads_elsewhere_deletes_nothing(tmp_path: Path) -> None:
    """A technical name becomes a file's name: one with a path in it is no technical name."""
    place = Place(tmp_path)
    place.passes(restart=True)
    victim = tmp_path / "victim.json"
    victim.write_text("{}")
    index = place.state / "cards" / "index.json"
    told = json.loads(index.read_bytes())
    for name in ("../../victim", f"{tmp_path}/victim", "a\0b"):
        told["tombstones"] = [{"technical_name": name, "model_name": "x", "path": "x", "revision": 1}]
        index.write_text(json.dumps(told))
        (place.state / "cards" / "b.json").unlink()  # so that the index is written anew
        place.passes(restart=True)
        assert victim.exists()
        place.published()
    place.close()


def test_a_directory_in_a_files_place_is_told_and_stops_nothing_else(tmp_path: Path) -> None:
    """It cannot be replaced by a rename: said as a trouble until a person removes it."""
    for name in ("status.json", "append.pending", "cards/index.json", "cards/z.json"):
        place = Place(tmp_path / name.replace("/", "-"))
        place.passes(restart=True)
        _clear(place.state / name)
        (place.state / name).mkdir()
        place.passes(restart=True)
        for model in NAMES:
            assert (
                json.loads((place.state / "cards" / f"{model}.json").read_bytes())["technical_name"] == model
            )
        (place.state / name).rmdir()
        place.passes(restart=True)
        place.published()
        place.close()


@pytest.mark.promise(7, "a folder in the place of one new card: all others are published")
def test_a_card_that_cannot_be_written_stops_no_other(tmp_path: Path) -> None:
    """It is told by its path, and follows once the way is free."""
    place = Place(tmp_path)
    (place.state / "cards" / "b.json").mkdir(parents=True)
    place.passes(restart=True)
    index = json.loads((place.state / "cards" / "index.json").read_bytes())
    assert [line["technical_name"] for line in index["models"]] == ["a", "c"]
    assert "cards/b.json" in json.loads((place.state / "status.json").read_bytes())["trouble"]
    (place.state / "cards" / "b.json").rmdir()
    place.passes(restart=False)
    place.published()
    assert json.loads((place.state / "status.json").read_bytes())["trouble"] == ""
    place.close()


@pytest.mark.promise(7, "the card of a removed entry cannot be deleted: all others are published")
def test_a_card_that_cannot_be_deleted_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a start nor a registration; nor is the index written anew with each try."""
    place = Place(tmp_path)
    place.passes(restart=True)
    whole = place.settings.manifest.read_text()
    stuck = place.state / "cards" / "b.json"
    unlink = os.unlink

    def refuse(path: Any, **more: Any) -> None:
        if Path(path) == stuck:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        unlink(path, **more)

    def told() -> Any:
        return json.loads((place.state / "cards" / "index.json").read_bytes())

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        blocks = whole.split("[[models]]")
        place.settings.manifest.write_text("[[models]]".join(one for one in blocks if '"b"' not in one))
        place.passes(restart=False)
        generation = told()["generation"]
        place.passes(count=3, restart=False)
        place.passes(restart=True)
        assert told()["generation"] == generation
        assert "cards/b.json" in json.loads((place.state / "status.json").read_bytes())["trouble"]
        lay({"config.json": CONFIG, "model.safetensors": tensors(9)}, place.settings.models_root / "d")
        place.passes(restart=False)
        assert 'path = "d"' in place.settings.manifest.read_text()
    place.passes(restart=False)
    assert not stuck.exists()
    assert json.loads((place.state / "status.json").read_bytes())["trouble"] == ""
    place.close()


@pytest.mark.promise(7, "a FIFO in the place of each file of the state directory: no start waits for it")
def test_no_start_waits_for_a_fifo(tmp_path: Path, tried: Callable[[int], None]) -> None:
    """Whichever file it stands for: what that file would say is taken as unknown."""
    names = ("status.json", "now.json", "guards.json", "facts.db", "digests.db", "events.jsonl")
    made: list[str] = []

    def start() -> None:
        for name in names:
            place = Place(tmp_path / name)
            os.mkfifo(place.state / name)
            NowFile(place.state / "now.json").prepare()
            NowFile(place.state / "now.json").read(os.getpid())
            place.passes(restart=True)
            place.close()
            made.append(name)

    worker = threading.Thread(target=start, daemon=True)
    worker.start()
    worker.join(PATIENCE)
    assert tuple(made) == names
    tried(len(names))


@pytest.mark.promise(7, "requests that are FIFOs, folders, links, junk: the daemon neither waits nor obeys")
def test_hostile_requests_are_no_requests(tmp_path: Path, tried: Callable[[int], None]) -> None:
    """Only a regular file asks, and only plain words confirm a removal; what asks can be answered."""
    requests = PassRequests(tmp_path)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "link.json").symlink_to("/dev/zero")
    assert requests.waiting() == ()
    for number, data in enumerate((*JSON, b'{"accept_removals": 1}', b'{"accept_removals": "true"}')):
        (tmp_path / f"{number}.json").write_bytes(data)
    waiting = requests.waiting()
    assert not any(request.accept_removals for request in waiting)
    requests.answer(waiting)
    assert requests.waiting() == ()
    tried(5 + len(JSON))


@pytest.mark.parametrize("what", ["fifo", "folder", "junk", "dead link"])
def test_a_hostile_lock_file_is_not_waited_for(tmp_path: Path, what: str) -> None:
    """Whoever asks who holds it is answered at once; a lock that can be taken is."""
    path = tmp_path / "daemon.lock"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "junk":
        path.write_bytes(b"[" * 100_000)
    else:
        path.symlink_to("nowhere")
    began = time.monotonic()
    assert InstanceLock(path).holder() is None
    assert time.monotonic() - began < PATIENCE
    if what == "junk":
        lock = InstanceLock(path)
        lock.acquire("test")
        holder = InstanceLock(path).holder()
        assert holder is not None
        assert holder.pid == os.getpid()
        lock.release()


def test_a_hostile_pending_append_is_none(tmp_path: Path) -> None:
    """Anything but what the daemon writes is not done."""
    path = tmp_path / "append.pending"
    for data in JSON:
        path.write_bytes(data)
        assert PendingFile(path).read() is None
    path.unlink()
    os.mkfifo(path)
    assert PendingFile(path).read() is None
