"""Folders that somebody made to do harm, or that are just strange: each is told, none stops the others."""

from __future__ import annotations

import json
import os
import resource
import socket
import stat
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dxwatchd.core.layouts import find
from dxwatchd.core.readiness import judge
from dxwatchd.core.reasons import ReasonKind as Why
from dxwatchd.core.reasons import State, state_of
from dxwatchd.core.text import printable
from dxwatchd.scan import Scanner
from tests.layouts.conftest import look
from tests.layouts.making import CONFIG, Link, lay, plain, sharded, tensors

GOOD = {"config.json": CONFIG, "model.safetensors": tensors()}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A models root with a good model beside whatever a test puts there: that one is always whole."""
    made = tmp_path / "models"
    lay(GOOD, made / "good")
    yield made
    seen = look(made)
    assert seen.verdicts["good"].whole


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the whole path may be too long for a socket
    try:
        made = socket.socket(socket.AF_UNIX)
        made.bind(path.name)
        made.close()
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: without an end
    except PermissionError:
        pytest.skip("making a device takes root")


@pytest.mark.parametrize("make", [os.mkfifo, _socket, _device], ids=["FIFO", "socket", "device"])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "m.gguf", "any.bin"])
@pytest.mark.promise(7, "FIFOs, sockets, devices among the files")
def test_what_is_no_file_is_told_and_not_opened(root: Path, make: Callable[[Path], None], name: str) -> None:
    """Opening a FIFO would wait for a writer without end; a device would give bytes without end."""
    lay({key: data for key, data in GOOD.items() if key != name}, root / "m")
    make(root / "m" / name)
    seen = look(root)
    reasons = seen.reasons("m")
    if name != "config.json":
        assert (Why.SPECIAL_FILE, name) in [(reason.kind, reason.file) for reason in reasons]
        assert seen.state("m") is State.INVALID
    else:
        assert reasons or "m" not in seen.models


ESCAPES = [
    "../secret",
    "/etc/passwd",
    "a/../../secret",
    "https://host/x",
    "..\\secret",
    "a\0b",
    "\n",
    ".",
    "",
]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.promise(1, "an index that names files elsewhere")
def test_an_index_that_names_what_is_elsewhere_is_refused(root: Path, name: str) -> None:
    """In a weight map, in `modules.json` and in `model_index.json`: nothing outside is looked at."""
    outside = root.parent / "secret"
    outside.write_bytes(tensors(7))
    index, table = {"weight_map": {"w": name}}, {"records": [{"dataPath": name, "nbytes": 1}]}
    lay({"config.json": CONFIG, "model.safetensors.index.json": plain(index)}, root / "a")
    lay({**GOOD, "modules.json": plain([{"path": ""}, {"path": name}])}, root / "b")
    lay({"model_index.json": plain({"_class_name": "P", name: ["diffusers", "X"]})}, root / "c")
    lay({"genai_config.json": plain({"model": {"decoder": {"filename": name}}})}, root / "d")
    lay({"mlc-chat-config.json": b"{}", "ndarray-cache.json": plain(table)}, root / "e")
    seen = look(root)
    expected = {
        "a": "model.safetensors.index.json",
        "b": "modules.json",
        "c": "model_index.json",
        "d": "genai_config.json",
        "e": "ndarray-cache.json",
    }
    for path, file in expected.items():
        if name == "" and path in ("b", "d"):
            continue  # the folder itself; no file at all
        assert (Why.MALFORMED, file) in [(reason.kind, reason.file) for reason in seen.reasons(path)], path


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../../../../../../../etc/passwd", "/proc/self/mem", "/dev/zero", "."]
)
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "model-00001-of-00002.safetensors"])
@pytest.mark.promise(1, "links that lead out of the models root")
def test_links_out_of_the_root_are_not_followed(root: Path, name: str, target: str) -> None:
    """Such a link is a reason, whatever it leads to; nothing there is read."""
    lay({key: data for key, data in GOOD.items() if key != name}, root / "m")
    (root / "m" / name).symlink_to(target)
    seen = look(root)
    if target == ".":
        assert seen.snapshot.folders["m"].links == {name: "m"}
        return
    assert (Why.LINK_OUTSIDE, name) in [(reason.kind, reason.file) for reason in seen.reasons("m")]
    assert seen.snapshot.folders["m"].files[name].facts is None


def test_a_folder_that_is_a_link_out_of_the_root_holds_no_models(root: Path) -> None:
    """A whole model elsewhere does not get in by a link; one inside is found once, where it lies."""
    lay(GOOD, root.parent / "elsewhere")
    (root / "out").symlink_to(root.parent / "elsewhere")
    (root / "again").symlink_to("good")
    (root / "loop").symlink_to(".")
    assert list(look(root).models) == ["good"]


NAMES = [
    b"new\nline",
    b"tab\tand \x1b[31mred\x1b[0m",
    b"w\xff\xfe not UTF-8",
    "‮right to left".encode(),
    b"x" * 255,
    "数".encode() * 85,
    b" ",
    b"-rf",
    b"$(touch pwned)",
    b"a;b|c&d",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.promise(7, "names that break lines or are no text")
def test_any_name_can_be_told(root: Path, name: bytes) -> None:
    """As a folder's and as a file's: it is either proposed or refused, and every word on it is one line."""
    lay(GOOD, root / os.fsdecode(name))
    lay({**GOOD, f"{os.fsdecode(name)[:60]}.part": b"x"}, root / "m")
    seen = look(root)
    for path, verdict in seen.verdicts.items():
        for reason in verdict.reasons:
            assert "\n" not in printable(str(reason))
            assert "\x1b" not in printable(str(reason))
        json.dumps(printable(path)).encode()
    assert seen.state("m") is State.COPYING
    mine = seen.verdicts[os.fsdecode(name)]
    if not mine.whole:
        assert [reason.kind for reason in mine.reasons] == [Why.NAME_NOT_TEXT]


@pytest.mark.parametrize("what", ["config.json", "model.safetensors", ""])
@pytest.mark.promise(7, "files and folders that may not be read")
def test_what_may_not_be_read_is_told(root: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or a folder without the right to read it: its state is unreadable, with a remedy."""
    lay(GOOD, root / "m")
    refused = root / "m" / what if what else root / "m"
    real_open, real_scandir = os.open, os.scandir

    def no_open(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == what and os.readlink(f"/proc/self/fd/{dir_fd}").endswith("/m"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags, mode, dir_fd=dir_fd)

    def no_scandir(path: str) -> object:
        if not what and os.fspath(path) == str(refused):
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    monkeypatch.setattr(os, "open", no_open)
    monkeypatch.setattr(os, "scandir", no_scandir)
    seen = look(root)
    monkeypatch.undo()
    reasons = seen.reasons("m")
    assert Why.UNREADABLE in [reason.kind for reason in reasons]
    assert state_of(reasons) is State.UNREADABLE
    assert all(reason.remedy for reason in reasons)


@pytest.mark.promise(7, "a hundred thousand files in one folder")
def test_a_hundred_thousand_files_in_one_folder(root: Path) -> None:
    """They are seen, in bounded memory, and the model among them is whole."""
    lay(GOOD, root / "m")
    folder = os.open(root / "m", os.O_RDONLY)
    for number in range(100_000):
        os.close(os.open(f"{number}.txt", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    scanner = Scanner(root, (), None)
    tracemalloc.start()
    snapshot = scanner.look(None, lambda: False)
    found = {model.path: judge(model, snapshot) for model in find(snapshot).models}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["m"].whole
    assert len(snapshot.folders["m"].files) == 100_002
    assert peak < 256 * 2**20


@pytest.mark.promise(7, "thousands of folders in each other")
def test_thousands_of_folders_in_each_other_are_cut_off(root: Path) -> None:
    """A tree deeper than any path that the kernel takes in one piece ends at a bound, and says so."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    try:
        seen = look(root)
    finally:
        subprocess.run(["rm", "-r", root / "d"], check=True)  # deeper than Python's own removal can go
    (stray,) = [stray for stray in seen.found.strays if stray.path.startswith("d/")]
    assert stray.reasons[0].kind is Why.UNREADABLE


@pytest.mark.promise(7, "one bad folder among a thousand good ones")
def test_one_bad_folder_among_a_thousand_good_ones(root: Path) -> None:
    """Whatever is wrong with it, every good one is whole in the same look."""
    for number in range(1000):
        lay({"config.json": CONFIG, "model.safetensors": tensors(number % 7)}, root / f"g{number:04d}")
    bad = root / "bad"
    lay({"config.json": b"[" * 200_000, "model.safetensors": b"\xff" * 5000, **sharded(2)}, bad)
    lay({"tokenizer.json": b"\0" * 5000, "m.gguf": b"GGUF\x03\0\0\0" + b"\xff" * 5000}, bad)
    lay({"modules.json": plain([{"path": "../good"}]), "x.onnx": b"\x3a\xff\xff\xff\xff\x7f"}, bad)
    lay({"adapter_config.json": b"\xef\xbb\xbfnull", "out.safetensors": Link("/etc/passwd")}, bad)
    os.mkfifo(bad / "model.bin")
    seen = look(root)
    whole = [path for path, verdict in seen.verdicts.items() if verdict.whole]
    assert len([path for path in whole if path.startswith("g")]) == 1001
    assert not seen.verdicts["bad"].whole
    assert len(seen.verdicts["bad"].reasons) >= 6


def test_no_file_stays_open(root: Path) -> None:
    """However few descriptors there are, a look ends, and closes what it opened."""
    for number in range(50):
        lay(GOOD, root / f"m{number}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 8, hard))
    try:
        seen = look(root)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(verdict.whole for verdict in seen.verdicts.values())
