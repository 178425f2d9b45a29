"""What is known of the files' bytes: digests, where they came from, and what is in their pickles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dxwatchd.card.parts.common import Count, Part


class PickleFile(Part):
    """A file that loading may run code from. It was read here opcode by opcode, never loaded.

    name: relative to the folder; globals: module.name of everything that it imports, sorted;
    disallowed: those that weights do not need; complete: whether all of it was read.
    """

    name: str
    globals: tuple[str, ...] = ()
    disallowed: tuple[str, ...] = ()
    complete: bool


class Provenance(Part):
    """What a download left behind. source: which kind of note; commit: the revision; files: how many."""

    source: str
    commit: str | None = None
    files: Count


class Integrity(Part):
    """status: "pending" (digests are not all computed), "computed" (nothing to compare with), "verified"
    (what the download said) or "mismatch"; pickle_present: whether any weight file is a pickle;
    disallowed_globals: of all pickles together; warnings: sentences. Nothing here says that a model is safe.
    approved_digest: over the SHA-256 of every file that counts as content, as it was approved, None while
    they are not known; approved_files: theirs by name, as far as there is room; found_digest: of other bytes
    found under the same fingerprint since, None otherwise.
    """

    status: Literal["pending", "computed", "verified", "mismatch"] = "pending"
    provenance: tuple[Provenance, ...] = ()
    mismatched_files: tuple[str, ...] = ()
    pickle_present: bool = False
    pickles: tuple[PickleFile, ...] = Field(default=())
    disallowed_globals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    approved_digest: str | None = None
    approved_files: dict[str, str] = Field(default_factory=dict)
    found_digest: str | None = None
