"""A person's decisions, written into the manifest: `approve`, `reject`, `add`, `rename`, `remove`, `tidy`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from tomlkit.items import AoT

from dxwatchd.commands import output
from dxwatchd.commands.one_folder import fingerprint_of
from dxwatchd.commands.output import DONE, PROBLEMS, USAGE, CommandError
from dxwatchd.commands.reporting import ask_for_pass
from dxwatchd.core.entries import Entry, Status, normal_path
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.naming import canonical
from dxwatchd.core.records import Availability
from dxwatchd.core.text import printable
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.card_directory import read_stored
from dxwatchd.stores.instance_lock import InstanceLock
from dxwatchd.stores.manifest_edit import edit, put, table_of
from dxwatchd.stores.manifest_file import Changed, ManifestError, create, read


@dataclass(frozen=True, slots=True)
class NewNames:
    """Names that a person gives with a decision; None: as they are."""

    technical_name: str | None = None
    model_name: str | None = None


def approve(settings: Settings, name: str | None, names: NewNames) -> int:
    """Approve an entry, with the content and the place it has now."""
    manifest = _manifest(settings)
    entry = _the_one_proposal(manifest) if name is None else _entry(settings, manifest, name)
    values: dict[str, object] = {"status": Status.APPROVED.value, **_names(names)}
    path = _place(settings, entry)
    if path != entry.path:
        values["path"] = path
    found = fingerprint_of(settings, path)
    if found is not None and entry.fingerprint != found:
        values["fingerprint"] = found
    _change(settings, lambda tables: put(table_of(tables, entry.technical_name), values))
    technical = names.technical_name or entry.technical_name
    return _follow_up(settings, f"approved {technical}", technical)


def reject(settings: Settings, name: str) -> int:
    """Reject an entry: its folder is not proposed again."""
    entry = _entry(settings, _manifest(settings), name)
    _change(
        settings,
        lambda tables: put(table_of(tables, entry.technical_name), {"status": Status.REJECTED.value}),
    )
    return _follow_up(settings, f"rejected {entry.technical_name}", None)


def add(settings: Settings, technical_name: str, model_name: str, path: str) -> int:
    """Add an approved entry by hand, before or after its folder is there."""
    place = _relative(settings, path)

    def change(tables: AoT) -> None:
        table = tomlkit.table()
        table.update(
            {
                "status": Status.APPROVED.value,
                "technical_name": technical_name,
                "model_name": model_name,
                "path": place,
            }
        )
        tables.append(table)

    _change(settings, change)
    return _follow_up(settings, f"added {technical_name}", technical_name)


def rename(settings: Settings, name: str, names: NewNames) -> int:
    """Give an entry another technical name or model name."""
    if not _names(names):
        raise CommandError("no new name is given", "give --technical-name or --model-name", code=USAGE)
    entry = _entry(settings, _manifest(settings), name)
    _change(settings, lambda tables: put(table_of(tables, entry.technical_name), _names(names)))
    technical = names.technical_name or entry.technical_name
    return _follow_up(settings, f"renamed {entry.technical_name}", technical)


def remove(settings: Settings, name: str) -> int:
    """Remove an entry, and with it its card. The model folder stays."""
    entry = _entry(settings, _manifest(settings), name)
    _change(settings, lambda tables: _delete(tables, {entry.technical_name}))
    return _follow_up(settings, f"removed {entry.technical_name}; its folder {entry.path} stays", None)


def tidy(settings: Settings) -> int:
    """Remove the proposals whose folder is gone."""
    if not settings.models_root.is_dir():
        raise CommandError(
            f"the models root {settings.models_root} is not there", "mount it or bring it back first"
        )
    gone = {
        entry.technical_name
        for entry in _manifest(settings).entries
        if entry.status is Status.PROPOSED and not (settings.models_root / entry.path).is_dir()
    }
    if not gone:
        output.say("nothing to tidy: every proposal's folder is there")
        return DONE
    _change(settings, lambda tables: _delete(tables, gone))
    return _follow_up(settings, f"removed {', '.join(sorted(gone))}", None)


def _delete(tables: AoT, names: set[str]) -> None:
    for number in reversed(range(len(tables))):
        if tables[number].get("technical_name") in names:
            del tables[number]


def _names(names: NewNames) -> dict[str, object]:
    given = {"technical_name": names.technical_name, "model_name": names.model_name}
    return {key: value for key, value in given.items() if value is not None}


def _manifest(settings: Settings) -> Manifest:
    try:
        manifest = parse(read(settings.manifest).text)
    except (ManifestError, Changed) as error:
        remedy = error.remedy if isinstance(error, ManifestError) else "try again"
        raise CommandError(f"{settings.manifest}: {str(error) or 'it is being written to'}", remedy) from None
    if not manifest.parses:
        raise CommandError(printable(manifest.problems[0].at(str(settings.manifest)), 2000))
    return manifest


def _entry(settings: Settings, manifest: Manifest, name: str) -> Entry:
    """The entry of a technical name, model name or path."""
    wanted = canonical(name)
    for entry in manifest.entries:
        if wanted in entry.keys:
            return entry
    by_path = manifest.at_path(_relative(settings, name))
    if by_path is not None:
        return by_path
    known = ", ".join(entry.technical_name for entry in manifest.entries[:10]) or "none yet"
    raise CommandError(
        f'no usable entry has the name or path "{printable(name, 200)}"',
        f"entries are: {known}; `dxwatchd check` shows those with problems",
        code=PROBLEMS,
    )


def _the_one_proposal(manifest: Manifest) -> Entry:
    waiting = [entry for entry in manifest.entries if entry.status is Status.PROPOSED]
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        raise CommandError(
            "no proposal is waiting", "`dxwatchd status` shows every folder's state", code=PROBLEMS
        )
    names = ", ".join(entry.technical_name for entry in waiting)
    raise CommandError(
        f"{len(waiting)} proposals are waiting: {names}", "say which: dxwatchd approve NAME", code=USAGE
    )


def _relative(settings: Settings, path: str) -> str:
    """A path as the manifest has it; one below the models root may also be given whole."""
    given = Path(path)
    if given.is_absolute() and given.is_relative_to(settings.models_root):
        return normal_path(given.relative_to(settings.models_root).as_posix())
    return normal_path(path)


def _place(settings: Settings, entry: Entry) -> str:
    """Where the entry's folder is: elsewhere than it says only if its card followed it there."""
    if (settings.models_root / entry.path).is_dir():
        return entry.path
    stored = read_stored(StateDirectory(settings.state_dir).cards / f"{entry.technical_name}.json")
    if stored is not None and stored.record.availability is Availability.AVAILABLE:
        return stored.record.path
    return entry.path


