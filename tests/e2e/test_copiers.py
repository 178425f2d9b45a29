"""Copiers as people use them, slowed down and stopped midway: a folder is proposed once, and only whole."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import pytest
from safetensors.numpy import save_file

from dxwatchd.leases import has_writer
from tests.e2e.conftest import PATIENCE, Place
from tests.e2e.test_copying import Sampler

pytestmark = pytest.mark.slow

NAME: Final = "Llama-Slow"
SHARD: Final = 8 * 2**20  # bytes of tensors
PAUSE: Final = 0.5  # seconds: longer than the quiet period, which is to prove nothing by itself
PERIODS: Final = {"quiet_period": 0.2, "remote_quiet_period": 0.6, "rescan_interval": 0.3}


def _absent(reason: str) -> NoReturn:
    """Skip with the reason; where everything has to be installed, fail with it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _program(name: str) -> str:
    """The path of a program that the test needs; people's search path often lacks that of services."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    return found or _absent(f"the program {name} is not installed")


def _bare_repository(at: Path, of: Path) -> Path:
    """A bare repository whose one commit holds the files of a folder."""
    settings = ("user.name=n", "user.email=n@localhost", "commit.gpgsign=false", "core.compression=0")
    options = [word for setting in settings for word in ("-c", setting)]
    git = [_program("git"), *options, f"--git-dir={at}", f"--work-tree={of}"]
    for words in (["init", "-q"], ["add", "--all", of], ["commit", "-q", "-m", "weights"]):
        subprocess.run([*git, *words], check=True, timeout=PATIENCE)
    return at


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A model of 48 MiB, in memory if there is `/dev/shm`, and its fingerprint. Copiers come to weights last.

    For nothing in a folder tells that a tokenizer is still to come: a machine that stalls between the two
    would pass the quiet period. So the weights' names sort behind `tokenizer.json`, for copiers that go by
    name; for those that go by inode or by the kernel's list, files are made in one order and linked in one.
    """
    shards = {f"model.layers.{n}.weight": f"weights-{n:05}-of-00006.safetensors" for n in range(1, 7)}
    small = {
        "config.json": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 1024},
        "model.safetensors.index.json": {"metadata": {"total_size": 6 * SHARD}, "weight_map": shards},
        "tokenizer.json": {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}},
    }
    names = [*small, *shards.values()]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as top:
        made, folder = Path(top, "made"), Path(top, "source")
        made.mkdir()
        folder.mkdir()
        for name, content in small.items():
            (made / name).write_text(json.dumps(content))
        for tensor, name in shards.items():
            values = np.frombuffer(os.urandom(SHARD), np.float16).reshape(-1, 1024)
            save_file({tensor: values}, made / name, metadata={"format": "pt"})
        for name in names if os.listdir(made)[-1] in shards.values() else reversed(names):
            os.link(made / name, folder / name)
        yield folder, Place(tmp_path_factory.mktemp("whole")).json("card", str(folder))["fingerprint"]


