"""Commands before the first pass: what is not there yet is not called lost."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from dxwatchd.commands import checking, deciding
from dxwatchd.commands.deciding import NewNames
from dxwatchd.commands.output import CommandError
from dxwatchd.settings import Settings
from dxwatchd.troubles import describe


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty models root, and no state directory."""
    (tmp_path / "models").mkdir()
    return Settings(models_root=tmp_path / "models", state_dir=tmp_path / "state")


def test_check_says_that_the_first_pass_makes_the_manifest(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is wrong before the first pass, in words and in JSON."""
    assert checking.check(settings, as_json=False) == 0
    assert "there is no manifest" in (said := capsys.readouterr().out)
    assert "the first pass makes it" in said
    assert "bring it back" not in said
    assert checking.check(settings, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


def test_approve_says_that_the_first_pass_makes_the_manifest(settings: Settings) -> None:
    """A person who is faster than the daemon is told what to do."""
    with pytest.raises(CommandError, match=r"there is no manifest .* yet") as caught:
        deciding.approve(settings, None, NewNames())
    assert "dxwatchd scan" in caught.value.remedy


def test_a_manifest_beside_cards_is_lost_and_not_awaited(settings: Settings) -> None:
    """Where a card is published there was one: it is to be brought back."""
    cards = settings.state_dir / "cards"
    cards.mkdir(parents=True)
    (cards / "index.json").write_text("{}")
    assert checking.examine(settings).awaited  # an index alone is of no model
    (cards / "a.json").write_text("{}")
    checked = checking.examine(settings)
    assert not checked.awaited
    assert "bring it back" in checked.problems[0].remedy
    with pytest.raises(CommandError, match="the file is gone"):
        deciding.approve(settings, None, NewNames())


def test_a_link_that_leads_nowhere_is_not_awaited(settings: Settings) -> None:
    """Somebody put it there, so what it leads to is missing."""
    settings.state_dir.mkdir()
    settings.manifest.symlink_to(settings.state_dir / "elsewhere.toml")
    assert "is a link to" in checking.examine(settings).problems[0].message


@pytest.mark.parametrize("below", ["", "cards/a.json"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, below: str) -> None:
    """Not only "File exists" or "Not a directory": which one is the file, and what to do."""
    state = tmp_path / "state"
    state.write_text("")
    number = errno.ENOTDIR if below else errno.EEXIST
    told = describe(OSError(number, "in the kernel's words", str(state / below)), state)
    assert told == f"{state} is a file where a folder belongs; move it away, or name another folder"
