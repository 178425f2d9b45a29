"""Names are unique: what is derived, and what a person writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.e2e.conftest import Place


def tiny_model(folder: Path, seed: int = 0, *, hidden: int = 8) -> None:
    """A whole transformers folder of a few kilobytes; another seed gives other weights."""
    folder.mkdir(parents=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 16,
        "max_position_embeddings": 128,
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = np.random.default_rng(seed).normal(size=(16, hidden)).astype(np.float32)
    save_file({"model.embed_tokens.weight": weights}, folder / "model.safetensors", metadata={"format": "pt"})


def drop(place: Place, path: str, seed: int = 0) -> None:
    """Make a tiny model aside and move it into the models root."""
    aside = place.folder / "aside" / str(seed) / path
    tiny_model(aside, seed)
    (place.models / path).parent.mkdir(parents=True, exist_ok=True)
    aside.rename(place.models / path)


@pytest.mark.promise(6, "two folders that derive the same name, with a real daemon")
def test_two_folders_that_derive_the_same_name_get_different_ones(place: Place) -> None:
    """Equal folder names under two publishers give two proposals with different names."""
    place.start()
    drop(place, "one/Llama-3", 1)
    drop(place, "two/llama_3", 2)
    first, second = place.proposed("one/Llama-3"), place.proposed("two/llama_3")
    assert first["technical_name"] != second["technical_name"]
    assert {first["technical_name"], second["technical_name"]} <= {"llama-3", "one-llama-3", "two-llama-3"}
    assert "# not taken: llama-3: taken" in place.manifest.read_text()


def test_a_generic_folder_is_named_by_its_readme_and_the_proposal_says_why(place: Place) -> None:
    """The front matter is read, what was not taken is told, and `card` derives the same names."""
    aside = place.folder / "aside" / "one"
    tiny_model(aside)
    (aside / "README.md").write_text("---\nmodel-index:\n- name: letter-sorter-1b\n---\n# Letters\n")
    (place.models / "runs").mkdir()
    aside.rename(place.models / "runs" / "final")
    card = place.json("card", "runs/final")
    assert (card["technical_name"], card["model_name"]) == ("letter-sorter-1b", "letter-sorter-1b")
    place.start()
    entry = place.proposed("runs/final")
    assert entry["technical_name"] == entry["model_name"] == "letter-sorter-1b"
    drop(place, "other/Letter-Sorter-1B", 1)
    assert place.proposed("other/Letter-Sorter-1B")["technical_name"] == "other-letter-sorter-1b"
    assert "# not taken: Letter-Sorter-1B: taken by letter-sorter-1b" in place.manifest.read_text()


@pytest.mark.promise(9, "a README emptied, broken, removed after the approval: no drift")
@pytest.mark.usefixtures("without_digests")
def test_a_readme_may_change_after_the_approval(place: Place) -> None:
    """Emptied, broken or gone, the model stays what was approved."""
    place.start()
    drop(place, "sorter")
    readme = place.models / "sorter" / "README.md"
    readme.write_text("# Sorter\n")
    place.proposed("sorter")
    place.run("approve", "sorter")
    card = place.registered("sorter")
    for text in ("", "---\nmodel_name: [\n---\n", "---\nmodel_name: Other\n---\n"):
        readme.write_text(text)
        place.run("scan")
        assert place.card("sorter") == card
    readme.unlink()
    place.run("scan")
    assert place.card("sorter") == card


@pytest.mark.promise(6, "names made equal by hand under a real daemon: the incumbent keeps its card")
@pytest.mark.parametrize(
    ("key", "mine", "theirs"),
    [
        ("technical_name", "alpha", "alpha"),
        ("technical_name", "a", "Ａ"),
        ("model_name", "Straße", "STRASSE"),
        ("model_name", "ß", "ss"),
        ("model_name", "Alpha", "ＡＬＰＨＡ"),
    ],
)
@pytest.mark.usefixtures("without_digests")
def test_names_made_equal_by_hand_are_told_with_both_lines(
    place: Place, key: str, mine: str, theirs: str
) -> None:
    """The incumbent's card stays what it was; `check` names both lines; mending it registers the second."""
    names = {"technical_name": "first", "model_name": "First", key: mine}
    other = {"technical_name": "second", "model_name": "Second", key: theirs}
    place.start()
    drop(place, "first", 1)
    drop(place, "second", 2)
    place.proposed("first")
    place.proposed("second")
    place.manifest.write_text(
        "".join(
            f'[[models]]\nstatus = "approved"\ntechnical_name = "{entry["technical_name"]}"\n'
            f'model_name = "{entry["model_name"]}"\npath = "{path}"\n\n'
            for path, entry in (("first", names), ("second", {**other, key: "unique"}))
        )
    )
    place.registered(names["technical_name"])
    second = {**other, key: "unique"}["technical_name"]
    place.registered(second)
    card = place.card(names["technical_name"])
    place.edit(f'{key} = "unique"', f'{key} = "{theirs}"')
    said = place.run("check", code=1)
    lines = place.manifest.read_text().splitlines()
    here, there = lines.index(f'{key} = "{theirs}"', 7) + 1, lines.index(f'{key} = "{mine}"') + 1
    told = [line for line in said.splitlines() if f"manifest.toml:{here}:" in line]
    assert any(f"line {there}" in line for line in told), said
    place.run("scan", code=1)
    assert place.card(names["technical_name"]) == card
    assert {line["technical_name"] for line in place.index()} == {names["technical_name"], second}
    head, _, tail = place.manifest.read_text().rpartition(f'{key} = "{theirs}"')
    place.manifest.write_text(f'{head}{key} = "mended"{tail}')
    place.run("scan", code=None)
    assert place.run("check")
