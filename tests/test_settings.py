"""The settings: their sources, their strength, and all that can be wrong with them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dxwatchd import setting_sources
from dxwatchd.settings import SettingProblem, Settings, SettingsError, load
from tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def _no_system_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setting_sources, "SYSTEM_CONFIG", tmp_path / "etc" / "dxwatchd.toml")


def write_config(folder: Path, text: str) -> Path:
    """Write config/dxwatchd.toml below the folder."""
    path = folder / "config" / "dxwatchd.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(
    cwd: Path,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> tuple[SettingProblem, ...]:
    """Load what cannot be loaded."""
    with pytest.raises(SettingsError) as raised:
        load(overrides or {}, config=config, environ=environ or {}, cwd=cwd)
    return raised.value.problems


def test_defaults(tmp_path: Path) -> None:
    """With nothing set, models and state are folders of the working directory."""
    settings = load({}, config=None, environ={}, cwd=tmp_path)
    assert settings.models_root == tmp_path / "models"
    assert settings.state_dir == tmp_path / "state"
    assert settings.manifest == tmp_path / "state" / "manifest.toml"
    assert (settings.quiet_period, settings.remote_quiet_period, settings.rescan_interval) == (5, 60, 60)
    assert settings.ignore == ()
    assert set(settings.origins.values()) == {"default"}
    assert set(settings.origins) == set(Settings.model_fields)


def test_each_source_is_stronger_than_the_one_before(tmp_path: Path) -> None:
    """File over defaults, environment over file, command line over all; origins say which one counted."""
    write_config(tmp_path, "quiet_period = 1\nremote_quiet_period = 1\n\nrescan_interval = 1\n")
    environ = {"DXWATCHD_REMOTE_QUIET_PERIOD": "2", "DXWATCHD_RESCAN_INTERVAL": "2"}
    settings = load({"rescan_interval": 3.0, "log_level": None}, config=None, environ=environ, cwd=tmp_path)
    assert (settings.quiet_period, settings.remote_quiet_period, settings.rescan_interval) == (1, 2, 3)
    assert settings.origins["quiet_period"] == "config/dxwatchd.toml line 1"
    assert settings.origins["remote_quiet_period"] == "environment variable DXWATCHD_REMOTE_QUIET_PERIOD"
    assert settings.origins["rescan_interval"] == "option --rescan-interval"
    assert settings.origins["log_level"] == "default"


def test_the_config_file_that_counts(tmp_path: Path) -> None:
    """The option's file counts, else the variable's, else the one in place, else the system's; never two."""
    named = tmp_path / "named.toml"
    named.write_text("quiet_period = 1")
    by_variable = tmp_path / "variable.toml"
    by_variable.write_text("quiet_period = 2")
    local = write_config(tmp_path, "quiet_period = 3")
    setting_sources.SYSTEM_CONFIG.parent.mkdir()
    setting_sources.SYSTEM_CONFIG.write_text("quiet_period = 4")
    environ = {"DXWATCHD_CONFIG": "variable.toml"}

    def quiet(config: Path | None, environ: Mapping[str, str]) -> float:
        return load({}, config=config, environ=environ, cwd=tmp_path).quiet_period

    assert quiet(named, environ) == 1
    assert quiet(None, environ) == 2
    assert quiet(None, {}) == 3
    local.unlink()
    assert quiet(None, {}) == 4


def test_paths_count_from_the_working_directory(tmp_path: Path) -> None:
    """A path is relative to the working directory wherever it is set; ~ is the home of the environment."""
    write_config(tmp_path, 'models_root = "a/../m"')
    environ = {"DXWATCHD_STATE_DIR": "~/s", "HOME": "/home/somebody", "DXWATCHD_TEST_CORPUS": "x"}
    settings = load({"manifest": Path("list.toml")}, config=None, environ=environ, cwd=tmp_path)
    assert settings.models_root == tmp_path / "m"
    assert settings.state_dir == Path("/home/somebody/s")
    assert settings.manifest == tmp_path / "list.toml"


