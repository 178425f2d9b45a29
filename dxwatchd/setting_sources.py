"""Where settings come from: config file, environment, command line; each value with its origin."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ENV_PREFIX: Final = "DXWATCHD_"
CONFIG_VARIABLE: Final = "DXWATCHD_CONFIG"
TEST_PREFIX: Final = "DXWATCHD_TEST_"
LOCAL_CONFIG: Final = Path("config/dxwatchd.toml")
SYSTEM_CONFIG: Final = Path("/etc/dxwatchd/dxwatchd.toml")
CONFIG_LIMIT: Final = 1 << 20  # bytes; a config file is a page of text
DEFAULT_ORIGIN: Final = "default"

_VALUE_SHOWN: Final = 120  # characters of a wrong value that a problem repeats


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """What is wrong with one setting. origin: where it was set; remedy: what to do about it."""

    name: str
    value: object
    origin: str
    message: str
    remedy: str

    def __str__(self) -> str:
        """Give one line, whatever the value holds."""
        value = "" if self.value is None else f" = {shown(self.value)}"
        return printable(f"{self.name}{value} ({self.origin}): {self.message}; {self.remedy}")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a setting is written. toml: the types it may have in the file; remedy: what to write instead."""

    toml: tuple[type, ...]
    remedy: str


@dataclass(slots=True)
class Source:
    """The values one source gives, by setting, and where each was set."""

    origin: Callable[[str], str]
    values: dict[str, object] = field(default_factory=dict)


_TYPE_NAMES: Final[Mapping[type, str]] = {
    str: "text",
    bool: "a switch (true or false)",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def from_options(
    overrides: Mapping[str, object], kinds: Mapping[str, Kind], problems: list[SettingProblem]
) -> Source:
    """Take the command line's options; what is None was not given."""
    source = Source(lambda name: f"option --{name.replace('_', '-')}")
    for name, value in overrides.items():
        if name not in kinds:
            problems.append(_unknown(name, value, source.origin(name), kinds, ""))
        elif value is not None:
            source.values[name] = value
    return source


def from_environment(
    environ: Mapping[str, str], kinds: Mapping[str, Kind], problems: list[SettingProblem]
) -> Source:
    """Take the variables DXWATCHD_*; lists are separated by commas."""
    source = Source(lambda name: f"environment variable {ENV_PREFIX}{name.upper()}")
    for variable, text in sorted(environ.items()):
        if not variable.upper().startswith(ENV_PREFIX) or variable.startswith(TEST_PREFIX):
            continue
        if variable == CONFIG_VARIABLE:
            continue
        name = variable[len(ENV_PREFIX) :].lower()
        if name not in kinds or variable != ENV_PREFIX + name.upper():
            problems.append(_unknown(variable, text, f"environment variable {variable}", kinds, ENV_PREFIX))
        elif list in kinds[name].toml:
            source.values[name] = [part.strip() for part in text.split(",") if part.strip()]
        elif text:
            source.values[name] = text
        else:
            problems.append(
                SettingProblem(name, text, source.origin(name), "is empty", "unset it or fill it")
            )
    return source


def from_file(
    config: Path | None,
    environ: Mapping[str, str],
    here: Path,
    kinds: Mapping[str, Kind],
    problems: list[SettingProblem],
) -> tuple[Path | None, Source]:
    """Find and read the config file. Gives its absolute path, or None where there is none."""
    path, named_by = _config_path(config, environ, here)
    if path is None:
        return None, Source(lambda _: DEFAULT_ORIGIN)
    name = str(path)
    source = Source(lambda _: name)
    text = _read(path, here, named_by, problems)
    if text is None:
        return here / path, source
    try:
        parsed = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        at = re.search(r"at line (\d+)", str(error))
        line = int(at[1]) if at else len(text.splitlines())
        message = f"is not valid TOML: {error}"
        problems.append(SettingProblem("config", None, f"{name} line {line}", message, "correct that line"))
        return here / path, source
    lines = _lines_of_keys(text)
    source.origin = lambda key: f"{name} line {lines[key]}" if key in lines else name
    for key, value in parsed.items():
        if key not in kinds:
            problems.append(_unknown(key, value, source.origin(key), kinds, ""))
        elif type(value) not in kinds[key].toml:
            message = f"is {_TYPE_NAMES.get(type(value), 'a date or time')}"
            problems.append(SettingProblem(key, value, source.origin(key), message, kinds[key].remedy))
        else:
            source.values[key] = value
    return here / path, source


def _config_path(config: Path | None, environ: Mapping[str, str], here: Path) -> tuple[Path | None, str]:
    if config is not None:
        return config, "option --config"
    if CONFIG_VARIABLE in environ:
        return Path(environ[CONFIG_VARIABLE]), f"environment variable {CONFIG_VARIABLE}"
    for path in (LOCAL_CONFIG, SYSTEM_CONFIG):
        try:
            (here / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass  # there, but not for us: reading it says why
        return path, "found there"
    return None, ""


def _read(path: Path, here: Path, named_by: str, problems: list[SettingProblem]) -> str | None:
    """Give the file's text; None where it cannot be had, which is then among the problems."""

    def refuse(origin: str, message: str, remedy: str) -> None:
        problems.append(SettingProblem("config", str(path), origin, message, remedy))

    raw = b""
    try:
        if not (here / path).is_file() and (here / path).exists():
            refuse(named_by, "is not a regular file", "name the config file itself")
            return None
        with (here / path).open("rb") as file:
            raw = file.read(CONFIG_LIMIT + 1)
        if len(raw) <= CONFIG_LIMIT:
            return raw.decode("utf-8-sig").replace("\r\n", "\n")
        refuse(named_by, f"is larger than {CONFIG_LIMIT:,} bytes", "name the config file itself")
    except FileNotFoundError:
        refuse(named_by, "there is no such file", "name a file that is there")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        refuse(f"{path} line {line}", "is not UTF-8 text", "save it as UTF-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        refuse(named_by, f"cannot be read: {reason}", "make it readable for the user that runs dxwatchd")
    return None


def _lines_of_keys(text: str) -> dict[str, int]:
    """Find the line of each top-level key and table by its look."""
    lines: dict[str, int] = {}
    for number, key in _keys_by_look(text):
        lines.setdefault(key, number)
    return lines


def _keys_by_look(text: str) -> Iterator[tuple[int, str]]:
    in_table = False
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[{1,2}\s*[\"']?([\w-]+)[\"']?\s*[].]", line):
            in_table = True
            yield number, header[1]
        elif not in_table and (key := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]", line)):
            yield number, key[1]


def _unknown(name: str, value: object, origin: str, kinds: Mapping[str, Kind], prefix: str) -> SettingProblem:
    """Say that there is no such setting, and which one may be meant."""
    plain = name.upper().removeprefix(prefix).lower().replace("-", "_")
    near = difflib.get_close_matches(plain[:64], kinds, n=1)
    names = [prefix + (kind.upper() if prefix else kind) for kind in near or kinds]
    remedy = f"did you mean {names[0]}?" if near else f"remove it; there are {', '.join(names)}"
    return SettingProblem(name, value, origin, "there is no such setting", remedy)


def shown(value: object) -> str:
    """Give a value on one line, cut where it is long."""
    text = repr(str(value)) if isinstance(value, Path) else repr(value)
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}… ({len(text):,} characters)"


def printable(text: str) -> str:
    """Give a text without anything that could break its line or fool a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
