"""The digests of all of a model's files together: what its card is to say of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dxwatchd.core.listed_files import listed
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.provenance import Check, Checked, overall


@dataclass(frozen=True, slots=True)
class Source:
    """What told the digests of some files beforehand. origin: what kind of note; files: how many."""

    origin: str
    commit: str | None
    files: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What a card says once nothing is pending.

    sha256: hexadecimal, by name relative to the model, for the files that are listed as its own;
    mismatched: names of those that are not what was downloaded; key: two findings of equal keys say the same.
    """

    status: Check
    sha256: Mapping[str, str]
    sources: tuple[Source, ...]
    mismatched: tuple[str, ...]
    key: str


def findings(model: ModelFolder, checked: tuple[Checked, ...]) -> Findings | None:
    """What the digests of all files say; None while one is pending, since half an answer is none."""
    digests: dict[str, str] = {}
    told: dict[tuple[str, str | None], int] = {}
    mismatched: list[str] = []
    for file in checked:
        if file.digests is None or file.check is Check.PENDING:
            return None
        digests[file.name] = file.digests.sha256
        if file.expected is not None:
            origin = file.expected.origin.value, file.expected.commit
            told[origin] = told.get(origin, 0) + 1
            if file.check is Check.MISMATCH:
                mismatched.append(file.name)
    if not digests:
        return None
    first = listed(model.files)
    if len(digests) != len(first):  # a component that is a link to elsewhere is checked, and not listed
        names = {file.name for file in first}
        digests = {name: digest for name, digest in digests.items() if name in names}
        mismatched = [name for name in mismatched if name in names or len(first) == len(model.files)]
    sources = tuple(Source(*origin, count) for origin, count in sorted(told.items(), key=str))
    status = overall(checked)
    key = key_of(status.value, digests.items(), sources, mismatched)
    return Findings(status, digests, sources, tuple(mismatched), key)


def key_of(
    status: str,
    digests: Iterable[tuple[str, str]],
    sources: Iterable[Source],
    mismatched: Iterable[str],
) -> str:
    """What stands for these values. Names that are no UTF-8 count as a card writes them.

    digests: pairs of file name and SHA-256, in the order of the names.
    """
    lines = [status]
    lines += [f"{name}\0{digest}" for name, digest in digests]
    lines += [f"{source.origin}\0{source.commit}\0{source.files}" for source in sources]
    lines += mismatched
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:32]
