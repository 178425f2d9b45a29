"""A file system that passes everything on to a folder, and misbehaves where it is told to.

    python -m tests.faults.faulty_fs SOURCE MOUNT SOCKET

Rules come over the socket, as one JSON list of `Rule` fields that replaces the ones before; the answer is a
list with how often each of the rules before applied. An operation is checked against the rules in order, and
all that match apply.
"""

from __future__ import annotations

import ctypes
import errno
import fnmatch
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

os.environ["FUSE_LIBRARY_NAME"] = "fuse3"  # else it takes the second version where that is there too
import mfusepy

Result = TypeVar("Result")

OPERATIONS: Final = (
    *("getattr", "readlink", "readdir", "open", "create", "read", "write", "truncate", "flush", "release"),
    *("fsync", "fsyncdir", "unlink", "rename", "mkdir", "rmdir", "symlink", "link", "chmod", "chown"),
    *("utimens", "statfs"),
)
_libc = ctypes.CDLL(None, use_errno=True)
_libfuse = mfusepy._libfuse
_AT_FDCWD: Final = -100  # fcntl.h


@dataclass(slots=True)
class Rule:
    """What goes wrong.

    operations: names of `OPERATIONS`; path: a shell pattern for the path below the mount, as `/m/*.json`;
    errno: the name of an error, "" for none; delay: seconds; hang: wait for as long as this rule is there;
    deaf: of a hanging one, whether it waits even for a caller that is killed meanwhile; most: of a read, how
    many bytes it gives at most; until: of a read, the position at which the file seems to end; skip: how many
    times it does not apply at first; times: how often it then applies, 0 for always.
    """

    operations: tuple[str, ...]
    path: str = "*"
    errno: str = ""
    delay: float = 0.0
    hang: bool = False
    deaf: bool = False
    most: int = 0
    until: int = 0
    skip: int = 0
    times: int = 0
    met: int = 0
    applied: int = 0

    def applies(self, operation: str, path: str) -> bool:
        """Whether it applies to an operation that is under way; counts it."""
        if operation not in self.operations or not fnmatch.fnmatchcase(path, self.path):
            return False
        self.met += 1
        if self.met <= self.skip or (self.times and self.applied >= self.times):
            return False
        self.applied += 1
        return True


