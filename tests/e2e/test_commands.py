"""The commands as people type them, with and without a running daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from dxwatchd import load_card
from dxwatchd.core.proposals import HEADER
from tests.e2e.conftest import COMMAND, Place
from tests.e2e.test_names import drop, tiny_model


@pytest.mark.usefixtures("without_digests")
def test_approve_without_a_name_takes_the_only_proposal(place: Place) -> None:
    """With one proposal it is approved at once; with two the command asks which, and changes nothing."""
    place.start()
    drop(place, "one", 1)
    place.proposed("one")
    said = place.run("approve")
    assert "one is registered" in said
    assert load_card("one", state_dir=place.state).revision == 1
    drop(place, "two", 2)
    drop(place, "three", 3)
    place.proposed("two")
    place.proposed("three")
    before = place.manifest.read_text()
    assert "2 proposals are waiting: " in place.run("approve", code=2)
    assert place.manifest.read_text() == before


def test_approve_gives_other_names_on_the_way(place: Place) -> None:
    """Names given with the approval are those of the card."""
    place.start()
    drop(place, "folder")
    place.proposed("folder")
    place.run("approve", "folder", "--technical-name", "short", "--model-name", "Long Name")
    card = place.registered("short")
    assert (card["technical_name"], card["model_name"], card["path"]) == ("short", "Long Name", "folder")


def test_an_entry_is_found_by_name_model_name_and_path(place: Place) -> None:
    """Any of the three leads to it, names in any case; an unknown one lists what there is."""
    place.start()
    drop(place, "publisher/Some-Model")
    place.proposed("publisher/Some-Model")
    for name in (
        "some-model",
        "SOME-MODEL",
        "publisher/Some-Model",
        str(place.models / "publisher/Some-Model/"),
    ):
        place.run("reject", name)
        assert place.entries()[0]["status"] == "rejected"
        place.run("approve", name)
        assert place.entries()[0]["status"] == "approved"
    assert "entries are: some-model" in place.run("approve", "other", code=1)


def test_rejected_stays_rejected_and_a_deleted_block_comes_again(place: Place) -> None:
    """`reject` stops the asking; deleting a proposal's block does not."""
    place.start()
    drop(place, "no", 1)
    drop(place, "again", 2)
    place.proposed("no")
    place.proposed("again")
    place.run("reject", "no")
    rejected = next(entry for entry in place.entries() if entry["path"] == "no")
    lines = "".join(f'{key} = "{value}"\n' for key, value in rejected.items())
    place.manifest.write_text(f"{HEADER}\n[[models]]\n{lines}")  # the block of "again" is gone
    place.proposed("again")
    place.run("scan")
    assert [entry["path"] for entry in place.entries()] == ["no", "again"]
    assert place.folder_state("no")["state"] == "rejected"  # type: ignore[index]


def test_add_waits_visibly_and_registers_when_the_folder_comes(place: Place) -> None:
    """An entry without a folder is `missing`, no trouble for `status`, and registered once it is whole."""
    place.start()
    assert "is missing" in place.run("add", "early", "Early Bird", "some/where")
    place.run("status")
    drop(place, "some/where")
    assert place.registered("early")["model_name"] == "Early Bird"


def test_wrong_names_are_refused_with_the_remedy(place: Place) -> None:
    """A name outside the alphabet, one that is taken, and a path out of the root: nothing is written."""
    place.start()
    drop(place, "taken")
    place.proposed("taken")
    before = place.manifest.read_text()
    assert "only a-z, 0-9 and inner . and - are allowed" in place.run("add", "Not_OK", "M", "p", code=1)
    assert 'it holds ".."' in place.run("add", "ok", "M", "../outside", code=1)
    assert "under NFKC and case folding" in place.run("add", "ok", "TAKEN", "p", code=1)
    assert place.manifest.read_text() == before


def test_rename_keeps_one_card_and_leaves_a_tombstone(place: Place) -> None:
    """The card is found under the new name only, and the index says what became of the old."""
    place.start()
    drop(place, "m")
    place.proposed("m")
    place.run("approve", "m", "--technical-name", "good")
    place.registered("good")
    place.run("rename", "good", "--technical-name", "better")
    place.registered("better")
    assert place.card("good") is None
    index = json.loads((place.state / "cards" / "index.json").read_text())
    assert [dead["technical_name"] for dead in index["tombstones"]] == ["good"]
    assert "it was removed" in place.run("show", "good", code=1)
    assert 'its technical name is "better"' in place.run("show", "m", code=1)
    place.run("remove", "better")
    assert place.index() == []
    assert (place.models / "m" / "config.json").exists()


