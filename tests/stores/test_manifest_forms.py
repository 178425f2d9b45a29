"""A manifest in every form that people and programs leave it in: kept as it is, or refused with a remedy."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tomlkit.items import AoT

from dxwatchd.core.manifest import parse
from dxwatchd.core.proposals import HEADER
from dxwatchd.manifest_view import ManifestView
from dxwatchd.stores.manifest_append import append, as_appended
from dxwatchd.stores.manifest_edit import edit, put, table_of
from dxwatchd.stores.manifest_file import BOM, Changed, ManifestError, create, read
from tests.stores.test_manifest_file import block, propose

OTHER = 65534
"""A user who is nobody."""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest with one proposal."""
    path = tmp_path / "manifest.toml"
    path.write_text(HEADER + block("a"))
    return path


def approve(tables: AoT) -> None:
    """The change of one word."""
    put(table_of(tables, "a"), {"status": "approved"})


def names(path: Path) -> list[str]:
    """The entries, as any reader of TOML sees them."""
    return [
        one["technical_name"] for one in tomllib.loads(path.read_bytes().removeprefix(BOM).decode())["models"]
    ]


APPENDABLE = {
    "empty": b"",
    "only a mark": BOM,
    "a mark and CRLF": BOM + (HEADER + block("old")).replace("\n", "\r\n").encode(),
    "CRLF": (HEADER + block("old")).replace("\n", "\r\n").encode(),
    "CRLF, no line end at the end": (HEADER + block("old")).replace("\n", "\r\n").rstrip().encode(),
    "mostly LF": (HEADER + block("old") + "# one\r\n").encode(),
    "mostly CRLF": ((HEADER + block("old")).replace("\n", "\r\n") + "# one\n").encode(),
    "ends in a comment": (block("old") + "# and so").encode(),
    "ends in a value": (block("old") + 'notes = "x"').encode(),
    "ends in an inline table": (block("old") + "x = {a = [1, {b = 2}]}").encode(),
    "ends in a subtable": (block("old") + "[models.extra]\nx = 1").encode(),
    "ends in another table": (block("old") + "[other]\nstatus = 1").encode(),
    "ends in spaces": (block("old") + "  \t ").encode(),
    "a multi-line string that looks like a block": (
        block("old") + "notes = '''\n[[models]]\n\"\"\"\n'''"
    ).encode(),
    "nan, which is not equal to itself": (block("old") + "x = [nan, inf]\n").encode(),
}


@pytest.mark.promise(4, "a proposal for a file of any form: line ends, byte order mark, no last newline")
@pytest.mark.parametrize("form", APPENDABLE)
def test_an_append_adds_exactly_its_entries_in_the_files_own_form(manifest: Path, form: str) -> None:
    """What was there stays to the byte, new lines end as the others do, and the new entries are all."""
    before = APPENDABLE[form]
    manifest.write_bytes(before)
    old = read(manifest)
    assert propose(manifest, "new", "newer")
    data = manifest.read_bytes()
    assert data.startswith(before)
    added = data.removeprefix(before)
    assert (b"\r\n" in added) == (old.line_end == "\r\n") == (added.count(b"\r\n") == added.count(b"\n"))
    wanted = [one.technical_name for one in parse(old.text).entries] + ["new", "newer"]
    assert names(manifest) == wanted
    assert parse(read(manifest).text).entries[-1].fingerprint == "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("form", "line_end"), [("mostly LF", "\n"), ("mostly CRLF", "\r\n"), ("CRLF", "\r\n"), ("empty", "\n")]
)
def test_new_lines_end_as_most_others_do(manifest: Path, form: str, line_end: str) -> None:
    """A file with both keeps both."""
    manifest.write_bytes(APPENDABLE[form])
    assert read(manifest).line_end == line_end


UNFINISHED = {
    "a string": 'x = "never closed',
    "a string and a newline": 'x = "never closed\n',
    "a multi-line string": '[[models]]\nnotes = """open\n',
    "a multi-line literal": "[[models]]\nnotes = '''open\n",
    "an array": "tags = [1,\n",
    "an inline table": "x = {a = 1, ",
    "a key": "technical_name",
    "a key and its sign": "technical_name =",
    "a header": "[[models",
    "an inline array of entries": "models = []\n",
    "an inline array with entries": 'models = [{technical_name = "x"}]\n',
    "a table called models": "[models]\nx = 1\n",
    "a NUL": "# a\x00b\n",
    "NULs at the end, as a crash leaves them": HEADER + "\x00" * 4096,
    "old Macintosh line ends": "# one\r# two\r",
    "a second mark": "\ufeff\ufeffx = 1\n",
    "a mark further down": "x = 1\n\ufeffy = 2\n",
}


