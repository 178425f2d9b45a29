"""What training and inference components import: the cards, read from the state directory alone.

Nothing here writes, and nothing needs the daemon to run. A card is always a whole one: the daemon replaces
files, it never writes into them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import parse
from dxwatchd.core import formats
from dxwatchd.core.entries import path_problem
from dxwatchd.core.naming import canonical, technical_name_problem
from dxwatchd.core.text import printable
from dxwatchd.stores.card_index import INDEX
from dxwatchd.stores.plain_file import read_plain


class DxwatchdError(Exception):
    """Base of what these functions raise. The message says what to do."""


class StateDirectoryNotFound(DxwatchdError):  # noqa: N818 - the name is what a caller catches, and says it
    """No cards were ever published in this directory."""


class ModelNotRegistered(DxwatchdError):  # noqa: N818 - as above
    """No card has this name. closest: the nearest registered technical name, or None."""

    def __init__(self, message: str, closest: str | None) -> None:
        super().__init__(message)
        self.closest = closest


class CardUnreadable(DxwatchdError):  # noqa: N818 - as above
    """A card is there and is not one that this version understands."""


class LaterFormat(CardUnreadable):
    """A card, or the index, is of a format that came after this version: update this program's dxwatchd."""


class ModelsRootUnknown(DxwatchdError):  # noqa: N818 - as above
    """The index does not say where the models root is: it is one of dxwatchd 0.1.0."""


@dataclass(frozen=True, slots=True)
class CardEntry:
    """One line of the index.

    path: relative to the models root; availability: "available", "drifted" or "missing"; revision: counts up
    with every change; digest: SHA-256 of the card's file, `sha256:` and hexadecimal digits.
    """

    technical_name: str
    model_name: str
    path: str
    availability: str
    revision: int
    digest: str


@dataclass(frozen=True, slots=True)
class CardChange:
    """What happened to a card. entry: as it is now, or as it was for one that was removed."""

    kind: Literal["added", "changed", "removed"]
    entry: CardEntry


def load_card(technical_name: str, *, state_dir: Path | str) -> Card:
    """The card of one registered model.

    Raises ModelNotRegistered where no model has that name, StateDirectoryNotFound where the directory holds
    no cards at all, CardUnreadable where the card is damaged, and LaterFormat, which is one, where a later
    dxwatchd wrote it in a way that this one cannot read.
    """
    folder = Path(state_dir) / "cards"
    name = canonical(technical_name)
    if technical_name_problem(name) is None:
        try:
            data = read_plain(folder / f"{name}.json")
            return _parsed(data, f'the card of "{name}"')
        except FileNotFoundError:
            pass
        except (OSError, ValidationError) as error:
            raise CardUnreadable(
                f'the card of "{name}" cannot be read: {_first_lines(error)}; '
                "update this program's dxwatchd, or see `dxwatchd check`"
            ) from error
    raise _not_registered(technical_name, Path(state_dir))


def list_cards(*, state_dir: Path | str) -> tuple[CardEntry, ...]:
    """The index: every registered model, sorted by technical name.

    Raises StateDirectoryNotFound where there is none, CardUnreadable where it is damaged, and LaterFormat,
    which is one, where a later dxwatchd wrote it in a way that this one cannot read.
    """
    return _read_index(Path(state_dir))[1]


def model_folder(
    model: Card | CardEntry | str, *, state_dir: Path | str, models_root: Path | str | None = None
) -> Path:
    """The absolute path of a model's folder; for a pipeline or adapter too it is the folder that is loaded.

    model: a card, a line of the index, or a technical name. models_root: where the models root is for this
    process, if it has it mounted elsewhere than the daemon, which wrote its own place into the index.

    Nothing is looked for there: whether the folder can be loaded is what `availability` says. Raises
    ModelsRootUnknown where neither says where the root is, CardUnreadable where the path leads out of it, as
    the daemon never writes it, and what `load_card` and `list_cards` do.
    """
    path = load_card(model, state_dir=state_dir).path if isinstance(model, str) else model.path
    problem = path_problem(path)
    if problem is not None:
        raise CardUnreadable(f'"{printable(path, 80)}" is no path below the models root: {problem}')
    if models_root is None:
        models_root = _read_index(Path(state_dir))[0].get("models_root")
        if isinstance(models_root, str) and not models_root.startswith("/"):
            models_root = None  # of no process's working directory
    if not isinstance(models_root, Path) and (not isinstance(models_root, str) or not models_root):
        raise ModelsRootUnknown(
            f"the index in {state_dir} does not say where the models root is; start dxwatchd once to have it "
            "written anew, or give models_root"
        )
    return Path(models_root).absolute() / path


