"""The settings: defaults < config file < environment < command line, and every problem in them at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dxwatchd.setting_sources import (
    DEFAULT_ORIGIN,
    Kind,
    SettingProblem,
    Source,
    from_environment,
    from_file,
    from_options,
)

__all__ = ["SettingProblem", "Settings", "SettingsError", "load"]

DAY: Final = 86_400.0

_PATH: Final = Kind((str,), "give a path, in quotes in the file")
_PERIOD: Final = Kind((int, float), "give seconds, from 0 to 86400, without quotes in the file")
_INTERVAL: Final = Kind((int, float), "give seconds, from 0.1 to 86400, without quotes in the file")
_SWITCH: Final = Kind((bool,), "give true or false, without quotes in the file")
_DIGESTS: Final = Kind((str,), "give off or background, in quotes in the file")
_FORMAT: Final = Kind((str,), "give auto, console or json, in quotes in the file")
_LEVEL: Final = Kind((str,), "give debug, info, warning or error, in quotes in the file")
_PATTERNS: Final = Kind(
    (list,), 'give patterns for names, as ["*.bak", "tmp-*"] in the file and *.bak,tmp-* in the environment'
)


def _name_pattern(pattern: str) -> str:
    if "/" in pattern or "\0" in pattern:
        raise ValueError("is matched with single names, so it can hold no slash")
    if not pattern.strip("*"):
        raise ValueError("would leave nothing to look at")
    return pattern


_Period = Annotated[float, Field(ge=0, le=DAY, allow_inf_nan=False), _PERIOD]
_Pattern = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_name_pattern)]


class Settings(BaseSettings):
    """Everything that can be set; config/dxwatchd.toml explains each. Periods are seconds, paths absolute."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    models_root: Annotated[Path, AfterValidator(Path.absolute), _PATH] = Path("models")
    state_dir: Annotated[Path, AfterValidator(Path.absolute), _PATH] = Path("state")
    manifest: Annotated[Path, AfterValidator(Path.absolute), _PATH] = Field(
        default_factory=lambda known: known["state_dir"] / "manifest.toml"
    )
    quiet_period: _Period = 5.0
    remote_quiet_period: _Period = 60.0
    rescan_interval: Annotated[float, Field(ge=0.1, le=DAY, allow_inf_nan=False), _INTERVAL] = 60.0
    ignore: Annotated[tuple[_Pattern, ...], _PATTERNS] = ()
    propose_checkpoints: Annotated[bool, _SWITCH] = False
    digests: Annotated[Literal["off", "background"], _DIGESTS] = "background"
    log_format: Annotated[Literal["auto", "console", "json"], _FORMAT] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _LEVEL] = "info"

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each setting comes from, in the words of a problem's origin; empty unless loaded."""
        return MappingProxyType(dict(self._origins))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the library gives all five)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (as above)
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (as above)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (as above)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is handed over: load gathers the sources, as it knows where each value was set."""
        return (init_settings,)


class SettingsError(Exception):
    """The settings cannot be used; problems has every reason, in the order of the sources.

    rest: what the settings are without the values that cannot be used, for those who look on all the same.
    """

    def __init__(self, problems: Iterable[SettingProblem], rest: Settings | None = None) -> None:
        self.problems = tuple(problems)
        self.rest = rest
        super().__init__("\n".join(map(str, self.problems)))


KINDS: Final[Mapping[str, Kind]] = {
    name: next(part for part in info.metadata if isinstance(part, Kind))
    for name, info in Settings.model_fields.items()
}


def load(
    overrides: Mapping[str, object],
    *,
    config: Path | None,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    compare: bool = True,
) -> Settings:
    """Gather the settings of all sources, or raise SettingsError with every problem in any of them.

    overrides: the command line's options by setting, None where not given; config: the file it names.
    Relative paths count from cwd, wherever they are set. compare: whether one place lies in another, which
    takes a look at the disk.
    """
    here = _here(cwd)
    problems: list[SettingProblem] = []
    values: dict[str, object] = {"models_root": here / "models", "state_dir": here / "state"}
    origins = dict.fromkeys(KINDS, DEFAULT_ORIGIN)

    def take(source: Source) -> None:
        _make_absolute(source, here, environ.get("HOME"), problems)
        _drop_invalid(source, problems)
        values.update(source.values)
        origins.update({name: source.origin(name) for name in source.values})

    config_path, source = from_file(config, environ, here, KINDS, problems)
    take(source)
    take(from_environment(environ, KINDS, problems))
    take(from_options(overrides, KINDS, problems))
    settings = Settings.model_validate(values)
    settings._origins = origins
    doubted = {problem.name for problem in problems}
    if compare:
        problems += (found for found in _cross_checks(settings, config_path) if found.name not in doubted)
    if problems:
        raise SettingsError(problems, settings)
    return settings


def _here(cwd: Path | None) -> Path:
    """What relative paths count from. Raises SettingsError where the process's own folder was removed."""
    try:
        return (cwd or Path()).absolute()
    except OSError as error:
        problem = SettingProblem(
            "working directory",
            None,
            "of this process",
            f"cannot be told: {error.strerror}",
            "start dxwatchd in a folder that is there",
        )
        raise SettingsError([problem]) from None


