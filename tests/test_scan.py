"""One walk of the models root: what is seen, what is read again, where links lead."""

from __future__ import annotations

import mmap
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dxwatchd import fact_reading, listing
from dxwatchd.core.document_facts import Config
from dxwatchd.core.facts import Safetensors
from dxwatchd.core.snapshot import SeenFile, Snapshot, Trouble
from dxwatchd.listing import identity_of
from dxwatchd.scan import RootLost, Scanner, Stopped
from dxwatchd.stores.facts_db import FactsDb
from tests.e2e.test_names import tiny_model

OLD = 1_600_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A models root with two models, last touched long ago."""
    made = tmp_path / "models"
    tiny_model(made / "p" / "a", 1)
    tiny_model(made / "b", 2)
    age(made)
    return made


def age(top: Path) -> None:
    """Old mtimes, and a moment's wait until the ctimes are no longer those of this very tick."""
    for path in [top, *top.rglob("*")]:
        os.utime(path, (OLD, OLD), follow_symlinks=False)


def scanner(root: Path, *ignore: str, cache: FactsDb | None = None) -> Scanner:
    return Scanner(root, ignore, cache)


def look(of: Scanner, *changed: str) -> Snapshot:
    """The whole root, or the folders named."""
    return of.look(frozenset(changed) if changed else None, lambda: False)


def test_folders_files_and_facts_are_seen(root: Path) -> None:
    """Every folder by its path, every file with its stat, and what the readers make of it."""
    seen = look(scanner(root))
    assert set(seen.folders) == {"", "p", "p/a", "b"}
    assert seen.folders[""].folders == ("b", "p")
    files = seen.folders["p/a"].files
    assert isinstance(files["config.json"].facts, Config)
    assert isinstance(files["model.safetensors"].facts, Safetensors)
    stat = files["config.json"].stat
    assert stat is not None
    assert stat.size == (root / "p" / "a" / "config.json").stat().st_size


def _settle(of: Scanner, root: Path) -> None:
    """Look until nothing is so young that it would be read again."""
    os.sync()
    for _ in range(40):
        before = of.facts.files_read
        look(of)
        if of.facts.files_read == before:
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("it is read again and again")


def test_what_did_not_change_is_not_read_again(root: Path) -> None:
    """A second look reads nothing; after a change it reads the one file."""
    one = scanner(root)
    _settle(one, root)
    before = one.facts.files_read
    look(one)
    assert one.facts.files_read == before
    (root / "b" / "config.json").write_text('{"model_type": "other"}')
    seen = look(one)
    assert one.facts.files_read == before + 1
    facts = seen.folders["b"].files["config.json"].facts
    assert isinstance(facts, Config)
    assert facts.model_type == "other"


def test_the_cache_saves_a_new_process_the_reading(root: Path, tmp_path: Path) -> None:
    """What an earlier run read is taken from the cache; without it the same is seen."""
    cache = FactsDb(tmp_path / "facts.db")
    first = scanner(root, cache=cache)
    _settle(first, root)
    second = scanner(root, cache=cache)
    assert look(second).folders == look(scanner(root)).folders
    assert second.facts.files_read == 0
    cache.close()


def test_a_look_at_some_folders_sees_what_changed_there(root: Path) -> None:
    """New, changed and removed files of the folder; elsewhere the last look counts."""
    one = scanner(root)
    look(one)
    (root / "b" / "new.txt").write_text("x")
    (root / "b" / "config.json").unlink()
    (root / "p" / "a" / "unnoticed.txt").write_text("x")
    seen = look(one, "b")
    assert set(seen.folders["b"].files) == {"new.txt", "model.safetensors"}
    assert "unnoticed.txt" not in seen.folders["p/a"].files


