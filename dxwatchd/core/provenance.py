"""Where a download left a digest of what it fetched, and what it says once the file's own is known.

Sources, none of which needs a network: huggingface_hub's notes beside a local folder, the names of the blobs
in its cache, and git-LFS pointers left beside the files they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dxwatchd.core.document_facts import HubMetadata
from dxwatchd.core.facts import Pointer
from dxwatchd.core.filenames import stands_for
from dxwatchd.core.fingerprint import content_files
from dxwatchd.core.hub_cache import cache_of
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.ownership import download_notes, seen_files, seen_folders
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFile, Snapshot, Stat, basename, join

_TOLERANCE_NS = 1_000_000_000
"""A note may be this much older than the file that it is about: huggingface_hub's own bound."""


class Algorithm(StrEnum):
    """How a digest is made of a file's bytes."""

    SHA256 = "sha256"
    GIT_BLOB = "git-blob-sha1"  # SHA-1 over "blob", the size in decimal, NUL, and the bytes


class Origin(StrEnum):
    """Where an expected digest comes from."""

    HUB_METADATA = "huggingface_hub download metadata"
    HUB_BLOB = "huggingface_hub cache blob"
    LFS_POINTER = "git-LFS pointer"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file's digest should be.

    value: hexadecimal; commit: the revision it was fetched from, where told.
    """

    algorithm: Algorithm
    value: str
    origin: Origin
    commit: str | None = None


class Check(StrEnum):
    """What is known of a file's or a model's digests."""

    PENDING = "pending"  # not computed yet
    COMPUTED = "computed"  # computed, and nothing to compare with
    VERIFIED = "verified"  # what the download said
    MISMATCH = "mismatch"  # not what the download said


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of one file, hexadecimal. git_blob: only where one was asked for."""

    sha256: str
    git_blob: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file whose digests are wanted. place: relative to the models root; stat: as it was seen."""

    place: str
    stat: Stat
    git_blob: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """One file's digests and what they should be.

    name: relative to the model; wanted: what is to be computed, None where all is known or nothing would be
    worth it; content: whether it counts as content, which a person approves.
    """

    name: str
    check: Check
    expected: Expected | None = None
    digests: Digests | None = None
    wanted: Wanted | None = None
    content: bool = False


Known = Mapping[tuple[str, Stat], Digests]
"""Computed digests by place relative to the models root and the stat that the file had."""


def expected_digests(model: ModelFolder, snapshot: Snapshot) -> dict[str, Expected]:
    """What a download said of the model's files, by name relative to it."""
    return _expected_of(model, snapshot, seen_files(seen_folders(model, snapshot)))


def _expected_of(
    model: ModelFolder, snapshot: Snapshot, files: Mapping[str, SeenFile]
) -> dict[str, Expected]:
    found: dict[str, Expected] = {}
    for name, file in files.items():
        whole = stands_for(name)
        if whole is not None and whole in files and isinstance(file.facts, Pointer):
            found[whole] = Expected(Algorithm.SHA256, file.facts.oid, Origin.LFS_POINTER)
    for note, file in download_notes(snapshot, model.path).items():
        name = note.removesuffix(".metadata")
        if isinstance(file.facts, HubMetadata) and name in files and _is_about(file.facts, files[name]):
            found[name] = _expected(file.facts.etag, Origin.HUB_METADATA, file.facts.commit)
    commit = basename(model.path) if cache_of(model.path) is not None else None
    for name, file in files.items():
        if file.blob:
            found[name] = _expected(file.blob, Origin.HUB_BLOB, commit)
    return found


def _is_about(note: HubMetadata, file: SeenFile) -> bool:
    """Whether the file is still the one that was noted: one changed later is another one."""
    return file.stat is not None and file.stat.mtime_ns - _TOLERANCE_NS <= note.noted_ns


def _expected(etag: str, origin: Origin, commit: str | None) -> Expected:
    algorithm = Algorithm.SHA256 if len(etag) == 64 else Algorithm.GIT_BLOB
    return Expected(algorithm, etag, origin, commit)


def checked_files(model: ModelFolder, snapshot: Snapshot, known: Known) -> tuple[Checked, ...]:
    """Each file of a model with what is known of its digests, in the order of the names."""
    files = seen_files(seen_folders(model, snapshot))
    expected = _expected_of(model, snapshot, files)
    content = {name for name, _ in content_files(model, files)}
    checked = []
    for name, file in files.items():
        if file.stat is not None:
            place = join(model.path, name)
            digests = known.get((place, file.stat))
            one = _checked(name, place, file, expected.get(name), digests)
            checked.append(replace(one, content=True) if name in content else one)
    return tuple(checked)


def _checked(
    name: str, place: str, file: SeenFile, expected: Expected | None, digests: Digests | None
) -> Checked:
    found = found_digest(expected, digests) if digests is not None else None
    if found is None:
        # what was never written has no digest that means anything
        git_blob = expected is not None and expected.algorithm is Algorithm.GIT_BLOB
        wanted = Wanted(place, file.stat, git_blob) if file.stat is not None and not file.hole else None
        return Checked(name, Check.PENDING, expected, digests, wanted)
    if expected is None:
        return Checked(name, Check.COMPUTED, None, digests)
    return Checked(name, Check.VERIFIED if found == expected.value else Check.MISMATCH, expected, digests)


def found_digest(expected: Expected | None, digests: Digests) -> str | None:
    """Of a file's digests the one that is to be compared; the SHA-256 where nothing is expected."""
    git_blob = expected is not None and expected.algorithm is Algorithm.GIT_BLOB
    return digests.git_blob if git_blob else digests.sha256


def overall(files: tuple[Checked, ...]) -> Check:
    """What is to be said of the model as a whole: the gravest, and `verified` only if nothing is pending."""
    checks = {file.check for file in files}
    for check in (Check.MISMATCH, Check.PENDING, Check.VERIFIED):
        if check in checks:
            return check
    return Check.COMPUTED if checks else Check.PENDING


def mismatches(files: tuple[Checked, ...]) -> tuple[Reason, ...]:
    """A word on each file that is not what was downloaded, with both values."""
    return tuple(
        Reason(
            ReasonKind.DIGEST_MISMATCH,
            file=file.name,
            expected=f"{file.expected.algorithm.value} {file.expected.value} by {file.expected.origin.value}",
            found=f"{found_digest(file.expected, file.digests)}",
            remedy="download the file again; if it was changed on purpose, remove the download's note",
        )
        for file in files
        if file.check is Check.MISMATCH and file.expected is not None and file.digests is not None
    )
