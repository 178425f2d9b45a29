"""The one exception of the readers."""

from __future__ import annotations

from dxwatchd.core.facts import Fault


class ReaderError(Exception):
    """A file's content cannot be used.

    fault: what kind of error; message: one sentence for a person, without the file's name, which the
    caller knows; line: 1-based, for text formats, else None.
    """

    def __init__(self, fault: Fault, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.line = line


def quoted(text: str, limit: int = 80) -> str:
    """Text from a file as it may stand in a message: on one line, printable, cut at `limit` characters."""
    shown = ascii(text[:limit]) if not text[:limit].isprintable() else f"'{text[:limit]}'"
    return shown + ("..." if len(text) > limit else "")
