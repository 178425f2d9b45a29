"""The manifest is lost or changed as a whole, below passes over real folders: no card goes by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from tests.guarding import Guarded, entry, guarded

__all__ = ["guarded"]

NAMES = ("a", "b", "c", "d", "e", "f")
EVERY = [entry(name) for name in NAMES]
HEAD = "# mine\n"
WHOLE = HEAD + "".join(EVERY)

CONFIRMABLE: dict[str, Callable[[Path], object]] = {
    "only comments": lambda file: file.write_text("# nothing\n# yet\n"),
    "cut after the second entry": lambda file: file.write_text(HEAD + "".join(EVERY[:2])),
    "another one's": lambda file: file.write_text(entry("their", path="theirs")),
    "all rejected": lambda file: file.write_text(WHOLE.replace("approved", "rejected")),
    "all proposed": lambda file: file.write_text(WHOLE.replace("approved", "proposed")),
    "most rejected": lambda file: file.write_text(WHOLE.replace("approved", "rejected", 4)),
    "empty": lambda file: file.write_bytes(b""),
    "only blank lines": lambda file: file.write_text("\n \n\n"),
    "gone": lambda file: file.unlink(),
}
"""What a person may mean, so that a person's word lets the cards go."""

WRONG: dict[str, Callable[[Path], object]] = {
    "cut within a word": lambda file: file.write_text(WHOLE[: len(WHOLE) // 2]),
    "cut to half by a full disk": lambda file: file.write_bytes(
        WHOLE.encode()[: len(WHOLE) // 2] + b"\0" * 99
    ),
    "a merge conflict in it": lambda file: file.write_text("<<<<<<< HEAD\n" + WHOLE),
    "another format": lambda file: file.write_text('{"models": []}'),
    "not text": lambda file: file.write_bytes(b"\xff\xfe" + WHOLE.encode("utf-16-le")),
    "models of another kind": lambda file: file.write_text("models = 3\n"),
    "a folder in its place": lambda file: _instead(file, Path.mkdir),
    "a link to nothing in its place": lambda file: _instead(
        file, lambda path: path.symlink_to("nowhere.toml")
    ),
    "a key misspelt in every entry": lambda file: file.write_text(WHOLE.replace("path", "pth")),
    "a status misspelt in every entry": lambda file: file.write_text(WHOLE.replace("approved", "aproved")),
    "all of one name": lambda file: file.write_text(
        HEAD + "".join(entry(NAMES[0], path=name) for name in NAMES)
    ),
}
"""What nobody can mean: only mending helps."""


def _instead(file: Path, make: Callable[[Path], object]) -> None:
    file.unlink()
    make(file)


def _mend(file: Path) -> None:
    if file.is_dir():
        file.rmdir()
    elif file.is_symlink():
        file.unlink()
    file.write_text(WHOLE)


@pytest.mark.promise(8, "the manifest suddenly empty, gone, cut, replaced or changed in every entry")
@pytest.mark.parametrize("was_down", [False, True], ids=["seen", "while down"])
@pytest.mark.parametrize("fault", [*CONFIRMABLE, *WRONG])
def test_a_manifest_that_is_lost_withdraws_nothing(
    guarded: Guarded, fault: str, was_down: bool, tried: Callable[[int], None]
) -> None:
    """Told once, also after a restart; nothing happens to any card; mended, all is well without a word."""
    guarded.registered(NAMES)
    revisions = [event["id"] for event in guarded.events()]
    if was_down:
        guarded.restart()
    (CONFIRMABLE | WRONG)[fault](guarded.manifest)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            happened = guarded.settle()
            assert {event["event"] for event in happened} <= {"proposed"}
            assert guarded.availability() == dict.fromkeys(NAMES, "available")
            assert guarded.told()
            assert guarded.settle() == []
            guarded.restart()
    said = [log["reason"] for log in logs if log["event"] == "needs attention"]
    assert len(said) == 2 * len(set(said))  # once by each of two processes
    _mend(guarded.manifest)
    assert guarded.settle() == []
    assert guarded.told() == ""
    assert guarded.availability() == dict.fromkeys(NAMES, "available")
    assert [event["id"] for event in guarded.events() if event["event"] != "proposed"] == revisions
    tried(len(NAMES))


@pytest.mark.promise(8, "a person confirms that the entries are gone")
@pytest.mark.parametrize("fault", CONFIRMABLE)
def test_a_persons_word_lets_the_cards_go(guarded: Guarded, fault: str) -> None:
    """Exactly those without an approved entry, each with its event; the next loss is looked at anew."""
    guarded.registered(NAMES)
    CONFIRMABLE[fault](guarded.manifest)
    guarded.settle()
    assert "`dxwatchd scan --accept-removals`" in guarded.told()
    happened = guarded.settle(accept=True)
    text = guarded.manifest.read_text()
    approved = {name for name in NAMES if entry(name) in text}
    removed = {event["technical_name"] for event in happened if event["event"] == "removed"}
    assert removed == set(NAMES) - approved
    assert set(guarded.availability()) == approved
    (accepted,) = [event for event in happened if event["event"] == "removals_accepted"]
    assert set(accepted["removed"]) == removed
    assert accepted["missing"] == []
    assert guarded.held() == []


@pytest.mark.promise(8, "a person's word is asked for what nobody can mean")
@pytest.mark.parametrize("fault", WRONG)
def test_a_word_does_not_help_a_manifest_that_is_wrong(guarded: Guarded, fault: str) -> None:
    """What cannot be read, and a slip of the pen in every entry, cost nobody a card, confirmed or not."""
    guarded.registered(NAMES)
    WRONG[fault](guarded.manifest)
    guarded.settle()
    guarded.settle(accept=True)
    assert guarded.availability() == dict.fromkeys(NAMES, "available")
    _mend(guarded.manifest)
    guarded.settle()
    assert guarded.told() == ""


@pytest.mark.promise(8, "entries put back one by one after the manifest was cut")
def test_entries_may_be_put_back_one_by_one(guarded: Guarded, tried: Callable[[int], None]) -> None:
    """The last half does not go as soon as the first half is back, also over restarts."""
    guarded.registered(NAMES)
    for back in range(len(NAMES)):
        guarded.write(EVERY[:back])
        assert [one["event"] for one in guarded.settle() if one["event"] != "proposed"] == []
        assert guarded.availability() == dict.fromkeys(NAMES, "available")
        assert guarded.held() == ["held_back"]
        guarded.restart()
        there = guarded.manifest.read_text()
        assert all(block in there for block in EVERY[:back])
    guarded.write(EVERY)
    assert guarded.settle() == []
    assert guarded.told() == ""
    guarded.write(EVERY[1:])
    assert "removed" in [event["event"] for event in guarded.settle()]  # one by a person's will
    tried(len(NAMES))


@pytest.mark.promise(8, "every entry's path changed to places that do not exist")
def test_changed_paths_lead_no_card_away(guarded: Guarded) -> None:
    """The folders are where they were, and so are the cards; each entry says where its folder is."""
    guarded.registered(NAMES)
    guarded.write([entry(name, path=f"nowhere/{name}") for name in NAMES])
    assert {event["event"] for event in guarded.settle()} == {"moved"}
    assert guarded.availability() == dict.fromkeys(NAMES, "available")
    for folder in guarded.status()["folders"]:
        assert folder["path"] in NAMES
        assert f"the folder is now {folder['path']}" in folder["reasons"][0]["told"]
    guarded.write(EVERY)
    assert {event["event"] for event in guarded.settle()} == {"moved"}
    assert guarded.availability() == dict.fromkeys(NAMES, "available")
    assert all(folder["reasons"] == [] for folder in guarded.status()["folders"])


@pytest.mark.promise(8, "every entry's path changed, and the folders gone as well")
def test_changed_paths_and_lost_folders_are_held(guarded: Guarded) -> None:
    """Both at once, as where a root was renamed and the manifest edited after it."""
    guarded.registered(NAMES)
    guarded.write([entry(name, path=f"nowhere/{name}") for name in NAMES])
    guarded.empty(guarded.models)
    guarded.settle()
    assert guarded.held() == ["root_doubted"]
    assert guarded.availability() == dict.fromkeys(NAMES, "missing")


@pytest.mark.promise(8, "manifest and models root lost together")
def test_both_lost_at_once(guarded: Guarded) -> None:
    """Each is told with its own remedy; one word confirms both."""
    guarded.registered(NAMES)
    guarded.empty(guarded.models)
    guarded.write([])
    guarded.settle()
    assert guarded.held() == ["root_doubted", "held_back"]
    assert guarded.availability() == dict.fromkeys(NAMES, "missing")
    happened = guarded.settle(accept=True)
    assert guarded.held() == []
    assert guarded.availability() == {}
    assert sorted(one["event"] for one in happened) == ["removals_accepted"] + ["removed"] * len(NAMES)
