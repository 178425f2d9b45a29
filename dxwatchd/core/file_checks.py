"""What may be wrong with one file or folder of a model: its name, its content, its size."""

from __future__ import annotations

from collections.abc import Iterator

from dxwatchd.core.facts import (
    Facts,
    Fault,
    Gguf,
    Onnx,
    Pointer,
    Safetensors,
    Sized,
    TorchArchive,
    Unusable,
)
from dxwatchd.core.filenames import README, is_documentation, is_temporary
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Trouble, basename

_COPY_AGAIN = "wait for the copy to end, or copy the file again"
_COMPARE = "compare it with the original and copy it again"

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
    Fault.EMPTY: (ReasonKind.EMPTY, _COPY_AGAIN),
    Fault.TRUNCATED: (ReasonKind.TRUNCATED, _COPY_AGAIN),
    Fault.MALFORMED: (ReasonKind.MALFORMED, _COMPARE),
    Fault.TOO_LARGE: (
        ReasonKind.TOO_LARGE,
        "compare it with the original: no known model has one of this size",
    ),
    Fault.UNREADABLE: (ReasonKind.UNREADABLE, "give the user that dxwatchd runs as the right to read it"),
    Fault.CHANGED: (ReasonKind.NOT_AT_REST, "wait: it changed while it was being read"),
}

_MAY_BE_EMPTY = (".py",)
"""`__init__.py` is, for one; an empty vocabulary or template is a copy that has only just begun."""


def folder_reasons(name: str, folder: SeenFolder) -> Iterator[Reason]:
    """What is wrong with one folder of a model. name: relative to the model, "" for itself."""
    if is_temporary(basename(name)):
        yield temporary(f"{name}/")
    if folder.trouble is not None:
        kind, found, remedy = _TROUBLES[folder.trouble]
        yield Reason(kind, file=f"{name}/" if name else "", found=found, remedy=remedy)


def file_reasons(name: str, file: SeenFile) -> Iterator[Reason]:
    """What is wrong with one file of a model. name: relative to the model."""
    last = basename(name)
    if is_temporary(last):
        yield temporary(name)
    elif file.trouble is not None:
        if not is_documentation(last):
            kind, found, remedy = _TROUBLES[file.trouble]
            yield Reason(kind, file=name, found=found, remedy=remedy)
    elif file.stat is not None and last != README:  # whatever is in it, the model is whole
        yield from _content(name, file.facts, file.stat.size)


def temporary(name: str) -> Reason:
    """The reason that a copier's temporary name is."""
    return Reason(
        ReasonKind.TEMPORARY_NAME,
        file=name,
        found="has the temporary name of a copy in progress",
        remedy="wait for the copy to end; if none is running, rename or remove it",
    )


def missing(name: str, expected: str) -> Reason:
    """The reason that a promised file is which is not there. expected: by what, as in `by model.onnx`."""
    return Reason(
        ReasonKind.MISSING_FILE,
        file=name,
        expected=expected,
        found="not there",
        remedy="wait for the copy to end, or copy the file",
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


def _content(name: str, facts: Facts | None, size: int) -> Iterator[Reason]:
    """Whether a file of `size` bytes is exactly what its own header says."""
    if isinstance(facts, Safetensors | Onnx):
        yield from size_reasons(name, size, facts.promised_size, facts.promised_size)
    elif isinstance(facts, Gguf):
        padded = -(-facts.promised_size // facts.alignment) * facts.alignment
        yield from size_reasons(name, size, facts.promised_size, padded)
    elif isinstance(facts, Sized):
        yield from size_reasons(name, size, facts.promised_size, facts.promised_size if facts.exact else None)
    elif isinstance(facts, TorchArchive):
        if not facts.complete:
            yield Reason(
                ReasonKind.TRUNCATED,
                file=name,
                expected="a zip directory at its end",
                found=f"{size:,} bytes without one",
                remedy=_COPY_AGAIN,
            )
    else:
        yield from _unusable(name, facts)


def size_reasons(
    name: str, size: int, least: int, most: int | None, by: str = "its own header"
) -> Iterator[Reason]:
    """What is wrong with a size in bytes. most: None for no bound; by: what says how large it must be."""
    if size < least:
        yield Reason(
            ReasonKind.TOO_SHORT,
            file=name,
            expected=f"{'at least ' if most is None else ''}{least:,} bytes by {by}",
            found=f"{size:,} bytes",
            remedy=_COPY_AGAIN,
        )
    elif most is not None and size > most:
        yield Reason(
            ReasonKind.TOO_LONG,
            file=name,
            expected=f"{most:,} bytes by {by}",
            found=f"{size:,} bytes",
            remedy=_COMPARE,
        )
