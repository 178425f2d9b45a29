"""Persons, commands and the daemon on one manifest, taking turns; and what must be true in the end."""

from __future__ import annotations

import json
import os
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import pytest
from tomlkit.items import AoT

from dxwatchd import manifest_view, proposing
from dxwatchd.core.derivation import Names
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.plan import NewProposal
from dxwatchd.core.proposals import HEADER, Proposal
from dxwatchd.core.snapshot import Snapshot
from dxwatchd.manifest_view import ManifestView
from dxwatchd.proposing import Proposer
from dxwatchd.stores import exchange, manifest_append, manifest_file, swapping
from dxwatchd.stores.journal import Journal
from dxwatchd.stores.manifest_edit import edit, put, table_of
from dxwatchd.stores.manifest_file import Changed, ManifestError
from tests.interleavings.baton import Actor, Baton
from tests.interleavings.saving import RENAMING, WAYS, Save, appended, opened

FOLDERS: Final = ("a", "b", "c")
FINGERPRINT: Final = "sha256:" + "0" * 64
STATUS: Final = 'status = "proposed"'


@dataclass(frozen=True, slots=True)
class Saved:
    """A whole file that a person saved. began, ended: the steps of its first and last system call."""

    text: str
    began: int
    ended: int


@dataclass(slots=True)
class Approval:
    """A command. swapped: the step at which its change got in place; done: whether it said so."""

    name: str
    swapped: int | None = None
    done: bool = False
    refused: bool = False


@dataclass(slots=True)
class History:
    """What happened. added: words that were appended since the last save of a whole file."""

    saves: list[Saved] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    appended: Counter[str] = field(default_factory=Counter)


class StubProposer(Proposer):
    """The real one, for folders that are not there."""

    def _block(self, new: NewProposal) -> Proposal:
        names = new.names
        return Proposal(names.technical_name, names.model_name, new.model.path, new.fingerprint, "found")


def new_proposal(folder: str) -> NewProposal:
    """Of a whole folder."""
    model = ModelFolder(f"p/{folder}", cast("Any", None), cast("Any", None), (), (), (), ())
    return NewProposal(model, Names(folder, folder.upper()), FINGERPRINT)