@pytest.mark.promise(2, "the hint of a folder is lost, that of the one above it is not")
def test_a_look_at_a_folder_sees_that_something_came_or_went_in_those_below(root: Path) -> None:
    """By the folder's own stat: its inode is the old one, also where it is another folder by now."""
    one = scanner(root)
    look(one)
    (root / "p" / "a" / "unnoticed.txt").write_text("x")
    assert "unnoticed.txt" in look(one, "p").folders["p/a"].files


def test_what_is_written_through_a_mapping_is_read_again_whatever_comes_beside_it(root: Path) -> None:
    """Only the first write into a mapping stamps the file: it stays in doubt, in a folder walked anew too."""
    config = root / "b" / "config.json"
    with config.open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), 0)
    at = mapping.find(b"llama")
    mapping[at : at + 5] = b"llamb"
    scanner = Scanner(root, (), None)
    scanner.look(None, lambda: False)
    (root / "b" / "sub").mkdir()
    scanner.look(frozenset({""}), lambda: False)
    mapping[at : at + 5] = b"llamc"
    mapping.close()
    seen = scanner.look(frozenset({"b"}), lambda: False).folders["b"].files["config.json"]
    assert isinstance(seen.facts, Config)
    assert seen.facts.model_type == "llamc"


def test_a_new_subfolder_is_walked_with_all_below(root: Path) -> None:
    """The kernel may lose the events of what lies deeper: the listing finds it."""
    one = scanner(root)
    look(one)
    tiny_model(root / "new" / "x" / "y", 3)
    assert {"new", "new/x", "new/x/y"} <= set(look(one, "").folders)
    shutil.rmtree(root / "new")
    assert not any(path.startswith("new") for path in look(one, "").folders)


def test_an_event_deep_in_an_unknown_folder_leads_to_it(root: Path) -> None:
    """The nearest known folder above is listed anew."""
    one = scanner(root)
    look(one)
    tiny_model(root / "q" / "r", 3)
    assert "q/r" in look(one, "q/r").folders


def test_another_folder_of_the_same_name_is_seen_as_another(root: Path) -> None:
    """Exchanged by renames: its content is that of the new one."""
    one = scanner(root)
    look(one)
    (root / "b").rename(root / "old")
    tiny_model(root / "b" / "deep", 4)
    seen = look(one, "")
    assert set(seen.folders["b"].folders) == {"deep"}
    assert "b/deep" in seen.folders
    assert "old" in seen.folders


