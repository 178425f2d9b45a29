"""Which file systems tell every change, by the kernel's list of mounts."""

from __future__ import annotations

import pytest

from dxwatchd.mounts import LOCAL_KINDS, mount_of, parse_mountinfo, read_mounts

TEXT = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /srv/models rw - nfs4 server:/models rw
31 30 0:26 / /srv/models/fast rw master:2 - xfs /dev/sdb rw
32 22 0:27 / /srv/with\\040space rw - fuse.sshfs host: rw
33 22 0:28 / /srv/over rw - tmpfs tmpfs rw
34 22 0:29 / /srv/over rw - overlay overlay rw
not a mount
35 22 0:30
"""


@pytest.mark.parametrize(
    ("path", "kind", "local"),
    [
        ("/", "ext4", True),
        ("/srv", "ext4", True),
        ("/srv/models", "nfs4", False),
        ("/srv/models/Qwen/Qwen3-8B", "nfs4", False),
        ("/srv/models/fast/m", "xfs", True),
        ("/srv/models-too", "ext4", True),
        ("/srv/with space/m", "fuse.sshfs", False),
        ("/srv/over/m", "overlay", False),  # the later of two mounts on one point
    ],
)
def test_the_longest_mount_point_counts(path: str, kind: str, local: bool) -> None:
    """Nested mounts have kinds of their own; what is not known to be local is remote."""
    mount = mount_of(path, parse_mountinfo(TEXT))
    assert mount is not None
    assert (mount.kind, mount.is_local) == (kind, local)


def test_lines_of_another_shape_are_left_out() -> None:
    """A kernel of tomorrow may say more."""
    assert len(parse_mountinfo(TEXT)) == 6
    assert parse_mountinfo("") == ()


def test_without_a_list_nothing_is_known() -> None:
    """No mounts, no kind."""
    assert mount_of("/srv", ()) is None


def test_the_running_kernel_tells_its_mounts() -> None:
    """There is one of the root, and its identity is the kernel's number."""
    mount = mount_of("/", read_mounts())
    assert mount is not None
    assert mount.point == "/"
    assert mount.identity > 0


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "fuse", "9p", "overlay", "virtiofs"]
)
def test_kinds_that_others_write_to_are_never_local(kind: str) -> None:
    """Their changes may send no event."""
    assert kind not in LOCAL_KINDS
