"""`dxwatchd doctor` as people type it, on a machine where things are as they should be and where not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Place


def _told(place: Place, code: int = 0) -> dict[str, list[tuple[str, str]]]:
    """What is found, by what it is about: grade and words."""
    found: dict[str, list[tuple[str, str]]] = {}
    answer: dict[str, Any] = place.json("doctor", code=code)
    for one in answer["findings"]:
        found.setdefault(one["about"], []).append((one["grade"], one["found"]))
    return found


@pytest.mark.usefixtures("without_digests")
def test_all_is_well_before_and_after_the_start(place: Place) -> None:
    """Nothing is there yet, then a daemon runs, then its status is gone: exit code 0 each time."""
    told = _told(place)
    assert ("well", f"{place.state} is not there yet; the first start makes it") in told["state directory"]
    assert ("well", f"{place.manifest} is not there yet; the first pass makes it") in told["manifest"]
    assert ("worth a look", f"no daemon runs on {place.state}") in told["daemon"]
    place.start()
    assert place.process is not None
    (daemon,) = _told(place)["daemon"]
    assert daemon[0] == "well"
    assert f"process {place.process.pid}; its last pass ended 2" in daemon[1]
    place.options["manifest"] = place.folder / "other.toml"
    assert f"its manifest is {place.manifest}, and" in _told(place)["daemon"][1][1]
    del place.options["manifest"]
    (place.state / "status.json").unlink()
    assert _told(place)["daemon"][0][0] == "well"


def test_every_problem_is_told_and_none_stops_the_others(place: Place) -> None:
    """A root that is a file, a manifest with mistakes, a setting that is none: all at once, exit code 1."""
    place.models.rmdir()
    place.models.touch()
    place.state.mkdir()
    place.manifest.write_text('[[models]]\nstatus = "aproved"\n')
    place.options["quiet_period"] = -1
    told = _told(place, code=1)
    assert any("quiet_period = '-1'" in text for grade, text in told["settings"] if grade == "wrong")
    assert ("wrong", f"{place.models} is a file, not a folder") in told["models root"]
    assert ("wrong", 'line 2, column 10: status "aproved" is not known') in told["manifest"]
    said = place.run("doctor", code=1)
    assert 'wrong         line 2, column 10: status "aproved" is not known' in said
    assert '→ did you mean "approved"?' in said


def test_a_state_directory_that_is_a_file_is_told(place: Place) -> None:
    """With what to do."""
    place.state.touch()
    said = place.run("doctor", code=1)
    assert f"{place.state} is a file, not a folder" in said
    assert "move that away" in said


def test_settings_that_hide_where_things_are_stop_only_what_needs_them(place: Place) -> None:
    """A config file that is no TOML: the rest is looked at; an option that is wrong is wrong usage."""
    config = place.folder / "config" / "dxwatchd.toml"
    config.parent.mkdir()
    config.write_text("models_root = \n")
    told = _told(place, code=1)
    assert [grade for grade, _ in told["settings"]] == ["wrong", "not checked"]
    assert "models root" not in told
    assert {"limits", "clock", "service"} <= told.keys()
    config.unlink()
    assert "option --quiet-period" in place.run("doctor", "--quiet-period", "often", code=2)


def test_names_cannot_fool_a_terminal(place: Place) -> None:
    """Control characters in a path are shown as what they are."""
    place.models = place.folder / "m\x1b[31m\nwell"
    said = place.run("doctor", code=1)
    assert "\x1b" not in said
    assert "m\\x1b[31m\\x0awell" in said