def test_links_to_files_inside_are_followed_and_those_outside_told(root: Path, tmp_path: Path) -> None:
    """A hub's links into its blobs are files; a link to /etc or to nothing is a trouble."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"model_type": "secret"}')
    folder = root / "links"
    folder.mkdir()
    (folder / "config.json").symlink_to("../b/config.json")
    (folder / "adapter_config.json").symlink_to(secret)
    (folder / "modules.json").symlink_to("nowhere")
    (folder / "tokenizer.json").symlink_to("tokenizer.json")
    files = look(scanner(root)).folders["links"].files
    assert isinstance(files["config.json"].facts, Config)
    assert files["adapter_config.json"].trouble is Trouble.LINK_OUTSIDE
    assert files["adapter_config.json"].facts is None
    assert files["modules.json"].trouble is Trouble.LINK_BROKEN
    assert files["tokenizer.json"].trouble is Trouble.LINK_BROKEN


def test_folder_links_are_walked_once_and_cycles_survived(root: Path, tmp_path: Path) -> None:
    """A link to a walked folder is noted, not walked again; circles end; nothing outside is entered."""
    (root / "alias").symlink_to("b")
    (root / "p" / "up").symlink_to("..")
    (root / "p" / "self").symlink_to(".")
    tiny_model(tmp_path / "outside" / "m", 5)
    (root / "out").symlink_to(tmp_path / "outside")
    seen = look(scanner(root))
    assert seen.folders[""].links["alias"] == "b"
    assert set(seen.folders) == {"", "p", "p/a", "b"}
    assert look(scanner(root)).folders == seen.folders


def test_two_links_to_one_hidden_folder_are_one_model(root: Path) -> None:
    """What lies under an ignored name is reached by its links, and walked for the first of them only."""
    tiny_model(root / ".cache" / "blob", 6)
    (root / "one").symlink_to(".cache/blob")
    (root / "two").symlink_to(".cache/blob")
    seen = look(scanner(root))
    assert "one" in seen.folders
    assert "two" not in seen.folders
    assert seen.folders[""].links["two"] == "one"


def test_what_is_no_file_is_told_and_not_opened(root: Path) -> None:
    """A FIFO would wait for ever; a socket cannot be read."""
    folder = root / "odd"
    folder.mkdir()
    os.mkfifo(folder / "config.json")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "model.safetensors"))
    files = look(scanner(root)).folders["odd"].files
    assert {file.trouble for file in files.values()} == {Trouble.SPECIAL}


@pytest.mark.parametrize("name", [".git", ".cache", "__pycache__", "lost+found", "@eaDir", ".Trash-1000"])
def test_ignored_folders_are_not_looked_into(root: Path, name: str) -> None:
    """Whatever is in them."""
    tiny_model(root / name / "m", 7)
    assert not any(name in path for path in look(scanner(root)).folders)


def test_patterns_of_the_settings_are_ignored(root: Path) -> None:
    """Names of files and folders, with * and ?."""
    (root / "b" / "x.bak").write_text("x")
    tiny_model(root / "old-one", 8)
    seen = look(scanner(root, "*.bak", "old-*"))
    assert "x.bak" not in seen.folders["b"].files
    assert "old-one" not in seen.folders


def test_a_cache_directory_is_empty_to_us_but_the_root_may_be_one(root: Path) -> None:
    """CACHEDIR.TAG below the root hides a folder; in the root itself it says nothing."""
    (root / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    (root / "b" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    seen = look(scanner(root))
    assert seen.folders["b"].files == {}
    assert "p/a" in seen.folders


def test_a_hostile_depth_has_an_end(root: Path) -> None:
    """A tree of 200 levels is looked into as far as the bound, and told."""
    (root / Path(*["d"] * 200)).mkdir(parents=True)
    seen = look(scanner(root))
    deepest = max(seen.folders, key=lambda path: path.count("/"))
    assert deepest.count("/") < 60
    assert seen.folders[deepest].trouble is Trouble.TOO_DEEP


def test_names_may_be_any_bytes(root: Path) -> None:
    """Newlines, escapes and invalid UTF-8 are names like others."""
    for name in ("a\nb", "c\x1b[31m", os.fsdecode(b"d\xff"), "e" * 255):
        tiny_model(root / name, 9)
        assert isinstance(look(scanner(root)).folders[name].files["config.json"].facts, Config)


def test_a_lost_root_is_told(root: Path) -> None:
    """Gone, a file, or a link to nothing: RootLost, never an empty snapshot."""
    one = scanner(root)
    look(one)
    root.rename(root.with_name("away"))
    for make in (list, root.touch):
        make()
        with pytest.raises(RootLost):
            look(one)


@pytest.mark.promise(8, "the root replaced between two hints about one of its folders")
def test_another_root_is_looked_at_as_a_whole(root: Path) -> None:
    """A hint about one folder of the old root is no reason to believe in the others."""
    one = scanner(root)
    look(one)
    before = one.identity
    root.rename(root.with_name("away"))
    tiny_model(root / "new" / "b", 3)
    seen = one.look(frozenset({"p/a"}), lambda: False)
    assert set(seen.folders) == {"", "new", "new/b"}
    assert one.identity != before
    assert one.identity == identity_of(str(root))


def test_it_stops_when_told(root: Path) -> None:
    """In the middle of a walk, and the next look is whole again."""
    one = scanner(root)
    with pytest.raises(Stopped):
        one.look(None, lambda: True)
    assert "p/a" in look(one).folders


def test_one_folder_of_a_large_root_is_looked_at_alone(root: Path) -> None:
    """With the folders above it, and nothing beside it."""
    seen = scanner(root).look_below("p/a")
    assert set(seen.folders) == {"", "p", "p/a"}
    assert seen.folders[""].folders == ("p",)
    assert isinstance(seen.folders["p/a"].files["config.json"].facts, Config)


UNREADABLE = """
import os, sys
from pathlib import Path
from dxwatchd.scan import Scanner
os.setgroups([]); os.setgid(65534); os.setuid(65534)
seen = Scanner(Path(sys.argv[1]), (), None).look(None, lambda: False)
print(seen.folders["p"].trouble, seen.folders["b"].files["config.json"].facts.fault, "p/a" in seen.folders)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_may_not_be_read_is_told_and_stops_nothing(root: Path) -> None:
    """A folder and a file of another user's: both troubles are in the snapshot."""
    for path in (root, *root.parents):
        if path.is_relative_to("/tmp"):
            path.chmod(0o755)
    (root / "p").chmod(0o700)
    (root / "b" / "config.json").chmod(0o600)
    said = subprocess.run(
        [sys.executable, "-c", UNREADABLE, root], capture_output=True, text=True, check=False, timeout=60
    )
    if "Permission denied" in said.stderr and "ModuleNotFoundError" not in said.stderr and not said.stdout:
        pytest.skip("another user cannot reach this test's folder or the interpreter")
    assert said.stdout.split() == ["unreadable", "unreadable", "False"], said.stderr


