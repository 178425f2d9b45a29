"""Where a TensorFlow Lite model ends, by what its tables point to. No tensor's data is read.

It is a FlatBuffer: tables and vectors that point forward to each other, in no set order, so that any of
them may be the last; nothing tells the length of all. Those that can be large or many are followed: not the
options of the built-in operators, which are a hundred kinds of small tables, beyond the table itself.
Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
(the tables), https://flatbuffers.dev/internals/ (the bytes)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_exactly, seek_to

IDENTIFIER: Final = b"TFL3"
MAX_BUFFERS: Final = 1_000_000
MAX_TABLES: Final = 2_000_000  # of all kinds
MAX_PAGES: Final = 131_072  # read in all: 1 GiB
MAX_POSITION: Final = 2**63  # bytes; no file is larger

_PAGE: Final = 8192  # bytes
_KEPT_PAGES: Final = 256
_MIN_ROOT: Final = 8  # bytes: the first offset and the identifier


class _Vector(NamedTuple):
    """A vector of numbers of so many bytes, or of offsets to tables."""

    of: int | str


_Field = str | _Vector  # an offset to a table, by its name, or to a vector
_TEXT = _Vector(1)
_FIELDS: Final[Mapping[str, Mapping[int, _Field]]] = {
    "Model": {
        1: _Vector("OperatorCode"),
        2: _Vector("SubGraph"),
        3: _TEXT,
        4: _Vector("Buffer"),
        5: _Vector(4),
        6: _Vector("Metadata"),
        7: _Vector("SignatureDef"),
    },
    "OperatorCode": {1: _TEXT},
    "SubGraph": {0: _Vector("Tensor"), 1: _Vector(4), 2: _Vector(4), 3: _Vector("Operator"), 4: _TEXT},
    "Tensor": {
        0: _Vector(4),
        3: _TEXT,
        4: "QuantizationParameters",
        6: "SparsityParameters",
        7: _Vector(4),
        9: _Vector("VariantSubType"),
    },
    "QuantizationParameters": {
        **dict.fromkeys((0, 1, 2), _Vector(4)),
        3: _Vector(8),
        5: "CustomQuantization",
    },
    "CustomQuantization": {0: _Vector(1)},
    "SparsityParameters": {0: _Vector(4), 1: _Vector(4), 2: _Vector("DimensionMetadata")},
    "DimensionMetadata": {3: "SparseIndexVector", 5: "SparseIndexVector"},
    "SparseIndexVector": {0: _Vector(1)},  # of 1, 2 or 4 bytes each: the least
    "VariantSubType": {0: _Vector(4)},
    "Operator": {
        **dict.fromkeys((1, 2, 8), _Vector(4)),
        **dict.fromkeys((4, 12), "options"),
        **dict.fromkeys((5, 7), _Vector(1)),
    },
    "options": {},
    "Buffer": {0: _Vector(1)},
    "Metadata": {0: _TEXT},
    "SignatureDef": {0: _Vector("TensorMap"), 1: _Vector("TensorMap"), 2: _TEXT},
    "TensorMap": {0: _TEXT},
}
_BUFFERS: Final = 4  # a field of Model
# Two fields, offset and size in the file, by which a model above 2 GB points to what stands behind it all.
_BEHIND: Final[Mapping[str, tuple[int, int]]] = {"Buffer": (1, 2), "Operator": (9, 10)}
_NOT_BEHIND: Final = (0, 1)  # offsets that mean that the data is within the FlatBuffer


class TfliteModel(NamedTuple):
    """promised_size: the least size in bytes. A file may have a few more bytes to fill its last word, and
    an archive of labels and the like behind them.
    """

    promised_size: int


def read_model(stream: BinaryIO, size: int) -> TfliteModel:
    """Follows the offsets of a file of `size` bytes.

    Raises ReaderError: EMPTY; TRUNCATED where the file ends before its identifier does; MALFORMED where it
    is not such a model; TOO_LARGE; UNREADABLE.
    """
    if size == 0:
        raise ReaderError(Fault.EMPTY, "The file is empty.")
    seek_to(stream, 0)
    head = read_exactly(stream, min(_MIN_ROOT, size))
    if not IDENTIFIER.startswith(head[4:]):
        raise _malformed(f"it has no identifier {IDENTIFIER.decode()}")
    if len(head) < _MIN_ROOT:
        raise ReaderError(Fault.TRUNCATED, "The file ends before its identifier does.")
    root = int.from_bytes(head[:4], "little")
    if root < _MIN_ROOT:
        raise _malformed("its first offset points into itself")
    walk = _Walk(_Pages(stream, size), size)
    walk.table(root, "Model")
    return TfliteModel(walk.reach)


class _Pages:
    """The file's bytes at any position, the pages last used kept."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._kept: dict[int, bytes] = {}  # the least recently used first
        self._left = MAX_PAGES

    def _page(self, number: int) -> bytes:
        data = self._kept.pop(number, None)
        if data is None:
            self._left -= 1
            if self._left < 0:
                raise ReaderError(Fault.TOO_LARGE, f"The tables take more than {MAX_PAGES * _PAGE} bytes.")
            seek_to(self._stream, number * _PAGE)
            data = read_exactly(self._stream, min(_PAGE, self._size - number * _PAGE))
            if len(self._kept) == _KEPT_PAGES:
                del self._kept[next(iter(self._kept))]
        self._kept[number] = data
        return data

    def take(self, position: int, length: int) -> bytes:
        """No more than a page's length of bytes, which must be in the file."""
        number, at = divmod(position, _PAGE)
        data = self._page(number)[at : at + length]
        if len(data) < length:
            data += self._page(number + 1)[: length - len(data)]
        return data

    def number(self, position: int, length: int = 4) -> int:
        """An unsigned number of `length` bytes, which must be in the file."""
        return int.from_bytes(self.take(position, length), "little")


