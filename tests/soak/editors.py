"""People with editors at the manifest, as editors save; and what must be in it for all that."""

from __future__ import annotations

import random
import re
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.soak import names
from tests.soak.world import Busy, World

NEWLINE: Final = "\n"
HEAD: Final = "[[models]]\n"
NOTES: Final = re.compile(r'^notes = "(?P<mark>\w+)\.\d+"$', re.MULTILINE)


@dataclass(slots=True)
class Wanted:
    """What an entry must say that a person has saved.

    name: its technical name; version: of its notes; status: None where several people may have had the last
    word; there: whether the entry is to be there, None where that is open.
    """

    name: str
    version: int
    status: str | None
    there: bool | None = True


@dataclass(slots=True)
class _Command:
    """A change that a command made to the entries of these names, from its start to its end (monotonic
    seconds).
    """

    began: float
    ended: float
    names: frozenset[str]
    removes: bool


@dataclass(slots=True)
class Book:
    """What every person's last save was, as far as other people left it alone.

    Editors go one after the other (people who save over each other are not the daemon's matter); commands
    run at any time. Where a command ran while an editor had the file open, the editor may have saved over
    it: then what the command did is open.
    """

    wanted: dict[str, Wanted] = field(default_factory=dict)
    editing: threading.Lock = field(default_factory=threading.Lock)
    valid: bool = True
    """Whether what was saved last is a manifest."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _commands: list[_Command] = field(default_factory=list)
    _last_session: tuple[float, float] = (0.0, 0.0)
    _open_since: float | None = None

    @contextmanager
    def session(self) -> Iterator[None]:
        """From an editor's reading of the file to its save."""
        began = time.monotonic()
        with self._lock:
            self._open_since = began
        try:
            yield
        finally:
            with self._lock:
                self._open_since, self._last_session = None, (began, time.monotonic())
                for command in self._commands:
                    if command.ended >= began:
                        self._open_up(command)

    def command(
        self, began: float, names: frozenset[str], status: str | None, *, removes: bool, certain: bool = True
    ) -> None:
        """A command has changed the entries of these names. certain: it has changed every one of them."""
        with self._lock:
            made = _Command(began, time.monotonic(), names, removes)
            self._commands = [*self._commands[-50:], made]
            for wanted in self._of(names):
                if removes:
                    wanted.there = False
                elif status is not None:
                    wanted.status = status
            if not certain or self._open_since is not None or self._last_session[1] >= began:
                self._open_up(made)

    def tidied(self, began: float) -> None:
        """A command has removed proposals, of those that there were at some moment since."""
        with self._lock:
            names = frozenset(one.name for one in self.wanted.values() if one.status in ("proposed", None))
        self.command(began, names, None, removes=True, certain=False)

    def renamed(self, old: str, new: str) -> None:
        """A command has given an entry another technical name."""
        with self._lock:
            for wanted in self._of(frozenset({old})):
                wanted.name = new

    def save(self, mark: str, wanted: Wanted) -> None:
        """An editor has saved this."""
        with self._lock:
            self.wanted[mark] = wanted

    def _of(self, names: frozenset[str]) -> list[Wanted]:
        return [wanted for wanted in self.wanted.values() if wanted.name in names]

    def _open_up(self, command: _Command) -> None:
        for wanted in self._of(command.names):
            wanted.status = None
            if command.removes:
                wanted.there = None

    def check(self, entries: list[dict[str, Any]]) -> Iterator[str]:
        """What is not in the manifest as it was saved. Afterwards what was open is taken as it is."""
        with self._lock:
            for mark, wanted in list(self.wanted.items()):
                found = [one for one in entries if str(one.get("notes", "")).startswith(f"{mark}.")]
                yield from _differences(mark, wanted, found)
                if not found:
                    del self.wanted[mark]
                else:
                    wanted.there, wanted.status = True, found[0]["status"]
                    wanted.name = found[0]["technical_name"]


def _differences(mark: str, wanted: Wanted, found: list[dict[str, Any]]) -> Iterator[str]:
    mark = f"{mark} of {wanted.name}"
    if len(found) > 1:
        yield f"the entry {mark} is there {len(found)} times"
    elif wanted.there is False and found:
        yield f"the entry {mark} was removed and is there again"
    elif wanted.there and not found:
        yield f"the entry {mark} was saved and is lost"
    elif found:
        if found[0]["notes"].partition(".")[2] != str(wanted.version):
            yield f"the entry {mark} says {found[0]['notes']}, saved was version {wanted.version}"
        if wanted.status is not None and found[0]["status"] != wanted.status:
            yield f"the entry {mark} is {found[0]['status']}, saved was {wanted.status}"


