"""The main job: a folder is dropped, proposed, approved by one word, and its card is read by a consumer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from dxwatchd import ModelNotRegistered, list_cards, load_card
from tests.e2e.conftest import Place


def _go_the_way(place: Place, path: str) -> dict[str, Any]:
    """Wait for the proposal of `path`, approve it by changing one word, wait for the card."""
    entry = place.proposed(path)
    assert entry["status"] == "proposed"
    place.edit('status = "proposed"', 'status = "approved"')
    return place.registered(entry["technical_name"])


def _headers(folder: Path) -> tuple[int, set[str]]:
    """Parameters and dtypes as the safetensors library reads them."""
    total, dtypes = 0, set()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118 - safe_open is no mapping
                part = opened.get_slice(name)
                total += int(np.prod(part.get_shape(), dtype=object))
                dtypes.add(part.get_dtype())
    return total, dtypes


def _config(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return read


@pytest.mark.oracle
def test_a_real_model_goes_the_whole_way(place: Place, real_model: Path) -> None:
    """The card of a real sentence-transformers folder says what safetensors and the folder's files say."""
    place.start()
    shutil.copytree(real_model, place.models / "all-MiniLM-L6-v2")
    card = _go_the_way(place, "all-MiniLM-L6-v2")
    config, (total, dtypes) = _config(real_model), _headers(real_model)
    assert dtypes == {"F32", "I64"}  # the integers are position ids, a buffer
    assert card["parameters"]["total"] == total - 512
    assert card["parameters"]["exact"] is True
    assert card["dtype"] == "float32"
    assert card["layout"] == "sentence-transformers"
    assert card["architecture"]["hidden_size"] == config["hidden_size"] == 384
    assert card["architecture"]["num_hidden_layers"] == config["num_hidden_layers"] == 6
    assert card["architecture"]["num_attention_heads"] == config["num_attention_heads"] == 12
    assert card["context"]["declared"] == config["max_position_embeddings"] == 512
    assert card["license"] == "apache-2.0"
    assert {file["name"]: file["size"] for file in card["files"]} == {
        path.relative_to(real_model).as_posix(): path.stat().st_size
        for path in real_model.rglob("*")
        if path.is_file()
    }
    loaded = load_card("all-minilm-l6-v2", state_dir=place.state)
    assert loaded.parameters.total == total - 512
    assert loaded.availability == "available"
    assert [entry.technical_name for entry in list_cards(state_dir=place.state)] == ["all-minilm-l6-v2"]
    with pytest.raises(
        ModelNotRegistered, match='no model is registered as "all-minilm"; the closest is "all-minilm-l6-v2"'
    ):
        load_card("all-minilm", state_dir=place.state)


@pytest.mark.oracle
@pytest.mark.parametrize("family", ["qwen3-0.6b", "mixtral-8x7b"])
def test_a_corpus_folder_goes_the_whole_way(
    place: Place, corpus: Path, make_folder: Callable[..., dict[str, int]], family: str
) -> None:
    """Single and sharded transformers folders get the card that headers, config and the oracle agree on."""
    made = place.folder / family
    make_folder(family, made)
    place.start()
    shutil.move(made, place.models / family)
    card = _go_the_way(place, family)
    expected = json.loads((corpus / family / "expected.json").read_bytes())["configs"]["config.json"]
    answers = expected["answers"]
    total, dtypes = _headers(place.models / family)
    assert card["parameters"]["total"] == total == expected["weights"]["parameters"]
    assert dtypes == {"BF16"}
    assert card["dtype"] == answers["dtype"] == "bfloat16"
    for key in (
        "model_type",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
    ):
        assert card["architecture"][key] == answers[key], key
    assert card["context"]["declared"] == answers["max_position_embeddings"]
    shards = sorted(path.name for path in (place.models / family).glob("*.safetensors"))
    assert card["weight_sets"][0]["files"] == shards


@pytest.mark.oracle
def test_a_gguf_goes_the_whole_way(place: Place) -> None:
    """A folder with one GGUF, made by the format's own package, gets a card from its header."""
    folder = place.folder / "Tiny-GGUF"
    folder.mkdir()
    writer = gguf.GGUFWriter(str(folder / "tiny-q8_0.gguf"), "llama")
    writer.add_name("Tiny")
    writer.add_block_count(2)
    writer.add_context_length(2048)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    tensors = {f"blk.{layer}.attn_q.weight": np.zeros((64, 64), dtype=np.float16) for layer in range(2)}
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = gguf.GGUFReader(str(folder / "tiny-q8_0.gguf"))
    total = sum(int(tensor.n_elements) for tensor in reader.tensors)
    del reader
    place.start()
    folder.rename(place.models / "Tiny-GGUF")
    card = _go_the_way(place, "Tiny-GGUF")
    assert card["layout"] == "gguf"
    assert card["parameters"]["total"] == total == 2 * 64 * 64
    assert card["architecture"]["hidden_size"] == 64
    assert card["architecture"]["num_hidden_layers"] == 2
    assert card["architecture"]["num_attention_heads"] == 4
    assert card["context"]["declared"] == 2048


def test_a_peft_adapter_goes_the_whole_way(place: Place) -> None:
    """An adapter folder is proposed as an adapter, with its own trainable parameters and its base's name."""
    folder = place.folder / "my-lora"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        json.dumps(
            {
                "peft_type": "LORA",
                "task_type": "CAUSAL_LM",
                "base_model_name_or_path": "Qwen/Qwen3-0.6B",
                "r": 8,
                "lora_alpha": 16,
                "target_modules": ["q_proj"],
            }
        )
    )
    prefix = "base_model.model.model.layers.0.self_attn.q_proj"
    save_file(
        {
            f"{prefix}.lora_A.weight": np.zeros((8, 64), dtype=np.float32),
            f"{prefix}.lora_B.weight": np.zeros((64, 8), dtype=np.float32),
        },
        folder / "adapter_model.safetensors",
    )
    place.start()
    folder.rename(place.models / "my-lora")
    card = _go_the_way(place, "my-lora")
    assert (card["kind"], card["layout"]) == ("adapter", "peft")
    assert card["parameters"]["trainable"] == 2 * 8 * 64
    assert card["adapter"]["r"] == 8
    assert card["adapter"]["base_model_name_or_path"] == "Qwen/Qwen3-0.6B"


@pytest.mark.promise(1, "the whole way and every command, compared to the nanosecond")
def test_the_models_root_is_never_written_to(place: Place, real_model: Path) -> None:
    """After the whole way and every command the models root is what it was, to the nanosecond."""
    folder = place.models / "all-MiniLM-L6-v2"
    shutil.copytree(real_model, folder)
    before = _everything(place.models)
    place.start()
    _go_the_way(place, "all-MiniLM-L6-v2")
    for command in (
        ("status",),
        ("list",),
        ("explain", "all-MiniLM-L6-v2"),
        ("card", str(folder)),
        ("scan",),
    ):
        place.run(*command)
    place.run("remove", "all-minilm-l6-v2")
    place.stop()
    assert _everything(place.models) == before


def _everything(top: Path) -> dict[str, tuple[int, int, int]]:
    """Size and times of all that is there; reading may touch access times alone."""
    found = {}
    for path in [top, *top.rglob("*")]:
        stat = path.lstat()
        found[str(path)] = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return found