class World:
    """One run. blind: the kernel does not say who has a file open."""

    def __init__(self, folder: Path, baton: Baton, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.baton, self.random = folder, baton, baton.random
        self.history = History()
        self.path = folder / "manifest.toml"
        self.blind = self.random.random() < 0.15
        self.line_end = self.random.choice(("\n", "\n", "\r\n"))
        self.may_append = not self.blind and self.random.random() < 0.5
        self.has_cards = self.random.random() < 0.5
        self.saving = False
        self._words = 0
        self._patch(patch)
        self.start = HEADER.replace("\n", self.line_end)
        if self.has_cards or self.random.random() < 0.7:
            self.path.write_bytes(self.start.encode())
        else:
            self.start = ""

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(proposing, "is_steady", lambda *arguments: True)
        swap = self._noting_swaps(self.baton.wrap(swapping.swapped))
        patch.setattr(swapping, "swapped", swap)
        patch.setattr(exchange, "swapped", swap)
        patch.setattr(manifest_append, "_append_to", self._noting_appends(manifest_append._append_to))
        if self.blind:
            for module in (exchange, swapping, manifest_append, manifest_file, manifest_view):
                patch.setattr(module, "has_writer", lambda path: None)
            patch.setattr(manifest_append, "held_alone", _nothing_held)

    def _noting_swaps(self, real: Callable[[Path, Path], bool]) -> Callable[[Path, Path], bool]:
        def swapped(one: Path, other: Path) -> bool:
            self.baton.hot_spot()
            done = real(one, other)
            actor = self.baton.actor
            for approval in self.history.approvals:
                if actor is not None and actor.name == f"approve {id(approval)}":
                    approval.swapped = self.baton.step
            self.baton.hot_spot()
            return done

        return swapped

    def _noting_appends(self, real: Callable[..., bool]) -> Callable[..., bool]:
        def append_to(path: Path, stamp: Any, data: bytes, **named: Any) -> bool:
            names = [name for name in FOLDERS if f'"p/{name}"'.encode() in data]
            self.history.appended.update(names)
            try:
                return real(path, stamp, data, **named)
            except Changed:
                self.history.appended.subtract(names)
                raise

        return append_to

    # the actors

    def cast(self) -> list[Actor]:
        """Who takes part: persons, commands, the daemon; one of the last two may be killed."""
        persons = [Actor(f"person {number}", self.person) for number in range(self.random.choice((1, 1, 2)))]
        mortals = [Actor("daemon", self.daemon)]
        for _ in range(self.random.choice((0, 1, 2, 3))):
            approval = Approval(self.random.choice(FOLDERS))
            self.history.approvals.append(approval)
            mortals.append(
                Actor(f"approve {id(approval)}", lambda approval=approval: self.command(approval))  # type: ignore[misc]
            )
        if self.random.random() < 0.2:
            self.random.choice(mortals).kill_at = self.random.randint(1, 80)
        return persons + mortals

    def person(self) -> None:
        """Opens the file, thinks, and saves; now and then from what she opened long ago."""
        buffer: list[str] | None = None
        for _ in range(self.random.randint(1, 3)):
            self._pause(3)
            if buffer is None or self.random.random() < 0.6:
                with self._only_person():
                    buffer = self._load()
            if self.may_append and self.random.random() < 0.3:
                self._append_word()
                continue
            self._change(buffer)
            self._pause(3)
            with self._only_person():
                self._save(buffer)

    def command(self, approval: Approval) -> None:
        """`dxwatchd approve`, as soon as there is something to approve."""

        def change(tables: AoT) -> None:
            put(table_of(tables, approval.name), {"status": "approved"})

        for _ in range(self.random.randint(1, 4)):
            self._pause(5)
            approval.refused = False
            try:
                edit(self.path, change)
            except (ManifestError, FileNotFoundError):
                approval.swapped = None
                approval.refused = True
            else:
                approval.done = True
                return

    def daemon(self) -> None:
        """Some passes."""
        daemon = self.start_daemon()
        for _ in range(self.random.randint(2, 6)):
            self.one_pass(*daemon)
            self.baton.sleep(self.random.choice((0.0, 0.05, 0.11, 1.0)))

    def start_daemon(self) -> tuple[StubProposer, ManifestView]:
        """A daemon that knows nothing yet."""
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        journal = Journal(state / "events.jsonl")
        proposer = StubProposer(self.folder, self.path, state / "append.pending", journal)
        return proposer, ManifestView(self.path)

    def one_pass(self, proposer: StubProposer, view: ManifestView) -> None:
        """What concerns the manifest in a pass of the daemon."""
        proposer.recover()
        seen = view.look(self.baton.now, has_cards=self.has_cards, make=True)
        there = {entry.path for entry in seen.manifest.entries}
        new = tuple(new_proposal(name) for name in FOLDERS if f"p/{name}" not in there)
        if seen.trouble is None and seen.quiet:
            some = new[: self.random.randint(1, 3)]
            proposer.propose(some, seen, Snapshot({}))

    # a person's acts

    def _pause(self, most: int) -> None:
        for _ in range(self.random.randint(0, most)):
            self.baton.sleep(self.random.choice((0.0, 0.01, 0.2)))

    @contextmanager
    def _only_person(self) -> Iterator[None]:
        """Two persons who save at the same moment tear each other's file: that is theirs."""
        while self.saving:
            self.baton.sleep(0.001)
        self.saving = True
        try:
            yield
        finally:
            self.saving = False

    def _load(self) -> list[str]:
        try:
            descriptor = opened(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        try:
            text = os.read(descriptor, 2**20).decode()
        finally:
            os.close(descriptor)
        tomllib.loads(text)  # nobody ever opens half a block
        return text.splitlines(keepends=True)

    def _word(self) -> str:
        self._words += 1
        return f"# word {self._words}{self.line_end}"

    def _change(self, buffer: list[str]) -> None:
        if buffer and not buffer[-1].endswith("\n"):
            buffer[-1] += self.line_end
        buffer.insert(self.random.randint(0, len(buffer)), self._word())
        words = [line for line in buffer if line.startswith("# word")]
        if self.random.random() < 0.3:
            buffer.remove(self.random.choice(words))
        waiting = [number for number, line in enumerate(buffer) if line.startswith(STATUS)]
        if waiting and self.random.random() < 0.4:
            chosen = self.random.choice(waiting)
            buffer[chosen] = buffer[chosen].replace("proposed", "approved", 1)
        starts = [number for number, line in enumerate(buffer) if line.startswith("[[models]]")]
        if starts and self.random.random() < 0.2:
            del buffer[starts[-1] :]
        if not self.may_append and buffer and self.random.random() < 0.3:
            buffer[-1] = buffer[-1].rstrip("\r\n")

    def _save(self, buffer: list[str]) -> None:
        way: Save = self.random.choice(RENAMING if self.blind else WAYS)
        text = "".join(buffer)
        began = self.baton.step
        way(self.path, text.encode(), self.random)
        self.history.saves.append(Saved(text, began, self.baton.step))
        self.history.added.clear()

    def _append_word(self) -> None:
        word = self._word()
        with self._only_person():
            appended(self.path, word.encode(), self.random)
            self.history.added.append(word.strip())

    # what must be true

    def settle(self) -> None:
        """All others have gone; the daemon, or one started anew, goes on until nothing is left to do."""
        daemon = self.start_daemon()
        for _ in range(40):
            self.one_pass(*daemon)
            self.baton.now += 1.1
            if self._folders() >= set(FOLDERS) and not daemon[0].pending.path.exists():
                return
        raise AssertionError(f"not all is proposed: {self.path.read_text()!r}")

    def _folders(self) -> set[str]:
        try:
            found = tomllib.loads(self.path.read_bytes().decode())
        except (FileNotFoundError, tomllib.TOMLDecodeError):
            return set()
        return {entry["technical_name"] for entry in found.get("models", [])}


@contextmanager
def _nothing_held(descriptor: int) -> Iterator[bool | None]:
    yield None


def events_of(folder: Path) -> list[dict[str, Any]]:
    """The journal."""
    return [json.loads(line) for line in (folder / "state" / "events.jsonl").read_text().splitlines()]