@pytest.mark.promise(4, "a proposal for a file that ends inside a string, array or table, or is no TOML")
@pytest.mark.parametrize("form", UNFINISHED)
def test_an_unfinished_file_is_never_appended_to(manifest: Path, form: str) -> None:
    """It would swallow the block or be torn by it: it stays to the byte, and the remedy is told."""
    data = UNFINISHED[form].encode()
    manifest.write_bytes(data)
    with pytest.raises(ManifestError) as raised:
        propose(manifest, "new")
    assert raised.value.remedy
    assert manifest.read_bytes() == data
    with pytest.raises(ManifestError):
        edit(manifest, approve)
    assert manifest.read_bytes() == data


def test_a_mark_and_line_ends_survive_a_change(manifest: Path) -> None:
    """As Windows' Notepad saves: nothing changes but the word."""
    text = (HEADER + block("a")).replace("\n", "\r\n")
    manifest.write_bytes(BOM + text.encode())
    edit(manifest, approve)
    assert manifest.read_bytes() == BOM + text.replace('"proposed"  ', '"approved"  ').encode()


def test_a_mark_moves_no_problem(manifest: Path) -> None:
    """Lines and columns are those that an editor shows, which shows no mark."""
    for data in (b"x = ?\n", BOM + b"x = ?\n"):
        manifest.write_bytes(data)
        problem = parse(read(manifest).text).problems[0]
        assert (problem.line, problem.column) == (1, 5)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_told(manifest: Path, encoding: str) -> None:
    """With and without a mark; with the remedy where it is certain."""
    data = HEADER.encode(encoding)
    manifest.write_bytes(data)
    view = ManifestView(manifest).look(0.0, has_cards=True, make=True)
    assert view.trouble is not None
    assert view.trouble.remedy
    assert encoding != "utf-16" or "UTF-8" in view.trouble.remedy
    assert manifest.read_bytes() == data


def _linked(folder: Path, way: str) -> Path:
    """A link to `folder/dotfiles/m.toml`, which is not made here."""
    link, target = folder / "manifest.toml", folder / "dotfiles" / "m.toml"
    target.parent.mkdir()
    if way == "absolute":
        link.symlink_to(target)
    elif way == "relative":
        link.symlink_to("dotfiles/m.toml")
    elif way == "chain":
        (folder / "second").symlink_to("dotfiles/../third")
        (folder / "third").symlink_to(target)
        link.symlink_to("second")
    else:
        (folder / "way").symlink_to("dotfiles", target_is_directory=True)
        link.symlink_to("way/m.toml")
    return link


WAYS = ("absolute", "relative", "chain", "through a linked folder")


@pytest.mark.promise(4, "the manifest is a link: appended to, changed, missing at its end")
@pytest.mark.parametrize("way", WAYS)
def test_a_link_of_any_kind_stays_one(tmp_path: Path, way: str) -> None:
    """Appended to and changed is what it leads to, where that lies; nothing is left beside either."""
    link = _linked(tmp_path, way)
    before = os.readlink(link)
    assert not create(link)
    with pytest.raises(ManifestError, match=r"is a link to .*, which is not there") as raised:
        read(link)
    assert raised.value.remedy
    target = tmp_path / "dotfiles" / "m.toml"
    target.write_text(HEADER + block("a"))
    assert propose(link, "b")
    edit(link, approve)
    assert os.readlink(link) == before
    assert target.read_text() == (HEADER + block("a", "b")).replace('"proposed"  ', '"approved"  ', 1)
    assert [path.name for path in target.parent.iterdir()] == ["m.toml"]


def _lie(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        (path.parent / "file").write_text("")
        path.symlink_to("file/manifest.toml")


@pytest.mark.promise(4, "a pipe, folder, device or endless link in the manifest's place")
@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "device", "below a file"])
def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    """A pipe nobody writes to does not hang the daemon; each has its remedy, and stays."""
    path = tmp_path / "manifest.toml"
    _lie(path, kind)
    before = path.lstat()
    for make in (False, True):
        view = ManifestView(path).look(0.0, has_cards=False, make=make)
        if make or kind in ("pipe", "folder", "device"):
            assert view.trouble is not None
            assert view.trouble.remedy
            assert not view.quiet
    with pytest.raises(ManifestError):
        edit(path, approve)
    after = path.lstat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


