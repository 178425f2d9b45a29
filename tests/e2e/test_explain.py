"""`explain` is what a person reaches for: on one screen what a folder is, what is missing, and what to do."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place
from tests.layouts import making
from tests.layouts.making import COMMIT, CONFIG, hub_cache, lay, pointer, sharded, tensors

SCREEN = 40
"""Lines."""


def explained(place: Place, path: str, code: int = 0) -> str:
    """What it says, on one screen."""
    said = place.run("explain", path, code=code)
    assert len(said.splitlines()) <= SCREEN
    return said


@pytest.mark.promise(10, "four things wrong with one folder at once")
def test_each_reason_has_its_file_what_was_expected_and_a_remedy(place: Place) -> None:
    """A shard too short, one missing, one that is a pointer, one with a copier's name: all at once."""
    files = sharded(5)
    names = [f"model-0000{number}-of-00005.safetensors" for number in range(1, 6)]
    files[names[0]] = files[names[0]][:-9]
    del files[names[1]]
    files[names[2]] = pointer(files[names[2]])
    files[f".{names[3]}.x9Ab2C"] = files.pop(names[3])
    lay({"config.json": CONFIG, **files}, place.models / "m")
    said = explained(place, "m", code=1)
    assert f"{names[0]}: 1,127 bytes, expected 1,136 bytes by its own header" in said
    assert f"{names[1]}, {names[3]}: not there, expected by model.safetensors.index.json" in said
    assert (
        f"{names[2]}: only a git-LFS pointer, expected 1,136 bytes; run `git lfs pull` in the folder" in said
    )
    assert f".{names[3]}.x9Ab2C: has the temporary name of a copy in progress" in said


def test_what_else_it_may_be_is_listed_with_its_evidence(place: Place) -> None:
    """In words and in JSON."""
    files = {**making.onnx_model(), "m.Q4.gguf": making.gguf_file()}
    lay({"config.json": CONFIG, "model.safetensors": tensors(), **files}, place.models / "m")
    said = explained(place, "m")
    assert "or           gguf model: 1 GGUF file; m.Q4.gguf names the architecture llama" in said
    assert "or           onnx model: model.onnx is an ONNX model" in said
    (model,) = place.json("explain", "m")["models"]
    assert [candidate["layout"] for candidate in model["candidates"]] == ["gguf", "onnx"]


@pytest.mark.parametrize("part", ["m/onnx", "m/onnx/model.onnx", "m/config.json"])
@pytest.mark.promise(10, "a path inside a model")
def test_a_part_is_told_with_its_model(place: Place, part: str) -> None:
    """Of a component, of a file: which model it belongs to, and that one's state."""
    lay({"config.json": CONFIG, "model.safetensors": tensors()}, place.models / "m")
    lay(making.onnx_model(), place.models / "m" / "onnx")
    said = explained(place, part)
    assert said.startswith(f"{part} is a part of m\nm  whole\n")


def test_a_model_inside_another_is_told_by_itself(place: Place) -> None:
    """An adapter in a base folder is no part of it."""
    lay({"config.json": CONFIG, "model.safetensors": tensors()}, place.models / "m")
    adapter = {"adapter_config.json": b'{"peft_type": "LORA"}', "adapter_model.safetensors": tensors(1)}
    lay(adapter, place.models / "m" / "lora")
    assert explained(place, "m/lora").startswith("m/lora  whole\nwhat it is   peft adapter")


@pytest.mark.promise(10, "folders that are passed over")
def test_what_is_passed_over_says_why(place: Place) -> None:
    """A checkpoint, an old revision in a cache, another program's store."""
    files = {"config.json": CONFIG, "model.safetensors": tensors()}
    lay({**files, "trainer_state.json": b"{}", "optimizer.pt": making.torch()}, place.models / "checkpoint-5")
    lay(hub_cache(files), place.models / "models--o--m")
    lay({f"snapshots/{'e' * 40}/{name}": data for name, data in files.items()}, place.models / "models--o--m")
    lay({f"blobs/sha256-{'a' * 64}": b"x", "manifests/": b""}, place.models / "ollama")
    assert "passed over  a training checkpoint" in explained(place, "checkpoint-5")
    assert "a revision in a download cache that no ref points to" in explained(place, "models--o--m")
    assert f"models--o--m/snapshots/{COMMIT}  whole" in explained(place, "models--o--m")
    assert "the store of another program" in explained(place, "ollama", code=1)
    place.start()
    place.proposed(f"models--o--m/snapshots/{COMMIT}")
    assert {entry["path"] for entry in place.entries()} == {f"models--o--m/snapshots/{COMMIT}"}
    folders = [folder["path"] for folder in place.json("status", code=None)["folders"]]
    assert folders == [f"models--o--m/snapshots/{COMMIT}"]


@pytest.mark.promise(10, "a copy that has only begun")
def test_a_copy_that_has_only_begun_is_told(place: Place) -> None:
    """Nothing but a temporary weight file: no model yet, and why."""
    lay({"model.gguf.part": b"x"}, place.models / "m")
    assert "model.gguf.part: has the temporary name of a copy in progress" in explained(place, "m", code=1)