class Job:
    """One copy: source → target. small, weights: names of files; pauses: how often it stood still midway."""

    def __init__(self, place: Place, source: tuple[Path, str], request: pytest.FixtureRequest) -> None:
        self.place, self.request, self.target = place, request, place.models / NAME
        self.source, self.whole = source
        names = sorted(os.listdir(self.source))
        self.small, self.weights = names[:3], names[3:]
        self.size = sum((self.source / name).stat().st_size for name in names)
        self.pauses = 0

    def pause(self) -> None:
        """Let more than the quiet period pass while the copy is under way."""
        self.pauses += 1
        time.sleep(PAUSE)

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run a copier, and stop it for a while after each fifth of its bytes."""
        with self.running(program, *arguments) as process:
            following, deadline = self.size // 5, time.monotonic() + PATIENCE
            while process.poll() is None:
                assert time.monotonic() < deadline, f"{program} does not end"
                if self._written() >= following:
                    os.killpg(process.pid, signal.SIGSTOP)
                    if (written := self._written()) < self.size:
                        self.pause()
                    following = written + self.size // 5
                    os.killpg(process.pid, signal.SIGCONT)
                time.sleep(0.0002)

    @contextmanager
    def running(self, program: str, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
        """A copier in a process group of its own, which ends with the block and must end well."""
        # whoever watches it comes first where processors are scarce, or it is through before it is stopped
        command = ["nice", "-n", "19", _program(program), *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
            try:
                yield process
                process.communicate(timeout=PATIENCE)
                assert process.returncode == 0
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def _written(self) -> int:
        """Bytes in the target, also under temporary names."""
        try:
            with os.scandir(self.target) as entries:
                return sum(entry.stat().st_size for entry in entries if entry.is_file())
        except FileNotFoundError:
            return 0  # the folder is not there yet, or a temporary name has just become the real one

    def move_files(self) -> None:
        aside = shutil.copytree(self.source, self.place.folder / "aside")
        self.target.mkdir()
        for name in self.small + self.weights:
            if name in self.weights:
                self.pause()
            subprocess.run(["mv", aside / name, self.target], check=True, timeout=PATIENCE)

    def move_across(self) -> None:
        if self.source.stat().st_dev == self.place.models.stat().st_dev:
            pytest.skip("the temporary folder and the source are on one file system")
        self.run("mv", shutil.copytree(self.source, self.source.parent / "aside"), self.target)

    def untar(self) -> None:
        self.target.mkdir()
        data = Path(shutil.make_archive(str(self.place.folder / "model"), "tar", self.source)).read_bytes()
        with self.running("tar", "x", "-C", self.target) as process:
            assert process.stdin is not None
            for start in range(0, len(data), len(data) // 5 + 1):
                if start:
                    self.pause()
                process.stdin.write(data[start : start + len(data) // 5 + 1])

    def unzip(self) -> None:
        archive = shutil.make_archive(str(self.place.folder / "model"), "zip", self.source)
        self.run("unzip", "-q", archive, "-d", self.target)

    def clone(self) -> None:
        bare = _bare_repository(self.place.folder / "bare.git", self.source)
        self.run("git", "clone", "-q", bare, self.target)

    def over_ssh(self, program: str) -> None:
        host, *options = self.request.getfixturevalue("sshd")
        batch = self.place.folder / "batch"
        batch.write_text(f"put -r {self.source} {self.target}\n")
        what = ("-b", batch, host) if program == "sftp" else ("-r", self.source, f"{host}:{self.target}")
        self.run(program, *options, "-l300000", *what)  # kilobits a second

    def fill(self, allocate: Callable[[int, int], None], *, hold: bool) -> None:
        """Write small files, then allocate all weights, then write their first halves, then the second."""
        self.target.mkdir()
        for name in self.small:
            shutil.copyfile(self.source / name, self.target / name)
        self.pause()
        with ExitStack() as held:
            for name in self.weights:
                writer = held.enter_context((self.target / name).open("xb"))
                allocate(writer.fileno(), (self.source / name).stat().st_size)
                if not hold:
                    writer.close()
            for part in (slice(0, SHARD // 2), slice(SHARD // 2, None)):
                self.pause()
                for name in self.weights:
                    with (self.target / name).open("r+b") as file:
                        file.seek(part.start)
                        file.write((self.source / name).read_bytes()[part])
                    if part.start and name != self.weights[-1]:
                        self.pause()


class Sightings(Sampler):
    """Each different answer of the manifest, as fingerprints, with the manifest's stamp when it came."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, NAME)
        self.seen: dict[tuple[str, ...], int] = {}

    def _sample(self) -> None:
        while not self._end.wait(0.005):
            told = tuple(entry["fingerprint"] for entry in self.place.entries() if entry["path"] == NAME)
            self.seen.setdefault(told, self.place.manifest.stat().st_mtime_ns)


def _prove(job: Job, copy: Callable[[Job], None]) -> None:
    """Copy under the daemon's eyes; it must propose once, the whole, and not before it was whole."""
    job.place.start()
    sightings = Sightings(job.place)
    with sightings.running():
        copy(job)
        job.place.until(lambda: any(sightings.seen), "the sight of a proposal")
        for _ in range(2):
            job.place.run("scan", code=None)
    assert list(sightings.seen) == [(), (job.whole,)], "proposed more than once, or not as the whole"
    # whatever writes or renames a file sets its ctime, so the latest is the moment that made the folder whole
    whole_since = max(path.stat().st_ctime_ns for path in job.target.iterdir() if path.is_file())
    assert sightings.seen[job.whole,] > whole_since
    assert [event["path"] for event in job.place.settled_events() if event["event"] == "proposed"] == [NAME]
    assert "folder is not ready" in job.place.log.read_text() or not job.pauses
    job.place.stop()
    shutil.rmtree(job.place.models)  # what tests leave is kept for a while, and this is large


LIMIT: Final = "--bwlimit=40m"  # bytes a second
COPIERS: Final[dict[str, Callable[[Job], None]]] = {
    "cp -r": lambda job: job.run("cp", "-r", job.source, job.target),
    "cp -rp": lambda job: job.run("cp", "-rp", job.source, job.target),
    "rsync -a": lambda job: job.run("rsync", "-a", LIMIT, f"{job.source}/", job.target),
    "rsync --inplace": lambda job: job.run("rsync", "-a", "--inplace", LIMIT, f"{job.source}/", job.target),
    "mv": lambda job: job.run("mv", shutil.copytree(job.source, job.place.folder / "aside"), job.target),
    "mv of each file": Job.move_files,
    "mv across file systems": Job.move_across,
    "tar x": Job.untar,
    "unzip": Job.unzip,
    "git clone": Job.clone,
    "scp -r": lambda job: job.over_ssh("scp"),
    "sftp": lambda job: job.over_ssh("sftp"),
}


