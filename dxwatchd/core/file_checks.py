"""What may be wrong with one file of a model: its name, its content, its size."""

from __future__ import annotations

from collections.abc import Iterator

from dxwatchd.core.facts import Facts, Fault, Gguf, Pointer, Safetensors, TorchArchive, Unusable
from dxwatchd.core.filenames import is_temporary, weight_format
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFile, Trouble, basename

_TROUBLES: dict[Trouble, tuple[ReasonKind, str, str]] = {
    Trouble.LINK_OUTSIDE: (
        ReasonKind.LINK_OUTSIDE,
        "a link that leads out of the models root",
        "copy the file itself into the folder",
    ),
    Trouble.LINK_BROKEN: (
        ReasonKind.LINK_BROKEN,
        "a link to nothing",
        "copy what it should lead to, or remove it",
    ),
    Trouble.SPECIAL: (
        ReasonKind.SPECIAL_FILE,
        "a device, FIFO or socket",
        "remove it: no model holds such a file",
    ),
    Trouble.UNREADABLE: (
        ReasonKind.UNREADABLE,
        "cannot be read",
        "give the user that dxwatchd runs as the right to read it",
    ),
    Trouble.TOO_DEEP: (ReasonKind.UNREADABLE, "lies too deep below the models root", "move it up"),
}

_FAULTS: dict[Fault, tuple[ReasonKind, str]] = {
    Fault.EMPTY: (ReasonKind.EMPTY, "wait for the copy to end, or copy the file again"),
    Fault.TRUNCATED: (ReasonKind.TRUNCATED, "wait for the copy to end, or copy the file again"),
    Fault.MALFORMED: (ReasonKind.MALFORMED, "compare it with the original and copy it again"),
    Fault.TOO_LARGE: (
        ReasonKind.TOO_LARGE,
        "compare it with the original: no known model has one of this size",
    ),
    Fault.UNREADABLE: (ReasonKind.UNREADABLE, "give the user that dxwatchd runs as the right to read it"),
    Fault.CHANGED: (ReasonKind.NOT_AT_REST, "wait: it changed while it was being read"),
}

_MAY_BE_EMPTY = (".py", ".txt", ".jinja")


def any_file(name: str, file: SeenFile) -> Iterator[Reason]:
    """What may be wrong with any file of the folder, whatever it is."""
    if any(is_temporary(part) for part in name.split("/")):
        yield temporary(name)
    elif file.trouble is not None and (
        file.facts is not None or weight_format(name) or name.endswith(".json")
    ):
        kind, found, remedy = _TROUBLES[file.trouble]
        yield Reason(kind, file=name, found=found, remedy=remedy)
    elif weight_format(basename(name)) is None:
        yield from _unusable(name, file.facts)


def temporary(name: str) -> Reason:
    return Reason(
        ReasonKind.TEMPORARY_NAME,
        file=name,
        found="has the temporary name of a copy in progress",
        remedy="wait for the copy to end; if none is running, rename or remove it",
    )


def _unusable(name: str, facts: Facts | None) -> Iterator[Reason]:
    if isinstance(facts, Pointer):
        yield Reason(
            ReasonKind.POINTER,
            file=name,
            expected=f"{facts.size:,} bytes",
            found="only a git-LFS pointer",
            remedy="run `git lfs pull` in the folder",
        )
    elif isinstance(facts, Unusable) and not (facts.fault is Fault.EMPTY and name.endswith(_MAY_BE_EMPTY)):
        kind, remedy = _FAULTS[facts.fault]
        where = f"line {facts.line}: " if facts.line else ""
        yield Reason(kind, file=name, found=f"{where}{facts.message.rstrip('.')}", remedy=remedy)


def weight_file(name: str, file: SeenFile) -> Iterator[Reason]:
    """Whether one weight file is exactly what its own header says."""
    facts = file.facts
    if file.stat is None:
        return  # a trouble, told already
    size = file.stat.size
    if isinstance(facts, Safetensors):
        yield from _size(name, size, facts.promised_size, facts.promised_size)
    elif isinstance(facts, Gguf):
        padded = -(-facts.promised_size // facts.alignment) * facts.alignment
        yield from _size(name, size, facts.promised_size, padded)
    elif isinstance(facts, TorchArchive):
        if not facts.complete and not file.hole:
            yield Reason(
                ReasonKind.TRUNCATED,
                file=name,
                expected="a zip directory at its end",
                found=f"{size:,} bytes without one",
                remedy="wait for the copy to end, or copy the file again",
            )
    else:
        yield from _unusable(name, facts)


def _size(name: str, size: int, least: int, most: int) -> Iterator[Reason]:
    if size < least:
        yield Reason(
            ReasonKind.TOO_SHORT,
            file=name,
            expected=f"{least:,} bytes by its own header",
            found=f"{size:,} bytes",
            remedy="wait for the copy to end, or copy the file again",
        )
    elif size > most:
        yield Reason(
            ReasonKind.TOO_LONG,
            file=name,
            expected=f"{most:,} bytes by its own header",
            found=f"{size:,} bytes",
            remedy="compare it with the original and copy it again",
        )
