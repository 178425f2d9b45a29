"""Opening: only regular files, only inside the root, only what was listed."""

import os
import socket
from pathlib import Path

import pytest

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.opening import open_inside, stat_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A models root with one model, and a secret beside it."""
    inside = tmp_path / "root"
    (inside / "model").mkdir(parents=True)
    (inside / "model" / "config.json").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    return inside


def fault_of(root: Path, relative: str) -> Fault:
    """The fault that this name raises."""
    with pytest.raises(ReaderError) as caught:
        open_inside(root, relative)
    return caught.value.fault


def test_reads_a_file_in_a_folder(root: Path) -> None:
    """A plain file below the root is opened at its start."""
    with open_inside(root, "model/config.json") as stream:
        assert stream.read() == b"inside"


@pytest.mark.parametrize("target", ["config.json", "../model/config.json", "link2"])
def test_follows_links_that_stay_inside(root: Path, target: str) -> None:
    """A link, also over another link or through "..", is followed as long as it ends inside the root."""
    (root / "model" / "link2").symlink_to("config.json")
    (root / "model" / "link").symlink_to(target)
    with open_inside(root, "model/link") as stream:
        assert stream.read() == b"inside"


def test_follows_absolute_links_and_linked_roots(root: Path) -> None:
    """What counts is where a link ends, not how it is written; the root may be a link itself."""
    (root / "absolute").symlink_to(root / "model" / "config.json")
    (root.parent / "other").symlink_to(root)
    with open_inside(root.parent / "other", "absolute") as stream:
        assert stream.read() == b"inside"


@pytest.mark.promise(1, "links that lead out of the models root, read by name")
def test_refuses_links_that_lead_outside(root: Path) -> None:
    """A link to a file or a folder outside is refused, at the end of the path or on the way."""
    (root / "file").symlink_to("../secret")
    (root / "folder").symlink_to("..")
    (root.parent / "root2").mkdir()
    (root.parent / "root2" / "file").write_bytes(b"x")
    (root / "sibling").symlink_to("../root2/file")  # begins with the same letters as the root
    assert fault_of(root, "file") is Fault.UNREADABLE
    assert fault_of(root, "folder/secret") is Fault.UNREADABLE
    assert fault_of(root, "sibling") is Fault.UNREADABLE


def test_refuses_link_loops(root: Path) -> None:
    """Links round in a circle end in an error, not in a loop."""
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert fault_of(root, "a") is Fault.UNREADABLE


@pytest.mark.parametrize(
    "relative",
    [
        "",
        ".",
        "/etc/passwd",
        "..",
        "../secret",
        "model/../../secret",
        "a\0b",
        "absent",
        "\ud800",
        "x" * 300,
        "model",
    ],
)
def test_refuses_names_that_are_no_file_below_the_root(root: Path, relative: str) -> None:
    """Whatever the name, the answer is a ReaderError."""
    assert fault_of(root, relative) is Fault.UNREADABLE


@pytest.mark.parametrize("name", [b"two\nlines.json", b"caf\xe9.json", b"-rf", "模型.json".encode()])
def test_opens_names_of_any_bytes(root: Path, name: bytes) -> None:
    """Names with newlines and names that are not UTF-8 are opened as the listing gives them."""
    (root / os.fsdecode(name)).write_bytes(b"content")
    with open_inside(root, os.fsdecode(name)) as stream:
        assert stream.read() == b"content"


@pytest.mark.promise(7, "a FIFO that nobody writes to")
def test_does_not_wait_for_a_fifo(root: Path) -> None:
    """A FIFO without a writer is refused at once."""
    os.mkfifo(root / "fifo")
    assert fault_of(root, "fifo") is Fault.UNREADABLE


def test_refuses_a_socket(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket is refused."""
    monkeypatch.chdir(root)  # a socket's name has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert fault_of(root, "socket") is Fault.UNREADABLE


def test_refuses_what_changed_since_it_was_seen(root: Path) -> None:
    """Another size, another time, another inode or no file at all: CHANGED."""
    path = root / "model" / "config.json"
    seen = stat_of(path.stat())
    open_inside(root, "model/config.json", seen).close()
    os.utime(path, ns=(0, 0))
    with pytest.raises(ReaderError) as caught:
        open_inside(root, "model/config.json", seen)
    assert caught.value.fault is Fault.CHANGED
    path.unlink()
    with pytest.raises(ReaderError) as caught:
        open_inside(root, "model/config.json", seen)
    assert caught.value.fault is Fault.CHANGED


def test_leaves_no_descriptor_open(root: Path) -> None:
    """Neither a success nor a refusal leaves a descriptor behind."""
    os.mkfifo(root / "fifo")
    before = len(list(Path("/proc/self/fd").iterdir()))
    open_inside(root, "model/config.json").close()
    fault_of(root, "fifo")
    fault_of(root, "model")
    fault_of(root, "model/absent")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("text", "shown"), [("plain", "'plain'"), ("a\nb", "'a\\nb'"), ("x" * 90, "'" + "x" * 80 + "'...")]
)
def test_messages_quote_on_one_line(text: str, shown: str) -> None:
    """Text from a file never breaks a message's line or fills a screen."""
    assert quoted(text) == shown
