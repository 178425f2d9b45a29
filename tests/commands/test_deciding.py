"""Which entry a command changes: the one that was named, whatever else is in the file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.commands import deciding
from dxwatchd.commands.deciding import NewNames
from dxwatchd.settings import Settings
from dxwatchd.stores import manifest_edit
from tests.e2e.test_names import tiny_model


def entry(status: str, technical_name: str, path: str, more: str = "") -> str:
    """One block."""
    return (
        f'[[models]]\nstatus = "{status}"\ntechnical_name = "{technical_name}"\nmodel_name = "{path}"\n'
        f'path = "{path}"\n{more}\n'
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Folders One and Two with a model each, and a manifest to be written."""
    made = Settings(models_root=tmp_path / "models", state_dir=tmp_path / "state")
    made.state_dir.mkdir()
    for number, name in enumerate(("One", "Two")):
        tiny_model(made.models_root / name, number)
    return made


def tables(settings: Settings) -> list[dict[str, Any]]:
    """The entries as they are now."""
    found: list[dict[str, Any]] = tomllib.loads(settings.manifest.read_text()).get("models", [])
    return found


TAKEN = entry("approved", "a", "One") + entry("proposed", "a", "Two")


@pytest.mark.promise(4, "a command for an entry whose name another one has too")
def test_what_is_named_by_its_path_is_what_changes(settings: Settings) -> None:
    """Two entries have one technical name, as after a wrong edit: the one of the path, and only that."""
    settings.manifest.write_text(TAKEN)
    first = tables(settings)[0]
    assert deciding.approve(settings, "Two", NewNames()) == 0
    assert [one["status"] for one in tables(settings)] == ["approved", "approved"]
    assert deciding.reject(settings, "Two") == 0
    assert tables(settings)[1]["status"] == "rejected"
    assert deciding.rename(settings, "Two", NewNames(technical_name="b")) == 0
    assert [one["technical_name"] for one in tables(settings)] == ["a", "b"]
    assert tables(settings)[0] == first
    settings.manifest.write_text(TAKEN)
    assert deciding.remove(settings, "Two") == 0
    assert tables(settings) == [first]


def test_the_usable_one_of_two_pasted_is_what_changes(settings: Settings) -> None:
    """The first one's status is misspelt, so the second is the entry: that one is approved."""
    settings.manifest.write_text(entry("aproved", "a", "One") + entry("proposed", "a", "One"))
    assert deciding.approve(settings, "a", NewNames()) == 0
    assert [one["status"] for one in tables(settings)] == ["aproved", "approved"]


def test_an_entry_pasted_twice_is_removed_with_its_copy(settings: Settings) -> None:
    """Else it would be there still, which is not what removing means."""
    settings.manifest.write_text(2 * entry("approved", "a", "One") + entry("approved", "b", "Two"))
    assert deciding.remove(settings, "a") == 0
    assert [one["technical_name"] for one in tables(settings)] == ["b"]


@pytest.mark.promise(4, "tidy beside an approved entry of the same name")
def test_tidy_takes_proposals_only(settings: Settings) -> None:
    """An approved entry whose name a proposal without a folder has too stays."""
    settings.manifest.write_text(entry("approved", "a", "One") + entry("proposed", "a", "gone"))
    assert deciding.tidy(settings) == 0
    assert [one["path"] for one in tables(settings)] == ["One"]


@pytest.mark.promise(4, "a proposal approved while a command tidies")
def test_what_is_approved_while_tidy_looks_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The decision was made between the look and the change: it counts, and only the other one is told."""
    settings.manifest.write_text(entry("proposed", "a", "gone") + entry("proposed", "b", "gone too"))

    def saved_before(*arguments: Any) -> None:
        text = settings.manifest.read_text()
        settings.manifest.write_text(text.replace('"proposed"', '"approved"', 1))
        manifest_edit.edit(*arguments)

    monkeypatch.setattr(deciding, "edit", saved_before)
    assert deciding.tidy(settings) == 0
    assert [one["technical_name"] for one in tables(settings)] == ["a"]
    assert "removed b\n" in capsys.readouterr().out


@pytest.mark.promise(7, "a command beside entries of every wrong type")
@pytest.mark.parametrize("wrong", ['["x"]', "1", "{x = 1}", "[[1]]", "2026-11-23", "nan"])
def test_a_wrong_entry_hinders_no_command_for_another(settings: Settings, wrong: str) -> None:
    """Whatever its names and path are."""
    broken = f"[[models]]\nstatus = {wrong}\ntechnical_name = {wrong}\nmodel_name = {wrong}\npath = {wrong}\n"
    settings.manifest.write_text(
        broken + entry("proposed", "a", "One") + broken + entry("proposed", "b", "gone")
    )
    assert deciding.approve(settings, "a", NewNames()) == 0
    assert deciding.rename(settings, "a", NewNames(technical_name="c")) == 0
    assert deciding.tidy(settings) == 0
    assert deciding.remove(settings, "c") == 0
    assert len(tables(settings)) == 2
    assert settings.manifest.read_text().count(broken) == 2
