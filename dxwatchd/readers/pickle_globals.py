"""Which globals a pickle names, told from its opcodes by an unpickler that keeps texts and builds nothing.

A name may stand in the opcode itself, or come from the stack or the memo as any text does: so both are kept
here as the unpickler of the standard library keeps them, with nothing in them but texts.
Source: https://docs.python.org/3/library/pickle.html, https://github.com/python/cpython/blob/main/Lib/pickle.py
"""

from __future__ import annotations

import pickletools
from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.core.pickles import UNKNOWN, PickleContent
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.pickle_opcodes import Operation, OutOfStepsError, Steps, operations
from dxwatchd.readers.reading import read_up_to, seek_to
from dxwatchd.readers.torch_archive import LAST_PICKLE_PROTOCOL

MAX_GLOBALS = 200
"""Different globals of one file."""
MAX_HELD = 250_000
"""Entries of the stack, and of the memo."""
MAX_TEXT = 4 * 2**20
"""Characters of the texts of one pickle that may turn out to be names."""

TOO_LARGE = "It is too large to be read through."
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
_LEGACY_PICKLES = 5
"""Before PyTorch 1.6: the magic number, the protocol, the system, the object, the keys; then raw numbers.

Source: https://github.com/pytorch/pytorch/blob/main/torch/serialization.py (`_legacy_load`)
"""
_JOBLIB_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"


class _Mark:
    """Stands in the stack where MARK was."""


_MARK = _Mark()
Held = str | _Mark | None  # None: anything but a text

_TEXTS = {
    "SHORT_BINUNICODE": "utf-8",
    "BINUNICODE": "utf-8",
    "BINUNICODE8": "utf-8",
    "SHORT_BINSTRING": "latin-1",
    "BINSTRING": "latin-1",
    "UNICODE": "latin-1",
    "STRING": "latin-1",
}
_NAMING = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_REMEMBERING = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_FETCHING = frozenset({"GET", "BINGET", "LONG_BINGET"})
_OF_A_NUMBER = frozenset({"PROTO", "FRAME", "LONG1", "STOP"})


class _Effect(NamedTuple):
    """What an opcode does to the stack. to_mark: takes all down to the last mark, and that too; takes: so
    many after that; gives: so many things.
    """

    to_mark: bool
    takes: int
    gives: int


def _effect(opcode: pickletools.OpcodeInfo) -> _Effect:
    before = opcode.stack_before
    to_mark = pickletools.markobject in before
    takes = before.index(pickletools.markobject) if to_mark else len(before)
    return _Effect(to_mark, takes, len(opcode.stack_after))


_EFFECTS = {opcode.name: _effect(opcode) for opcode in pickletools.opcodes}


def read_pickles(stream: BinaryIO, start: int, end: int, steps: Steps) -> PickleContent | None:
    """The globals of all pickles that stand one after another between two positions of a file.

    None where this is no pickle: it does not begin as one of protocol 2 or later, and neither names a global
    nor ends with its first pickle (every byte is an opcode somewhere, so anything may begin like protocol 0).
    Raises ReaderError: UNREADABLE. Whatever else is wrong with the bytes is said by the result.
    """
    names: set[str] = set()
    problem = ""
    try:
        _read_all(stream, start, end, steps, names)
    except OutOfStepsError:
        problem = TOO_LARGE
    except ReaderError as error:
        if error.fault is Fault.UNREADABLE:
            raise
        problem = error.message
        if not names and error.fault is not Fault.TOO_LARGE and not begins_pickle(stream, start):
            return None
    return PickleContent(tuple(sorted(names)), complete=not problem, problem=problem)


def begins_pickle(stream: BinaryIO, position: int) -> bool:
    """Whether a pickle of protocol 2 or later begins there. Raises ReaderError: UNREADABLE."""
    seek_to(stream, position)
    head = read_up_to(stream, 2)
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= LAST_PICKLE_PROTOCOL


def _read_all(stream: BinaryIO, start: int, end: int, steps: Steps, names: set[str]) -> None:
    """Raises ReaderError where the bytes do not end with a pickle, OutOfStepsError."""
    position, legacy = _Unpickling(names, steps).read(stream, start, end)
    count = 1
    while position < end and not (legacy and count == _LEGACY_PICKLES):
        if not begins_pickle(stream, position):
            raise ReaderError(Fault.MALFORMED, "Bytes that are no pickle follow the pickle.")
        position, _ = _Unpickling(names, steps).read(stream, position, end)
        count += 1


