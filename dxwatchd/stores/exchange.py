"""Putting a new file in the place of another so that what was replaced is known exactly, and not lost.

The two are exchanged in one step. Where what lay there is not what the new one was made from, somebody saved
in between: then it goes back. Killed in between, the next one to come finds it beside and puts it back.

What a save can be lost to: nothing where the file system can exchange and the kernel says who has a file open
(a local one; the file's owner or root). Where only the second is missing, an editor that writes in place and
takes longer than `LINGER_BLIND` from opening to closing. Where the first is missing (some network file
systems): any save in the microseconds between the last look and the rename.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from dxwatchd.leases import has_writer
from dxwatchd.stores.atomic import sync_folder
from dxwatchd.stores.manifest_file import PAUSE, TRIES, Changed, opened
from dxwatchd.stores.owning import insist_on_rights
from dxwatchd.stores.swapping import content_of, give_back, linger, swapped

OLD = 60.0
"""Seconds after which what was left beside is nobody's any more, where that cannot be told otherwise."""


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[bool]:
    """Keep others that exchange files in this folder waiting: no change is made on top of an unproven one.

    Gives whether they are. Somebody who never ends is not waited for, nor is a file system without locks.
    """
    with contextlib.ExitStack() as stack:
        held = False
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            held = _locked(descriptor)
        yield held


def _locked(descriptor: int) -> bool:
    for _ in range(10 * TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)
        else:
            return True
    return False


def exchange(target: Path, before: bytes, after: bytes) -> None:
    """Put `after` in the place of `before`, with the owner, mode and attributes of what lies there.

    Raises Changed where something else lay there, which is there again then, ManifestError where its owner
    could not use it any more, and OSError where it or the folder cannot be written to. To be called within
    `one_at_a_time`.
    """
    if after == before:
        return
    aside = _aside(target, before, after)
    with _uninterrupted():
        try:
            _exchange(target, aside, before, after)
        except FileNotFoundError:
            raise Changed from None
    sync_folder(target.parent)


def _exchange(target: Path, aside: Path, before: bytes, after: bytes) -> None:
    if has_writer(target):
        raise Changed
    if os.geteuid() and not os.access(target, os.W_OK, effective_ids=True):
        # the right to its folder alone is no leave to replace it
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    with _like(target, aside, after) as ours:
        try:
            if content_of(target) != before:  # writing takes long enough for a save
                raise Changed
            if not swapped(aside, target):
                # a file system that cannot exchange (some network ones): a narrow window remains
                os.rename(aside, target)
                return
        except BaseException:
            aside.unlink()
            raise
        settled = False
        try:
            settled = _is_settled(aside, before, twice=True)
        finally:
            if not settled:
                give_back(aside, target, ours, after)
        aside.unlink()  # not before: should that fail, a person's save may lie there
    if not settled:
        raise Changed


def bring_back(target: Path) -> bool:
    """Put back what somebody saved and a killed command was about to put back.

    Where the file was saved anew since, it is kept beside it under a name that can be seen. What somebody is
    still writing to is left for the next time, and what is another user's for them. Returns whether all is
    settled: else a change would be made on top of what is not proven. Raises OSError.
    """
    settled = True
    if not _left(target):
        return settled
    with one_at_a_time(target.parent) as alone:
        for left in _left(target):
            try:
                found = left.stat()
                if alone or time.time() - found.st_mtime > OLD:
                    _bring_back(target, left)
            except Changed:
                settled = False
            except (FileNotFoundError, PermissionError, IsADirectoryError):
                continue
    return settled


def _bring_back(target: Path, left: Path) -> None:
    before, after = left.name.rsplit("-", 2)[-2:]
    if has_writer(left):  # who opened it in its place and saves into it
        raise Changed
    if _short(content_of(left)) in (before, after):
        left.unlink()  # what was replaced by a change made from it, or what never got there
    elif _short(ours := content_of(target)) == after:
        with opened(target, os.O_RDONLY) as held:
            give_back(left, target, os.fstat(held).st_ino, ours)
        left.unlink()
    else:
        left.rename(target.with_name(f"{target.name}.kept-{_short(content_of(left))}"))


def _left(target: Path) -> list[Path]:
    prefix = f".{target.name}.dxwatchd-"
    return [Path(entry.path) for entry in os.scandir(target.parent) if entry.name.startswith(prefix)]


def _aside(target: Path, before: bytes, after: bytes) -> Path:
    return target.with_name(
        f".{target.name}.dxwatchd-{secrets.token_hex(4)}-{_short(before)}-{_short(after)}"
    )


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@contextlib.contextmanager
def _like(target: Path, path: Path, data: bytes) -> Iterator[int]:
    """Make a file with the owner, mode and attributes of another one, as far as that is allowed.

    Gives its inode, which no other file can have meanwhile, not even after this one was replaced.
    """
    like = target.stat()
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600) as descriptor:
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            for owner, group in ((-1, like.st_gid), (like.st_uid, -1)):
                with contextlib.suppress(PermissionError):  # the group's members may not give files away
                    os.fchown(descriptor, owner, group)
            _copy_attributes(target, descriptor)
            os.fchmod(descriptor, like.st_mode & 0o7777)
            insist_on_rights(descriptor, like)
            os.fsync(descriptor)
        except BaseException:
            path.unlink()
            raise
    with opened(path, os.O_PATH) as held:  # not for writing: whether somebody else writes is asked later
        yield os.fstat(held).st_ino


def _copy_attributes(source: Path, descriptor: int) -> None:
    """The access list and other extended attributes; those that the folder gave to the new file go."""
    with contextlib.suppress(OSError):  # a file system that has none
        wanted = {name: os.getxattr(source, name) for name in os.listxattr(source)}
        for name in os.listxattr(descriptor):
            if name not in wanted and not name.startswith("security."):
                with contextlib.suppress(OSError):
                    os.removexattr(descriptor, name)
        for name, value in wanted.items():
            with contextlib.suppress(OSError):  # some kinds are for root or for the kernel only
                os.setxattr(descriptor, name, value)


def _is_settled(replaced: Path, before: bytes, *, twice: bool = False) -> bool:
    """Whether what was replaced is what the change was made from, and nobody is about to write to it.

    twice: look again a moment later.
    """
    writer = has_writer(replaced)
    if writer or content_of(replaced) != before:
        return False
    if not twice:
        return True
    time.sleep(linger(writer))
    return _is_settled(replaced, before)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C, a closed terminal and a stop wait for the moment in which a person's save may lie aside."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
