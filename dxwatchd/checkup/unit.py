"""systemd's unit of dxwatchd, as systemd shows it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dxwatchd.core.checkup.service import UNIT, Places, UnitFacts
from dxwatchd.settings import Settings, SettingsError, load

RUNS = Path("/run/systemd/system")
ASK_WITHIN = 5.0

_DIRECTORIES = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}
_PROPERTIES = (
    "LoadState", "ActiveState", "UnitFileState", "Result", "ExecMainStatus", "NRestarts", "NeedDaemonReload",
    "MainPID", "User", "ExecStart", "Environment", "EnvironmentFiles", "WorkingDirectory", "ProtectHome",
    "ProtectSystem", "PrivateTmp", "ReadWritePaths", *_DIRECTORIES,
)  # fmt: skip


def runs() -> bool:
    """Whether systemd does (sd_booted(3))."""
    return RUNS.is_dir()


def ask(*command: str) -> str:
    """What a program says. Raises OSError, or SubprocessError where it fails or takes too long."""
    return subprocess.run(  # noqa: S603 - the words are ours
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=ASK_WITHIN,
        check=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
    ).stdout


def shown() -> Mapping[str, str]:
    """The unit's properties. Raises OSError or SubprocessError."""
    text = ask("systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def unit_of(told: Mapping[str, str], *, follow: bool = True) -> UnitFacts:
    """The facts in the unit's properties, with where its daemon's settings have things. follow: links."""
    arguments = _arguments(told.get("ExecStart", ""))
    config = _option(arguments, "config")
    places, why = _places(told, arguments, config, follow=follow)
    return UnitFacts(
        load=told.get("LoadState", "not-found"),
        active=told.get("ActiveState", ""),
        file=told.get("UnitFileState", ""),
        result=told.get("Result", ""),
        status=_number(told.get("ExecMainStatus", "")),
        restarts=_number(told.get("NRestarts", "")),
        needs_reload=told.get("NeedDaemonReload") == "yes",
        process=_number(told.get("MainPID", "")),
        config=config or "",
        places=places,
        why=why,
        protect_home=told.get("ProtectHome", "no"),
        protect_system=told.get("ProtectSystem", "no"),
        private_tmp=told.get("PrivateTmp", "no") != "no",
        writable=_writable(told),
        user=told.get("User", ""),
    )


def places_of(settings: Settings, *, follow: bool = True) -> Places:
    """Where settings have things. follow: links, which takes a look at the disk."""
    plain = os.path.realpath if follow else os.path.normpath
    return Places(*(plain(path) for path in (settings.models_root, settings.state_dir, settings.manifest)))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _arguments(text: str) -> list[str]:
    """The daemon's arguments in `{ path=… ; argv[]=… ; ignore_errors=no ; … }`."""
    found = re.search(r"argv\[\]=(.*?) ; ", text)
    words = _words(found[1]) if found is not None else []
    return words[words.index("run") + 1 :] if "run" in words else []


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _option(arguments: list[str], name: str) -> str | None:
    flag = f"--{name.replace('_', '-')}"
    value = None
    for number, word in enumerate(arguments):
        if word == flag and number + 1 < len(arguments):
            value = arguments[number + 1]
        elif word.startswith(f"{flag}="):
            value = word.partition("=")[2]
    return value


def _places(
    told: Mapping[str, str], arguments: list[str], config: str | None, *, follow: bool
) -> tuple[Places | None, str]:
    """Where the unit's settings have things, or why that cannot be told."""
    if told.get("EnvironmentFiles"):
        return None, "the unit reads some from a file (EnvironmentFile=)"
    environ = dict(word.split("=", 1) for word in _words(told.get("Environment", "")) if "=" in word)
    given = {name: _option(arguments, name) for name in ("models_root", "state_dir", "manifest")}
    here = Path(told.get("WorkingDirectory", "").lstrip("!-") or "/")
    try:
        settings = load(
            given, config=Path(config) if config else None, environ=environ, cwd=here, compare=False
        )
    except SettingsError as error:
        return None, f"the service's cannot be used or read: {error.problems[0]}"
    except OSError as error:
        return None, f"the service's cannot be read: {error.strerror}"
    return places_of(settings, follow=follow), ""


def _writable(told: Mapping[str, str]) -> tuple[str, ...]:
    """What the unit may write to though the file system is read-only for it."""
    listed = [word.lstrip("-+") for word in _words(told.get("ReadWritePaths", ""))]
    own = [
        f"{top}/{word.partition(':')[0]}"
        for name, top in _DIRECTORIES.items()
        for word in _words(told.get(name, ""))
    ]
    temporary = ["/tmp", "/var/tmp"] if told.get("PrivateTmp", "no") != "no" else []  # noqa: S108 - compared
    return tuple(os.path.realpath(path).rstrip("/") for path in (*listed, *own, *temporary))
