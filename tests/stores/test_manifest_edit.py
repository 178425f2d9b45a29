"""A person's changes by a program: nothing else changes, and nobody's save is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit
from tomlkit.items import AoT

from dxwatchd.core.proposals import HEADER
from dxwatchd.stores.manifest_edit import edit, put, table_of
from dxwatchd.stores.manifest_file import ManifestError
from tests.stores.test_manifest_file import block

TEXT = f"""{HEADER}
# before a
[[models]]
status = "proposed"   # a word at the end
technical_name = "a"
model_name = "A"
path = "p/a"
# after a

[[models]]
status = "approved"
technical_name = "b"
model_name = "B"
path = "p/b"
# the end
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest with two entries and comments everywhere."""
    path = tmp_path / "manifest.toml"
    path.write_text(TEXT)
    return path


def approve(tables: AoT) -> None:
    """The change of one word."""
    put(table_of(tables, "a"), {"status": "approved"})


@pytest.mark.promise(4, "a command's change: comments, order, spaces")
def test_only_what_is_changed_changes(manifest: Path) -> None:
    """Comments, order, spaces: the rest is there to the byte."""
    edit(manifest, approve)
    assert manifest.read_text() == TEXT.replace('"proposed"   #', '"approved"   #')


@pytest.mark.promise(4, "a command's change: line ends")
def test_windows_line_ends_stay(manifest: Path) -> None:
    """Every line ends as it did."""
    manifest.write_bytes(TEXT.replace("\n", "\r\n").encode())
    edit(manifest, approve)
    assert (
        manifest.read_bytes()
        == TEXT.replace('"proposed"   #', '"approved"   #').replace("\n", "\r\n").encode()
    )


@pytest.mark.promise(4, "a command's change: mode, owner, link")
def test_mode_owner_and_link_stay(manifest: Path, tmp_path: Path) -> None:
    """The group's right to write, the owner, and a dotfile manager's link."""
    manifest.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(manifest, 1234, 5678)
    before = manifest.stat()
    link = tmp_path / "link.toml"
    link.symlink_to(manifest)
    edit(link, approve)
    after = manifest.stat()
    assert link.is_symlink()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.toml", "manifest.toml"]


def test_a_change_that_changes_nothing_writes_nothing(manifest: Path) -> None:
    """The file is the same one afterwards."""
    before = manifest.stat()
    edit(manifest, lambda tables: put(table_of(tables, "b"), {"status": "approved", "license": None}))
    assert manifest.stat() == before


@pytest.mark.promise(4, "a save while a command changes the file")
def test_a_save_in_between_is_kept_and_the_change_made_on_top(manifest: Path) -> None:
    """Somebody saves while the change is being made: it is made again from what they saved."""
    tries = []

    def change(tables: AoT) -> None:
        tries.append(len(tables))
        if len(tries) == 1:
            manifest.write_text(TEXT + block("saved"))
        approve(tables)

    edit(manifest, change)
    assert tries == [2, 3]
    assert manifest.read_text() == (TEXT + block("saved")).replace('"proposed"   #', '"approved"   #')


@pytest.mark.promise(4, "somebody who never stops saving while a command changes the file")
def test_who_never_stops_saving_is_told_about(manifest: Path) -> None:
    """After many tries it gives up with the remedy, and the last save is there."""
    count = []

    def change(tables: AoT) -> None:
        count.append(1)
        manifest.write_text(TEXT + f"# {len(count)}\n")
        approve(tables)

    with pytest.raises(ManifestError, match="keep saving"):
        edit(manifest, change)
    assert manifest.read_text() == TEXT + f"# {len(count)}\n"


@pytest.mark.promise(4, "a command's change that would make the file wrong")
@pytest.mark.parametrize(
    "change",
    [
        {"technical_name": "B_"},
        {"technical_name": "b"},
        {"model_name": "ｂ"},
        {"path": "../x"},
        {"status": "maybe"},
        {"path": "p/b"},
    ],
)
def test_a_change_for_the_worse_is_refused(manifest: Path, change: dict[str, str]) -> None:
    """Wrong values and names that others have: the file stays, the problem is told."""
    with pytest.raises(ManifestError) as raised:
        edit(manifest, lambda tables: put(table_of(tables, "a"), change))
    assert raised.value.remedy
    assert manifest.read_text() == TEXT


def test_an_old_problem_elsewhere_does_not_hinder(manifest: Path) -> None:
    """One can mend one entry while another is broken."""
    manifest.write_text(TEXT.replace('path = "p/b"', 'path = "/abs"'))
    edit(manifest, approve)
    assert tomllib.loads(manifest.read_text())["models"][0]["status"] == "approved"


def test_an_old_problem_is_no_leave_to_make_it_again(manifest: Path) -> None:
    """A second entry with what is wrong in a first one already is refused all the same."""
    text = TEXT.replace('technical_name = "b"', 'technical_name = ""')
    manifest.write_text(text)
    with pytest.raises(ManifestError, match="empty"):
        edit(manifest, lambda tables: put(table_of(tables, "a"), {"technical_name": ""}))
    assert manifest.read_text() == text


@pytest.mark.promise(4, "a command's change of a file that is not valid")
@pytest.mark.parametrize("text", ['[[models]]\nstatus = "', "models = [{}]\n"])
def test_a_file_that_cannot_be_changed_is_left_alone(manifest: Path, text: str) -> None:
    """No TOML, or entries written inline: told, and not touched."""
    manifest.write_text(text)
    with pytest.raises(ManifestError):
        edit(manifest, approve)
    assert manifest.read_text() == text


def test_the_last_entry_may_go_and_the_first_may_come(manifest: Path) -> None:
    """An emptied manifest is still one that can be added to."""

    def clear(tables: AoT) -> None:
        while len(tables):
            del tables[0]

    edit(manifest, clear)
    assert tomllib.loads(manifest.read_text()).get("models", []) == []
    with manifest.open("a") as file:
        file.write(block("new"))
    assert len(tomllib.loads(manifest.read_text())["models"]) == 1


EDITOR = """
import os, pathlib, sys
path = pathlib.Path(sys.argv[1])
for number in range(int(sys.argv[2])):
    while True:
        seen = path.read_bytes()
        aside = path.with_suffix(".editor")
        aside.write_bytes(seen + b"# line %d\\n" % number)
        if path.read_bytes() == seen:
            break
    os.rename(aside, path)
