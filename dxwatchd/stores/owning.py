"""Whether those who could use a file still can once another one, made by somebody else, lies in its place."""

from __future__ import annotations

import os
import pwd
import struct

from dxwatchd.core.text import printable
from dxwatchd.stores.manifest_file import ManifestError

_ACL = "system.posix_acl_access"
_ACL_USER, _ACL_MASK = 0x02, 0x10  # linux/posix_acl.h


def insist_on_rights(descriptor: int, before: os.stat_result) -> None:
    """Raise ManifestError where the file of `before` would be taken from its owner or its group.

    Only root may give a file away. One made by a member of the group becomes theirs, which is fine as long as
    the owner before, most often the daemon's user, can read and write it as ever.
    """
    now = os.fstat(descriptor)
    needed = (before.st_mode >> 6) & 6
    if now.st_gid != before.st_gid:
        raise ManifestError(
            f"its group {before.st_gid} would lose it", "run this as root or as a member of that group"
        )
    if now.st_uid != before.st_uid and needed & ~_rights_of(before.st_uid, descriptor, now):
        owner = _name(before.st_uid)
        raise ManifestError(
            f"its owner {owner} could not use it any more",
            f"run this as {owner} or as root; or let them keep it by `setfacl -m u:{before.st_uid}:rw`",
        )


def _rights_of(user: int, descriptor: int, found: os.stat_result) -> int:
    """What a user who does not own the file may do with it: 4 to read, 2 to write."""
    named = _named_in_list(user, descriptor)
    if named is not None:
        return named
    return (found.st_mode >> 3 if _is_member(user, found.st_gid) else found.st_mode) & 6


def _named_in_list(user: int, descriptor: int) -> int | None:
    """What the access list says of this very user; None where it names them not."""
    try:
        entries = list(struct.iter_unpack("<HHI", os.getxattr(descriptor, _ACL)[4:]))
    except (OSError, struct.error):
        return None
    mask = next((rights for tag, rights, _ in entries if tag == _ACL_MASK), 7)
    return next((rights & mask for tag, rights, who in entries if tag == _ACL_USER and who == user), None)


def _is_member(user: int, group: int) -> bool:
    try:
        found = pwd.getpwuid(user)
    except KeyError:
        return False
    return group in os.getgrouplist(found.pw_name, found.pw_gid)


def _name(user: int) -> str:
    try:
        return printable(pwd.getpwuid(user).pw_name, 80)
    except KeyError:
        return f"user {user}"
