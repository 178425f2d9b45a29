"""Random storms in a tree, and looks at parts of it by hints that are lost, late, doubled and wrong.

Whatever a scanner has remembered of all that: one look at everything must see what a scanner sees that knows
nothing. With all hints, looks at parts must see it too.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from dxwatchd import fact_reading
from dxwatchd.core.snapshot import Snapshot
from dxwatchd.scan import RootLost, Scanner, Stopped
from dxwatchd.stores.facts_db import FactsDb

STEPS: Final = 400
SEEDS: Final = range(6)
TICK_NS: Final = 30_000_000  # as long as the slowest clock that kernels stamp files by, and some
DEEPEST: Final = 3
FOLDERS: Final = ("a", "b", "c")
FILES: Final = ("config.json", "model.safetensors.index.json", "note.txt")


@pytest.fixture(autouse=True)
def _young_files_grow_old_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else everything in a fast test is young, is read again each time, and nothing is ever remembered."""
    monkeypatch.setattr(fact_reading, "RACY_NS", TICK_NS)


class Storm:
    """Changes a tree at random, and says which folders a complete watch would name for it."""

    def __init__(self, root: Path, aside: Path, luck: random.Random) -> None:
        self.root, self.aside, self.luck = root, aside, luck
        self.maps: list[tuple[mmap.mmap, int]] = []
        self.moved_out: list[Path] = []
        self.count = 0

    def folders(self) -> list[str]:
        """All real folders, the root among them."""
        found = [""]
        for top, names, _ in os.walk(self.root):
            found += [os.path.relpath(os.path.join(top, name), self.root) for name in names]
        return [path for path in found if not (self.root / path).is_symlink()]

    def folder(self) -> str:
        """One of them."""
        return self.luck.choice(self.folders())

    def inner(self) -> str | None:
        """One that is not the root."""
        found = self.folders()[1:]
        return self.luck.choice(found) if found else None

    def content(self) -> bytes:
        """Of one size whatever it says, so that only a stamp or another inode tells of it."""
        self.count += 1
        return json.dumps({"model_type": f"{self.count:06}", "weight_map": {}}).encode()

    def write(self) -> set[str]:
        """In place, or aside and renamed; sometimes with the old time, and twice within one tick."""
        folder = self.folder()
        path = self.root / folder / self.luck.choice(FILES)
        if path.is_dir() or path.is_symlink():
            return set()
        before = os.stat(path) if path.exists() else None
        for _ in range(self.luck.choice((1, 1, 2))):
            if self.luck.random() < 0.3:
                (self.aside / "new").write_bytes(self.content())
                (self.aside / "new").rename(path)
            else:
                path.write_bytes(self.content())
            if before is not None and self.luck.random() < 0.5:
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return {folder}

    def replace(self) -> set[str]:
        """Deleted and made anew: the file system gives the same inode again."""
        folder = self.folder()
        path = self.root / folder / self.luck.choice(FILES)
        if not path.is_file() or path.is_symlink():
            return set()
        path.unlink()
        path.write_bytes(self.content())
        return {folder}

    def unlink(self) -> set[str]:
        """A file or a link goes."""
        folder = self.folder()
        for entry in sorted((self.root / folder).iterdir()):
            if entry.is_symlink() or entry.is_file():
                entry.unlink()
                return {folder}
        return set()

    def mkdir(self) -> set[str]:
        """A folder comes, sometimes with what is in it."""
        folder = self.folder()
        name = self.luck.choice(FOLDERS)
        path = self.root / folder / name
        if folder.count("/") >= DEEPEST or os.path.lexists(path):
            return set()
        path.mkdir()
        if self.luck.random() < 0.5:
            (path / "config.json").write_bytes(self.content())
        return {folder, os.path.relpath(path, self.root)}

    def rename(self) -> set[str]:
        """A folder moves, with all below it."""
        source, target = self.inner(), self.folder()
        if source is None or f"{target}/".startswith(f"{source}/"):
            return set()
        name = self.luck.choice(FOLDERS)
        if os.path.lexists(self.root / target / name):
            return set()
        (self.root / source).rename(self.root / target / name)
        return {os.path.dirname(source), source, target, os.path.join(target, name)}

    def rename_file(self) -> set[str]:
        """A file moves, over another one maybe."""
        source, target = self.folder(), self.folder()
        old, new = self.root / source / self.luck.choice(FILES), self.root / target / self.luck.choice(FILES)
        if not old.is_file() or old.is_symlink() or new.is_dir():
            return set()
        old.rename(new)
        return {source, target}

    def out_and_in(self) -> set[str]:
        """A folder leaves the tree, or one that left comes back, changed or of other inodes."""
        if self.moved_out and self.luck.random() < 0.6:
            target = self.folder()
            path = self.root / target / self.luck.choice(FOLDERS)
            if os.path.lexists(path):
                return set()
            gone = self.moved_out.pop()
            if self.luck.random() < 0.5:
                shutil.copytree(gone, self.aside / "copy", symlinks=True)
                shutil.rmtree(gone)  # its inodes are given to the next ones
                shutil.copytree(self.aside / "copy", gone, symlinks=True)
                shutil.rmtree(self.aside / "copy")
            (gone / "config.json").unlink(missing_ok=True)
            (gone / "config.json").write_bytes(self.content())
            gone.rename(path)
            return {target, os.path.relpath(path, self.root)}
        source = self.inner()
        if source is None:
            return set()
        self.count += 1
        self.moved_out.append((self.root / source).rename(self.aside / f"out-{self.count}"))
        return {os.path.dirname(source), source}

    def remake(self) -> set[str]:
        """A folder with all below it is deleted, and its like made at once with other content."""
        path = self.inner()
        if path is None:
            return set()
        shape = [os.path.join(path, inner) for inner in FOLDERS if (self.root / path / inner).is_dir()]
        gone = {place for place in self.folders() if f"{place}/".startswith(f"{path}/")}
        shutil.rmtree(self.root / path)
        for place in [path, *shape]:
            (self.root / place).mkdir()
            (self.root / place / "config.json").write_bytes(self.content())
        return {os.path.dirname(path), *gone, path, *shape}

    def remove(self) -> set[str]:
        """A folder goes with all below it."""
        path = self.inner()
        if path is None or self.luck.random() < 0.5:
            return set()
        gone = {place for place in self.folders() if f"{place}/".startswith(f"{path}/")}
        shutil.rmtree(self.root / path)
        return {os.path.dirname(path), *gone}

    def link(self) -> set[str]:
        """A link to a file, to a folder, to nothing, to itself."""
        folder = self.folder()
        path = self.root / folder / self.luck.choice((*FILES, *FOLDERS))
        if os.path.lexists(path):
            return set()
        targets = [str(self.root / self.folder() / "config.json"), "nowhere", path.name, str(self.aside)]
        if self.luck.random() < 0.15:
            targets.append(str(self.root / self.folder()))
        path.symlink_to(self.luck.choice(targets))
        return {folder}

    def map_(self) -> set[str]:
        """Somebody maps a file and writes into it, which stamps it once only; in the end he unmaps it."""
        if self.maps and self.luck.random() < 0.7:
            mapping, inode = self.maps[0]
            mapping[16:22] = f"{self.luck.randrange(10**6):06}".encode()
            if self.luck.random() < 0.5:
                self.maps.pop(0)[0].close()
                return self._holders(inode)
            return set()
        folder = self.folder()
        path = self.root / folder / "config.json"
        if not path.is_file() or path.is_symlink() or path.stat().st_size < 30:
            return set()
        with path.open("r+b") as file:
            self.maps.append((mmap.mmap(file.fileno(), 0), os.fstat(file.fileno()).st_ino))
        self.maps[-1][0][16:22] = b"first!"
        return {folder}

    def _holders(self, inode: int) -> set[str]:
        """The folders that hold a file now, wherever it was when it was opened."""
        paths = [(folder, self.root / folder / name) for folder in self.folders() for name in FILES]
        return {folder for folder, path in paths if os.path.lexists(path) and os.lstat(path).st_ino == inode}

    def unheard(self) -> set[str]:
        """What no event tells: permissions, times, a hard link, and a write through one."""
        folder, other = self.folder(), self.folder()
        path, name = self.root / folder / "config.json", self.root / other / "config.json"
        if not path.is_file() or path.is_symlink():
            return set()
        if not os.path.lexists(name):
            os.link(path, name)
        path.chmod(self.luck.choice((0o600, 0o644)))
        (self.root / folder).chmod(self.luck.choice((0o700, 0o755)))
        path.write_bytes(self.content())
        return set()

    def end(self) -> None:
        """Unmap what is mapped."""
        for mapping, _ in self.maps:
            mapping.close()

    def heard(self) -> list[Callable[[], set[str]]]:
        """The changes that a complete watch tells of."""
        moves = [self.rename, self.rename_file, self.out_and_in, self.remake, self.remove]
        return [self.write, self.write, self.replace, self.unlink, self.mkdir, self.mkdir, self.link, *moves]


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A models root, and a place on the same file system that is not looked at."""
    (tmp_path / "models").mkdir()
    (tmp_path / "aside").mkdir()
    return tmp_path / "models", tmp_path / "aside"


def _fresh(root: Path) -> Snapshot:
    return Scanner(root, (), None).look(None, lambda: False)


def _stop_after(looks: int) -> Callable[[], bool]:
    left: Iterator[bool] = iter([False] * looks)
    return lambda: next(left, True)


@pytest.mark.promise(2, "random storms of changes; hints lost, late, doubled, wrong; walks given up midway")
@pytest.mark.parametrize("seed", SEEDS)
def test_one_look_at_everything_sees_what_is_there(
    places: tuple[Path, Path], tmp_path: Path, seed: int, tried: Callable[[int], None]
) -> None:
    """However wrong what the scanner remembers has become, and whatever its cache has kept."""
    root, aside = places
    luck = random.Random(seed)
    storm = Storm(root, aside, luck)
    cache = FactsDb(tmp_path / "facts.db")
    scanner = Scanner(root, (), cache)
    late: list[str] = []
    for step in range(STEPS):
        change = luck.choice([*storm.heard(), storm.unheard, storm.map_, storm.map_])
        late += change()
        if luck.random() < 0.1:
            time.sleep(TICK_NS / 1e9 * luck.random() * 2)
        if luck.random() < 0.4:
            luck.shuffle(late)
            told = {late.pop() for _ in range(luck.randrange(len(late) + 1))}
            del late[: luck.randrange(len(late) + 1)]
            wrong = {luck.choice(("zz/qq", "a/b/c/a/b", "a", "b/c")) for _ in range(luck.randrange(2))}
            stop = _stop_after(luck.randrange(6)) if luck.random() < 0.2 else lambda: False
            with suppress(Stopped):
                scanner.look(frozenset(told | wrong) if luck.random() < 0.9 else None, stop)
        if luck.random() < 0.05:
            scanner = Scanner(root, (), cache)
        if step % 10 == 9:
            assert scanner.look(None, lambda: False) == _fresh(root), (seed, step, change)
    storm.end()
    assert scanner.look(None, lambda: False) == _fresh(root)
    cache.close()
    tried(STEPS)


@pytest.mark.promise(2, "random storms of changes, looked at by their hints alone")
@pytest.mark.parametrize("seed", SEEDS)
def test_looks_by_complete_hints_see_what_is_there(
    places: tuple[Path, Path], seed: int, tried: Callable[[int], None]
) -> None:
    """Without a look at everything: what the kernel tells is enough, in whatever order and however late."""
    root, aside = places
    luck = random.Random(1000 + seed)
    storm = Storm(root, aside, luck)
    scanner = Scanner(root, (), None)
    scanner.look(None, lambda: False)
    late: list[str] = []
    for step in range(STEPS):
        change = luck.choice([*storm.heard(), storm.map_])
        late += change()
        if luck.random() < 0.1:
            time.sleep(TICK_NS / 1e9 * luck.random() * 2)
        if luck.random() < 0.3:
            luck.shuffle(late)
            cut = luck.randrange(len(late) + 1)
            told, late = late[:cut], late[cut:]
            scanner.look(frozenset(told), lambda: False)
        if step % 10 == 9 and not storm.maps:
            told, late = late, []
            seen = scanner.look(frozenset(told), lambda: False)
            assert seen == _fresh(root), (seed, step, change)
    storm.end()
    tried(STEPS)


@pytest.mark.promise(2, "models root exchanged for another one between two looks at parts of it")
def test_another_root_in_its_place_is_never_mixed_with_the_first(
    places: tuple[Path, Path], tried: Callable[[int], None]
) -> None:
    """A look by hints at a root that is another one now sees that one whole, or says that it is lost."""
    root, aside = places
    luck = random.Random(7)
    other = aside / "other"
    other.mkdir()
    storms = [Storm(root, aside, luck), Storm(other, aside, luck)]
    for _ in range(60):
        for storm in storms:
            luck.choice(storm.heard())()
    scanner = Scanner(root, (), None)
    scanner.look(None, lambda: False)
    for _ in range(50):
        root.rename(aside / "away")
        other.rename(root)
        (aside / "away").rename(other)
        try:
            seen = scanner.look(frozenset(luck.sample(("", "a", "b", "a/b"), 2)), lambda: False)
        except RootLost:
            continue
        assert set(seen.folders) == set(_fresh(root).folders)
    tried(50)
