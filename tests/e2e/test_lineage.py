"""What a card says of other models and of its files' digests follows them, in a running daemon."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from dxwatchd import load_card
from tests.e2e.conftest import Place
from tests.e2e.test_names import drop

ADAPTER = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "target_modules": ["q_proj"]}


def drop_adapter(place: Place, path: str, base: str) -> None:
    """Move an adapter for `base` into the models root."""
    aside = place.folder / "aside" / path
    aside.mkdir(parents=True)
    config = {**ADAPTER, "base_model_name_or_path": base}
    (aside / "adapter_config.json").write_text(json.dumps(config))
    weights = {"base_model.model.q_proj.lora_A.weight": np.ones((4, 8), dtype=np.float32)}
    save_file(weights, aside / "adapter_model.safetensors")
    aside.rename(place.models / path)


def approve(place: Place, path: str) -> str:
    """Approve what is proposed of a folder. Returns its technical name."""
    name = str(place.proposed(path)["technical_name"])
    place.run("approve", name)
    place.registered(name)
    return name


def base_of(place: Place, name: str) -> str | None:
    """What the card of an adapter says of its base."""
    adapter = load_card(name, state_dir=place.state).adapter
    return adapter.base_model_resolved if adapter is not None else None


def story(place: Place, name: str) -> list[tuple[str, int]]:
    """The events of one model's card, with their revisions."""
    return [
        (event["event"], event["revision"])
        for event in place.events()
        if event["technical_name"] == name and event["event"] != "proposed"
    ]


@pytest.mark.usefixtures("without_digests")
def test_an_adapters_base_comes_is_renamed_and_goes(place: Place) -> None:
    """Each time the adapter follows at once by one revision; `explain` says what it is or what to do."""
    place.start()
    drop_adapter(place, "my-lora", "acme/Tiny-1B")
    lora = approve(place, "my-lora")
    assert base_of(place, lora) == "unresolved"
    assert "acme/Tiny-1B, unresolved: no registered model is known to be it" in place.run(
        "explain", "my-lora"
    )
    drop(place, "acme/Tiny-1B", 1)
    base = approve(place, "acme/Tiny-1B")
    place.until(lambda: base_of(place, lora) == base, "the base resolved")
    card = load_card(lora, state_dir=place.state)
    assert [(one.name, one.relation, one.technical_name) for one in card.lineage] == [
        ("acme/Tiny-1B", "adapter", base)
    ]
    assert f"acme/Tiny-1B, registered as {base}" in place.run("explain", "my-lora")
    place.run("rename", base, "--technical-name", "renamed")
    place.until(lambda: base_of(place, lora) == "renamed", "the new name of the base")
    place.run("remove", "renamed")
    place.until(lambda: base_of(place, lora) == "unresolved", "the base unresolved")
    wanted = [("registered", 1), ("resolved", 2), ("resolved", 3), ("resolved", 4)]
    assert place.until(lambda: story(place, lora)[3:] and story(place, lora), "four events") == wanted
    assert [line["revision"] for line in place.index() if line["technical_name"] == lora] == [4]


@pytest.mark.usefixtures("without_digests")
def test_base_and_adapter_of_one_batch_are_resolved_in_the_first_revision(place: Place) -> None:
    """Whatever the order of their entries: models come before adapters."""
    place.start()
    drop_adapter(place, "a-lora", "acme/Tiny-1B")
    place.proposed("a-lora")
    drop(place, "acme/Tiny-1B", 1)
    place.proposed("acme/Tiny-1B")
    place.edit('status = "proposed"', 'status = "approved"')
    place.registered("a-lora")
    assert base_of(place, "a-lora") == "tiny-1b"
    assert story(place, "a-lora") == [("registered", 1)]


@pytest.mark.usefixtures("without_digests")
def test_a_person_names_the_base(place: Place) -> None:
    """Where two may be meant nothing is guessed; the technical name in the manifest settles it."""
    place.start()
    drop_adapter(place, "my-lora", "/somebody/s/disk/Tiny-1B")
    for publisher, seed in (("one", 1), ("two", 2)):
        drop(place, f"{publisher}/Tiny-1B", seed)
        approve(place, f"{publisher}/Tiny-1B")
    lora = approve(place, "my-lora")
    assert base_of(place, lora) == "unresolved"
    told = place.run("explain", "my-lora")
    assert "Tiny-1B, unresolved: it may be" in told
    second = place.entry("two/Tiny-1B")
    assert second is not None
    name = second["technical_name"]
    assert name in told
    place.edit(f'technical_name = "{lora}"', f'technical_name = "{lora}"\nbase_model = "{name}"')
    place.until(lambda: base_of(place, lora) == name, "the person's word")
    (ancestor,) = load_card(lora, state_dir=place.state).lineage
    assert (ancestor.name, ancestor.relation, ancestor.source) == (name, "adapter", "manifest")
    place.until(lambda: story(place, lora)[-1] == ("overridden", 2), "the journal")


def _digested(place: Place, name: str) -> dict[str, Any] | None:
    card = place.card(name)
    return card if card is not None and card["integrity"]["status"] != "pending" else None


def test_digests_come_into_the_card_and_change_with_the_files(place: Place) -> None:
    """Once all are known; a restart changes nothing; a README written anew is one revision more."""
    place.start()
    drop(place, "m", 1)
    place.manifest.write_text(
        '[[models]]\nstatus = "approved"\ntechnical_name = "m"\nmodel_name = "M"\npath = "m"\n'
    )
    card = place.until(lambda: _digested(place, "m"), "a card with digests")
    assert card["integrity"]["status"] == "computed"
    assert {file["name"]: file["digest"] for file in card["files"]} == {
        path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in (place.models / "m").iterdir()
    }
    before = place.until(
        lambda: (told := story(place, "m")) and told[-1][1] == card["revision"] and told, "the journal"
    )
    assert before in ([("registered", 1)], [("registered", 1), ("digested", 2)])
    place.stop()
    place.start()
    place.run("scan")
    assert story(place, "m") == before
    assert place.card("m") == card
    (place.models / "m" / "README.md").write_text("---\nlicense: mit\n---\n")
    again = place.until(
        lambda: (made := place.card("m")) and made["license"] and made, "the README's licence"
    )
    wanted = [*before, ("digested", before[-1][1] + 1)]
    place.until(lambda: story(place, "m") == wanted, "the journal")
    assert len(again["files"]) == 3
    assert all(file["digest"] for file in again["files"])


def test_digests_of_a_proposal_are_in_the_first_revision(place: Place) -> None:
    """They are computed while a person thinks; and another content has digests of its own."""
    place.start()
    drop(place, "m", 1)
    place.proposed("m")
    place.until(
        lambda: ((place.folder_state("m") or {}).get("digests") or {}).get("status") == "computed", "digests"
    )
    place.run("approve", "m")
    assert place.registered("m")["integrity"]["status"] == "computed"
    assert story(place, "m") == [("registered", 1)]