def test_tidy_removes_proposals_whose_folder_is_gone(place: Place) -> None:
    """Only those: the others, and approved entries, stay."""
    place.start()
    drop(place, "stays", 1)
    drop(place, "goes", 2)
    place.proposed("stays")
    place.proposed("goes")
    shutil.rmtree(place.models / "goes")
    place.run("scan", code=None)
    assert "removed goes" in place.run("tidy")
    assert [entry["path"] for entry in place.entries()] == ["stays"]
    assert "nothing to tidy" in place.run("tidy")


def test_comments_and_order_survive_every_command(place: Place) -> None:
    """What a person wrote around the entries is there afterwards, to the letter."""
    place.start()
    drop(place, "m")
    place.proposed("m")
    marked = "# my own words\n" + place.manifest.read_text() + "\n# and these at the end\n"
    place.manifest.write_text(marked)
    place.run("approve", "m")
    after = place.manifest.read_text()
    assert after == marked.replace('status = "proposed"  ', 'status = "approved"  ')


@pytest.mark.usefixtures("without_digests")
def test_overrides_of_the_entry_are_in_the_card(place: Place) -> None:
    """A licence and tags written into the entry prevail, are marked as such, and can be changed later."""
    place.start()
    drop(place, "m")
    place.proposed("m")
    place.edit('status = "proposed"', 'license = "mit"\ntags = ["mine"]\nstatus = "approved"')
    card = place.registered("m")
    assert (card["license"], card["tags"]) == ("mit", ["mine"])
    assert card["sources"]["license"] == "manifest"
    assert card["overrides"] == {"license": "mit", "tags": ["mine"]}
    place.edit('license = "mit"', 'license = "apache-2.0"')
    place.until(lambda: (place.card("m") or {}).get("license") == "apache-2.0", "the other licence")
    assert (place.card("m") or {})["change"] == "overridden"


@pytest.mark.usefixtures("without_digests")
def test_drift_is_published_until_approved_again(place: Place) -> None:
    """Other weights in place: the card says drifted and keeps its content; `approve` takes the new one."""
    place.start()
    drop(place, "m", 1)
    place.proposed("m")
    place.run("approve", "m")
    before = place.registered("m")
    tiny_model(place.folder / "new", 2)
    (place.folder / "new" / "model.safetensors").rename(place.models / "m" / "model.safetensors")
    place.until(lambda: place.index()[0]["availability"] == "drifted", "drifted")
    assert (place.card("m") or {})["fingerprint"] == before["fingerprint"]
    assert "the content has changed since it was approved" in place.run("explain", "m", code=1)
    place.run("approve", "m")
    place.until(lambda: place.index()[0]["availability"] == "available", "available")
    card = place.registered("m")
    assert card["fingerprint"] != before["fingerprint"]
    assert card["change"] == "approved_again"
    assert [event["event"] for event in place.settled_events()] == [
        "proposed",
        "registered",
        "drifted",
        "approved_again",
    ]


@pytest.mark.usefixtures("without_digests")
def test_a_moved_folder_takes_its_card_along(place: Place) -> None:
    """Renamed inside the root: same name, new path, one event; `approve` writes the path into the entry."""
    place.start()
    drop(place, "old")
    place.proposed("old")
    place.run("approve", "old")
    place.registered("old")
    (place.models / "old").rename(place.models / "new")
    place.until(lambda: place.index()[0]["path"] == "new", "the new path")
    assert [event["event"] for event in place.settled_events()] == ["proposed", "registered", "moved"]
    assert "`dxwatchd approve old` writes the new path" in place.run("explain", "new", code=None)
    place.run("approve", "old")
    assert place.entries()[0]["path"] == "new"


def test_scan_without_a_daemon_goes_the_whole_way(place: Place) -> None:
    """One `scan` waits for rest and proposes; approve says that no daemon runs; the next `scan` registers."""
    drop(place, "m")
    assert "m" in place.run("scan")
    assert place.entries()[0]["status"] == "proposed"
    assert "dxwatchd is not running" in place.run("approve")
    place.run("scan")
    assert load_card("m", state_dir=place.state).technical_name == "m"


def test_dry_run_writes_nothing(place: Place) -> None:
    """The plan is printed, and not a single file is made, not even the state directory."""
    place.options |= {"quiet_period": 0}
    drop(place, "m")
    plan = place.json("scan", "--dry-run", code=None)
    assert [step["path"] for step in plan["plan"]] == ["m"]
    assert not place.state.exists()