def _make_absolute(source: Source, here: Path, home: str | None, problems: list[SettingProblem]) -> None:
    for name, value in tuple(source.values.items()):
        if KINDS[name] is not _PATH or not isinstance(value, str | Path):
            continue
        try:
            source.values[name] = _absolute(str(value), here, home)
        except (ValueError, RuntimeError) as error:
            message = str(error).rstrip(".")
            problems.append(SettingProblem(name, value, source.origin(name), message, KINDS[name].remedy))
            del source.values[name]


def _absolute(text: str, here: Path, home: str | None) -> Path:
    if not text.strip():
        raise ValueError("is empty")
    if "\0" in text:
        raise ValueError("holds a zero byte")
    if home and (text == "~" or text.startswith("~/")):
        text = home + text[1:]
    path = here / Path(text).expanduser()
    return _real(path) if ".." in path.parts else path


def _real(path: Path) -> Path:
    """Follow links as far as the path exists. Unlike Path.resolve it survives loops of links."""
    return Path(os.path.realpath(path))


def _drop_invalid(source: Source, problems: list[SettingProblem]) -> None:
    """Take what is invalid out of the source and note it."""
    try:
        Settings.model_validate(source.values)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            name = str(found["loc"][0])
            message = found["msg"].removeprefix("Value error, ")
            message = message.removeprefix("Input ").removeprefix("String ")
            problems.append(
                SettingProblem(name, found["input"], source.origin(name), message, KINDS[name].remedy)
            )
            source.values.pop(name, None)


def _cross_checks(settings: Settings, config_path: Path | None) -> Iterator[SettingProblem]:
    """Check what no setting shows alone. Paths are compared with their links followed."""

    def problem(name: str, message: str, remedy: str) -> SettingProblem:
        return SettingProblem(name, str(getattr(settings, name)), settings.origins[name], message, remedy)

    root, state, manifest = map(_real, (settings.models_root, settings.state_dir, settings.manifest))
    outside = "choose a place outside the models root, which is never written to"
    if state.is_relative_to(root):
        yield problem("state_dir", f"is inside the models root {root}", outside)
    elif root.is_relative_to(state):
        yield problem("models_root", f"is inside the state directory {state}", "keep the two apart")
    if settings.origins["manifest"] == DEFAULT_ORIGIN:
        return
    if manifest.is_relative_to(root):
        yield problem("manifest", f"is inside the models root {root}", outside)
    if manifest.suffix != ".toml":
        yield problem("manifest", "does not end in .toml", "name a TOML file of its own")
    elif config_path is not None and manifest == _real(config_path):
        yield problem("manifest", "is the config file", "name a TOML file of its own")
