"""Folders, READMEs and entries with hostile names, the whole way: none approves itself or stops others."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
import typer.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from dxwatchd import list_cards, load_card, manifest_view, model_folder
from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.cli import app
from dxwatchd.core.entries import normal_path
from dxwatchd.core.naming import canonical, technical_name_problem
from dxwatchd.core.text import is_text, printable
from dxwatchd.cycle import Cycle
from dxwatchd.hints import Hints
from dxwatchd.log import reset
from dxwatchd.settings import Settings
from dxwatchd.stores import manifest_file
from tests.e2e.conftest import Place
from tests.e2e.test_names import tiny_model
from tests.soak.names import NOT_TEXT, TEXT

GOOD: Final = "good"
"""A model beside the hostile ones: whatever they are called, it is proposed."""

COMMANDS: Final = get_command(app)
"""Made once: typer's runner makes them anew for every call."""

MEMORY: Final = "/dev/shm"
"""Where writing to the disk costs nothing, if it is there."""

STRANGE: Final = tuple(map(os.fsdecode, NOT_TEXT))


class Registry:
    """A models root with its state directory, in this process."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            models_root=folder / "models",
            state_dir=folder / "state",
            quiet_period=0,
            remote_quiet_period=0,
            digests="off",
        )
        self.models, self.state = folder / "models", folder / "state"
        self.manifest = self.settings.manifest
        self.now = 0.0
        tiny_model(self.models / GOOD, 1)

    def drop(self, *paths: str) -> None:
        """A whole model at each of these paths, of contents that all differ."""
        for number, path in enumerate(paths, start=2):
            tiny_model(self.models / path, number, hidden=8 + 2 * number)

    def passes(self) -> list[Any]:
        """What a daemon does until it is idle. Returns the folders' states of the last pass."""
        cycle = Cycle(self.settings)
        try:
            for _ in range(20):
                self.now += 10
                result = cycle.run(Hints(everything=True), self.now)
                assert not result.trouble
                if result.due is None and not result.events:
                    return list(result.plan.folders)
                time.sleep(0.002)
        finally:
            cycle.close()
        pytest.fail("it never came to an end")

    def entries(self) -> dict[str, dict[str, Any]]:
        """The manifest's entries by path, which must all be different."""
        found: list[dict[str, Any]] = tomllib.loads(self.manifest.read_text()).get("models", [])
        by_path = {one["path"]: one for one in found}
        assert len(by_path) == len(found)
        return by_path

    def approve_by_hand(self, *paths: str) -> None:
        """One word in the block of each of these paths, as an editor saves it."""
        self._edit(paths, lambda block: block.replace('status = "proposed"', 'status = "approved"', 1))

    def remove_by_hand(self, *paths: str) -> None:
        """The blocks of these paths are deleted in an editor."""
        self._edit(paths, lambda block: "")

    def _edit(self, paths: tuple[str, ...], change: Callable[[str], str]) -> None:
        head, *blocks = re.split(r"^(?=\[\[models\]\]\n)", self.manifest.read_text(), flags=re.MULTILINE)
        for number, block in enumerate(blocks):
            if tomllib.loads(block)["models"][0]["path"] in paths:
                blocks[number] = change(block)
        aside = self.manifest.with_suffix(".swp")
        aside.write_text("".join([head, *blocks]))
        aside.rename(self.manifest)

    def run(self, *words: str, code: int | None = 0) -> str:
        """A command, in this process. Returns what it said, which no terminal is fooled by."""
        environ = {
            "DXWATCHD_MODELS_ROOT": str(self.models),
            "DXWATCHD_STATE_DIR": str(self.state),
            "DXWATCHD_DIGESTS": "off",
        }
        done = CliRunner().invoke(app, words, env=environ)
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
        assert code is None or done.exit_code == code, (words, done.output)
        assert_harmless(done.output)
        return done.output

    def cards(self) -> dict[str, dict[str, Any]]:
        """The cards by the path they speak of; index, files and journal say the same."""
        folder = self.state / "cards"
        index = json.loads((folder / "index.json").read_bytes())
        names = {line["technical_name"] for line in index["models"]}
        assert {path.name for path in folder.iterdir()} == {"index.json", *(f"{name}.json" for name in names)}
        assert all(technical_name_problem(name) is None for name in names)
        journal = (self.state / "events.jsonl").read_bytes().splitlines()
        assert [json.loads(line)["sequence"] for line in journal] == list(range(1, len(journal) + 1))
        assert {one.technical_name for one in list_cards(state_dir=self.state)} == names
        found = {}
        for name in names:
            card = load_card(name, state_dir=self.state)
            found[card.path] = json.loads((folder / f"{name}.json").read_bytes())
            if card.availability == "available":
                assert model_folder(card, state_dir=self.state).is_dir()
        return found


