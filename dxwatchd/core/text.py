"""Names and strings from outside, made fit to be shown."""

from __future__ import annotations


def printable(text: str, limit: int = 500) -> str:
    """`text` on one line: control characters, line and direction marks and undecodable bytes escaped.

    A folder's name may hold anything but "/" and NUL; shown raw, it could forge lines of a log or a table.
    What is longer then is cut at `limit` characters, with "…" at the end.
    """
    shown = "".join(char if _is_plain(char) else _escaped(char) for char in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def is_text(name: str) -> bool:
    """Whether a file name is text: decodable, and without control characters or line and direction marks."""
    return all(_is_plain(char) for char in name)


def _is_plain(char: str) -> bool:
    return char == " " or char.isprintable()


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that os.fsdecode could not decode
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`3 files`, `1 file`. plural: where it is not the noun with an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"
