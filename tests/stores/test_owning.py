"""Who changes the manifest of another user takes it from nobody."""

from __future__ import annotations

import os
import pwd
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dxwatchd.core.proposals import HEADER
from dxwatchd.stores.manifest_edit import edit
from dxwatchd.stores.manifest_file import ManifestError
from tests.stores.test_manifest_file import block
from tests.stores.test_manifest_forms import approve

APPROVER, STRANGER, GROUP = 61_234, 61_235, 61_236
"""Users and a group that no machine has."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@contextmanager
def approver(*groups: int) -> Iterator[None]:
    """Go on as a person who is in these groups."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(APPROVER)
    os.seteuid(APPROVER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


@pytest.fixture
def manifest() -> Iterator[Path]:
    """A manifest in a folder that everybody may write to."""
    folder = Path(tempfile.mkdtemp(prefix="dxwatchd-test-"))
    folder.chmod(0o777)
    path = folder / "manifest.toml"
    path.write_text(HEADER + block("a"))
    yield path
    shutil.rmtree(folder)


def give(path: Path, user: int, group: int, mode: int) -> None:
    """Set owner and mode."""
    os.chown(path, user, group)
    path.chmod(mode)


def somebody() -> pwd.struct_passwd:
    """A user whom this machine knows: their own group is one that they are in."""
    return next(one for one in pwd.getpwall() if one.pw_uid and one.pw_gid)


@pytest.mark.promise(4, "a manifest of the daemon's user that a member of the group approves in")
def test_a_member_of_the_owners_group_may_change_it(manifest: Path) -> None:
    """The file becomes theirs, since only root may give files away; the owner before can write as ever."""
    owner = somebody()
    give(manifest, owner.pw_uid, owner.pw_gid, 0o664)
    with approver(owner.pw_gid):
        edit(manifest, approve)
    found = manifest.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (APPROVER, owner.pw_gid, 0o664)
    assert "approved" in manifest.read_text()


def test_an_owner_named_in_the_access_list_keeps_it(manifest: Path) -> None:
    """The list goes along, and with it the right."""
    give(manifest, STRANGER, GROUP, 0o660)
    rights = [(0x01, 6, 2**32 - 1), (0x02, 6, STRANGER), (0x04, 6, 2**32 - 1), (0x10, 6, 2**32 - 1)]
    packed = b"".join(struct.pack("<HHI", *one) for one in (*rights, (0x20, 0, 2**32 - 1)))
    try:
        os.setxattr(manifest, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except OSError as error:
        pytest.skip(f"this file system keeps no access lists: {error}")
    with approver(GROUP):
        edit(manifest, approve)
    assert manifest.stat().st_uid == APPROVER
    assert "approved" in manifest.read_text()


@pytest.mark.promise(4, "a change after which the daemon's user could not write to the manifest any more")
@pytest.mark.parametrize(
    ("group", "mode", "groups"),
    [(GROUP, 0o664, (GROUP,)), (GROUP, 0o640, (GROUP,)), (GROUP, 0o644, ()), (GROUP, 0o666, ())],
)
def test_what_would_be_taken_from_its_owner_is_left_alone(
    manifest: Path, group: int, mode: int, groups: tuple[int, ...]
) -> None:
    """The owner is not in the group, or the group or the right to write would be lost: it is refused."""
    give(manifest, STRANGER, group, mode)
    before = manifest.read_bytes(), manifest.stat()
    with approver(*groups), pytest.raises((ManifestError, PermissionError)):
        edit(manifest, approve)
    assert (manifest.read_bytes(), manifest.stat()) == before
    assert [one.name for one in manifest.parent.iterdir()] == ["manifest.toml"]