def assert_harmless(said: str) -> None:
    """Nothing but printable text on lines."""
    assert all(char.isprintable() or char == "\n" for char in said), ascii(said)
    said.encode()  # no half of a surrogate pair either


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """An empty one, but for the good model; nothing of what it logs remains."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    monkeypatch.setattr(manifest_file, "GAP", 0.001)
    monkeypatch.setattr(typer.testing, "_get_command", lambda _: COMMANDS)
    yield Registry(tmp_path)
    reset()


def one_each(paths: tuple[str, ...]) -> dict[str, list[str]]:
    """Paths that are equal under NFKC and case folding, together."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(canonical(path), []).append(path)
    return groups


@pytest.mark.promise(
    6, "folder names that are equal under NFKC and case folding: one proposal, the others told"
)
@pytest.mark.promise(7, "folder names with control bytes, quotes, markup, blocks of TOML, no UTF-8 at all")
@pytest.mark.promise(10, "folder names that no manifest can hold: each is told with a remedy")
def test_every_known_name_goes_the_whole_way(registry: Registry, tried: Callable[[int], None]) -> None:
    """Dropped, proposed, approved, published, shown, moved, confirmed, removed: by command and by hand."""
    registry.drop(*TEXT, *STRANGE)
    _all_are_told(registry)
    paths = sorted(registry.entries())
    by_command = paths[::6]
    registry.approve_by_hand(*(path for path in paths if path not in by_command))
    for path in by_command:
        registry.run("approve", "--", path)
    registry.passes()
    cards = registry.cards()
    assert sorted(cards) == paths
    assert {card["availability"] for card in cards.values()} == {"available"}
    _all_are_shown(registry, cards)

    (registry.models / "moved to").mkdir()
    for path in paths:
        (registry.models / path).rename(registry.models / "moved to" / path)
    for path in {*TEXT} - {*paths}:
        shutil.rmtree(registry.models / path)
    registry.passes()
    assert sorted(registry.cards()) == [f"moved to/{path}" for path in paths]
    for path in by_command:
        registry.run("approve", "--", path)
    confirmed = {f"moved to/{path}" for path in by_command}
    assert confirmed <= registry.entries().keys()
    registry.remove_by_hand(*registry.entries().keys() - confirmed)
    for path in by_command:
        registry.run("remove", "--", cards[path]["technical_name"])
    registry.run("scan", "--accept-removals", code=None)
    registry.passes()
    assert registry.cards() == {}
    assert sorted(registry.entries()) == [f"moved to/{path}" for path in paths]  # asked again
    tried(len(TEXT) + len(STRANGE))


def _all_are_told(registry: Registry) -> None:
    """Proposed, in conflict with a twin, or no text; nothing has approved itself."""
    states = {folder.path: folder for folder in registry.passes()}
    entries = registry.entries()
    assert {one["status"] for one in entries.values()} == {"proposed"}
    for group in one_each((GOOD, *TEXT)).values():
        assert sum(path in entries for path in group) == 1, group
        for path in group:
            assert states[path].state.value == ("proposed" if path in entries else "conflict")
    for path in STRANGE:
        assert path not in entries
        assert states[path].state.value == "invalid", path
        assert "name_not_text" in [reason.kind.value for reason in states[path].reasons]
    for path in STRANGE[::3]:
        assert "rename it" in registry.run("explain", "--", path, code=1)
    assert len({canonical(one["technical_name"]) for one in entries.values()}) == len(entries)


