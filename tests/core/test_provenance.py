"""What downloads left behind to compare digests with, and what comes of comparing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dxwatchd.core.document_facts import HubMetadata
from dxwatchd.core.facts import Pointer
from dxwatchd.core.provenance import (
    Algorithm,
    Check,
    Checked,
    Digests,
    Expected,
    Known,
    Origin,
    checked_files,
    expected_digests,
    mismatches,
    overall,
)
from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.snapshot import SeenFolder, Snapshot, join
from tests.core.making import OLD, File, Tree, digest, llama, only, tensors

COMMIT = "ab" * 20
SHA = "cd" * 32
GIT = "ef" * 20
WEIGHTS = "model.safetensors"


def note(etag: str = SHA, noted: int = OLD) -> HubMetadata:
    """A note of a download."""
    return HubMetadata(digest(etag), COMMIT, etag, noted)


def noted(inside: Tree, **notes: Any) -> dict[str, Any]:
    """A folder that was downloaded into, with its notes."""
    return {**inside, ".cache": {"huggingface": {"download": notes}}}


def seen(inside: Tree) -> tuple[Any, Snapshot]:
    """The one model `m` and the snapshot."""
    return only({"m": inside})


def test_a_note_tells_the_digest_and_the_revision() -> None:
    """64 digits are a SHA-256, 40 a git blob's SHA-1; both with the commit."""
    inside = noted(llama(), **{f"{WEIGHTS}.metadata": note(), "config.json.metadata": note(GIT)})
    assert expected_digests(*seen(inside)) == {
        WEIGHTS: Expected(Algorithm.SHA256, SHA, Origin.HUB_METADATA, COMMIT),
        "config.json": Expected(Algorithm.GIT_BLOB, GIT, Origin.HUB_METADATA, COMMIT),
    }


def test_notes_of_files_in_subfolders_lie_in_subfolders() -> None:
    """`download/onnx/model.onnx.metadata` is about `onnx/model.onnx`."""
    inside = noted({**llama(), "onnx": {"model.onnx": tensors()}}, onnx={"model.onnx.metadata": note()})
    assert list(expected_digests(*seen(inside))) == ["onnx/model.onnx"]


@pytest.mark.parametrize(
    "notes",
    [
        {"gone.safetensors.metadata": note()},
        {f"{WEIGHTS}.metadata": note(noted=OLD - 2_000_000_000)},
        {f"{WEIGHTS}.metadata": None},
        {f"{WEIGHTS}.lock": note()},
    ],
)
def test_a_note_of_something_else_tells_nothing(notes: dict[str, Any]) -> None:
    """Of a file that is gone, of one that was changed later, one that cannot be read, and other files."""
    assert expected_digests(*seen(noted(llama(), **notes))) == {}


def test_a_pointer_left_beside_a_file_tells_its_digest_and_is_no_fault() -> None:
    """The folder is whole although a pointer lies in it: the file that it stands for is there."""
    inside = {**llama(), f"{WEIGHTS}.pointer": File(Pointer(SHA, 100, digest("p")), 130)}
    assert expected_digests(*seen(inside)) == {WEIGHTS: Expected(Algorithm.SHA256, SHA, Origin.LFS_POINTER)}


def _with_blob(snapshot: Snapshot, name: str, blob: str) -> Snapshot:
    folder = snapshot.folders["m"]
    files = {**folder.files, name: replace(folder.files[name], blob=blob)}
    changed: SeenFolder = replace(folder, files=files)
    return replace(snapshot, folders={**snapshot.folders, "m": changed})


@pytest.mark.parametrize(("blob", "algorithm"), [(SHA, Algorithm.SHA256), (GIT, Algorithm.GIT_BLOB)])
def test_a_blobs_name_is_the_digest(blob: str, algorithm: Algorithm) -> None:
    """Of a link into a download cache."""
    model, snapshot = seen(llama())
    found = expected_digests(model, _with_blob(snapshot, WEIGHTS, blob))
    assert found == {WEIGHTS: Expected(algorithm, blob, Origin.HUB_BLOB)}