def test_a_pipe_that_comes_after_the_look_is_not_written_to(manifest: Path) -> None:
    """What was read is not there any more: nothing is sent to whoever reads the pipe."""
    seen = read(manifest)
    manifest.unlink()
    os.mkfifo(manifest)
    reader = os.open(manifest, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(Changed):
            append(manifest, seen, as_appended(seen, block("b")))
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


@contextmanager
def somebody_else() -> Iterator[None]:
    """Without root's rights to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(OTHER)
    os.seteuid(OTHER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users may come to."""
    folder = Path(tempfile.mkdtemp(prefix="dxwatchd-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_manifest_that_is_read_only_stays_as_it_is(public: Path) -> None:
    """Neither appended to nor left half changed; the error is the system's own, with the file's name."""
    path = public / "manifest.toml"
    path.write_text(HEADER + block("a"))
    path.chmod(0o444)
    public.chmod(0o555)
    with somebody_else():
        with pytest.raises(PermissionError):
            propose(path, "b")
        with pytest.raises(PermissionError):
            edit(path, approve)
    assert path.read_text() == HEADER + block("a")
    assert [one.name for one in public.iterdir()] == ["manifest.toml"]


def test_an_append_needs_no_right_to_the_folder(public: Path) -> None:
    """Only to the file; a change needs the folder, and says so."""
    path = public / "manifest.toml"
    path.write_text(HEADER + block("a"))
    path.chmod(0o666)
    public.chmod(0o555)
    with somebody_else():
        assert propose(path, "b")
        with pytest.raises(PermissionError):
            edit(path, approve)
    assert path.read_text() == HEADER + block("a", "b")


def _access_list(*extra: tuple[int, int, int]) -> bytes:
    """A POSIX access list as the kernel has it (linux/posix_acl_xattr.h): tag, permissions, id."""
    nobody = 0xFFFFFFFF
    entries = sorted([(0x01, 6, nobody), (0x04, 4, nobody), (0x10, 6, nobody), (0x20, 4, nobody), *extra])
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@pytest.mark.promise(4, "a change of a manifest with an access list and other attributes")
def test_access_list_and_attributes_stay(manifest: Path) -> None:
    """Who could write to the file still can; what a folder gives its new files does not come to it."""
    wanted = {
        "system.posix_acl_access": _access_list((0x02, 6, 1234), (0x08, 2, 5678)),
        "user.note": b"mine",
        "user.empty": b"",
    }
    try:
        for name, value in wanted.items():
            os.setxattr(manifest, name, value)
        os.setxattr(manifest.parent, "system.posix_acl_default", _access_list((0x02, 7, 4321)))
    except OSError as error:
        pytest.skip(f"this file system keeps no such attributes: {error}")
    before = _attributes(manifest), manifest.stat().st_mode
    edit(manifest, approve)
    assert (_attributes(manifest), manifest.stat().st_mode) == before
    assert wanted.items() <= before[0].items()
    plain = manifest.with_name("plain.toml")
    plain.write_text(HEADER + block("a"))
    os.removexattr(plain, "system.posix_acl_access")
    plain.chmod(0o664)
    edit(plain, approve)
    assert "system.posix_acl_access" not in _attributes(plain)
    assert plain.stat().st_mode & 0o777 == 0o664


def test_the_access_list_is_what_getfacl_shows(manifest: Path) -> None:
    """Set and shown by the tools that people use."""
    if shutil.which("setfacl") is None:
        if os.environ.get("CI"):
            pytest.fail("setfacl is not installed: .ci/run installs it")
        pytest.skip("setfacl is not installed")
    if subprocess.run(["setfacl", "-m", "u:1234:rw,g:5678:r", manifest], check=False).returncode:
        pytest.skip("this file system keeps no access lists")

    def shown() -> str:
        command = ["getfacl", "-n", "-p", str(manifest)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    before = shown()
    assert "user:1234:rw-" in before
    edit(manifest, approve)
    assert shown() == before


def test_no_attribute_hinders_a_change(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none, or a kind that may not be set: the change is made all the same."""

    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(95, "Operation not supported")

    for name in ("setxattr", "removexattr", "getxattr", "listxattr"):
        monkeypatch.setattr(os, name, refuse)
        edit(manifest, lambda tables, name=name: put(table_of(tables, "a"), {"notes": name}))  # type: ignore[misc]
        assert f'notes = "{name}"' in manifest.read_text()


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    """Not an error of the system's, but what lies there."""
    with pytest.raises(ManifestError, match="a folder, not a file"):
        read(tmp_path)