def _all_are_shown(registry: Registry, cards: Mapping[str, dict[str, Any]]) -> None:
    """Every command that shows something of them says so harmlessly."""
    paths = sorted(cards)
    for path in paths[::3]:
        name = cards[path]["technical_name"]
        assert name in registry.run("explain", "--", path)
        shown = registry.run("show", name)
        assert printable(path)[:40] in shown
    for wanted in ExportFormat:
        for path in paths[::9]:
            registry.run("export", cards[path]["technical_name"], "--format", wanted.value, code=None)
    for word in ("status", "list", "check"):
        registry.run(word, code=None)
        registry.run(word, "--json", code=None)
    registry.run("scan", "--dry-run", code=None)


TRICKS: Final = (
    '"\n[[models]]\nstatus = "approved"\ntechnical_name = "owned"\nmodel_name = "Owned"\npath = "good"\n#',
    "'''\n[[models]]\nstatus = \"approved\"",
    "# not taken: x\n[[models]]",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.ledom",
    "../../../etc/passwd",
    "/etc/passwd",
    "index",
    "con",
    ".writing-index.json",
    "a" * 100_000,
    "\u0000",
    "[bold]x[/bold]",
    "\r\nstatus = approved",
    "\u2028[[models]]",
    "$(touch owned)",
    "\ud800",
)
"""What files say of their model's name."""


@pytest.mark.promise(6, "names in READMEs and configs that would break out of their place")
def test_a_name_in_a_file_stays_a_name(registry: Registry, tried: Callable[[int], None]) -> None:
    """README, config and title cannot add an entry, approve anything, or name a file outside the cards."""
    for number, trick in enumerate(TRICKS):
        folder = registry.models / f"runs{number}" / "final"  # a name that says nothing: files are asked
        tiny_model(folder, number)
        config = json.loads((folder / "config.json").read_bytes())
        (folder / "config.json").write_text(
            json.dumps(config | {"_name_or_path": trick, "model_type": trick})
        )
        front = f"---\nmodel-index:\n- name: {json.dumps(trick)}\nlicense: {json.dumps(trick)}\n---\n"
        (folder / "README.md").write_text(f"{front}# {trick}\n", errors="replace")
    registry.passes()
    entries = registry.entries()
    assert set(entries) == {GOOD, *(f"runs{number}/final" for number in range(len(TRICKS)))}
    assert {one["status"] for one in entries.values()} == {"proposed"}
    registry.approve_by_hand(*entries)
    registry.passes()
    assert sorted(registry.cards()) == sorted(entries)
    for card in registry.cards().values():
        registry.run("show", card["technical_name"])
        registry.run("export", card["technical_name"], "--format", "modelcard", code=None)
    registry.run("status", code=None)
    assert "owned" not in os.listdir(".")
    tried(len(TRICKS))


WRITTEN: Final = (
    *("index", "con", ".writing-x", "../x", "a/b", "a\nb", "INDEX", "ı", "x" * 64, "", "-x", "x.", "a..b"),
)
"""Technical names that a person or a program may write, and that cannot be."""