def test_what_goes_while_it_is_listed_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is gone is gone; one that stays in the listing and cannot be looked at cannot be read."""
    (tmp_path / "m").mkdir()
    for name in ("gone.json", "ghost.json", "there.json"):
        (tmp_path / "m" / name).write_text("{}")
    real = listing._file

    def looked_at(name: str, status: os.stat_result, blob: str = "") -> SeenFile:
        if name == "gone.json":
            (tmp_path / "m" / name).unlink()
        if name in ("gone.json", "ghost.json"):
            raise FileNotFoundError
        return real(name, status, blob)

    monkeypatch.setattr(listing, "_file", looked_at)
    folder = Scanner(tmp_path, (), None).look(None, lambda: False).folders["m"]
    assert {name: file.trouble for name, file in folder.files.items()} == {
        "ghost.json": Trouble.UNREADABLE,
        "there.json": None,
    }


@pytest.mark.promise(2, "a thousand folders come and go between two looks: their holder is listed once")
def test_hints_of_folders_that_came_and_went_cost_one_listing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a storm of them makes a pass take minutes, and each pass longer than the one before."""
    watched = scanner(root)
    look(watched)
    tiny_model(root / "p" / "new", 3)
    listed: list[str] = []
    whole = listing.Lister.list

    def counting(self: listing.Lister, absolute: str) -> listing.Listed | None:
        listed.append(absolute)
        return whole(self, absolute)

    monkeypatch.setattr(listing.Lister, "list", counting)
    seen = look(watched, *(f"p/gone-{number}" for number in range(1000)), "p/new")
    assert "model.safetensors" in seen.folders["p/new"].files
    assert listed.count(str(root / "p")) == 1
    assert len(listed) < 5


@pytest.mark.promise(7, "a reader fails unforeseen in the middle of a look: no folder is lost by it")
def test_a_look_that_failed_half_way_is_made_up_for_by_the_next(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever that is told to look at: what the first one did not come to has not gone."""
    tiny_model(root / "p" / "c", 3)
    watched = scanner(root)
    look(watched)
    tiny_model(root / "p" / "new", 4)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(fact_reading, "probe", fail)
        with pytest.raises(ZeroDivisionError):
            look(watched, "")
    assert {"p/a", "p/c", "p/new"} <= look(watched, "b").folders.keys()