class _Unpickling:
    """One pickle. Of what it makes only the texts are kept."""

    def __init__(self, names: set[str], steps: Steps) -> None:
        self._names = names
        self._steps = steps
        self._room = MAX_TEXT
        self._stack: list[Held] = []
        self._memo: dict[int, str | None] = {}

    def read(self, stream: BinaryIO, start: int, end: int) -> tuple[int, bool]:
        """Where the pickle ends, and whether it is nothing but torch's legacy magic number.

        Raises ReaderError, OutOfStepsError.
        """
        only_number, magic = True, False
        for operation in operations(stream, start, end, self._steps):
            name = operation.opcode.name
            self._do(operation)
            only_number = only_number and name in _OF_A_NUMBER
            magic = magic or (name == "LONG1" and operation.argument == _LEGACY_MAGIC)
            if name == "STOP":
                return operation.end, only_number and magic
            if name == "BUILD" and _JOBLIB_ARRAY in self._names:
                raise ReaderError(
                    Fault.MALFORMED, "joblib put arrays between the opcodes, where it was left."
                )
        raise ReaderError(Fault.TRUNCATED, "The file ends before its pickle does.")

    def _do(self, operation: Operation) -> None:
        name = operation.opcode.name
        if name in _REMEMBERING:
            self._remember(operation)
        elif name in _FETCHING:
            self._push(self._memo.get(_index(operation)))
        elif name in _TEXTS:
            self._push(self._kept(_text(operation)))
        elif name == "MARK":
            self._push(_MARK)
        elif name == "DUP":
            self._push(self._pop())
            self._push(self._stack[-1])
        else:
            taken = self._change(_EFFECTS[name])
            if name in _NAMING:
                self._name(_named(operation, taken))
            elif name == "PROTO" and _index(operation) > LAST_PICKLE_PROTOCOL:
                raise ReaderError(Fault.MALFORMED, f"There is no pickle protocol {_index(operation)}.")

    def _change(self, effect: _Effect) -> list[Held]:
        """Do to the stack what the opcode does; what it took besides the slice, the topmost first."""
        if effect.to_mark:
            while self._pop() is not _MARK:
                pass
        taken = [self._pop() for _ in range(effect.takes)]
        if effect.gives:  # one thing at most: MARK and DUP are not done here
            self._push(None)
        return taken

    def _name(self, name: str) -> None:
        if name not in self._names and len(self._names) >= MAX_GLOBALS:
            raise ReaderError(Fault.TOO_LARGE, f"It names more than {MAX_GLOBALS} different globals.")
        self._names.add(name)

    def _remember(self, operation: Operation) -> None:
        if not self._stack:
            raise _underflow()
        index = len(self._memo) if operation.opcode.name == "MEMOIZE" else _index(operation)
        if len(self._memo) >= MAX_HELD:
            raise ReaderError(Fault.TOO_LARGE, f"It remembers more than {MAX_HELD:,} objects.")
        top = self._stack[-1]
        self._memo[index] = top if isinstance(top, str) else None

    def _kept(self, text: str | None) -> str | None:
        """The text, unless no more can be kept."""
        if text is None or self._room < len(text):
            return None
        self._room -= len(text)
        return text

    def _push(self, thing: Held) -> None:
        if len(self._stack) >= MAX_HELD:
            raise ReaderError(Fault.TOO_LARGE, f"It holds more than {MAX_HELD:,} objects at once.")
        self._stack.append(thing)

    def _pop(self) -> Held:
        if not self._stack:
            raise _underflow()
        return self._stack.pop()


def _underflow() -> ReaderError:
    return ReaderError(Fault.MALFORMED, "The pickle takes more from its stack than there is.")


def _named(operation: Operation, taken: list[Held]) -> str:
    """The global that an opcode names, or UNKNOWN."""
    if operation.opcode.name == "STACK_GLOBAL":
        name, module = taken
        return f"{module}.{name}" if isinstance(name, str) and isinstance(module, str) else UNKNOWN
    if operation.argument is None or operation.opcode.name.startswith("EXT"):
        return UNKNOWN
    try:
        return operation.argument.decode().replace("\n", ".", 1)
    except UnicodeDecodeError:
        return UNKNOWN


def _text(operation: Operation) -> str | None:
    """The text that an opcode gives; None where it is too long, escaped or no text."""
    argument = operation.argument
    if argument is None:
        return None
    if operation.opcode.name in ("STRING", "UNICODE") and b"\\" in argument:
        return None
    if operation.opcode.name == "STRING":
        argument = argument.strip()[1:-1]
    try:
        return argument.decode(_TEXTS[operation.opcode.name])
    except UnicodeDecodeError:
        return None


def _index(operation: Operation) -> int:
    """A place of the memo. Raises ReaderError."""
    argument = operation.argument or b""
    if operation.opcode.name not in ("GET", "PUT"):
        return int.from_bytes(argument, "little")
    try:
        return int(argument)
    except ValueError as error:
        message = "The pickle remembers an object under what is no number."
        raise ReaderError(Fault.MALFORMED, message) from error