def test_lists_and_switches_in_the_environment(tmp_path: Path) -> None:
    """A list is separated by commas, a switch is a word."""
    environ = {"DXWATCHD_IGNORE": "*.bak, tmp-*,", "DXWATCHD_PROPOSE_CHECKPOINTS": "yes"}
    settings = load({}, config=None, environ=environ, cwd=tmp_path)
    assert settings.ignore == ("*.bak", "tmp-*")
    assert settings.propose_checkpoints is True
    assert load({}, config=None, environ={"DXWATCHD_IGNORE": ""}, cwd=tmp_path).ignore == ()


def test_all_problems_of_all_sources_at_once(tmp_path: Path) -> None:
    """A person learns everything that is wrong in one go, with name, value, place and remedy."""
    write_config(
        tmp_path, '# mine\nquiet_perid = 3\nrescan_interval = "60"\nlog_format = "xml"\nignore = ["a/b"]'
    )
    environ = {"DXWATCHD_QUIET_PERIOD": "-1", "DXWATCHD_LOGLEVEL": "info", "DXWATCHD_MANIFEST": ""}
    found = problems_of(tmp_path, {"log_level": "loud", "state_dir": "models/s", "colour": "red"}, environ)
    assert [(problem.name, problem.value, problem.origin) for problem in found] == [
        ("quiet_perid", 3, "config/dxwatchd.toml line 2"),
        ("rescan_interval", "60", "config/dxwatchd.toml line 3"),
        ("ignore", "a/b", "config/dxwatchd.toml line 5"),
        ("log_format", "xml", "config/dxwatchd.toml line 4"),
        ("DXWATCHD_LOGLEVEL", "info", "environment variable DXWATCHD_LOGLEVEL"),
        ("manifest", "", "environment variable DXWATCHD_MANIFEST"),
        ("quiet_period", "-1", "environment variable DXWATCHD_QUIET_PERIOD"),
        ("colour", "red", "option --colour"),
        ("log_level", "loud", "option --log-level"),
        ("state_dir", str(tmp_path / "models" / "s"), "option --state-dir"),
    ]
    assert all(problem.message and problem.remedy for problem in found)
    assert found[0].remedy == "did you mean quiet_period?"
    assert found[4].remedy == "did you mean DXWATCHD_LOG_LEVEL?"
    assert "auto, console or json" in found[3].remedy


def test_a_problem_reads_as_one_line(tmp_path: Path) -> None:
    """A problem is a sentence with all there is to know."""
    write_config(tmp_path, "\nquiet_period = 90_000")
    (problem,) = problems_of(tmp_path)
    assert str(problem) == (
        "quiet_period = 90000 (config/dxwatchd.toml line 2): should be less than or equal to 86400; "
        "give seconds, from 0 to 86400, without quotes in the file"
    )


def test_an_overridden_wrong_value_is_still_named(tmp_path: Path) -> None:
    """What is wrong in the file is wrong, though the environment has a better value."""
    write_config(tmp_path, "quiet_period = -1")
    (problem,) = problems_of(tmp_path, {"quiet_period": 3}, {"DXWATCHD_QUIET_PERIOD": "2"})
    assert problem.origin == "config/dxwatchd.toml line 1"


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("quiet_period = true", "is a switch"),
        ("quiet_period = nan", "finite"),
        ("quiet_period = inf", "finite"),
        (f"quiet_period = 1{'0' * 400}", "should be"),
        ("quiet_period = 2026-11-23", "date"),
        ("rescan_interval = 0", "greater than"),
        ("rescan_interval = 0.05", "greater than"),
        ("ignore = '*.bak'", "is text"),
        ("ignore = [1]", "should be a valid string"),
        ("ignore = ['**']", "nothing to look at"),
        ("ignore = ['']", "at least 1 character"),
        ("propose_checkpoints = 1", "is a number"),
        ("propose_checkpoints = 'yes'", "is text"),
        ("digests = 'on'", "should be"),
        ("digests = true", "is a switch"),
        ("models_root = ''", "is empty"),
        ("models_root = ' '", "is empty"),
        ('models_root = "a\\u0000b"', "zero byte"),
        ("models_root = '~nobody-of-that-name/x'", "home"),
        ("models_root = ['a']", "is a list"),
        ("log_level = 'INFO'", "should be"),
        ("[quiet_period]", "is a table"),
        ("log_level.x = 1", "is a table"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, line: str, part: str) -> None:
    """Wrong types, ranges and words are refused, with their line."""
    write_config(tmp_path, f"\n{line}\n")
    (problem,) = problems_of(tmp_path)
    assert problem.origin == "config/dxwatchd.toml line 2"
    assert part in problem.message


