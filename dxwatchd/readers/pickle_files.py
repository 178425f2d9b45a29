"""Which files of a folder are pickles or hold some, told by their content, and what those import.

Nothing is loaded, and nothing is said to be safe. A file of tensors costs its archive's directory and the
pickle that names them, however large the tensors are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import BinaryIO

from dxwatchd.core.facts import Fault
from dxwatchd.core.pickles import UNKNOWN, PickleContent
from dxwatchd.core.room import Room
from dxwatchd.core.snapshot import basename
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.pickle_globals import TOO_LARGE, read_pickles
from dxwatchd.readers.pickle_opcodes import OutOfStepsError, Steps
from dxwatchd.readers.reading import read_up_to, refused, seek_to
from dxwatchd.readers.torch_archive import LOCAL_ENTRY
from dxwatchd.readers.zip_members import Content, find_members, open_member

MAX_FILES = 2000
"""Files of one folder that are looked into."""
MAX_NAMES = 256 * 1024
"""Bytes of what all files of one folder name together, as a card lists it. A shard of weights takes 150."""
_BESIDE = 16  # bytes of what stands in a card beside a name
MAX_STEPS = 6_000_000
"""For all files of one folder together (see `pickle_opcodes.Steps`); a tensor takes some forty."""

_MAY_BE = re.compile(
    r"(.*\.(bin|pt|pth|ckpt|ot|tar|sav|distcp|nemo|pkl|pickle|p|dill|joblib|cloudpickle)"
    r"|\.metadata"  # torch.distributed's checkpoints
    r"|\.msc|\.mdl)",  # ModelScope's notes
    re.IGNORECASE | re.DOTALL,
)
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_COMPRESSED = re.compile(
    rb"\x1f\x8b|BZh|\xfd7zXZ|\x5d\0\0|\x78[\x01\x5e\x9c\xda]|\x04\x22\x4d\x18|\x28\xb5\x2f\xfd"
)
_IS_COMPRESSED = re.compile(r".*\.(nemo|pkl|pickle|p|dill|joblib|cloudpickle|sav)", re.IGNORECASE | re.DOTALL)


def may_be_pickle(name: str) -> bool:
    """Whether files of this name are ever written as pickles. name: a path, of which the last part counts."""
    return _MAY_BE.fullmatch(basename(name)) is not None


def read_folder(open_file: Callable[[str], BinaryIO], names: Iterable[str]) -> dict[str, PickleContent]:
    """What each pickle of a folder imports, by name, for those `names` that are pickles.

    open_file: opens one for reading; it raises ReaderError. A file that cannot be read, and one that is
    more than is looked into, is there as one that was not read.
    """
    found: dict[str, PickleContent] = {}
    steps, room = Steps(MAX_STEPS), Room(MAX_NAMES)
    for count, name in enumerate(filter(may_be_pickle, names)):
        if count == MAX_FILES:
            found[name] = _unread(f"Only {MAX_FILES:,} files of a folder are looked into.")
            return found
        try:
            with open_file(name) as stream:
                content = read_file(stream, stream.seek(0, 2), name, steps)
        except ReaderError as error:
            content = _unread(error.message)
        except OSError as error:
            content = _unread(refused(error).message)
        if content is None:
            continue
        if not room.takes(name, *content.globals, beside=_BESIDE * (1 + len(content.globals))):
            # UNKNOWN: what is not listed may be anything, and must not look like weights
            problem = "The folder's pickles name more than is listed; what comes after was not looked into."
            found[name] = PickleContent((UNKNOWN,), complete=False, problem=problem)
            return found
        found[name] = content
    return found


def read_file(stream: BinaryIO, size: int, name: str, steps: Steps) -> PickleContent | None:
    """What the pickles in a file of `size` bytes import; None where there are none.

    Raises ReaderError: UNREADABLE. Whatever is wrong with the content is said by the result.
    """
    seek_to(stream, 0)
    head = read_up_to(stream, _TAR_MARK_AT + len(_TAR_MARK))
    if head.startswith(LOCAL_ENTRY):  # as torch.load decides
        return _archive(stream, size, steps)
    found = read_pickles(stream, 0, size, steps)
    if found is not None and (found.globals or found.complete):
        return found  # first of all: a pickle may well begin like a file of another kind
    if head[_TAR_MARK_AT:] == _TAR_MARK:
        return _unread("It is a tar archive; pickles inside such are not looked for.")
    if _IS_COMPRESSED.fullmatch(name) and _COMPRESSED.match(head):
        return _unread("It is compressed as a whole; pickles inside such are not looked for.")
    return None if _is_safetensors(head, size) else found


def _is_safetensors(head: bytes, size: int) -> bool:
    """Whether this looks like a safetensors file under another name, whose length begins like a pickle."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


def _unread(problem: str) -> PickleContent:
    return PickleContent(complete=False, problem=problem)


def _is_pickle(name: bytes) -> bool:
    """Whether a member of an archive is a pickle: torch looks for `data.pkl` in either case of letters."""
    return name.lower().endswith(b".pkl")


def _archive(stream: BinaryIO, size: int, steps: Steps) -> PickleContent | None:
    """All pickles of a zip archive together."""
    try:
        members = find_members(stream, size, _is_pickle, steps.pay)
    except OutOfStepsError:
        return _unread(TOO_LARGE)
    except ReaderError as error:
        if error.fault is Fault.UNREADABLE:
            raise
        return _unread(error.message)
    names: set[str] = set()
    problems: list[str] = []
    for member in members:
        try:
            content = _of_member(open_member(stream, size, member, steps.pay), steps)
        except OutOfStepsError:
            content = _unread(TOO_LARGE)
        except ReaderError as error:
            if error.fault is Fault.UNREADABLE:
                raise
            content = _unread(error.message)
        names.update(content.globals)
        problems += [content.problem] if content.problem else []
    if not members:
        return None
    return PickleContent(tuple(sorted(names)), complete=not problems, problem=next(iter(problems), ""))


def _of_member(content: Content, steps: Steps) -> PickleContent:
    found = read_pickles(content.stream, content.start, content.end, steps)
    if found is None:
        return _unread("A member of the archive is named as a pickle and is none.")
    if not content.whole and not found.complete:
        return PickleContent(found.globals, complete=False, problem="A member unpacks to more than is read.")
    return found
