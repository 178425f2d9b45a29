"""People and programs that put model folders into the models root, and take them away, in every manner."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.layouts.making import lay, noise, pointer
from tests.soak import names
from tests.soak.trees import Content, identity, pieces, readme
from tests.soak.world import Busy, World

PUBLISHERS: Final = ("", "", "org-a", "Org B", "deep/er", "[x]")


class Copier:
    """One person with a shell. All folders are given by their paths below the models root."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.chance = random.Random(f"{world.seed}-{name}")
        arrivals = (
            *(self.drop, self.drop, self.copy_slowly, self.rsync, self.cp, self.download, self.clone),
            *(self.abort, self.duplicate, self.complete),
        )
        changes = (
            *(self.delete, self.delete, self.move, self.move, self.move_parent, self.out_and_back),
            *(self.swap, self.overwrite, self.edit_readme, self.chmod, self.junk),
        )
        self.arrivals: tuple[Callable[[], None], ...] = arrivals
        self.changes: tuple[Callable[[], None], ...] = changes

    def act(self) -> None:
        """One thing, at random."""
        few = len(self.whole()) < self.chance.randrange(self.world.most)
        try:
            self.chance.choice(self.arrivals if few else self.changes)()
        except Busy:
            self.world.counts["busy"] += 1

    def pause(self, most: float) -> None:
        """Wait for a moment."""
        time.sleep(self.chance.random() * most)

    # what is there

    def whole(self) -> dict[str, str]:
        """The whole folders, by path, each with its content's identity."""
        with self.world.root.shared():
            return whole_folders(self.world)

    def some(self) -> tuple[str, Content]:
        """One of the whole folders. Raises Busy where there is none."""
        whole = self.whole()
        if not whole:
            raise Busy
        path = self.chance.choice(sorted(whole))
        return path, self.world.contents[whole[path]]

    def free(self) -> str:
        """A path where nothing is."""
        name = self.chance.choice((*names.TEXT, *map(os.fsdecode, names.NOT_TEXT[::4])))
        if self.chance.random() < 0.7:
            name = f"model-{self.world.number()}"
        publisher = self.chance.choice(PUBLISHERS)
        path = f"{publisher}/{name}" if publisher else name
        if os.path.lexists(self.world.path(path)):
            raise Busy
        return path

    # arrivals

    def drop(self) -> None:
        """Moved in as one."""
        made, path = self.world.content(self.chance), self.free()
        with self.world.hold(path):
            self._say("drop", path, made.kind)
            self.world.note_drop(made)
            self._move_in(self._made(made), path)

    def copy_slowly(self) -> None:
        """File by file in pieces, the index first and the weights last, with pauses longer than any rest."""
        made, path = self.world.content(self.chance), self.free()
        with self.world.hold(path):
            self._say("slow copy", path, made.kind)
            self.world.note_drop(made)
            self._write(made, path, list(made.files))

    def complete(self) -> None:
        """What was given up is copied after all."""
        made, path = self.world.content(self.chance), self.free()
        with self.world.hold(path):
            self._say("copy in two goes", path, made.kind)
            self.world.note_drop(made)
            order = list(made.files)
            self._write(made, path, order[: self.chance.randrange(len(order))])
            self.pause(2.0)
            self._write(made, path, order)

    def abort(self) -> None:
        """Given up midway: never whole."""
        made, path = self.world.content(self.chance), self.free()
        with self.world.hold(path):
            self._say("aborted copy", path, made.kind)
            order = list(made.files)
            self._write(made, path, order[:-1])
            with self.world.root.shared():
                last = self.world.path(path) / order[-1]
                last.parent.mkdir(parents=True, exist_ok=True)
                last.write_bytes(made.files[order[-1]][: -1 - self.chance.randrange(20)])

    def rsync(self) -> None:
        """rsync, which writes under temporary names."""
        program = shutil.which("rsync")
        if program is None:
            raise Busy
        made, path = self.world.content(self.chance), self.free()
        with self.world.hold(path):
            self._say("rsync", path, made.kind)
            self.world.note_drop(made)
            source = self._made(made)
            self._run([program, "-a", "--bwlimit=2000", f"{source}/", str(self._place(path))])

    def cp(self) -> None:
        """`cp -a`, in the order of the folder: of kinds that any part of is not whole."""
        made, path = self.world.content_of(self.chance, "single", "adapter"), self.free()
        with self.world.hold(path):
            self._say("cp", path, made.kind)
            self.world.note_drop(made)
            self._run(["cp", "-a", "--", str(self._made(made)), str(self._place(path))])

    def download(self) -> None:
        """As huggingface_hub downloads into a folder: aside under `.incomplete`, then renamed."""
        made, path = self.world.content(self.chance), self.free()
        with self.world.hold(path):
            self._say("download", path, made.kind)
            self.world.note_drop(made)
            notes = f"{path}/.cache/huggingface/download"
            for name, data in made.files.items():
                aside = f"{notes}/{noise(self.world.number(), 8).hex()}.incomplete"
                self._put(aside, data)
                with self.world.root.shared():
                    target = self.world.path(f"{path}/{name}")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self.world.path(aside).rename(target)
                self.pause(0.2)

    def clone(self) -> None:
        """As git-LFS checks out: a pointer in the place of every large file, replaced one by one."""
        made, path = self.world.content_of(self.chance, "sharded"), self.free()
        with self.world.hold(path):
            self._say("clone", path, made.kind)
            self.world.note_drop(made)
            heavy = [name for name in made.files if name.endswith(".safetensors")]
            for name, data in made.files.items():
                self._put(f"{path}/{name}", pointer(data) if name in heavy else data)
            self.pause(1.0)
            for name in heavy:
                aside = f"{path}/.git/lfs/tmp/{self.world.number()}"
                self._put(aside, made.files[name])
                with self.world.root.shared():
                    self.world.path(aside).rename(self.world.path(f"{path}/{name}"))
                self.pause(0.3)

    # changes

    def delete(self) -> None:
        """Away with it, whole or not."""
        with self.world.root.shared():
            parts = list(part_folders(self.world))
        path = self.chance.choice(parts) if parts and self.chance.random() < 0.4 else self.some()[0]
        with self.world.hold(path), self.world.root.shared():
            self._say("delete", path)
            shutil.rmtree(self.world.path(path), ignore_errors=True)

    def move(self) -> None:
        """Renamed inside the models root."""
        (path, made), new = self.some(), self.free()
        with self.world.hold(path, new), self.world.root.shared():
            self._check(path, made)
            self._say("move", new, f"from {path!r}")
            self.world.touch(path)
            os.rename(self.world.path(path), self._place(new))
            self.world.note_move(path, new, made.identity)

    def move_parent(self) -> None:
        """The folder above is renamed, with all that lies in it."""
        old = self.chance.choice([one for one in PUBLISHERS if one])
        new = f"{old}-{self.world.number()}"
        with self.world.hold(old, new), self.world.root.shared():
            inside = {
                path: content
                for path, content in whole_folders(self.world).items()
                if path.startswith(f"{old}/")
            }
            if not inside:
                raise Busy
            self._say("move of parent", new, f"from {old!r}")
            self.world.touch(*inside)
            os.rename(self.world.path(old), self.world.path(new))
            for path, content in inside.items():
                self.world.note_move(path, new + path[len(old) :], content)

    def out_and_back(self) -> None:
        """Moved out of the models root, and in again a moment later."""
        path, made = self.some()
        with self.world.hold(path):
            aside = self._aside()
            with self.world.root.shared():
                self._check(path, made)
                self._say("out and back", path)
                os.rename(self.world.path(path), aside)
            self.pause(2.0)
            with self.world.root.shared():
                os.rename(aside, self._place(path))

    def swap(self) -> None:
        """Two folders change places."""
        (one, first), (other, second) = self.some(), self.some()
        if one == other:
            raise Busy
        with self.world.hold(one, other), self.world.root.shared():
            self._check(one, first)
            self._check(other, second)
            self._say("swap", one, f"with {other!r}")
            self.world.touch(other)
            aside = self._aside()
            os.rename(self.world.path(one), aside)
            os.rename(self.world.path(other), self.world.path(one))
            os.rename(aside, self.world.path(other))

    def overwrite(self) -> None:
        """Other weights in the place of the old ones, in place or by rename: drift where it was approved."""
        path, made = self.some()
        with self.world.hold(path):
            self._check(path, made)
            new = self.world.overwritten(made)
            self._say("overwrite", path)
            self.world.note_drop(new)
            (name,) = (name for name, data in new.files.items() if made.files[name] != data)
            if self.chance.random() < 0.5:
                self._put(f"{path}/{name}", new.files[name])
            else:
                aside = self._aside()
                aside.write_bytes(new.files[name])
                with self.world.root.shared():
                    os.rename(aside, self.world.path(f"{path}/{name}"))

    def edit_readme(self) -> None:
        """A README is no content."""
        path, made = self.some()
        with self.world.hold(path), self.world.root.shared():
            self._check(path, made)
            self._say("README", path)
            file = self.world.path(path) / "README.md"
            if self.chance.random() < 0.3:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(readme(self.chance))

    def chmod(self) -> None:
        """Rights away and back, times changed."""
        path, made = self.some()
        with self.world.hold(path), self.world.root.shared():
            self._check(path, made)
            self._say("chmod", path)
            place = self.world.path(path)
            place.chmod(0)
            self.pause(0.5)
            place.chmod(0o755)
            os.utime(place, (1, 1))

    def duplicate(self) -> None:
        """The same content once more."""
        (path, made), new = self.some(), self.free()
        with self.world.hold(path, new), self.world.root.shared():
            self._check(path, made)
            self._say("duplicate", new, f"of {path!r}")
            self.world.note_drop(made)
            self._move_in(self._made(made), new)

    def junk(self) -> None:
        """What is no model: a loose file, an empty folder, a broken link, a FIFO."""
        name = f"junk-{self.world.number()}"
        with self.world.hold(name), self.world.root.shared():
            self._say("junk", name)
            place = self.world.path(name)
            kind = self.chance.randrange(4)
            if kind == 0:
                place.write_bytes(b"x")
            elif kind == 1:
                place.mkdir()
            elif kind == 2:
                place.symlink_to("../nowhere")
            else:
                os.mkfifo(place)
            self.pause(1.0)
            if kind == 1:
                place.rmdir()
            else:
                place.unlink()

    # how

    def _say(self, kind: str, path: str, more: str = "") -> None:
        self.world.touch(path)
        self.world.say(self.name, kind, f"{path!r} {more}")

    def _check(self, path: str, made: Content) -> None:
        """It is still what it was before we had it to ourselves. Raises Busy."""
        if identity(self.world.path(path)) != made.identity:
            raise Busy

    def _aside(self) -> Path:
        return self.world.aside / str(self.world.number())

    def _made(self, made: Content) -> Path:
        return lay(made.files, self._aside())

    def _place(self, path: str) -> Path:
        place = self.world.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _move_in(self, folder: Path, path: str) -> None:
        with self.world.root.shared():
            os.rename(folder, self._place(path))

    def _run(self, words: list[str]) -> None:
        with self.world.root.shared():
            subprocess.run(words, check=True, timeout=60, capture_output=True)

    def _put(self, path: str, data: bytes) -> None:
        with self.world.root.shared():
            place = self._place(path)
            place.write_bytes(data)

    def _write(self, made: Content, path: str, order: list[str]) -> None:
        """As a copier writes: some files in pieces, some under a temporary name first."""
        for name in order:
            manner = self.chance.randrange(3)
            temporary = {0: name, 1: f"{name}.part", 2: name}[manner]
            with self.world.root.shared():
                self._place(f"{path}/{temporary}").write_bytes(b"")
            for piece in pieces(made.files[name], self.chance):
                with self.world.root.shared(), self.world.path(f"{path}/{temporary}").open("ab") as file:
                    file.write(piece)
                if self.chance.random() < 0.2:
                    self.pause(1.2)
            if temporary != name:
                with self.world.root.shared():
                    os.rename(self.world.path(f"{path}/{temporary}"), self.world.path(f"{path}/{name}"))


def whole_folders(world: World) -> dict[str, str]:
    """Every folder below the models root whose content is one that is known as whole, by path."""
    found: dict[str, str] = {}
    _look(world, world.models, "", found, set())
    return found


def part_folders(world: World) -> list[str]:
    """The topmost folders with files in them that are nothing whole."""
    parts: set[str] = set()
    _look(world, world.models, "", {}, parts)
    return sorted(parts)


def _look(world: World, folder: Path, path: str, found: dict[str, str], parts: set[str]) -> None:
    if path and (content := identity(folder)) in world.contents:
        found[path] = content
        return
    try:
        inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, PermissionError):
        return
    if path and any(entry.is_file(follow_symlinks=False) for entry in inside):
        parts.add(path)
        return
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            inner = f"{path}/{entry.name}" if path else entry.name
            _look(world, folder / entry.name, inner, found, parts)