def _change(settings: Settings, change: Callable[[AoT], None]) -> None:
    try:
        create(settings.manifest)
        edit(settings.manifest, change)
    except ManifestError as error:
        raise CommandError(f"{settings.manifest}: {error.message}", error.remedy, code=PROBLEMS) from None
    except OSError as error:
        raise output.refused(error, settings.manifest) from None


def _follow_up(settings: Settings, done: str, technical_name: str | None) -> int:
    """Say what was done, and what the running daemon made of it."""
    output.say(done)
    state = StateDirectory(settings.state_dir)
    if InstanceLock(state.lock).holder() is None:
        output.say("dxwatchd is not running: start it, or run `dxwatchd scan`, to publish this")
        return DONE
    try:
        told = ask_for_pass(settings)
    except CommandError as error:  # the decision is saved all the same, and the daemon sees it by itself
        output.say(f"{error}; {error.remedy}")
        return DONE
    for folder in told["folders"]:
        if technical_name is not None and folder["technical_name"] == technical_name:
            output.say(f"{folder['path']} is {folder['state']}")
            for reason in folder["reasons"]:
                output.say(f"  {reason['told']}")
    stored = read_stored(state.cards / f"{technical_name}.json") if technical_name else None
    if stored is not None:
        output.say(f"card  {state.cards / f'{technical_name}.json'} (revision {stored.record.revision})")
    return DONE
