"""The manifest as a file that others edit: read, append, and finishing what was torn."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dxwatchd.core.manifest import parse
from dxwatchd.core.proposals import HEADER, Proposal, render
from dxwatchd.stores.manifest_append import PendingFile, append, as_appended, complete
from dxwatchd.stores.manifest_file import BOM, Changed, ManifestError, create, read


def block(*names: str) -> str:
    """Proposals as they are appended."""
    proposals = (Proposal(name, name, f"p/{name}", "sha256:" + "0" * 64, "found") for name in names)
    return render(tuple(proposals), "2026-11-23")


def propose(path: Path, *names: str) -> bool:
    """Append proposals as the daemon does."""
    seen = read(path)
    return append(path, seen, as_appended(seen, block(*names)))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A fresh manifest."""
    path = tmp_path / "manifest.toml"
    assert create(path)
    return path


@pytest.mark.promise(4, "a file or a link where a manifest is about to be made")
def test_a_new_manifest_explains_itself_and_is_made_once(manifest: Path) -> None:
    """The second call changes nothing, whatever lies there by then."""
    assert manifest.read_text() == HEADER
    manifest.write_text("# mine\n")
    assert not create(manifest)
    assert manifest.read_text() == "# mine\n"


@pytest.mark.promise(4, "the manifest is a link: appended to, changed, missing at its end")
def test_a_dangling_link_is_not_replaced(tmp_path: Path) -> None:
    """A dotfile manager's link whose target is not mounted yet stays as it is."""
    link = tmp_path / "manifest.toml"
    link.symlink_to(tmp_path / "elsewhere" / "m.toml")
    assert not create(link)
    assert link.is_symlink()


@pytest.mark.promise(4, "a proposal for a file of any form: line ends, byte order mark, no last newline")
def test_append_adds_exactly_the_block(manifest: Path) -> None:
    """What was there stays to the byte, comments and all; the entries are read back."""
    manifest.write_text("# mine\n" + block("a"))
    assert propose(manifest, "b", "c")
    assert manifest.read_text() == "# mine\n" + block("a") + block("b", "c")
    assert [entry.technical_name for entry in parse(manifest.read_text()).entries] == ["a", "b", "c"]


def test_a_file_without_a_final_newline_gets_one_first(manifest: Path) -> None:
    """The block begins on a line of its own."""
    manifest.write_text("# no newline at the end")
    propose(manifest, "a")
    assert manifest.read_text() == "# no newline at the end\n" + block("a")


@pytest.mark.promise(4, "a proposal for a file that ends inside a string, array or table, or is no TOML")
@pytest.mark.parametrize("text", ['x = "never closed', '[[models]]\nnotes = """open\n', "models = []\n"])
def test_nothing_is_appended_where_the_result_would_be_no_manifest(manifest: Path, text: str) -> None:
    """An unfinished string would swallow the block; an inline array cannot be added to."""
    manifest.write_text(text)
    with pytest.raises(ManifestError) as raised:
        propose(manifest, "a")
    assert raised.value.remedy
    assert manifest.read_text() == text


@pytest.mark.promise(4, "a save between the daemon's look and its append")
def test_what_was_saved_since_it_was_read_is_not_appended_to(manifest: Path) -> None:
    """Written in place or replaced by a rename: one reads again first."""
    seen = read(manifest)
    with manifest.open("a") as file:
        file.write("# in place\n")
    with pytest.raises(Changed):
        append(manifest, seen, as_appended(seen, block("a")))
    seen = read(manifest)
    aside = manifest.with_suffix(".new")
    aside.write_bytes(manifest.read_bytes())
    os.utime(aside, ns=(seen.stamp.mtime_ns, seen.stamp.mtime_ns))
    aside.rename(manifest)
    with pytest.raises(Changed):
        append(manifest, seen, as_appended(seen, block("a")))
    assert "[[models]]" not in manifest.read_text()


@pytest.mark.promise(4, "the manifest is a link: appended to, changed, missing at its end")
def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it leads to is appended to."""
    target = tmp_path / "dotfiles" / "m.toml"
    create(target)
    link = tmp_path / "manifest.toml"
    link.symlink_to(target)
    propose(link, "a")
    assert link.is_symlink()
    assert target.read_text() == HEADER + block("a")


@pytest.mark.parametrize(
    ("data", "said"), [(None, "is gone"), (b"x = '\xff'\n", "line 1 is not UTF-8"), (b"\n\n\xff", "line 3")]
)
def test_what_cannot_be_read_says_why(manifest: Path, data: bytes | None, said: str) -> None:
    """With the line where there is one, and the remedy."""
    manifest.unlink()
    if data is not None:
        manifest.write_bytes(data)
    with pytest.raises(ManifestError, match=said) as raised:
        read(manifest)
    assert raised.value.remedy


@pytest.mark.promise(4, "the daemon's append torn at any byte by a kill or a full disk")
@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"# no newline",
        HEADER.encode(),
        (HEADER + block("old")).encode(),
        (HEADER + block("old") + "# no newline").replace("\n", "\r\n").encode(),
        BOM + b"# Windows\r\n",
    ],
)
def test_an_append_torn_at_any_byte_is_completed(
    tmp_path: Path, before: bytes, tried: Callable[[int], None]
) -> None:
    """A kill or a full disk may leave any beginning of it: the rest is appended, once, with its line ends."""
    path, pending = tmp_path / "m.toml", PendingFile(tmp_path / "append.pending")
    path.write_bytes(before)
    seen = read(path)
    addition = as_appended(seen, block("a", "b"))
    pending.announce(seen, addition, [{"id": "one"}])
    announced = pending.read()
    assert announced is not None
    assert announced.events == ({"id": "one"},)
    whole = addition.encode()
    for written in range(len(whole) + 1):
        path.write_bytes(before + whole[:written])
        there = complete(path, announced)
        assert there == (frozenset({"p/a", "p/b"}) if written else frozenset())
        assert path.read_bytes() == before + (whole if written else b"")
    tried(len(whole) + 1)
    pending.done()
    assert pending.read() is None


@pytest.mark.promise(4, "an append torn by a kill, and what a person made of it since")
def test_what_a_person_made_of_a_torn_block_is_theirs(tmp_path: Path) -> None:
    """An edited file is not appended to; which of its entries are there is what counts as done."""
    path, pending = tmp_path / "m.toml", PendingFile(tmp_path / "append.pending")
    path.write_text(HEADER)
    seen = read(path)
    pending.announce(seen, as_appended(seen, block("a", "b")), [])
    announced = pending.read()
    assert announced is not None
    path.write_text("# edited\n" + block("a"))
    assert complete(path, announced) == {"p/a"}
    assert path.read_text() == "# edited\n" + block("a")
    path.write_text("# edited\n" + block("a") + "# between\n" + block("b"))
    assert complete(path, announced) == {"p/a", "p/b"}
    path.write_text('x = "')
    with pytest.raises(Changed):  # what became of it is known once the file is valid again
        complete(path, announced)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"base_size": 1}'])
def test_a_damaged_announcement_is_none(tmp_path: Path, data: bytes) -> None:
    """It was never announced in full, so nothing was appended."""
    path = tmp_path / "append.pending"
    path.write_bytes(data)
    assert PendingFile(path).read() is None
