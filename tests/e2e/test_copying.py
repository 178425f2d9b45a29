"""Copies as they really come: slowly, in any order, in one move, with temporary names."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Place
from tests.e2e.test_names import tiny_model


class Sampler:
    """Reads the manifest all the while, and notes when a folder was first seen in it."""

    def __init__(self, place: Place, path: str) -> None:
        self.place = place
        self.path = path
        self.samples = 0
        self.first_seen: float | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def _sample(self) -> None:
        while not self._end.is_set():
            self.samples += 1
            if self.first_seen is None and self.place.entry(self.path) is not None:
                self.first_seen = time.monotonic()
            time.sleep(0.005)

    def has_seen(self) -> bool:
        """Whether any sample showed the folder."""
        return self.first_seen is not None

    @contextmanager
    def running(self) -> Iterator[Sampler]:
        """Sample while the block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()


@pytest.mark.promise(3, "a slow copy: index first, shards last, pauses longer than the quiet period")
def test_a_slow_copy_is_not_proposed_before_it_is_whole(
    place: Place, make_folder: Callable[..., dict[str, int]]
) -> None:
    """Index first, shards last, pauses longer than the quiet period: no sample shows a proposal too early.

    Meanwhile `explain` names the shards that are missing.
    """
    source = place.folder / "source"
    make_folder("mixtral-8x7b", source)
    shards = sorted(source.glob("*.safetensors"))
    rest = [path for path in sorted(source.iterdir()) if path not in shards]
    index = next(path for path in rest if path.name.endswith(".index.json"))
    place.options |= {"quiet_period": 0.1, "remote_quiet_period": 0.1, "rescan_interval": 0.3}
    place.start()
    target = place.models / "Mixtral-8x7B"
    with Sampler(place, "Mixtral-8x7B").running() as sampler:
        target.mkdir()
        for path in (index, *(path for path in rest if path != index), *shards[:-1]):
            _copy_sparse(path, target / path.name)
            time.sleep(0.25)
        place.until(
            lambda: (place.folder_state("Mixtral-8x7B") or {}).get("state") == "incomplete", "incomplete"
        )
        said = place.run("explain", "Mixtral-8x7B", code=1)
        assert shards[-1].name in said
        assert "not there" in said
        told = place.json("explain", "Mixtral-8x7B", code=1)
        assert [reason["file"] for reason in told["models"][0]["reasons"]] == [shards[-1].name]
        assert not sampler.has_seen()
        whole_since = time.monotonic()
        _copy_sparse(shards[-1], target / shards[-1].name)
        place.proposed("Mixtral-8x7B")
        place.until(lambda: sampler.first_seen, "the sampler to see it")
    assert sampler.first_seen is not None
    assert sampler.first_seen >= whole_since
    assert sampler.samples > 100


@pytest.mark.promise(3, "a weight file written in pieces, with pauses")
def test_a_file_that_grows_is_not_proposed_before_its_exact_size(place: Place, real_model: Path) -> None:
    """A weight file written in pieces, pauses longer than the quiet period, is only proposed in full."""
    place.options |= {"quiet_period": 0.1, "rescan_interval": 0.3}
    place.start()
    target = place.models / "all-MiniLM-L6-v2"
    shutil.copytree(real_model, target, ignore=shutil.ignore_patterns("*.safetensors"))
    data = (real_model / "model.safetensors").read_bytes()
    step = len(data) // 6 + 1
    with Sampler(place, "all-MiniLM-L6-v2").running() as sampler:
        whole_since = time.monotonic()
        for start in range(0, len(data), step):
            assert not sampler.has_seen()
            last = start + step >= len(data)
            whole_since = time.monotonic()
            with (target / "model.safetensors").open("ab") as file:
                file.write(data[start : start + step])
            if not last:
                time.sleep(0.4)
        place.proposed("all-MiniLM-L6-v2")
        place.until(lambda: sampler.first_seen, "the sampler to see it")
    assert sampler.first_seen is not None
    assert sampler.first_seen >= whole_since


def test_a_folder_moved_in_as_one_spends_no_quiet_period(place: Place, real_model: Path) -> None:
    """With a quiet period of an hour, a folder that comes in by one rename is proposed all the same."""
    place.options |= {"quiet_period": 3600, "remote_quiet_period": 3600, "rescan_interval": 3600}
    made = place.folder / "all-MiniLM-L6-v2"
    shutil.copytree(real_model, made)
    place.start()
    time.sleep(0.1)  # so that the move has a later stamp than what was just written
    moved = time.monotonic()
    made.rename(place.models / "all-MiniLM-L6-v2")
    place.proposed("all-MiniLM-L6-v2")
    print(f"moved in → proposed: {time.monotonic() - moved:.3f} s")


def test_a_move_with_the_default_settings_takes_no_quiet_period(place: Place, real_model: Path) -> None:
    """With nothing set, a publisher's folder that is moved in with its model; the time is printed."""
    place.options.clear()
    made = place.folder / "publisher"
    shutil.copytree(real_model, made / "all-MiniLM-L6-v2")
    place.start()
    time.sleep(0.1)
    moved = time.monotonic()
    made.rename(place.models / "publisher")
    place.proposed("publisher/all-MiniLM-L6-v2")
    print(f"moved in → proposed: {time.monotonic() - moved:.3f} s")


@pytest.mark.promise(3, "one file under a copier's temporary name")
def test_a_temporary_name_keeps_a_folder_waiting(place: Place, real_model: Path) -> None:
    """A whole folder with one file under a copier's name is `copying`, and proposed once that has gone."""
    place.options |= {"quiet_period": 0.1, "rescan_interval": 0.5}
    place.start()
    target = place.models / "all-MiniLM-L6-v2"
    target.mkdir()
    (target / "vocab.txt.part").write_bytes(b"x")
    shutil.copytree(real_model, target, dirs_exist_ok=True)
    state = place.until(
        lambda: (
            (found := place.folder_state("all-MiniLM-L6-v2"))
            and [reason["kind"] for reason in found["reasons"]] == ["temporary_name"]
            and found
        ),
        "the state copying",
    )
    assert isinstance(state, dict)
    assert state["state"] == "copying"
    assert "vocab.txt.part" in state["reasons"][0]["told"]
    (target / "vocab.txt.part").unlink()
    place.proposed("all-MiniLM-L6-v2")


def _copy_sparse(source: Path, target: Path) -> None:
    """Copy without filling the holes, which would write many gigabytes."""
    head = 2**20
    with source.open("rb") as read, target.open("wb") as write:
        write.write(read.read(head))
        write.truncate(source.stat().st_size)


@pytest.mark.promise(10, "a whole model that a program still has open for writing")
def test_a_writer_that_keeps_a_whole_file_open_is_told(place: Place) -> None:
    """It is not called proposed while it is not; once the file is closed it is."""
    place.start()
    tiny_model(place.folder / "held", 1)
    with (place.folder / "held" / "model.safetensors").open("r+b"):
        (place.folder / "held").rename(place.models / "held")
        held = "open for writing"
        place.until(lambda: held in place.run("explain", "held", code=None), "the writer to be told")
        told = place.run("explain", "held", code=None)
        assert "model.safetensors: is whole, and a program still has it open for writing" in told
        assert place.entry("held") is None
        state = place.folder_state("held")
        assert state is not None
        assert state["state"] == "copying"
    place.proposed("held")
