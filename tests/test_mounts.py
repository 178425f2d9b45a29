"""Which file systems tell every change, by the kernel's list of mounts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dxwatchd import mounts
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


@pytest.mark.promise(2, "mount points of hostile names: ends of lines, blanks, backslashes, bytes")
@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("/srv/a\\012b", "/srv/a\nb"),
        ("/srv/a\rb", "/srv/a\rb"),  # not escaped by the kernel
        ("/srv/a\x0b\x0c\x1c\x85\u2028b", "/srv/a\x0b\x0c\x1c\x85\u2028b"),
        ("/srv/a\\040\\011b\\134040", "/srv/a \tb\\040"),
        ("/srv/a\udcffb", "/srv/a\udcffb"),
        ("/srv/-", "/srv/-"),
    ],
)
def test_hostile_mount_points_are_told_as_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str, path: str
) -> None:
    """A mount whose events cannot be relied on is not overlooked for its name."""
    listed = tmp_path / "mountinfo"
    listed.write_bytes(os.fsencode(f"{TEXT}40 22 0:40 / {field} rw shared:9 - fuse.sshfs host:\r- rw\n"))
    monkeypatch.setattr(mounts, "MOUNTINFO", listed)
    mount = mount_of(f"{path}/m", read_mounts())
    assert mount is not None
    assert (mount.point, mount.kind, mount.is_local) == (path, "fuse.sshfs", False)


@pytest.mark.promise(2, "a real mount at a name with a newline, a carriage return and spaces")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_real_mount_of_a_hostile_name_is_found(tmp_path: Path) -> None:
    """As the running kernel tells it."""
    point = tmp_path / "a\nb\rc d\\040#\t"
    point.mkdir()
    words = ["mount", "-t", "tmpfs", "tmpfs", str(point)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not mount")
    try:
        mount = mount_of(f"{point}/m", read_mounts())
    finally:
        subprocess.run(["umount", str(point)], check=True)
    assert mount is not None
    assert (mount.point, mount.kind) == (str(point), "tmpfs")


def test_ten_thousand_mounts_are_read_anew_only_when_they_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each pass asks twice; the list is taken apart once."""
    listed = tmp_path / "mountinfo"
    lines = [f"{n} 22 0:{n} / /srv/{n} rw shared:{n} - nfs4 server:/{n} rw\n" for n in range(40, 10_040)]
    listed.write_text(TEXT + "".join(lines))
    monkeypatch.setattr(mounts, "MOUNTINFO", listed)
    first = read_mounts()
    assert len(first) == 10_006
    assert read_mounts() is first
    listed.write_text(TEXT)
    assert len(read_mounts()) == 6