class _Walk:
    """A walk from table to table. reach: where the last thing met ends, in bytes.

    What is beyond the end of the file is not followed: that it is there is all that is to be known.
    """

    def __init__(self, pages: _Pages, size: int) -> None:
        self._pages = pages
        self._size = size
        self._tables = 0
        self.reach = 0

    def _there(self, end: int) -> bool:
        """Notes that something ends at `end`; whether the file has it."""
        if end >= MAX_POSITION:
            raise _malformed("an offset is beyond what a file can have")
        self.reach = max(self.reach, end)
        return end <= self._size

    def _count(self, number: int) -> None:
        self._tables += number
        if self._tables > MAX_TABLES:
            raise ReaderError(Fault.TOO_LARGE, f"The model has more than {MAX_TABLES} tables.")

    def table(self, position: int, kind: str) -> None:
        """Follows a table. The kinds do not contain themselves, so the depth is bounded."""
        places = self._places(position)
        if places is None:
            return
        for field, target in _FIELDS[kind].items():
            if place := self._place(places, field, 4):
                self._follow(position + place, target, MAX_BUFFERS if kind == "Model" else MAX_TABLES)
            elif (kind, field) == ("Model", _BUFFERS):
                raise _malformed("it has no buffers")
        if kind in _BEHIND:
            offset, length = (self._long(position, places, field) for field in _BEHIND[kind])
            if offset not in _NOT_BEHIND:
                self._there(offset + length)

    def _places(self, position: int) -> tuple[int, ...] | None:
        """A table's length and where in it its fields are, 0 for those it has not; None beyond the end."""
        if not self._there(position + 4):
            return None
        back = struct.unpack("<i", self._pages.take(position, 4))[0]
        layout = position - back
        if layout < _MIN_ROOT:
            raise _malformed("the layout of a table is before all tables")
        if not self._there(layout + 4):
            return None
        length = self._pages.number(layout, 2)
        if length < 4 or length % 2:
            raise _malformed("the layout of a table is none")
        if not self._there(layout + length):
            return None
        # No table that is followed has as many fields as this bound, its own length included.
        places = self._pages.take(layout + 2, min(length - 2, 32))
        table = struct.unpack(f"<{len(places) // 2}H", places)
        if table[0] < 4:
            raise _malformed("the layout of a table is none")
        return table if self._there(position + table[0]) else None

    def _place(self, places: tuple[int, ...], field: int, width: int) -> int:
        """Where in its table a field of `width` bytes is; 0 where the table has no such field."""
        place = places[field + 1] if field + 1 < len(places) else 0
        if place and not 4 <= place <= places[0] - width:
            raise _malformed("a field is outside of its table")
        return place

    def _long(self, position: int, places: tuple[int, ...], field: int) -> int:
        place = self._place(places, field, 8)
        return self._pages.number(position + place, 8) if place else 0

    def _follow(self, position: int, target: _Field, most: int) -> None:
        """Follows the offset at `position` to a table or a vector."""
        start = self._offset(position, self._pages.number(position))
        if isinstance(target, str):
            self._count(1)
            self.table(start, target)
        elif self._there(start + 4):
            count = self._pages.number(start)
            self._vector(start + 4, count, target, most)

    def _offset(self, position: int, offset: int) -> int:
        if offset == 0:
            raise _malformed("an offset points to itself")
        return position + offset

    def _vector(self, start: int, count: int, target: _Vector, most: int) -> None:
        if isinstance(target.of, int):
            self._there(start + count * target.of)
            return
        if not self._there(start + count * 4):
            return
        if count > most:
            raise ReaderError(Fault.TOO_LARGE, f"A list of the model has more than {most} tables.")
        self._count(count)
        for position, offset in self._offsets(start, count):
            self.table(self._offset(position, offset), target.of)

    def _offsets(self, start: int, count: int) -> Iterator[tuple[int, int]]:
        """The offsets of a vector, and where they are."""
        for first in range(start, start + count * 4, _PAGE):
            piece = self._pages.take(first, min(_PAGE, start + count * 4 - first))
            for at, (offset,) in enumerate(struct.iter_unpack("<I", piece)):
                yield first + at * 4, offset


def _malformed(why: str) -> ReaderError:
    return ReaderError(Fault.MALFORMED, f"This is not a TensorFlow Lite model: {why}.")