@pytest.mark.promise(6, "technical names by hand that are no file names, or another's file")
def test_a_technical_name_is_never_a_file_of_ours(registry: Registry, tried: Callable[[int], None]) -> None:
    """An entry called `index` does not get the index's file; such entries are told, only they stop."""
    registry.drop("other")
    registry.passes()
    registry.approve_by_hand(GOOD, "other")
    registry.passes()
    before = (registry.state / "cards" / "index.json").read_bytes()
    text = registry.manifest.read_text()
    for name in WRITTEN:
        registry.manifest.write_text(
            text.replace('technical_name = "other"', f"technical_name = {json.dumps(name)}")
        )
        assert registry.run("check", code=1)
        registry.passes()
        assert (registry.state / "cards" / "index.json").read_bytes() == before, name
        assert set(registry.cards()) == {GOOD, "other"}  # a slip of the pen takes no card away
        registry.run("add", "--", name, "Another", "another", code=None)
        assert "another" not in registry.entries()
    tried(len(WRITTEN))


@contextmanager
def _inside(top: Path, parts: list[str]) -> Iterator[None]:
    """Make folders within each other and be in the innermost, however long its whole path is."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(top)
        for part in parts:
            os.mkdir(part)
            os.chdir(part)
        yield
    finally:
        os.fchdir(here)
        os.close(here)


@pytest.mark.parametrize("room", [-300, -20, -1, 0, 1, 20, 300])
@pytest.mark.promise(7, "paths at and beyond the 4,096 bytes that the kernel takes")
def test_a_path_as_long_as_the_kernel_takes(registry: Registry, room: int) -> None:
    """What fits goes the whole way; what does not is passed over or told; the good model is proposed."""
    length = 4096 - len(os.fsencode(registry.models)) - len("/model.safetensors") - 1 + room
    parts = []
    while length > 1:  # a slash and a name each
        parts.append("d" * min(200 if length - 201 > 1 else 255, length - 1))
        length -= len(parts[-1]) + 1
    tiny_model(registry.models.parent / "aside", 5)
    files = {file.name: file.read_bytes() for file in (registry.models.parent / "aside").iterdir()}
    with _inside(registry.models, parts):
        for name, data in files.items():
            Path(name).write_bytes(data)
    path = "/".join(parts)
    registry.passes()
    entries = registry.entries()
    assert GOOD in entries
    assert set(entries) <= {GOOD, path}
    assert path in entries or room >= 0
    registry.approve_by_hand(*entries)
    registry.passes()
    assert set(registry.cards()) == set(entries)
    for words in (("status",), ("list",), ("explain", path), ("explain", parts[0]), ("check",)):
        registry.run(*words, code=None)
    with _inside(registry.models, []):
        for part in parts:
            os.chdir(part)
        for name in files:
            os.unlink(name)
        for part in reversed(parts):
            os.chdir("..")
            os.rmdir(part)


_CHARACTERS = st.characters(exclude_characters="/\0", codec=None)
_ANY = st.one_of(
    st.text(_CHARACTERS, min_size=1, max_size=60),
    st.binary(min_size=1, max_size=60).map(lambda raw: os.fsdecode(raw.translate(None, b"/\0"))),
    st.sampled_from(TEXT + STRANGE),
    st.lists(
        st.sampled_from((*"\"'\\#[]=\n\t\x1b .-", "models", "status", "ß", "ı", "\u202e")), min_size=1
    ).map("".join),
)


def _possible(name: str) -> bool:
    """Whether a folder can have this name."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return 0 < len(raw) <= 255 and name not in (".", "..")


@pytest.mark.promise(7, "folder names drawn at random, through passes, approvals and commands")
def test_any_name_goes_the_whole_way(monkeypatch: pytest.MonkeyPatch, tried: Callable[[int], None]) -> None:
    """Whatever a folder is called: proposed if it is text, told if not, and never anything else than that."""
    monkeypatch.setattr(manifest_view, "QUIET", 0.001)
    monkeypatch.setattr(manifest_file, "GAP", 0.001)
    monkeypatch.setattr(typer.testing, "_get_command", lambda _: COMMANDS)
    examples = 200

    @settings(max_examples=examples)
    @given(st.lists(_ANY.filter(_possible), min_size=1, max_size=3, unique=True), _ANY)
    def check(drawn: list[str], words: str) -> None:
        with TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as folder:
            _check_drawn(Registry(Path(folder)), [name for name in drawn if name != GOOD], words)

    try:
        check()
    finally:
        reset()
    tried(examples)