def test_a_broken_file_does_not_hide_other_problems(tmp_path: Path) -> None:
    """Where the file is no TOML its line is named, and the other sources are checked all the same."""
    write_config(tmp_path, "quiet_period = 3\nrescan_interval = = 4\n")
    syntax, other = problems_of(tmp_path, {}, {"DXWATCHD_QUIET_PERIOD": "soon"})
    assert (syntax.name, syntax.origin) == ("config", "config/dxwatchd.toml line 2")
    assert "TOML" in syntax.message
    assert other.name == "quiet_period"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"quiet_period = 1\nquiet_period = 2\n", "TOML"),
        (b"\n\n'caf\xe9' = 1", "UTF-8"),
        (b"x = " + b"[" * 100_000, "TOML"),
        (b"x = " + b"9" * 10_000, "TOML"),
        (b"#" * (setting_sources.CONFIG_LIMIT + 1), "larger"),
        (b"quiet_period = 1\n[", "TOML"),
    ],
)
def test_files_that_cannot_be_understood(tmp_path: Path, content: bytes, part: str) -> None:
    """A file of any content is at worst a problem, never a crash."""
    write_config(tmp_path, "").write_bytes(content)
    (problem,) = problems_of(tmp_path)
    assert problem.name == "config"
    assert part in problem.message


def test_a_byte_order_mark_and_dos_lines_are_fine(tmp_path: Path) -> None:
    """What an editor on Windows saves is read."""
    write_config(tmp_path, "").write_bytes(b"\xef\xbb\xbfquiet_period = 1\r\nlog_level = 'debug'\r\n")
    settings = load({}, config=None, environ={}, cwd=tmp_path)
    assert (settings.quiet_period, settings.log_level) == (1, "debug")


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """A config file that was asked for and is not there is a problem, whoever asked."""
    (by_option,) = problems_of(tmp_path, config=Path("no.toml"))
    assert (by_option.value, by_option.origin) == ("no.toml", "option --config")
    (by_variable,) = problems_of(tmp_path, environ={"DXWATCHD_CONFIG": "no.toml"})
    assert by_variable.origin == "environment variable DXWATCHD_CONFIG"
    (folder,) = problems_of(tmp_path, config=tmp_path)
    assert "regular" in folder.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read(tmp_path: Path) -> None:
    """A config file that this user may not read is named, not passed over."""
    write_config(tmp_path, "quiet_period = 1").chmod(0)
    (problem,) = problems_of(tmp_path)
    assert "Permission denied" in problem.message


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says about a config file that cannot be read is passed on."""
    path = write_config(tmp_path, "quiet_period = 1")

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", deny)
    (problem,) = problems_of(tmp_path)
    assert problem.message == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"models_root": "m", "state_dir": "m"}, "state_dir"),
        ({"models_root": "m", "state_dir": "m/s"}, "state_dir"),
        ({"models_root": "/", "state_dir": "s"}, "state_dir"),
        ({"models_root": "s/m", "state_dir": "s"}, "models_root"),
        ({"models_root": "m", "state_dir": "link/s"}, "state_dir"),
        ({"models_root": "m", "manifest": "m/list.toml"}, "manifest"),
        ({"models_root": "m", "manifest": "link/list.toml"}, "manifest"),
        ({"manifest": "state/status.json"}, "manifest"),
        ({"manifest": "config/dxwatchd.toml"}, "manifest"),
    ],
)
def test_places_that_would_harm_each_other(tmp_path: Path, given: dict[str, str], refused: str) -> None:
    """The models root is never written to, also through a link, and the manifest is a file of its own."""
    write_config(tmp_path, "")
    (tmp_path / "m").mkdir()
    (tmp_path / "link").symlink_to("m")
    (problem,) = problems_of(tmp_path, given)
    assert problem.name == refused
    assert problem.origin == f"option --{refused.replace('_', '-')}"


def test_neighbours_do_not_harm_each_other(tmp_path: Path) -> None:
    """Folders whose names begin alike are apart; a loop of links is no crash."""
    (tmp_path / "loop").symlink_to("loop")
    given = {"models_root": "models", "state_dir": "models-state", "manifest": "loop/list.toml"}
    assert load(given, config=None, environ={}, cwd=tmp_path).state_dir == tmp_path / "models-state"


def test_the_environment_is_what_was_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own environment is not read, nor by the class itself."""
    monkeypatch.setenv("DXWATCHD_QUIET_PERIOD", "9")
    monkeypatch.setenv("QUIET_PERIOD", "9")
    assert load({}, config=None, environ={}, cwd=tmp_path).quiet_period == 5
    assert Settings().quiet_period == 5


