"""A GGUF file that llama.cpp's own library wrote, read from a folder: its words reach the card."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from dxwatchd.card.sources import Identity
from dxwatchd.cardmaking import make_card
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder, WeightFormat, WeightSet


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("tags", "kept"), [(["text-generation", "code"], True), ([f"t{at}" for at in range(70)], False)]
)
def test_what_the_library_writes(tmp_path: Path, tags: list[str], kept: bool) -> None:
    """Author, licence, languages, data sets and tags; of lists that are too long nothing is taken."""
    folder = tmp_path / "m"
    folder.mkdir()
    writer = gguf.GGUFWriter(folder / "m.gguf", "llama")
    writer.add_author("Somebody")
    writer.add_version("v1.0")
    writer.add_license("apache-2.0")
    writer.add_license_link("https://example.org/licence")
    writer.add_languages(["en", "de"])
    writer.add_tags(tags)
    writer.add_dataset_repo_url(0, "https://huggingface.co/datasets/a/b")
    writer.add_dataset_count(1)
    writer.add_url("https://example.org/model")
    writer.add_add_bos_token(True)
    writer.add_eos_token_id(2)
    writer.add_tensor("token_embd.weight", np.zeros((4, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    weights = WeightSet(WeightFormat.GGUF, ("m.gguf",), primary=True)
    files = (ModelFile("m.gguf", (folder / "m.gguf").stat().st_size),)
    model = ModelFolder("m", Layout.GGUF, Kind.MODEL, (), (weights,), (), files)
    card = make_card(tmp_path, model, Identity("m", "M", "m", "m", "sha256:0"))
    assert (card.authors, card.version, card.license) == (("Somebody",), "v1.0", "apache-2.0")
    assert (card.license_link, card.language) == ("https://example.org/licence", ("en", "de"))
    assert (card.datasets, card.references) == (("a/b",), ("https://example.org/model",))
    assert card.tags == (tuple(tags) if kept else ())
    assert card.pipeline_tag == ("text-generation" if kept else None)
    assert card.tokenizer.add_bos_token is True
    assert card.generation_config == {"eos_token_id": 2}
    assert card.sources["authors"] == "m.gguf#general.author"
