"""What the digests of all of a model's files say together, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.digest_view import DigestView
from dxwatchd.core.document_facts import HubMetadata
from dxwatchd.core.findings import Source, findings, key_of
from dxwatchd.core.model import ModelFolder
from dxwatchd.core.plan import FolderState
from dxwatchd.core.provenance import Check, Digests, Known, checked_files
from dxwatchd.core.reasons import State
from dxwatchd.core.snapshot import Snapshot
from tests.core.making import OLD, digest, llama, only

COMMIT = "ab" * 20
GOOD, BAD = "cd" * 32, "ef" * 32
FILES = ("config.json", "model.safetensors")


def seen(*noted: str) -> tuple[ModelFolder, Snapshot]:
    """The model `m`; noted: files whose digest a download told."""
    notes = {f"{name}.metadata": HubMetadata(digest(name), COMMIT, GOOD, OLD) for name in noted}
    return only({"m": {**llama(), ".cache": {"huggingface": {"download": notes}}}})


def known(snapshot: Snapshot, **others: str) -> Known:
    """The digests of all files of `m`, each GOOD but for `others` ("" for one that is not known)."""
    told = {name: others.get(name.partition(".")[0], GOOD) for name in FILES}
    files = snapshot.folders["m"].files
    return {
        (f"m/{name}", stat): Digests(told[name])
        for name in FILES
        if told[name] and (stat := files[name].stat)
    }


@pytest.mark.parametrize(
    ("noted", "others", "status", "mismatched", "sources"),
    [
        ((), {}, Check.COMPUTED, (), ()),
        (FILES, {}, Check.VERIFIED, (), (Source("huggingface_hub download metadata", COMMIT, 2),)),
        (FILES[1:], {}, Check.VERIFIED, (), (Source("huggingface_hub download metadata", COMMIT, 1),)),
        (
            FILES,
            {"model": BAD},
            Check.MISMATCH,
            ("model.safetensors",),
            (Source("huggingface_hub download metadata", COMMIT, 2),),
        ),
    ],
)
def test_once_all_are_known(
    noted: tuple[str, ...],
    others: dict[str, str],
    status: Check,
    mismatched: tuple[str, ...],
    sources: tuple[Source, ...],
) -> None:
    """Status, digests, where they were told, and what differs."""
    model, snapshot = seen(*noted)
    found = findings(model, checked_files(model, snapshot, known(snapshot, **others)))
    assert found is not None
    assert (found.status, found.mismatched, found.sources) == (status, mismatched, sources)
    assert found.sha256 == {"config.json": GOOD, "model.safetensors": others.get("model", GOOD)}


@pytest.mark.parametrize("others", [{"model": ""}, {"config": ""}, {"model": BAD, "config": ""}])
def test_while_one_is_pending_there_are_none(others: dict[str, str]) -> None:
    """Also where another one differs already: the card gets one revision and not one a file."""
    model, snapshot = seen(*FILES)
    assert findings(model, checked_files(model, snapshot, known(snapshot, **others))) is None


def test_a_file_that_is_not_listed_is_compared_and_not_given() -> None:
    """A component that is a link to another folder is no file of the model, and counts for its status."""
    model, snapshot = seen(*FILES)
    listed = replace(model, files=tuple(file for file in model.files if file.name == "config.json"))
    found = findings(listed, checked_files(model, snapshot, known(snapshot, model=BAD)))
    assert found is not None
    assert set(found.sha256) == {"config.json"}
    assert (found.status, found.mismatched) == (Check.MISMATCH, ("model.safetensors",))


def test_no_files_no_findings() -> None:
    """Of nothing there is nothing to say."""
    model, _ = seen()
    assert findings(model, ()) is None


Said: TypeAlias = tuple[str, dict[str, str], list[Source], list[str]]
NAMES = st.text(st.characters(exclude_characters="\n\0"), min_size=1)
SAID = st.tuples(
    st.sampled_from(["computed", "verified", "mismatch"]),
    st.dictionaries(NAMES, st.sampled_from([GOOD, BAD]), max_size=3),
    st.lists(
        st.builds(Source, st.sampled_from("xy"), st.none() | st.just(COMMIT), st.integers(1, 9)), max_size=2
    ),
    st.lists(NAMES, max_size=2),
)


@given(SAID, SAID)
def test_what_says_the_same_has_the_same_key_and_nothing_else_has(one: Said, other: Said) -> None:
    """Any difference in status, digests, sources or mismatches is another key."""

    def key(said: Said) -> str:
        status, digests, sources, mismatched = said
        return key_of(status, digests.items(), sources, mismatched)

    def plain(said: Said) -> object:
        status, digests, sources, mismatched = said
        return status, list(digests.items()), sources, mismatched

    assert (key(one) == key(other)) == (plain(one) == plain(other))


def test_states_are_told_with_digests_where_somebody_computes_any() -> None:
    """Of whole folders alone; with them come the files that are not what was downloaded."""
    model, snapshot = seen(*FILES)
    states = tuple(
        FolderState("m", state, model=model) for state in (State.REGISTERED, State.INCOMPLETE, State.DRIFTED)
    )
    assert DigestView(snapshot, None).told(states) == states
    registered, incomplete, drifted = DigestView(snapshot, known(snapshot, model=BAD)).told(states)
    assert incomplete == states[1]
    assert registered.checked == drifted.checked
    assert [reason.file for reason in registered.warnings] == ["model.safetensors"]