def test_every_answer_in_json_is_json(place: Place) -> None:
    """status, list, show, explain, card, check and scan answer programs; cards fit the printed schema."""
    place.start()
    drop(place, "m")
    place.proposed("m")
    place.run("approve")
    assert place.json("status")["folders"][0]["state"] == "registered"
    assert place.json("list")[0]["technical_name"] == "m"
    assert place.json("explain", "m")["models"][0]["whole"] is True
    assert place.json("check") == {
        "manifest": str(place.manifest),
        "parses": True,
        "entries": 1,
        "problems": [],
        "hints": [],
    }
    assert place.json("scan")["running"] is True
    schema = json.loads(place.run("schema"))
    for card in (place.json("show", "m"), place.json("card", str(place.models / "m"))):
        jsonschema.validate(card, schema)


def test_every_wrong_setting_is_told_at_once(place: Place, tmp_path: Path) -> None:
    """File, environment and options: each wrong one with its value, its place and the remedy; exit code 2."""
    config = tmp_path / "c.toml"
    config.write_text('quiet_perod = 5\nlog_level = "loud"\n')
    place.options = {"rescan_interval": "often"}
    said = place.run("status", "--config", str(config), "--remote-quiet-period", "-1", code=2)
    for wanted in (
        "quiet_perod",
        "did you mean",
        "c.toml line 1",
        "loud",
        "DXWATCHD_RESCAN_INTERVAL",
        "often",
    ):
        assert wanted in said
    assert "--remote-quiet-period" in said


def test_hostile_folder_names_are_shown_escaped(place: Place) -> None:
    """Names with newlines, escapes and invalid UTF-8 cannot forge a line, and stop nothing."""
    place.start()
    drop(place, "good", 1)
    evil = ["a\nregistered everything", "b\x1b[31mred", os.fsdecode(b"c\xff")]
    for number, name in enumerate(evil):
        tiny_model(place.folder / f"evil{number}", number + 5)
        (place.folder / f"evil{number}").rename(place.models / name)
    place.proposed("good")
    place.run("scan", code=1)
    said = place.run("status", code=1)
    assert "a\\x0aregistered everything" in said
    assert "b\\x1b[31mred" in said
    assert "c\\xff" in said
    assert "\x1b[31m" not in said
    assert [entry["path"] for entry in place.entries()] == ["good"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("app", "approve"), ("approve --tech", "--technical-name"), ("scan --dry", "--dry-run")],
)
def test_the_shell_completes_commands_and_options(typed: str, offered: str) -> None:
    """What bash asks for while a person types, as the installed completion asks it."""
    environ = {
        **os.environ,
        "_DXWATCHD_COMPLETE": "complete_bash",
        "COMP_WORDS": f"dxwatchd {typed}",
        "COMP_CWORD": str(len(typed.split())),
    }
    done = subprocess.run([COMMAND], env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == [offered]


@pytest.mark.usefixtures("without_digests")
@pytest.mark.promise(8, "`add` while the manifest is lost")
def test_no_command_makes_a_lost_manifest_anew(place: Place) -> None:
    """One with the added entry alone would look like a person's, and take the other cards away."""
    place.start()
    drop(place, "kept")
    place.proposed("kept")
    place.run("approve", "kept")
    place.registered("kept")
    away = place.manifest.rename(place.folder / "away")
    assert "the file is gone" in place.run("add", "other", "Other", "other", code=1)
    place.run("scan", code=None)
    assert not place.manifest.exists()
    assert place.card("kept") is not None
    away.rename(place.manifest)
    place.run("add", "other", "Other", "other")
    assert place.entry("other") is not None


@pytest.mark.usefixtures("without_digests")
def test_status_says_last_whether_all_is_well(place: Place) -> None:
    """In words and by its exit code; a daemon that ended long ago is no good news."""
    place.start()
    drop(place, "m")
    place.proposed("m")
    place.settled_events()
    assert place.run("status").splitlines()[-1] == "all is well"
    assert place.json("status")["attention"] == []
    place.stop()
    assert place.run("status").splitlines()[-1] == "all is well"
    told = json.loads(place.passes())
    told["pass"]["ended_at"] = "2026-01-01T00:00:00Z"
    (place.state / "status.json").write_text(json.dumps(told))
    said = place.run("status", code=1)
    assert "minutes, and dxwatchd does not run; start it" in said
    assert said.splitlines()[-1] == "needs attention: trouble"
    place.manifest.write_text(place.manifest.read_text() + "[[models]]\nstatus = 1\n")
    shutil.rmtree(place.models / "m")
    place.start()
    place.until(lambda: len(json.loads(place.passes())["problems"]) > 1, "the problems")
    assert re.fullmatch(
        r"needs attention: 1 missing, \d problems in the manifest.*",
        place.run("status", code=1).splitlines()[-1],
    )
