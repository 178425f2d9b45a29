"""Whether a MessagePack file that holds one map is whole, as a Flax checkpoint does.

`flax.serialization.to_bytes` writes a map of maps with the arrays as extension types. Every item says in
its first bytes how long it is or how many items it holds, so the end is told without reading an array.
Source: https://github.com/msgpack/msgpack/blob/master/spec.md#formats (the formats),
https://flax.readthedocs.io/en/latest/api_reference/flax.serialization.html (the checkpoint)
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_exactly, seek_to

MAX_DEPTH = 64  # maps and arrays within each other; a checkpoint's are as deep as its modules
MAX_ITEMS = 2_000_000  # keys, values and elements together; a checkpoint has two for each tensor and module
_LONGEST_HEAD = 5  # bytes: the first and a length of 32 bits


class MsgpackFile(NamedTuple):
    """promised_size: the exact size of a whole file in bytes.

    Where this file ends early, it is the least that it must have.
    """

    promised_size: int


class _Format(NamedTuple):
    """What an item's first byte says.

    length_bytes: of the number that follows, big endian; body: bytes that follow that one in any case;
    items: items that follow in any case; per_length: items that each of the number stands for, 0 where it
    counts bytes.
    """

    length_bytes: int = 0
    body: int = 0
    items: int = 0
    per_length: int = 0


def _formats() -> tuple[_Format | None, ...]:
    """By first byte; None for the one that is never used."""
    table: list[_Format | None] = [_Format()] * 256  # small integers, nil, false and true have nothing more
    for count in range(16):
        table[0x80 + count] = _Format(items=2 * count)
        table[0x90 + count] = _Format(items=count)
    for length in range(32):
        table[0xA0 + length] = _Format(body=length)
    table[0xC1] = None
    for power in range(3):
        table[0xC4 + power] = _Format(length_bytes=1 << power)  # bin
        table[0xC7 + power] = _Format(length_bytes=1 << power, body=1)  # ext: with its type
        table[0xD9 + power] = _Format(length_bytes=1 << power)  # str
    table[0xCA], table[0xCB] = _Format(body=4), _Format(body=8)  # float
    for power in range(4):
        table[0xCC + power] = _Format(body=1 << power)  # uint
        table[0xD0 + power] = _Format(body=1 << power)  # int
    for power in range(5):
        table[0xD4 + power] = _Format(body=1 + (1 << power))  # fixext
    for power in range(2):
        table[0xDC + power] = _Format(length_bytes=2 << power, per_length=1)  # array
        table[0xDE + power] = _Format(length_bytes=2 << power, per_length=2)  # map
    return tuple(table)


_FORMATS = _formats()


def read_map(stream: BinaryIO, size: int) -> MsgpackFile:
    """Walks a file of `size` bytes from item to item, over their content.

    Raises ReaderError: EMPTY; MALFORMED where it does not begin with a map or an item is none; TOO_LARGE
    beyond `MAX_DEPTH` or `MAX_ITEMS`; UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    seek_to(stream, 0)
    if not _begins_map(read_exactly(stream, 1)[0]):
        raise ReaderError(Fault.MALFORMED, "This is not a Flax checkpoint: it does not begin with a map.")
    position, items = 0, 1
    due = [1]  # items that are still to come, by depth
    while due:
        if due[-1] == 0:
            due.pop()
            continue
        if position + sum(due) > size:  # each takes a byte at least
            break
        due[-1] -= 1
        length, inside = _item(stream, size, position)
        position += length
        if inside:
            items += inside
            due.append(inside)
        if items > MAX_ITEMS or len(due) > MAX_DEPTH + 1:  # the file itself is one level
            raise ReaderError(Fault.TOO_LARGE, f"The map has over {MAX_ITEMS} items or {MAX_DEPTH} levels.")
    return MsgpackFile(position + sum(due))


def _begins_map(first: int) -> bool:
    return 0x80 <= first <= 0x8F or first in {0xDE, 0xDF}


def _item(stream: BinaryIO, size: int, position: int) -> tuple[int, int]:
    """The bytes that the item at `position` takes without the items in it, and how many these are."""
    seek_to(stream, position)
    head = read_exactly(stream, min(_LONGEST_HEAD, size - position))
    form = _FORMATS[head[0]]
    if form is None:
        raise ReaderError(Fault.MALFORMED, f"There is no item of MessagePack at byte {position}.")
    length_bytes, body, items, per_length = form
    if len(head) <= length_bytes:
        return 1 + length_bytes + body, 0  # cut off within its head: this is beyond the end
    number = int.from_bytes(head[1 : 1 + length_bytes], "big")
    if per_length:
        return 1 + length_bytes, number * per_length
    return 1 + length_bytes + body + number, items
