"""Digests in a running daemon: computed once, compared with what the download left, and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.core.provenance import Digests
from dxwatchd.stores.digests_db import DigestsDb
from tests.e2e.conftest import Place
from tests.layouts.making import COMMIT, CONFIG, TOKENIZER, hub_cache, hub_note, lay, tensors

FILES = {"config.json": CONFIG, "tokenizer.json": TOKENIZER, "model.safetensors": tensors(1, 4000)}
NOTES = ".cache/huggingface/download"


@pytest.fixture
def download(place: Place) -> Callable[..., Path]:
    """Puts a folder into the models root as huggingface_hub leaves it; `spoil`: another content of a file."""

    def made(name: str, **spoil: bytes) -> Path:
        aside = place.folder / "aside" / name
        lay({**FILES, **{key.replace("_", "."): data for key, data in spoil.items()}}, aside)
        for key, data in FILES.items():
            lay({f"{NOTES}/{key}.metadata": hub_note(data, small=key.endswith(".json"))}, aside)
        aside.rename(place.models / name)
        return place.models / name

    return made


def digests(place: Place, path: str) -> dict[str, Any]:
    """What `status` says of a folder's digests, once none is pending."""

    def told() -> dict[str, Any] | None:
        found: dict[str, Any] | None = (place.folder_state(path) or {}).get("digests")
        return found if found is not None and not found["pending"] else None

    return place.until(told, f"digests of {path}")


def test_a_download_is_verified(place: Place, download: Callable[..., Path]) -> None:
    """Every file is what the notes say: `verified` in `status`, in `explain` and in the log."""
    place.start()
    download("good")
    place.proposed("good")
    found = digests(place, "good")
    assert (found["status"], found["verified"], found["mismatch"]) == ("verified", 3, 0)
    assert found["commits"] == [COMMIT]
    said = place.run("explain", "good")
    assert "digests      of 3 files known by huggingface_hub download metadata" in said
    assert "3 verified" in said
    place.until(lambda: "digests computed" in place.log.read_text(), "a word in the log")
    status = json.loads((place.state / "status.json").read_text())
    assert status["digests"]["files_left"] == 0


def test_another_content_of_the_right_size_is_told_with_both_values(
    place: Place, download: Callable[..., Path]
) -> None:
    """One bit differs: a mismatch with what was expected and what was found; the model stays proposed."""
    data = bytearray(FILES["model.safetensors"])
    data[-1] ^= 1
    place.start()
    download("bad", model_safetensors=bytes(data))
    place.proposed("bad")
    found = digests(place, "bad")
    assert (found["status"], found["verified"], found["mismatch"]) == ("mismatch", 2, 1)
    state = place.folder_state("bad")
    assert state is not None
    (warning,) = [one for one in state["warnings"] if one["kind"] == "digest_mismatch"]
    assert warning["file"] == "model.safetensors"
    assert len(warning["found"]) == 64
    assert warning["found"] not in warning["expected"]
    assert state["state"] == "proposed"
    assert f"{warning['found']}, expected" in place.run("status", code=1)
    log = place.until(
        lambda: place.log.read_text() if "file is not what was downloaded" in place.log.read_text() else None,
        "a warning in the log",
    )
    assert warning["found"] in log


def test_digests_outlive_the_daemon(place: Place, download: Callable[..., Path]) -> None:
    """After a restart, and after a kill, nothing that was finished is read again."""
    place.start()
    download("good")
    digests(place, "good")
    place.kill()
    before = place.log.stat().st_size
    # a digest of all zeros can only come from what was kept
    kept = DigestsDb(place.state / "digests.db")
    for file, stat in kept.all():
        kept.remember(file, stat, Digests("0" * 64, None))
    kept.close()
    place.start()
    assert digests(place, "good")["mismatch"] == 1
    assert "file is not what was downloaded" in place.log.read_text()[before:]


def test_switched_off_nothing_is_computed(place: Place, download: Callable[..., Path]) -> None:
    """No digests in the status, no file of them; what a download says is shown by `explain` all the same."""
    place.options["digests"] = "off"
    place.start()
    download("good")
    place.proposed("good")
    state = place.until(lambda: place.folder_state("good"), "the status of the pass that proposed it")
    assert state["digests"] is None
    assert not (place.state / "digests.db").exists()
    assert "of 3 files known by huggingface_hub download metadata" in place.run("explain", "good")
    expected = place.json("explain", "good")["models"][0]["expected_digests"]
    assert expected["config.json"]["algorithm"] == "git-blob-sha1"
    assert expected["config.json"]["commit"] == COMMIT


def test_a_cached_model_is_verified_by_its_blobs(place: Place) -> None:
    """The name of a blob is its digest; the model is proposed under the name of its folder."""
    place.start()
    lay(hub_cache(FILES), place.folder / "models--org--Name-1B")
    (place.folder / "models--org--Name-1B").rename(place.models / "models--org--Name-1B")
    path = f"models--org--Name-1B/snapshots/{COMMIT}"
    assert place.proposed(path)["technical_name"] == "name-1b"
    found = digests(place, path)
    assert (found["status"], found["verified"]) == ("verified", 3)
    place.run("approve", "name-1b")
    assert place.registered("name-1b")["path"] == path