def test_settings_do_not_change(tmp_path: Path) -> None:
    """Once loaded, nothing changes a setting or its origin."""
    settings = load({}, config=None, environ={}, cwd=tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        settings.quiet_period = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.origins["quiet_period"] = "me"  # type: ignore[index]


def test_settings_can_be_made_directly(tmp_path: Path) -> None:
    """Without load the manifest lies in the state directory too, and paths are absolute."""
    settings = Settings(models_root=tmp_path / "m", state_dir=tmp_path / "s")
    assert settings.manifest == tmp_path / "s" / "manifest.toml"
    assert Settings().models_root.is_absolute()


@given(
    st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), st.text(), max_size=4),
    st.dictionaries(st.text(max_size=8).map(lambda name: f"DXWATCHD_{name}"), st.text(), max_size=3),
)
def test_any_text_is_taken_or_explained(settings: dict[str, str], others: dict[str, str]) -> None:
    """Whatever the environment holds, it is loaded or refused in lines that nothing in it can break."""
    environ = others | {f"DXWATCHD_{name.upper()}": text for name, text in settings.items()}
    environ.pop("DXWATCHD_CONFIG", None)
    refused: SettingsError | None = None
    try:
        load({}, config=None, environ=environ, cwd=Path("/nonexistent"))
    except SettingsError as error:
        refused = error
    if refused is not None:
        lines = str(refused).splitlines()
        assert len(lines) == len(refused.problems)
        assert all(line.isprintable() for line in lines)


STARTER = (REPOSITORY / "config" / "dxwatchd.toml").read_text(encoding="utf-8")


def test_the_starter_file_has_every_setting_at_its_default(tmp_path: Path) -> None:
    """Each setting is there, explained, and taking the comment signs away changes nothing."""
    assert tomllib.loads(STARTER) == {}
    uncommented = re.sub(r"(?m)^# (\w+ = )", r"\1", STARTER)
    assert list(tomllib.loads(uncommented)) == list(Settings.model_fields)
    write_config(tmp_path, "")
    default = load({}, config=None, environ={}, cwd=tmp_path)
    write_config(tmp_path, uncommented)
    uncommented_settings = load({}, config=None, environ={}, cwd=tmp_path)
    assert uncommented_settings.model_dump() == default.model_dump()
    assert set(uncommented_settings.origins) == set(Settings.model_fields)
    for name in Settings.model_fields:
        assert re.search(rf"(?m)^# .+\n(# .+\n)*# {name} = ", STARTER), f"{name} is not explained"