class Rules:
    """The rules in force, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def replace(self, plain: list[dict[str, Any]]) -> list[int]:
        """Put others in force. Returns how often each of the ones before applied."""
        with self._lock:
            counts = [rule.applied for rule in self._rules]
            self._rules = [Rule(**fields) for fields in plain]
        return counts

    def counts(self) -> list[int]:
        """How often each applied so far."""
        with self._lock:
            return [rule.applied for rule in self._rules]

    def meet(self, operation: str, *paths: str) -> list[Rule]:
        """The rules that apply now, after their delays. Raises OSError where one says so."""
        with self._lock:
            found = [rule for rule in self._rules if any(rule.applies(operation, path) for path in paths)]
        for rule in found:
            time.sleep(rule.delay)
            while rule.hang and self._is_there(rule):
                if not rule.deaf and _libfuse.fuse_interrupted():
                    raise mfusepy.FuseOSError(errno.EINTR)
                time.sleep(0.01)
            if rule.errno:
                raise mfusepy.FuseOSError(getattr(errno, rule.errno))
        return found

    def _is_there(self, rule: Rule) -> bool:
        with self._lock:
            return any(one is rule for one in self._rules)


class Passing(mfusepy.Operations):  # type: ignore[misc]  # the package has no types
    """Every operation on a file of the mount becomes one on a file of the source."""

    use_ns = True

    def __init__(self, source: str, rules: Rules) -> None:
        self.source = source
        self.rules = rules

    def _at(self, path: str) -> str:
        return self.source + path

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        self.rules.meet("getattr", path)
        found = os.fstat(fh) if fh is not None else os.lstat(self._at(path))
        plain = {name: getattr(found, name) for name in dir(found) if name.startswith("st_")}
        return plain | {name: plain[f"{name}_ns"] for name in ("st_atime", "st_mtime", "st_ctime")}

    def readlink(self, path: str) -> str:
        self.rules.meet("readlink", path)
        return os.readlink(self._at(path))

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        self.rules.meet("readdir", path)
        with os.scandir(self._at(path)) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                found = entry.stat(follow_symlinks=False)
                yield entry.name, {"st_mode": found.st_mode, "st_ino": found.st_ino}, 0

    def open(self, path: str, flags: int) -> int:
        self.rules.meet("open", path)
        return os.open(self._at(path), flags & ~os.O_NOFOLLOW)

    def create(self, path: str, mode: int, fi: object = None) -> int:
        self.rules.meet("create", path)
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        for rule in self.rules.meet("read", path):
            size = min(size, rule.most or size)
            size = max(0, min(size, rule.until - offset)) if rule.until else size
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self.rules.meet("write", path)
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self.rules.meet("truncate", path)
        os.truncate(self._at(path), length)
        return 0

    def flush(self, path: str, fh: int) -> int:
        self.rules.meet("flush", path)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self.rules.meet("fsync", path)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self.rules.meet("fsyncdir", path)
        return 0

    def unlink(self, path: str) -> int:
        self.rules.meet("unlink", path)
        os.unlink(self._at(path))
        return 0

    def renamed(self, old: str, new: str, flags: int) -> int:
        """`rename` with the flags that the package leaves out: an exchange must not become a plain rename."""
        self.rules.meet("rename", old, new)
        one, other = os.fsencode(self._at(old)), os.fsencode(self._at(new))
        if _libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, flags):
            raise mfusepy.FuseOSError(ctypes.get_errno())
        return 0

    def rename(self, old: str, new: str) -> int:
        return self.renamed(old, new, 0)

    def mkdir(self, path: str, mode: int) -> int:
        self.rules.meet("mkdir", path)
        os.mkdir(self._at(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        self.rules.meet("rmdir", path)
        os.rmdir(self._at(path))
        return 0

    def symlink(self, target: str, source: str) -> int:
        self.rules.meet("symlink", target)
        os.symlink(source, self._at(target))
        return 0

    def link(self, target: str, source: str) -> int:
        self.rules.meet("link", target)
        os.link(self._at(source), self._at(target))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self.rules.meet("chmod", path)
        os.chmod(self._at(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        self.rules.meet("chown", path)
        os.chown(self._at(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self.rules.meet("utimens", path)
        now = time.time_ns()
        os.utime(self._at(path), ns=times or (now, now))
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        self.rules.meet("statfs", path)
        found = os.statvfs(self._at(path))
        return {
            name: getattr(found, name) for name in dir(found) if name.startswith("f_") and name != "f_fsid"
        }


class Fuse(mfusepy.FUSE):  # type: ignore[misc]  # the package has no types
    """The package's loop, which else would drop the flags of a rename."""

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        done: int = self.operations.renamed(os.fsdecode(old), os.fsdecode(new), flags)
        return done


def listen(address: str, answer: Callable[[bytes], bytes]) -> None:
    """Answer every connection to a socket, in a thread of its own: one message, one answer."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(address)
    server.listen()

    def work() -> None:
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.write(answer(stream.readline()) + b"\n")

    threading.Thread(target=work, daemon=True).start()


def main(source: str, mount: str, address: str) -> None:
    rules = Rules()

    def answer(message: bytes) -> bytes:
        plain = json.loads(message)
        return json.dumps(rules.counts() if plain is None else rules.replace(plain)).encode()

    listen(address, answer)
    Fuse(
        Passing(os.path.realpath(source), rules),
        mount,
        foreground=True,
        fsname="faulty",
        use_ino=True,
        direct_io=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
