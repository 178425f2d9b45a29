"""The models root, or a part of it, is unmounted, mounted over, deleted, renamed, linked, and comes back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import PATIENCE
from tests.e2e.test_names import tiny_model
from tests.faults.mounting_watch import WatchedPlace, mount, program, take_away, unmount, watched

__all__ = ["watched"]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Roots:
    """Where things are: the root, the folder that holds it, and room aside on the same file system."""

    models: Path
    holder: Path
    aside: Path


Step = Callable[[Roots], None]


@dataclass(frozen=True)
class Way:
    """One way to go and to come back. lost: whether the registered model is missing meanwhile."""

    go: Step
    come: Step
    lost: bool = True


def _unmounted(*options: str) -> Way:
    """The root is a mount of its own all the while; it goes by being unmounted."""
    return Way(
        lambda at: unmount(at.models, *options), lambda at: mount(*_options(at), _source(at), at.models)
    )


def _source(at: Roots) -> Path:
    image = at.aside / "image"
    return image if image.exists() else at.aside / "source"


def _options(at: Roots) -> list[str]:
    return ["-o", "loop"] if _source(at).name == "image" else ["--bind"]


def _move(source: Path, target: Path) -> None:
    source.rename(target)


def _delete(at: Roots) -> None:
    """Delete the root's tree, keeping its files elsewhere under new inodes."""
    shutil.copytree(at.models, at.aside / "kept", symlinks=True)
    shutil.rmtree(at.models)


def _make_again(at: Roots) -> None:
    at.models.mkdir()
    for path in (at.aside / "kept").iterdir():
        path.rename(at.models / path.name)
    (at.aside / "kept").rmdir()


def _exchange_for_empty(at: Roots) -> None:
    at.models.rename(at.aside / "old")
    at.models.mkdir()


def _exchange_back(at: Roots) -> None:
    shutil.rmtree(at.models)
    (at.aside / "old").rename(at.models)


def _link_to(at: Roots, target: Path) -> None:
    at.models.rename(at.aside / "old")
    at.models.symlink_to(target)


def _unlink(at: Roots) -> None:
    at.models.unlink()
    (at.aside / "old").rename(at.models)


def _both(*steps: Step) -> Step:
    def run(at: Roots) -> None:
        for step in steps:
            step(at)

    return run


def _tmpfs(at: Roots) -> None:
    mount("-t", "tmpfs", "tmpfs", at.models)


def _elsewhere(at: Roots) -> None:
    (at.aside / "elsewhere").mkdir(exist_ok=True)
    _link_to(at, at.aside / "elsewhere")


WAYS: Final[dict[str, Way]] = {
    "another file system mounted over it": Way(_tmpfs, lambda at: unmount(at.models)),
    "another one mounted over the folder above": Way(
        lambda at: mount("-t", "tmpfs", "tmpfs", at.holder), lambda at: unmount(at.holder)
    ),
    "deleted": Way(_delete, _make_again),
    "deleted and made again at once": Way(_both(_delete, _make_again), lambda _at: None, lost=False),
    "an empty one in its place": Way(_exchange_for_empty, _exchange_back),
    "a link to elsewhere": Way(_elsewhere, _unlink),
    "a link to where it went": Way(lambda at: _link_to(at, at.aside / "old"), _unlink, lost=False),
    "a link to itself": Way(lambda at: _link_to(at, at.models), _unlink),
    "a link to nothing": Way(lambda at: _link_to(at, at.aside / "nothing"), _unlink),
    "a file": Way(
        _both(lambda at: _move(at.models, at.aside / "old"), lambda at: at.models.touch()), _unlink
    ),
    "the folder above renamed": Way(
        lambda at: _move(at.holder, at.aside / "holder"), lambda at: _move(at.aside / "holder", at.holder)
    ),
}
ROUNDS: Final = 2


@pytest.fixture
def roots(watched: WatchedPlace) -> Roots:
    """The root in a folder of its own, with one registered model and a running daemon to come."""
    holder, aside = watched.folder / "holder", watched.folder / "aside"
    watched.models.rmdir()
    watched.models = holder / "models"
    watched.models.mkdir(parents=True)
    aside.mkdir()
    return Roots(watched.models, holder, aside)


def _begin(place: WatchedPlace) -> None:
    """A daemon with one registered model, that hears."""
    tiny_model(place.models / "p" / "kept", 1)
    place.start()
    place.register("p/kept", "kept")
    place.hears("p")


def _goes_and_comes(place: WatchedPlace, at: Roots, way: Way) -> None:
    """One round: nothing is withdrawn, the availability is right, and events are heard afterwards."""
    way.go(at)
    place.looks()
    place.is_("missing" if way.lost else "available", "kept")
    way.come(at)
    place.looks()
    place.is_("available", "kept")
    assert place.withdrawn() == []
    place.hears("p")