class Editor:
    """A person with an editor."""

    def __init__(self, world: World, book: Book, name: str) -> None:
        self.world = world
        self.book = book
        self.name = name
        self.chance = random.Random(f"{world.seed}-{name}")
        self.manifest = world.place.manifest

    def act(self) -> None:
        """One session: read, think, save."""
        with self.book.editing:
            try:
                self._session()
            except Busy:
                self.world.counts["busy"] += 1

    def _session(self) -> None:
        with self.book.session():
            text = self._read()
            if self.chance.random() < 0.08:
                self._accident(text)
                return
            think = self.chance.random() * 0.8
            time.sleep(think)
            if self.chance.random() < 0.7:
                text = self._read()  # "the file has changed on the disk; load it again?"
            changed, saved, what = self._changed(text)
            self._save(changed)
            for mark, wanted in saved.items():
                self.book.save(mark, wanted)
            self.world.say(self.name, "edit", what)

    def _read(self) -> str:
        try:
            text = self.manifest.read_text()
            tomllib.loads(text)
        except (FileNotFoundError, ValueError):
            raise Busy from None
        return text

    def _changed(self, text: str) -> tuple[str, dict[str, Wanted], str]:
        head, *blocks = re.split(rf"^{re.escape(HEAD)}", text, flags=re.MULTILINE)
        kind = self.chance.choice(
            ("approve", "approve", "approve", "reject", "note", "add", "delete", "unpin", "rename", "shuffle")
        )
        if kind == "shuffle":
            blocks = [block if block.endswith("\n") else f"{block}\n" for block in blocks]
            self.chance.shuffle(blocks)
            return "".join([head, *(HEAD + block for block in blocks)]), {}, kind
        if kind == "add":
            mark, path = f"n{self.world.number()}", f"hand-{self.world.number()}"
            self.world.round.removals.add(mark)
            block = (
                f'status = "approved"\ntechnical_name = "{mark}"\nmodel_name = "Hand {mark}"\n'
                f'path = "{path}"\nnotes = "{mark}.0"\n'
            )
            return (
                f"{text if text.endswith(NEWLINE) else text + NEWLINE}\n{HEAD}{block}",
                {mark: Wanted(mark, 0, "approved")},
                f"add {path}",
            )
        wanted = {"approve": '"proposed"', "reject": '"proposed"'}.get(kind, "")
        places = [n for n, block in enumerate(blocks) if wanted in block.partition("\n")[0]]
        if not places:
            raise Busy
        place = self.chance.choice(places)
        (entry,) = tomllib.loads(HEAD + blocks[place])["models"]
        name = entry["technical_name"]
        self.world.round.removals.add(name)
        what = f"{kind} {name}"
        if kind == "delete":
            mark = self._mark(blocks.pop(place))
            text = "".join([head, *(HEAD + block for block in blocks)])
            return text, {mark: Wanted(name, 0, None, False)} if mark else {}, what
        blocks[place], mark, saved = self._one(blocks[place], kind, entry)
        return "".join([head, *(HEAD + block for block in blocks)]), {mark: saved}, what

    def _one(self, block: str, kind: str, entry: dict[str, Any]) -> tuple[str, str, Wanted]:
        """A block with a change and a mark that tells it from all others."""
        lines, name = block.splitlines(), entry["technical_name"]
        status = {"approve": "approved", "reject": "rejected"}.get(kind, entry["status"])
        lines = [f'status = "{status}"' if line.startswith("status =") else line for line in lines]
        if kind == "unpin":
            lines = [line for line in lines if not line.startswith("fingerprint =")]
        if kind == "rename":
            name = f"renamed-{self.world.number()}"
            self.world.round.removals.add(name)
            lines = [
                f'technical_name = "{name}"' if line.startswith("technical_name =") else line
                for line in lines
            ]
        mark, version = self._mark(block) or f"n{self.world.number()}", self.world.number()
        lines = [line for line in lines if not line.startswith("notes =")]
        while lines and not lines[-1].strip():
            lines.pop()
        lines += [f'notes = "{mark}.{version}"', ""]
        return "\n".join(lines) + "\n", mark, Wanted(name, version, status)

    def _mark(self, block: str) -> str:
        match = NOTES.search(block)
        return match["mark"] if match is not None else ""

    def _save(self, text: str) -> None:
        """As one of the editors that there are."""
        manner = self.chance.choice(("in place", "in place", "rename", "backup", "append"))
        self.world.counts[f"saved: {manner}"] += 1
        if manner == "append":
            now = self._read()
            if text.startswith(now):
                with self.manifest.open("a") as file:
                    file.write(text[len(now) :])
                return
            manner = "rename"
        if manner == "in place":
            with self.manifest.open("w") as file:
                for start in range(0, len(text), 512):
                    file.write(text[start : start + 512])
                    file.flush()
                    if self.chance.random() < 0.1:
                        time.sleep(0.03)
            return
        aside = self.manifest.with_name(f".{self.manifest.name}.swp")
        if manner == "backup":
            self.manifest.rename(self.manifest.with_name("manifest.toml~"))
            self.manifest.write_text(text)
        else:
            aside.write_text(text)
            aside.rename(self.manifest)

    def _accident(self, text: str) -> None:
        """What is mended a moment later: emptied, torn, broken, gone, or bad names in it."""
        kind = self.chance.choice(("emptied", "torn", "broken", "gone", "bad entry"))
        self.world.say(self.name, f"manifest {kind}", "")
        with self._mending(text):
            if kind == "gone":
                self.manifest.rename(self.manifest.with_name("manifest.gone"))
            elif kind == "emptied":
                self.manifest.write_text("")
            elif kind == "torn":
                self.manifest.write_text(f'{text}\n[[models]]\nstatus = "appro')
            elif kind == "broken":
                self.manifest.write_text(f"{text}\nmodels = 3\n")
            else:
                bad = self.chance.choice(names.TEXT).replace('"', "").replace("\\", "")
                self.manifest.write_text(f'{text}\n[[models]]\nstatus = "yes"\npath = "{bad}"\n')
            time.sleep(self.chance.random() * 1.5)

    @contextmanager
    def _mending(self, text: str) -> Iterator[None]:
        self.book.valid = False
        try:
            yield
        finally:
            aside = Path(f"{self.manifest}.mended")
            aside.write_text(text)
            aside.rename(self.manifest)
            self.book.valid = True
