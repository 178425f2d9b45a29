"""The manifest saved broken while the daemon runs: what users see, and what stays published."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Place
from tests.e2e.test_names import drop

TWO = ("first", "second")


def _registered(place: Place) -> None:
    place.start("--log-format", "json")
    for seed, name in enumerate(TWO):
        drop(place, name, seed)
        place.proposed(name)
        place.run("approve", name)
        place.registered(name)


def _cards(place: Place) -> list[object]:
    return [place.card(name) for name in TWO]


@pytest.mark.promise(8, "a broken save of the manifest, and a restart while it is broken: every card stays")
@pytest.mark.promise(10, "a broken save: `status`, `check`, the log say line, column and remedy")
@pytest.mark.usefixtures("without_digests")
def test_a_broken_save_keeps_everything_and_is_told_everywhere(
    place: Place, tried: Callable[[int], None]
) -> None:
    """`status` exits 1 with the first problem, `check` 1 with all, the log says it once, also when mended."""
    _registered(place)
    cards, index = _cards(place), place.index()
    good = place.manifest.read_text()
    lines = good.splitlines()
    at = [number for number, line in enumerate(lines, 1) if line.startswith("status = ")]
    bad = good.replace('status = "approved"', "status = approved").replace('"first"', '"first', 1)
    place.manifest.write_text(bad)
    said = place.run("scan", code=1)
    first = f"manifest.toml:{at[0]}:10: not valid TOML: the value approved has no quotes"
    assert first in said
    remedy = 'write status = "approved"; until then the last good manifest stays in force; `dxwatchd check`'
    assert remedy in said
    told = place.json("status", code=1)
    assert [(one["line"], one["column"]) for one in told["problems"]] == [(at[0], 10)]
    assert [folder["state"] for folder in told["folders"]] == ["registered", "registered"]
    said = place.run("check", code=1)
    for number in at:
        assert f"manifest.toml:{number}:10: " in said
    assert "the last good manifest stays in force" in said
    checked = place.json("check", code=1)
    assert checked["parses"] is False
    assert (checked["problems"][0]["line"], checked["problems"][0]["column"]) == (at[0], 10)
    assert len(checked["problems"]) == 3
    assert place.run("approve", "first", code=None).count(f":{at[0]}:10:") == 1
    for _ in range(3):
        place.run("scan", code=1)
    assert place.log.read_text().count("the value approved has no quotes") == 1
    assert (_cards(place), place.index()) == (cards, index)

    for end in (place.stop, place.kill):
        end()
        place.start("--log-format", "json")
        place.run("scan", code=1)
        assert (_cards(place), place.index()) == (cards, index)
    drop(place, "third", 3)
    place.run("scan", code=1)
    assert place.manifest.read_text() == bad

    place.manifest.write_text(good)
    place.proposed("third")
    place.run("scan")
    place.run("check")
    assert place.log.read_text().count("no longer so") == 1
    assert (_cards(place), place.index()) == (cards, index)
    tried(3)


@pytest.mark.promise(7, "a bad entry saved among good ones: only that one stops, with its card kept")
@pytest.mark.usefixtures("without_digests")
def test_a_bad_entry_stops_only_itself(place: Place) -> None:
    """A new one beside it is registered at the same pass."""
    _registered(place)
    cards = _cards(place)
    drop(place, "third", 3)
    place.proposed("third")
    text = place.manifest.read_text().replace('status = "approved"', 'status = "aproved"', 1)
    place.manifest.write_text(text.replace('"proposed"  ', '"approved"  '))
    place.registered("third")
    said = place.run("check", code=1)
    assert 'status "aproved" is not known; did you mean "approved"?' in said
    assert len(said.splitlines()) == 1
    assert _cards(place) == cards
    assert {line["technical_name"] for line in place.index()} == {*TWO, "third"}
    assert place.json("status", code=1)["problems"][0]["column"] == 10


def test_check_looks_at_the_folders_that_entries_name(place: Place) -> None:
    """What is nearly there is a hint and no problem; a path out of the root or into a link is one."""
    place.state.mkdir()
    drop(place, "Qwen/Qwen3-8B")
    (place.models / "out").symlink_to("/usr")
    (place.models / "in").symlink_to("Qwen")

    def entries(*paths: str) -> None:
        place.manifest.write_text(
            "".join(
                f'[[models]]\nstatus = "approved"\ntechnical_name = "m{number}"\nmodel_name = "M{number}"\n'
                f'path = "{path}"\n'
                for number, path in enumerate(paths)
            )
        )

    entries("qwen/qwen3-8b", "in/Qwen3-8b", "Qwen/Qwen3-8B/model.safetensors", "later")
    checked = place.json("check")
    assert checked["problems"] == []
    assert [(one["line"], one["column"]) for one in checked["hints"]] == [(5, 8), (10, 8), (15, 8)]
    said = place.run("check")
    assert 'manifest.toml:5:8: path "qwen/qwen3-8b": no such folder is there; did you mean' in said
    assert "it is a file and no folder" in said
    assert "in order, entries: 4" in said
    entries("out/share", f"{place.models}/Qwen/Qwen3-8B", "../other")
    said = place.run("check", code=1)
    assert "out is a link that leads out of the models root" in said
    assert 'write it relative to the models root: path = "Qwen/Qwen3-8B"' in said
    assert len(place.json("check", code=1)["problems"]) == 3


def test_check_of_a_manifest_that_cannot_be_read(place: Place) -> None:
    """A folder, a FIFO, no text, not readable, empty, gone: a sentence each and exit code 1."""
    place.state.mkdir()
    place.manifest.mkdir()
    assert re.search("it cannot be read|it is a folder", place.run("check", code=1))
    place.manifest.rmdir()
    os.mkfifo(place.manifest)
    assert re.search("it cannot be read|not a (regular )?file", place.run("check", code=1))
    place.manifest.unlink()
    place.manifest.write_bytes(b"\xff\xfe[\x00")
    assert "UTF-8" in place.run("check", code=1)
    place.manifest.write_bytes('\n[[models]]\nnotes = "für Ö"\nstatus = maybe\n'.encode("latin-1"))
    said = place.run("check", code=1)
    assert f"{place.manifest}:3:11: line 3 is not UTF-8; save it as UTF-8" in said
    assert f"{place.manifest}:4:10: " in said
    assert "the last good manifest stays in force" in said
    place.manifest.write_text("")
    assert "in order, entries: 0" in place.run("check")
    place.start()
    drop(place, "first")
    place.proposed("first")
    place.run("approve", "first")
    place.registered("first")
    place.manifest.write_text("")
    assert "the file is empty though models are registered" in place.run("check", code=1)
    assert place.registered("first")
    place.manifest.unlink()
    assert "the file is gone" in place.run("check", code=1)
    checked = place.json("check", code=1)
    assert (checked["parses"], len(checked["problems"])) == (False, 1)


def test_one_odd_link_hides_no_folder_from_check(place: Place) -> None:
    """A link that leads to itself lies beside the folder that was meant."""
    drop(place, "Qwen3")
    (place.models / "itself").symlink_to("itself")
    place.state.mkdir(exist_ok=True)
    place.manifest.write_text(
        '[[models]]\nstatus = "approved"\ntechnical_name = "q"\nmodel_name = "Q"\npath = "qwen3"\n'
    )
    assert 'did you mean path = "Qwen3"?' in place.run("check")