@pytest.fixture
def job(place: Place, source: tuple[Path, str], request: pytest.FixtureRequest) -> Job:
    """A copy that is still to be made."""
    place.options |= PERIODS
    return Job(place, source, request)


@pytest.mark.parametrize("copier", COPIERS)
@pytest.mark.promise(3, "real copiers that pause midway")
def test_a_copied_folder_is_proposed_once_and_whole(job: Job, copier: str) -> None:
    """A copier that pauses midway, longer than the quiet period: one proposal, of the whole, never early.

    Early is what was written to the manifest before the last byte or rename. (`mv` alone has no midway.)
    """
    _prove(job, COPIERS[copier])
    assert job.pauses > 1 or copier == "mv", "the copier was too quick to prove anything"


@pytest.mark.parametrize("hold", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize("how", ["posix_fallocate", "truncate"])
@pytest.mark.promise(3, "a preallocated file of full size")
def test_a_preallocated_file_is_waited_for(job: Job, how: str, hold: bool) -> None:
    """A file of full size is not taken for whole before its first byte is written, nor with its end missing.

    While a writer holds it open, the kernel tells, and no pause is too long. Closed, with its header written,
    only holes tell it from a whole one; that may have some too, so they ask for the long period, and pauses
    are shorter than that. Where what is only allocated is given as data, they are shorter than any period.
    """
    allocate = os.truncate if how == "truncate" else lambda file, size: os.posix_fallocate(file, 0, size)
    with (job.place.folder / "probe").open("xb") as probe:
        allocate(probe.fileno(), SHARD)
        tells = os.lseek(probe.fileno(), 0, os.SEEK_HOLE) < SHARD
        if hold and has_writer(job.place.folder / "probe") is None:
            pytest.skip("this file system does not tell who writes to a file")
    job.place.options["remote_quiet_period"] = 0.2 if hold else 5
    job.place.options["quiet_period"] = 0.2 if hold or tells else 5
    _prove(job, lambda job: job.fill(allocate, hold=hold))


@pytest.fixture
def sshd(place: Place) -> Iterator[tuple[str, ...]]:
    """An SSH server on the loopback with keys of its own: user@host, then options for its clients."""
    folder, server, log = place.folder, _program("sshd"), place.folder / "sshd.log"
    for key in ("host", "user"):
        words = ("-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
        subprocess.run([_program("ssh-keygen"), *words], check=True, timeout=PATIENCE)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as its service does at its start
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "sshd.conf").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        "PidFile none\nStrictModes no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    options = ["-F", os.devnull, f"-oPort={port}", f"-oIdentityFile={folder}/user", "-oIdentitiesOnly=yes"]
    options += ["-oBatchMode=yes", "-oStrictHostKeyChecking=no", f"-oUserKnownHostsFile={os.devnull}"]
    host = f"{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1"
    greet, deadline = [_program("ssh"), *options, host, "true"], time.monotonic() + 15
    with subprocess.Popen([server, "-D", "-f", folder / "sshd.conf", "-E", log]) as process:
        try:
            while subprocess.run(greet, capture_output=True, check=False, timeout=PATIENCE).returncode:
                if process.poll() is not None or time.monotonic() > deadline:
                    _absent(f"sshd cannot be used here: {log.read_text() if log.exists() else ''}")
                time.sleep(0.05)
            yield host, *options
        finally:
            process.terminate()


@pytest.mark.promise(3, "a clone of pointers to the weights")
def test_git_lfs_pointers_are_waited_for(job: Job) -> None:
    """A clone of them is `incomplete`, `explain` says `git lfs pull`, and the real files make it whole."""
    pointers = shutil.copytree(job.source, job.place.folder / "pointers")
    for name in job.weights:
        data = (job.source / name).read_bytes()
        digest, size = hashlib.sha256(data).hexdigest(), len(data)
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"
        (pointers / name).write_text(pointer)
    (pointers / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    bare = _bare_repository(job.place.folder / "bare.git", pointers)

    def clone_and_pull(job: Job) -> None:
        # where git-lfs is installed, it is to leave the pointers
        environ = {**os.environ, "GIT_LFS_SKIP_SMUDGE": "1"}
        subprocess.run(["git", "clone", "-q", bare, job.target], check=True, timeout=PATIENCE, env=environ)
        job.place.until(
            lambda: (job.place.folder_state(NAME) or {}).get("state") == "incomplete", "incomplete"
        )
        assert "git lfs pull" in job.place.run("explain", NAME, code=1)
        for name in job.weights:
            shutil.copyfile(job.source / name, pointers / name)
            (pointers / name).rename(job.target / name)

    _prove(job, clone_and_pull)