"""


@pytest.mark.promise(4, "saves by rename while a command changes the file over and over")
def test_none_of_two_hundred_editor_saves_is_lost(manifest: Path, tried: Callable[[int], None]) -> None:
    """An editor that saves by rename adds line after line while entries are changed: each is there."""
    with subprocess.Popen([sys.executable, "-c", EDITOR, manifest, "200"]) as editor:
        done = 0
        while editor.poll() is None or done < 20:
            done += 1
            values = {"notes": f"change {done}"}
            edit(manifest, lambda tables, values=values: put(table_of(tables, "b"), values))  # type: ignore[misc]
    text = manifest.read_text()
    lost = [number for number in range(200) if f"# line {number}\n" not in text]
    # the editor's own look before its rename is a moment old, so it may itself lose one of ours, never we its
    assert lost == []
    tried(200)
    assert tomllib.loads(text)["models"][1]["technical_name"] == "b"


def entry(name: str) -> str:
    """A block without anything behind it."""
    return block(name).strip() + "\n"


def drop(tables: AoT, *names: str) -> None:
    """Delete entries."""
    for number in reversed(range(len(tables))):
        if tables[number]["technical_name"] in names:
            del tables[number]


BETWEEN = "\n# from here on: for the shop\n# (ask Ada)\n\n"


@pytest.mark.promise(4, "an entry removed by a command, with a person's comments before the next one")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("gone", ["a", "b", "c", "ab", "bc", "abc"])
def test_what_stands_between_two_entries_stays(manifest: Path, gone: str, end: str) -> None:
    """With an entry go its own comments, and not those which an empty line parts from it."""
    blocks = {
        name: entry(name) + f"# found: {name}\n" + BETWEEN.replace("Ada", f"Ada {name}") for name in "abc"
    }
    text = HEADER + "".join(blocks.values()) + "# \u2028 vim: ft=toml\n"
    manifest.write_bytes(text.replace("\n", end).encode())
    edit(manifest, lambda tables: drop(tables, *gone))
    wanted = text
    for name in gone:
        wanted = wanted.replace(entry(name) + f"# found: {name}\n", "")
    assert manifest.read_bytes().decode() == wanted.replace("\n", end)


def test_comments_of_tables_inside_an_entry_go_and_stay_alike(manifest: Path) -> None:
    """The last of its tables has what stands behind the entry."""
    inner = "# its own\n[models.more]\nx = 1\n[[models.most]]\ny = 1\n# its own too\n"
    manifest.write_text(HEADER + entry("a") + inner + BETWEEN + entry("b"))
    edit(manifest, lambda tables: drop(tables, "a"))
    assert manifest.read_text() == HEADER + BETWEEN + entry("b")


def test_an_entry_without_its_comment_leaves_no_empty_lines(manifest: Path) -> None:
    """Empty lines alone are nobody's words."""
    manifest.write_text(HEADER + entry("a") + "\n\n" + entry("b"))
    edit(manifest, lambda tables: drop(tables, "a"))
    assert manifest.read_text() == HEADER + entry("b")