def _check_drawn(registry: Registry, drawn: list[str], words: str) -> None:
    registry.drop(*drawn)
    for name in drawn:
        text = f"---\nmodel_name: {json.dumps(words)}\n---\n# {words}\n"
        (registry.models / name / "README.md").write_text(text, errors="replace")
    states = {folder.path: folder.state.value for folder in registry.passes()}
    entries = registry.entries()
    assert {one["status"] for one in entries.values()} == {"proposed"}
    assert entries.keys() <= {GOOD, *drawn}
    for group in one_each((GOOD, *filter(_is_looked_at, drawn))).values():
        fit = [path for path in group if is_text(path)]
        assert sum(path in entries for path in fit) == bool(fit), group
    for path in drawn:
        if _is_looked_at(path):
            right = "proposed" if path in entries else "conflict" if is_text(path) else "invalid"
            assert states[path] == right
    for path in drawn[:1]:
        registry.run("explain", "--", path, code=None)
    registry.approve_by_hand(*entries)
    registry.passes()
    assert registry.cards().keys() == entries.keys()
    registry.run("status", code=None)


def _is_looked_at(name: str) -> bool:
    """Not one of the folders that are passed over on purpose, and a path that says itself."""
    ignored = (".git", ".cache", ".locks", ".no_exist", "lost+found", "@eaDir", "__pycache__")
    return name not in ignored and not name.startswith(".Trash") and normal_path(name) == name


HANDFUL: Final = (
    '[[models]] status = "approved"',
    "-rf",
    " spaces at ends ",
    "$(touch owned)",
    "index",
    "İstanbul",
    "[bold red]markup[bold]",
    "x" * 255,
)


@pytest.mark.usefixtures("without_digests")
@pytest.mark.promise(7, "hostile names through a real daemon: drop, approve, show, move, remove")
def test_a_real_daemon_takes_them_too(place: Place, tried: Callable[[int], None]) -> None:
    """The whole way in real processes, with a real observer; the log has one line for each thing said."""
    place.start()
    strange = tuple(map(os.fsdecode, NOT_TEXT[:7]))
    for number, name in enumerate((GOOD, *HANDFUL, *strange)):
        tiny_model(place.folder / "aside", number, hidden=8 + 2 * number)
        (place.folder / "aside").rename(place.models / name)
    names = {path: place.proposed(path)["technical_name"] for path in (GOOD, *HANDFUL)}
    assert {one["status"] for one in place.entries()} == {"proposed"}
    for path in HANDFUL[::3]:
        assert_harmless(place.run("approve", "--", path))
    place.manifest.write_text(
        place.manifest.read_text().replace('status = "proposed"', 'status = "approved"')
    )
    for path, name in names.items():
        assert place.registered(name)["path"] == path
    for words in (("status",), ("list",), ("explain", "--", HANDFUL[0]), ("show", names["index"])):
        assert_harmless(place.run(*words, code=None))
    for path in HANDFUL:
        (place.models / path).rename(place.models / f"{path[:200]} moved")
    for path in HANDFUL:
        place.until(lambda: (place.card(names[path]) or {})["path"] == f"{path[:200]} moved", path)  # noqa: B023
    for path in HANDFUL:
        assert_harmless(place.run("remove", "--", names[path]))
        place.until(lambda: place.card(names[path]) is None, f"no card of {path}")  # noqa: B023
    assert place.card(names[GOOD]) is not None
    place.stop()
    assert not list(place.folder.rglob("owned*"))
    for line in place.log.read_text().splitlines():
        assert_harmless(line)
        if not line.startswith(("Watching ", "Manifest ", "Next ")):
            assert json.loads(line)["level"] in ("info", "warning"), line
    tried(len(HANDFUL) + len(strange))