def watch_cards(
    *, state_dir: Path | str, stop: threading.Event | None = None, every: float = 0.5
) -> Iterator[CardChange]:
    """Every card there is as "added", then every change as it is published, until `stop` is set.

    every: seconds between looks at the index, which cost one `stat` while nothing happens. A directory
    without an index yet is waited for, and so is a damaged index, which the daemon makes anew; nothing counts
    as removed meanwhile. Changes that follow each other faster are seen as one. An index of a later format is
    not waited for, since no wait would help: it raises LaterFormat.
    """
    ended = stop if stop is not None else threading.Event()
    known: dict[str, CardEntry] = {}
    now: dict[str, CardEntry] = {}
    last: tuple[int, int, int] | None = None
    index = Path(state_dir) / "cards" / INDEX
    while True:
        try:
            stat = index.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            now = (
                known
                if stamp == last
                else {one.technical_name: one for one in list_cards(state_dir=state_dir)}
            )
            last = stamp
        except LaterFormat:
            raise
        except (FileNotFoundError, StateDirectoryNotFound, CardUnreadable):
            pass
        yield from _differences(known, now)
        known = now
        if ended.wait(every):
            return


def _differences(before: dict[str, CardEntry], now: dict[str, CardEntry]) -> Iterator[CardChange]:
    for name, entry in before.items():
        if name not in now:
            yield CardChange("removed", entry)
    for name, entry in now.items():
        if name not in before:
            yield CardChange("added", entry)
        elif entry != before[name]:
            yield CardChange("changed", entry)


def _read_index(state_dir: Path) -> tuple[dict[str, Any], tuple[CardEntry, ...]]:
    path = state_dir / "cards" / INDEX
    try:
        data = json.loads(read_plain(path))
        _insist_on_known(str(path), data["schema"], formats.INDEX)
        return data, tuple(map(_entry, data["models"]))
    except FileNotFoundError:
        raise StateDirectoryNotFound(
            f"no cards were published in {state_dir}; give dxwatchd's state_dir, or approve a first model"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CardUnreadable(
            f"{path} cannot be read: {error}; the next change of a card makes it anew"
        ) from error


def _parsed(data: bytes, what: str) -> Card:
    """The card; raises ValidationError, and LaterFormat where that is why it is none."""
    try:
        return parse(data)
    except ValidationError:
        _insist_on_known(what, _schema_of(data), formats.CARD)
        raise


def _schema_of(data: bytes) -> object:
    """What a card says of its format; None where it says nothing."""
    try:
        return json.loads(data)["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _insist_on_known(what: str, said: object, known: str) -> None:
    """Raise LaterFormat where `said` is a later version of the format `known`."""
    if formats.is_later(said, known):
        raise LaterFormat(
            f"{what} cannot be read: it is {said}, this program knows {known}; update its dxwatchd"
        )


def _entry(line: Any) -> CardEntry:
    """One line of the index. Raises KeyError, TypeError where it is none."""
    fields = ("technical_name", "model_name", "path", "availability", "digest")
    texts = {field: line[field] for field in fields}
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(line["revision"], int):
        raise TypeError("a line of its models has a value of another type")
    return CardEntry(**texts, revision=line["revision"])


def _not_registered(technical_name: str, state_dir: Path) -> DxwatchdError:
    try:
        data, entries = _read_index(state_dir)
    except DxwatchdError as error:
        return error
    wanted = canonical(technical_name)
    for entry in entries:
        if canonical(entry.model_name) == wanted:
            shown, name = printable(technical_name, 80), entry.technical_name
            return ModelNotRegistered(f'"{shown}" is a model name; its technical name is "{name}"', name)
    names = [entry.technical_name for entry in entries]
    if wanted in names:
        return CardUnreadable(
            f'the card of "{wanted}" is gone from {state_dir / "cards"}; a restart of dxwatchd makes it anew'
        )
    close = get_close_matches(wanted, names, n=1, cutoff=0.5)
    closest = close[0] if close else next((name for name in names if wanted and wanted in name), None)
    message = f'no model is registered as "{printable(technical_name, 80)}"'
    removed = data.get("tombstones")
    dead = removed if isinstance(removed, list) else []
    if any(isinstance(one, dict) and one.get("technical_name") == wanted for one in dead):
        message += "; it was removed"
    message += f'; the closest is "{closest}"' if closest else "; `dxwatchd list` shows what is"
    return ModelNotRegistered(message, closest)


def _first_lines(error: Exception) -> str:
    return printable(" ".join(str(error).split("\n")[:3]), 300)