def add(tables: AoT) -> None:
    """One entry more."""
    table = tomlkit.table()
    table.update({"status": "approved", "technical_name": "new", "model_name": "New", "path": "new"})
    tables.append(table)


@pytest.mark.promise(4, "an entry added by a command to a file without a line end at its end")
@pytest.mark.parametrize(
    "last",
    ['notes = "x"', "# as they were", "# models = []", "[models.more]\nx = 1\n# more", '# x = """', "\t"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_is_added_begins_on_its_own_line(manifest: Path, last: str, end: str) -> None:
    """A comment does not swallow it, and a value is not torn by it."""
    text = (HEADER + entry("a") + last).replace("\n", end)
    manifest.write_bytes(text.encode())
    edit(manifest, add)
    after = manifest.read_bytes().decode()
    assert after.startswith(text + end)
    models = tomllib.loads(after)["models"]
    assert models[:-1] == tomllib.loads(text)["models"]
    assert models[-1]["technical_name"] == "new"
    assert after.count("\n") == after.count(end)


def test_a_missing_line_end_is_not_made_up(manifest: Path) -> None:
    """Where nothing is added behind it."""
    text = HEADER + entry("a") + "# the end"
    manifest.write_text(text)
    edit(manifest, approve)
    assert manifest.read_text() == text.replace('"proposed"  ', '"approved"  ')


@pytest.mark.parametrize("header", ["[[models]]", "[[ models ]]", '[["models"]]', "[['models']]"])
def test_no_inline_array_stays_where_the_last_entry_was(manifest: Path, header: str) -> None:
    """Nothing could be appended behind one; and what looks like one in a comment is a comment."""
    before = "# models = []\n# x\n"
    manifest.write_text(before + entry("a").replace("[[models]]", header))
    edit(manifest, lambda tables: drop(tables, "a"))
    assert manifest.read_text() == before
    edit(manifest, add)
    assert tomllib.loads(manifest.read_text())["models"][0]["technical_name"] == "new"


def test_a_change_that_would_say_more_than_it_should_is_refused(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the library write anything else down, nothing is written."""
    before = manifest.read_bytes()
    dumps = tomlkit.dumps
    monkeypatch.setattr(tomlkit, "dumps", lambda document: dumps(document).replace('"p/b"', '"p/c"'))
    with pytest.raises(ManifestError, match="other lines"):
        edit(manifest, approve)
    assert manifest.read_bytes() == before