def test_digests_of_everything_are_wanted_but_of_holes() -> None:
    """What was never written has no digest that means anything; the git blob's only where it is needed."""
    inside = noted(llama(), **{"config.json.metadata": note(GIT)})
    model, snapshot = seen(inside)
    checked = checked_files(model, snapshot, {})
    wanted = {file.wanted.place: file.wanted.git_blob for file in checked if file.wanted is not None}
    assert wanted == {"m/config.json": True, f"m/{WEIGHTS}": False}
    model, snapshot = seen({"config.json": inside["config.json"], WEIGHTS: File(hole=True)})
    checked = checked_files(model, snapshot, {})
    assert [file.wanted.place for file in checked if file.wanted is not None] == ["m/config.json"]


def known(snapshot: Snapshot, **digests: Digests) -> Known:
    """Digests of files of `m`, as they are now."""
    found = {}
    for name, value in digests.items():
        stat = snapshot.folders["m"].files[name].stat
        assert stat is not None
        found[join("m", name), stat] = value
    return found


@pytest.mark.parametrize(
    ("etag", "computed", "check"),
    [
        (SHA, None, Check.PENDING),
        (SHA, Digests(SHA), Check.VERIFIED),
        (SHA, Digests("00" * 32), Check.MISMATCH),
        (GIT, Digests(SHA, GIT), Check.VERIFIED),
        (GIT, Digests(SHA, "00" * 20), Check.MISMATCH),
        (GIT, Digests(SHA), Check.PENDING),
        (None, Digests(SHA), Check.COMPUTED),
    ],
)
def test_what_comes_of_comparing(etag: str | None, computed: Digests | None, check: Check) -> None:
    """Verified or not by what the download said; computed where it said nothing."""
    notes = {f"{WEIGHTS}.metadata": note(etag)} if etag is not None else {}
    model, snapshot = seen(noted(llama(), **notes))
    facts = known(snapshot, **({WEIGHTS: computed} if computed is not None else {}))
    checked = {file.name: file for file in checked_files(model, snapshot, facts)}
    assert checked[WEIGHTS].check is check
    assert (checked[WEIGHTS].wanted is not None) == (check is Check.PENDING)
    assert checked["config.json"].check is Check.PENDING
    reasons = mismatches(tuple(checked.values()))
    assert [(reason.kind, reason.file) for reason in reasons] == (
        [(ReasonKind.DIGEST_MISMATCH, WEIGHTS)] if check is Check.MISMATCH else []
    )
    for reason in reasons:
        assert etag is not None
        assert etag in reason.expected
        assert "00" * 20 in reason.found
        assert reason.remedy


def test_a_file_that_changed_has_no_digest_yet() -> None:
    """What was computed counts for the file as it was then."""
    model, snapshot = seen(llama())
    before = known(snapshot, **{WEIGHTS: Digests(SHA)})
    model, snapshot = seen({**llama(), WEIGHTS: tensors("new", time=OLD + 1)})
    assert {file.check for file in checked_files(model, snapshot, before)} == {Check.PENDING}


@pytest.mark.parametrize(
    ("checks", "together"),
    [
        ((), Check.PENDING),
        ((Check.COMPUTED,), Check.COMPUTED),
        ((Check.COMPUTED, Check.VERIFIED), Check.VERIFIED),
        ((Check.VERIFIED, Check.PENDING), Check.PENDING),
        ((Check.VERIFIED, Check.PENDING, Check.MISMATCH), Check.MISMATCH),
    ],
)
def test_the_gravest_is_said_of_the_whole(checks: tuple[Check, ...], together: Check) -> None:
    """One file that differs is enough; verified only once nothing is pending."""
    assert overall(tuple(Checked(str(number), check) for number, check in enumerate(checks))) is together
