"""What tells one file's content from another's, without reading hundreds of gigabytes.

Small files are hashed whole. Of large ones are hashed: the size, and `SAMPLES` samples of `SAMPLE` bytes,
spread evenly, the first at the start and the last at the end; of weight files also the whole header. This
recognises a moved file and shows a retraining in place, which changes nearly all weights. It is no proof
against somebody who changes bytes between the samples on purpose.

Only bytes count, not how they are stored: a sparse copy has the digest of a full one.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.reading import read_up_to, seek_to

WHOLE = 1024 * 1024  # bytes up to which a file is hashed whole
SAMPLE = 4096  # bytes: one page
SAMPLES = 16
_BLOCK = 1024 * 1024
_VERSION = b"dxwatchd content 1"  # of this rule: a change of it must give other digests


def content_digest(stream: BinaryIO, size: int, *, whole: int = WHOLE) -> str:
    """Digest of a file of `size` bytes, as "sha256:" and hexadecimal.

    whole: up to how many bytes all of them count.

    Raises ReaderError: CHANGED where the file is shorter than `size`; UNREADABLE.
    """
    return _digest(stream, size, head=size if size <= whole else 0)


def weights_digest(stream: BinaryIO, size: int, header_length: int) -> str:
    """The same of a weight file whose first `header_length` bytes are its header and count in full."""
    return _digest(stream, size, head=size if size <= WHOLE else min(header_length, size))


def _digest(stream: BinaryIO, size: int, head: int) -> str:
    """Digest of the version, the size, `head` bytes in full and samples of what follows them."""
    found = hashlib.sha256(_VERSION + b" %d %d\n" % (size, head))
    for position, length in _ranges(size, head):
        seek_to(stream, position)
        left = length
        while left:
            data = read_up_to(stream, min(left, _BLOCK))
            if not data:
                raise ReaderError(Fault.CHANGED, "The file was cut off while it was read.")
            found.update(data)
            left -= len(data)
    return "sha256:" + found.hexdigest()


def _ranges(size: int, head: int) -> list[tuple[int, int]]:
    """Positions and lengths, in bytes, of all that is hashed."""
    ranges = [(0, head)]
    body = size - head
    if body <= SAMPLE * SAMPLES:
        return [*ranges, (head, body)]
    return ranges + [(head + (body - SAMPLE) * number // (SAMPLES - 1), SAMPLE) for number in range(SAMPLES)]
