"""`guards.json`: what passes remember of the models root, also of a loss while none were made.

Deleting it loses what a person accepted to be gone, and nothing else: where much is gone, it is held again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dxwatchd.core.root_guard import Cause, Hold, Memory, RootIdentity
from dxwatchd.stores.atomic import write_atomically
from dxwatchd.stores.plain_file import read_plain

SCHEMA = "dxwatchd.guards/v1"


class GuardFile:
    """The file of one state directory. damaged: why what was found is not gone by, "" where all is well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = ""
        self.memory = self._load()
        self._saved = self.memory if not self.damaged else None

    def _load(self) -> Memory:
        try:
            return _memory(json.loads(read_plain(self.path)))
        except FileNotFoundError:
            return Memory()
        except OSError as error:
            self.damaged = error.strerror or str(error)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.damaged = "it is not what dxwatchd writes there"
        return Memory()

    def save(self, memory: Memory) -> None:
        """Remember `memory`: in this object at once, in the file where it differs. Raises OSError."""
        self.memory = memory
        if memory == self._saved:
            return
        write_atomically(self.path, (json.dumps(_plain(memory), indent=1) + "\n").encode())
        self._saved = memory


def _plain(memory: Memory) -> dict[str, Any]:
    hold = memory.hold
    return {
        "schema": SCHEMA,
        "root": asdict(memory.root) if memory.root is not None else None,
        "mounts": dict(sorted(memory.mounts.items())),
        "missing": sorted(memory.missing),
        "orphaned": sorted(memory.orphaned),
        "hold": {"cause": hold.cause.value, "names": sorted(hold.names), "found": hold.found}
        if hold is not None
        else None,
    }


def _memory(plain: dict[str, Any]) -> Memory:
    """Raises ValueError, TypeError, KeyError or AttributeError where it is not ours."""
    if plain["schema"] != SCHEMA:
        raise ValueError(plain["schema"])
    root, hold = plain["root"], plain["hold"]
    return Memory(
        root=RootIdentity(*(_is(int, root[key]) for key in ("device", "inode", "file_system")))
        if root is not None
        else None,
        mounts={path: _is(int, device) for path, device in plain["mounts"].items()},
        missing=_names(plain["missing"]),
        orphaned=_names(plain["orphaned"]),
        hold=Hold(Cause(hold["cause"]), _names(hold["names"]), _is(str, hold["found"]))
        if hold is not None
        else None,
    )


def _names(plain: Any) -> frozenset[str]:
    return frozenset(_is(str, name) for name in _is(list, plain))


def _is(kind: type[Any], value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(value)
    return value
