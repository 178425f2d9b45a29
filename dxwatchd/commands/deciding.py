"""A person's decisions, written into the manifest: `approve`, `reject`, `add`, `rename`, `remove`, `tidy`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from tomlkit.items import AoT, Table

from dxwatchd.commands import output
from dxwatchd.commands.formats import insist_on_known_format
from dxwatchd.commands.fresh import REMEDY, is_awaited
from dxwatchd.commands.one_folder import fingerprint_of
from dxwatchd.commands.output import DONE, PROBLEMS, USAGE, CommandError
from dxwatchd.commands.reporting import ask_for_pass
from dxwatchd.commands.trusting import insist_on_known_root, insist_on_whole_root
from dxwatchd.core.entries import Entry, Status, normal_path
from dxwatchd.core.manifest import Manifest, parse
from dxwatchd.core.naming import canonical
from dxwatchd.core.records import Availability, CardRecord
from dxwatchd.core.text import printable
from dxwatchd.settings import Settings
from dxwatchd.state import StateDirectory
from dxwatchd.stores.card_directory import CardDirectory, read_stored
from dxwatchd.stores.card_index import INDEX
from dxwatchd.stores.instance_lock import InstanceLock
from dxwatchd.stores.manifest_edit import edit, put, says, table_of
from dxwatchd.stores.manifest_file import ManifestError, create, patiently, read_whole


@dataclass(frozen=True, slots=True)
class NewNames:
    """Names that a person gives with a decision; None: as they are."""

    technical_name: str | None = None
    model_name: str | None = None


def approve(settings: Settings, name: str | None, names: NewNames) -> int:
    """Approve an entry, with the content and the place it has now."""
    manifest = _manifest(settings)
    entry = _the_one_proposal(manifest) if name is None else _entry(settings, manifest, name)
    insist_on_known_root(settings)
    values: dict[str, object] = {"status": Status.APPROVED.value, **_names(names)}
    card = _card(settings, entry)
    path, found = _place(settings, entry, card)
    superfluous = manifest.at_path(path) if path != entry.path else None
    if path != entry.path:
        values["path"] = path
    if found is not None and entry.fingerprint != found:
        values |= {"fingerprint": found, "digest": None}  # whatever it said, it was of what lay there before
    if card is None:
        values["digest"] = None
    elif card.found_digest is not None and card.fingerprint == found:
        # what the daemon told of is approved; what has changed since is told anew
        values |= {"fingerprint": found, "digest": card.found_digest}

    def change(tables: AoT) -> None:
        put(_table(tables, entry), values)
        if superfluous is not None:
            _delete(tables, [superfluous], only=Status.PROPOSED)

    _change(settings, change)
    technical = names.technical_name or entry.technical_name
    return _follow_up(settings, f"approved {technical}", technical)


def reject(settings: Settings, name: str) -> int:
    """Reject an entry: its folder is not proposed again."""
    entry = _entry(settings, _manifest(settings), name)
    _change(
        settings,
        lambda tables: put(_table(tables, entry), {"status": Status.REJECTED.value}),
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
    _change(settings, lambda tables: put(_table(tables, entry), _names(names)))
    technical = names.technical_name or entry.technical_name
    return _follow_up(settings, f"renamed {entry.technical_name}", technical)


def remove(settings: Settings, name: str) -> int:
    """Remove an entry, and with it its card. The model folder stays."""
    entry = _entry(settings, _manifest(settings), name)

    def change(tables: AoT) -> None:
        _table(tables, entry)  # it may be gone or another one by now
        _delete(tables, [entry])

    _change(settings, change)
    return _follow_up(settings, f"removed {entry.technical_name}; its folder {entry.path} stays", None)


def tidy(settings: Settings) -> int:
    """Remove the proposals whose folder is gone."""
    before = {entry.path for entry in _gone(settings)}
    insist_on_whole_root(settings)
    # gone on both sides of the look: no mount came or went in between
    gone = [entry for entry in _gone(settings) if entry.path in before]
    removed: set[str] = set()

    def change(tables: AoT) -> None:
        removed.clear()  # of a try that somebody's save made void
        removed.update(_delete(tables, gone, only=Status.PROPOSED))

    if gone:
        _change(settings, change)
    if not removed:
        output.say("nothing to tidy: every proposal's folder is there")
        return DONE
    return _follow_up(settings, f"removed {', '.join(sorted(removed))}", None)


def _gone(settings: Settings) -> list[Entry]:
    """The proposals without a folder."""
    return [
        entry
        for entry in _manifest(settings).entries
        if entry.status is Status.PROPOSED and not _may_be_there(settings.models_root / entry.path)
    ]


def _may_be_there(folder: Path) -> bool:
    """Whether a folder is there, or nobody can tell: what may not be looked at is not gone."""
    try:
        return folder.is_dir()
    except OSError:
        return True


def _table(tables: AoT, entry: Entry) -> Table:
    return table_of(tables, entry.technical_name, entry.path, entry.number)


def _delete(tables: AoT, entries: Sequence[Entry], *, only: Status | None = None) -> set[str]:
    """Delete every table of these entries, also one pasted twice. Returns the names of those deleted.

    only: those of this status as it is now.
    """
    deleted = set()
    for number in reversed(range(len(tables))):
        table = tables[number]
        if only is not None and table.get("status") != only.value:
            continue  # somebody has decided meanwhile
        if any(says(table, entry.technical_name, entry.path) for entry in entries):
            deleted.add(str(table["technical_name"]))
            del tables[number]
    return deleted


def _names(names: NewNames) -> dict[str, object]:
    given = {"technical_name": names.technical_name, "model_name": names.model_name}
    return {key: value for key, value in given.items() if value is not None}


def _manifest(settings: Settings) -> Manifest:
    try:
        manifest = parse(patiently(lambda: read_whole(settings.manifest)).text)
    except ManifestError as error:
        if is_awaited(settings):
            raise CommandError(f"there is no manifest {settings.manifest} yet", REMEDY) from None
        raise CommandError(f"{settings.manifest}: {error.message}", error.remedy) from None
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


def _place(settings: Settings, entry: Entry, card: CardRecord | None) -> tuple[str, str | None]:
    """Where the entry's folder is, with the fingerprint of what lies there, None where it is not whole.

    It is elsewhere than the entry says only where no model lies at that path and its card followed it.
    """
    found = fingerprint_of(settings, entry.path)
    if found is None and card is not None and card.availability is not Availability.MISSING:
        there = fingerprint_of(settings, card.path)
        return (card.path, there) if there is not None else (entry.path, None)
    return entry.path, found


def _card(settings: Settings, entry: Entry) -> CardRecord | None:
    """The entry's card; while there is none under its name, that of the name which it had before."""
    folder = StateDirectory(settings.state_dir).cards
    stored = read_stored(folder / f"{entry.technical_name}.json")
    if stored is not None or entry.status is not Status.APPROVED:
        return stored.record if stored is not None else None
    cards = CardDirectory(folder)
    cards.look()
    return next((one.record for one in cards.cards.values() if one.record.entry_path == entry.path), None)


def _change(settings: Settings, change: Callable[[AoT], None]) -> None:
    insist_on_known_format(settings)
    cards = StateDirectory(settings.state_dir).cards
    try:
        if not any(path.name != INDEX for path in cards.glob("*.json")):
            create(settings.manifest)  # else it is lost: one with this change alone would take all cards away
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
    for reason in told["held"]:
        output.say(f"held back: {reason['told']}")
    stored = read_stored(state.cards / f"{technical_name}.json") if technical_name else None
    if stored is not None:
        output.say(f"card  {state.cards / f'{technical_name}.json'} (revision {stored.record.revision})")
    return DONE
