"""Which file systems send events for every change: told by their kind, from the kernel's list of mounts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

LOCAL_KINDS = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "reiserfs", "nilfs2"}
    | {"tmpfs", "ramfs", "vfat", "exfat", "ntfs3", "iso9660", "udf", "squashfs", "erofs"}
)
"""Kinds whose every change goes through this kernel. Any other counts as remote: NFS, SMB, FUSE, overlay."""

MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount.

    identity: the kernel's number for it, another one after every new mount; point: where it is; kind: of its
    file system.
    """

    identity: int
    point: str
    kind: str

    @property
    def is_local(self) -> bool:
        """Whether events can be relied on."""
        return self.kind in LOCAL_KINDS

    def holds(self, path: str) -> bool:
        """Whether an absolute path without links lies at or below the mount's point."""
        return path == self.point or path.startswith(self.point.rstrip("/") + "/")


@lru_cache(maxsize=1)  # each pass asks, the list seldom changes, and may have thousands of lines
def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """The mounts in the text of `/proc/PID/mountinfo` (proc(5)); lines of another shape are left out.

    Newlines in names are escaped there, carriage returns are not: those end no line.
    """
    mounts = []
    for line in text.split("\n"):
        fields = line.split(" ")
        if "-" not in fields[6:-1] or not fields[0].isdigit():
            continue
        kind = fields[fields.index("-", 6) + 1]
        mounts.append(Mount(int(fields[0]), _unescaped(fields[4]), kind))
    return tuple(mounts)


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def mount_of(path: str, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that an absolute path without links lies on: the longest point, the latest of equals."""
    best: Mount | None = None
    for mount in mounts:
        if mount.holds(path) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def read_mounts() -> tuple[Mount, ...]:
    """The mounts of this process now; none where the kernel does not tell."""
    try:
        return parse_mountinfo(os.fsdecode(MOUNTINFO.read_bytes()))
    except OSError:
        return ()