@pytest.mark.promise(2, "models root deleted, linked, mounted over, renamed with its parent; back again")
@pytest.mark.promise(8, "models root deleted, linked, mounted over, renamed with its parent; back again")
def test_whatever_happens_to_the_root_it_is_heard_again(
    watched: WatchedPlace, roots: Roots, tried: Callable[[int], None]
) -> None:
    """Every way twice: nothing withdrawn, every later drop heard, no thread and no descriptor left over."""
    _begin(watched)
    burdens = []
    for _ in range(ROUNDS):
        for way in WAYS.values():
            _goes_and_comes(watched, roots, way)
        burdens.append(watched.burden())
    assert burdens[0] == burdens[-1]
    watched.stop()
    tried(ROUNDS * len(WAYS))


@pytest.mark.promise(2, "models root unmounted (also lazily) and mounted again: loop ext4, bind")
@pytest.mark.promise(8, "models root unmounted (also lazily) and mounted again: loop ext4, bind")
@pytest.mark.parametrize("kind", ["loop", "bind"])
def test_a_root_that_is_unmounted_and_mounted_again(
    watched: WatchedPlace, roots: Roots, kind: str, tried: Callable[[int], None]
) -> None:
    """The empty mount point withdraws nothing; once mounted, events are heard again."""
    if kind == "loop":
        image = roots.aside / "image"
        with image.open("wb") as file:
            file.truncate(16 * 2**20)
        words = [program("mkfs.ext4"), "-q", "-E", "nodiscard", str(image)]
        subprocess.run(words, check=True, timeout=PATIENCE)
    else:
        (roots.aside / "source").mkdir()
    ways = [_unmounted(), _unmounted("-l"), _unmounted()]
    with ExitStack() as ends:
        mount(*_options(roots), _source(roots), roots.models)
        ends.callback(take_away, roots.models)
        _begin(watched)
        burden = watched.burden()
        for way in ways:
            _goes_and_comes(watched, roots, way)
        # again at once: the kernel gives the same numbers to the new mount, device and folder
        unmount(roots.models)
        mount(*_options(roots), _source(roots), roots.models)
        watched.looks()
        watched.looks()
        watched.hears("p")
        assert watched.burden() == burden
        assert watched.withdrawn() == []
        watched.stop()
    tried(len(ways) + 1)


@pytest.mark.promise(2, "a mount below the root, with a registered model, goes and comes back")
@pytest.mark.promise(8, "a mount below the root, with a registered model, goes and comes back")
def test_a_mount_below_the_root_goes_and_comes_back(
    watched: WatchedPlace, roots: Roots, tried: Callable[[int], None]
) -> None:
    """Only what is in it is missing meanwhile; it and what is beside it are heard afterwards."""
    (roots.models / "p").mkdir()
    (roots.models / "beside").mkdir()
    (roots.aside / "source").mkdir()
    inner = roots.models / "p"
    with ExitStack() as ends:
        mount("--bind", roots.aside / "source", inner)
        ends.callback(take_away, inner)
        tiny_model(roots.models / "beside" / "stays", 2)
        _begin(watched)
        watched.register("beside/stays", "stays")
        for options in ([], ["-l"]):
            unmount(inner, *options)
            watched.looks()
            watched.is_("missing", "kept")
            assert watched.availability("stays") == "available"
            watched.hears("beside")
            mount("--bind", roots.aside / "source", inner)
            watched.looks()
            watched.is_("available", "kept")
            watched.hears("p")
            watched.hears("beside")
        assert watched.withdrawn() == []
        watched.stop()
    tried(2)


@pytest.mark.promise(2, "models root is a link that is switched from one release to the next, atomically")
def test_a_root_that_is_a_link_is_switched(
    watched: WatchedPlace, roots: Roots, tried: Callable[[int], None]
) -> None:
    """As `ln -sfn` and renames do it: what is registered stays, the new target is heard."""
    tiny_model(roots.models / "p" / "kept", 1)
    for name in ("one", "two"):
        shutil.copytree(roots.models, roots.aside / name)
    shutil.rmtree(roots.models)
    roots.models.symlink_to(roots.aside / "one")
    watched.start()
    watched.register("p/kept", "kept")
    for round_, target in enumerate(("two", "one", "two")):
        fresh = roots.holder / "fresh"
        fresh.symlink_to(roots.aside / target)
        fresh.rename(roots.models)
        watched.looks()
        assert watched.availability("kept") == "available", round_
        path = watched.hears("p")
        assert (roots.aside / target / path).is_dir()
        assert watched.withdrawn() == []
    watched.stop()
    tried(3)


@pytest.mark.promise(
    2, "mounted over silently, and nobody asks for a pass: found by looking at the watch itself"
)
def test_what_no_event_tells_is_found_by_looking(watched: WatchedPlace, roots: Roots) -> None:
    """Nobody asks for a pass, and the next look at everything is an hour away: still it is found."""
    tiny_model(roots.models / "p" / "kept", 1)
    watched.options["digests"] = "off"
    watched.start()
    watched.register("p/kept", "kept")
    watched.comes_to_rest()
    mount("-t", "tmpfs", "tmpfs", roots.models)
    try:
        watched.is_("missing", "kept")
    finally:
        unmount(roots.models)
    watched.is_("available", "kept")
    watched.hears("p")
    watched.stop()
