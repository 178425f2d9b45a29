"""A disk that remembers every write and every flush, so that a power cut can be tried at each of them.

    python -m tests.faults.recording_disk IMAGE MOUNT SOCKET RECORD

Shows the image as the one file `disk`, for a loop device. RECORD gets what is written to it: for each write a
line `{"at": OFFSET, "size": BYTES}` followed by these bytes, for each flush a line `{"flush": true}`. A line
to the socket is answered with the number of lines so far.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any

os.environ["FUSE_LIBRARY_NAME"] = "fuse3"  # else it takes the second version where that is there too
import errno

import mfusepy

from tests.faults.faulty_fs import listen


class Recording(mfusepy.Operations):  # type: ignore[misc]  # the package has no types
    """One file in memory, and the record of what happened to it."""

    use_ns = True

    def __init__(self, image: bytes, record: Path) -> None:
        self._data = bytearray(image)
        self._record = record.open("wb")
        self._lock = threading.Lock()
        self.count = 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        if path == "/disk":
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": len(self._data)}
        raise mfusepy.FuseOSError(errno.ENOENT)

    def readdir(self, path: str, fh: int) -> list[str]:
        return ["disk"]

    def open(self, path: str, flags: int) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        with self._lock:
            return bytes(self._data[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self._lock:
            self._data[offset : offset + len(data)] = data
            self._note({"at": offset, "size": len(data)}, data)
        return len(data)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        with self._lock:
            self._note({"flush": True}, b"")
        return 0

    def _note(self, line: dict[str, object], data: bytes) -> None:
        self._record.write(json.dumps(line).encode() + b"\n" + data)
        self._record.flush()
        self.count += 1


def main(image: str, mount: str, address: str, record: str) -> None:
    disk = Recording(Path(image).read_bytes(), Path(record))
    listen(address, lambda _: json.dumps([disk.count]).encode())
    mfusepy.FUSE(disk, mount, foreground=True, fsname="recording", direct_io=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
