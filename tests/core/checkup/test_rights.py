"""What a user may do with a file, told from mode and access list, as the kernel decides it."""

from __future__ import annotations

from typing import Final

import pytest

from dxwatchd.core.checkup.rights import AclEntry, Permissions, Person, Tag, grant, rights_of, said

ANNA: Final = Person("anna", 1000, frozenset({1000, 50}))


def _acl(*entries: AclEntry, mask: int = 7) -> tuple[AclEntry, ...]:
    return (AclEntry(Tag.OWNER, 7), AclEntry(Tag.GROUP_OF_FILE, 4), *entries, AclEntry(Tag.MASK, mask))


@pytest.mark.parametrize(
    ("found", "rights"),
    [
        (Permissions(0o750, 1000, 1), 7),
        (Permissions(0o057, 1000, 50), 0),  # the owner is no other
        (Permissions(0o750, 1, 50), 5),
        (Permissions(0o705, 1, 50), 0),  # a member is no other
        (Permissions(0o705, 1, 1), 5),
        (Permissions(0o750, 1, 1, _acl(AclEntry(Tag.USER, 7, 1000))), 7),
        (Permissions(0o750, 1, 1, _acl(AclEntry(Tag.USER, 7, 1000), mask=5)), 5),
        (Permissions(0o757, 1, 1, _acl(AclEntry(Tag.USER, 0, 1000))), 0),
        (Permissions(0o750, 1, 1, _acl(AclEntry(Tag.GROUP, 6, 50))), 6),
        (Permissions(0o750, 1, 50, _acl(AclEntry(Tag.GROUP, 6, 50))), 6),
        (Permissions(0o770, 1, 50, _acl(mask=7)), 4),  # the mode's middle is the mask then
        (Permissions(0o755, 1, 1, _acl(AclEntry(Tag.USER, 0, 7))), 5),
    ],
)
def test_rights(found: Permissions, rights: int) -> None:
    """The first that speaks of the user decides: owner, a named user, groups, others."""
    assert rights_of(ANNA, found) == rights


def test_root_may_all_but_run_what_nobody_runs() -> None:
    """Whatever mode and owner are."""
    root = Person("root", 0)
    assert rights_of(root, Permissions(0, 1, 1)) == 7
    assert rights_of(root, Permissions(0o600, 1, 1, is_folder=False)) == 6
    assert rights_of(root, Permissions(0o100, 1, 1, is_folder=False)) == 7


def test_remedies_can_be_typed_as_they_are() -> None:
    """Also where a name has blanks."""
    assert grant(ANNA, 5, "/a b") == "setfacl -m u:anna:rx '/a b'"
    assert (said(4), said(5), said(7)) == ("read", "read or search", "read, write to or search")
