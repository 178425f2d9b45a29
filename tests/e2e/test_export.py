"""`dxwatchd export`: the bytes on standard output, everything else beside them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.card.exports.render import render
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump
from dxwatchd.core.records import Availability, CardRecord, Change
from dxwatchd.stores.card_directory import CardDirectory
from tests.card.exports.making import digested, full_card
from tests.e2e.conftest import COMMAND, PATIENCE, Place
from tests.e2e.test_names import drop

NAME = "qwen3-8b-instruct"
FORMATS = "platform, modelpack, cyclonedx, openai, model-signing, modelcard"


def publish(state: Path, card: Card) -> Card:
    """Write a card as the daemon does."""
    cards = CardDirectory(state / "cards")
    cards.load()
    record = CardRecord(
        technical_name=card.technical_name,
        model_name=card.model_name,
        path=card.path,
        entry_path=card.entry_path,
        fingerprint=card.fingerprint,
        approved_fingerprint=card.approved_fingerprint,
        availability=Availability(card.availability),
        revision=card.revision,
    )
    cards.write(record, Change(card.change), dump(card))
    cards.commit()
    return card


def export(place: Place, *arguments: str, **environ: str) -> tuple[int, bytes, str]:
    """Run the command; environ: more variables. Returns exit code, standard output, standard error."""
    done = subprocess.run(
        [COMMAND, "export", *arguments],
        capture_output=True,
        env={**place.environ(), "COLUMNS": "80", **environ},
        cwd=place.folder,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stderr.decode()
    assert "Traceback" not in said, said
    return done.returncode, done.stdout, said


@pytest.mark.parametrize("wanted", ExportFormat)
def test_every_format_is_written_byte_for_byte(place: Place, wanted: ExportFormat) -> None:
    """Long lines, [brackets] and letters that the locale lacks come as they are; nothing else is said."""
    name = "[bold]通义千问[/bold] " + "x" * 300
    card = publish(place.state, digested(full_card(model_name=name)))
    code, out, said = export(place, NAME, "--format", wanted, PYTHONIOENCODING="latin-1")
    assert (code, said) == (0, "")
    assert out == render(card, wanted).encode()


def test_a_missing_digest_is_a_problem_that_says_what_to_do(place: Place) -> None:
    """Exit code 1 and nothing on standard output; every file without one, and the remedy."""
    publish(place.state, full_card())
    for wanted in ("modelpack", "model-signing"):
        code, out, said = export(place, NAME, "--format", wanted)
        assert (code, out) == (1, b"")
        assert f"{NAME} cannot be written as {wanted} yet:" in said
        for name in ("README.md", "config.json", "model.safetensors", "tokenizer.json"):
            assert f"  {name}: its SHA-256 is not computed yet\n" in said
        assert 'while the setting digests is "background"' in said


def test_names_of_files_cannot_forge_a_line(place: Place) -> None:
    """Control characters of a file's name are shown escaped."""
    card = full_card()
    named = card.files[0].model_copy(update={"name": "a\nb: fine\x1b[31m"})
    publish(place.state, card.model_copy(update={"files": (named,)}))
    _, _, said = export(place, NAME, "--format", "modelpack")
    assert "a\\x0ab: fine\\x1b[31m: its SHA-256" in said


@pytest.mark.parametrize(
    ("availability", "sentence"),
    [("drifted", "content has changed since"), ("missing", "the folder is not there any more")],
)
def test_what_is_not_available_is_exported_with_a_warning(
    place: Place, availability: str, sentence: str
) -> None:
    """The card is what was approved; standard error says that the folder is not."""
    card = publish(place.state, full_card(availability=availability))
    code, out, said = export(place, NAME, "--format", "openai")
    assert (code, out) == (0, render(card, ExportFormat.OPENAI).encode())
    assert said.startswith(f"warning: {availability}: ")
    assert sentence in said


def test_wrong_names_and_formats_are_told(place: Place) -> None:
    """An unknown model is a problem with the closest name; an unknown or missing format is wrong usage."""
    publish(place.state, full_card())
    code, out, said = export(place, "qwen3-8b-instrukt", "--format", "platform")
    assert (code, out) == (1, b"")
    assert f'the closest is "{NAME}"' in said
    for arguments in (("--format", "yaml"), ()):
        code, out, said = export(place, NAME, *arguments)
        assert (code, out) == (2, b"")
        assert all(wanted in said for wanted in FORMATS.split(", "))


def test_the_help_lists_the_formats(place: Place) -> None:
    """A person sees them before asking for one."""
    code, out, _ = export(place, "--help")
    words = " ".join(out.decode().replace("│", " ").split())
    assert code == 0
    assert all(wanted in words for wanted in FORMATS.split(", "))


def test_a_registered_folder_is_exported(place: Place) -> None:
    """From the folder to the formats: its name, its size and what its config says."""
    drop(place, "m")
    place.run("scan")
    place.run("approve", "m")
    place.run("scan")
    code, out, _ = export(place, "m", "--format", "platform")
    row = json.loads(out)
    assert code == 0
    assert (row["technic_name"], row["architectures"], row["model_type"]) == (
        "m",
        ["LlamaForCausalLM"],
        "llama",
    )
    _, out, _ = export(place, "m", "--format", "modelcard")
    assert ModelCard(out.decode()).data.to_dict()["library_name"] == "transformers"  # type: ignore[no-untyped-call]
    _, out, _ = export(place, "m", "--format", "cyclonedx")
    component = json.loads(out)["metadata"]["component"]
    assert {file["name"] for file in component["components"]} == {"config.json", "model.safetensors"}
