"""Trees that downloaders and other programs make: caches, stores, models within models, several at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from dxwatchd.core.derivation import derive
from dxwatchd.core.hints import hints_of
from dxwatchd.core.layouts import find
from dxwatchd.core.model import Kind, Layout
from dxwatchd.core.readiness import judge
from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.rest import signature
from dxwatchd.scan import Scanner
from tests.layouts import making
from tests.layouts.conftest import Root, look
from tests.layouts.making import COMMIT, CONFIG, Link, hub_cache, lay, plain, tensors

FILES = {"config.json": CONFIG, "model.safetensors": tensors()}
OTHER = "f" * 40


def strays(seen: Root) -> dict[str, list[ReasonKind]]:
    """What is passed over, and why."""
    return {stray.path: [reason.kind for reason in stray.reasons] for stray in seen.found.strays}


def names(seen: Root, path: str) -> tuple[str, str]:
    """The names that are proposed for the model at `path`."""
    model = seen.models[path]
    derived = derive(hints_of(model, seen.snapshot.folders[path], ""), {})
    return derived.technical_name, derived.model_name


def test_a_cached_model_is_its_ref_and_has_its_folders_name(root: Path) -> None:
    """One model, at the revision that the ref points to; no blob, no lock is any; the name is no hash."""
    lay(hub_cache(FILES), root / "models--Qwen--Qwen3-0.6B")
    lay({"x.lock": b""}, root / ".locks" / "models--Qwen--Qwen3-0.6B")
    lay({f"{COMMIT}/config.json": b""}, root / "models--Qwen--Qwen3-0.6B" / ".no_exist")
    seen = look(root)
    path = f"models--Qwen--Qwen3-0.6B/snapshots/{COMMIT}"
    assert list(seen.models) == [path]
    assert seen.verdicts[path].whole
    assert seen.models[path].refs == ("main",)
    assert "refs/main points to it" in seen.models[path].evidence
    assert {file.name for file in seen.models[path].files} == set(FILES)
    assert names(seen, path) == ("qwen3-0.6b", "Qwen3-0.6B")


def test_each_ref_is_a_model_and_an_old_revision_is_none(root: Path) -> None:
    """Two refs to two revisions: two models, the second with its ref's name; one that no ref names: none."""
    place = root / "hub" / "models--org--M"
    lay(hub_cache(FILES, commit=COMMIT), place)
    lay({f"snapshots/{OTHER}/{name}": Link(f"../{COMMIT}/{name}") for name in FILES}, place)
    lay({f"snapshots/{'e' * 40}/config.json": CONFIG, "refs/v1.0": OTHER.encode()}, place)
    seen = look(root)
    top = "hub/models--org--M/snapshots"
    assert list(seen.models) == [f"{top}/{COMMIT}", f"{top}/{OTHER}"]
    assert names(seen, f"{top}/{OTHER}") == ("m-v1.0", "M-v1.0")
    assert strays(seen) == {f"{top}/{'e' * 40}": [ReasonKind.OLD_REVISION]}
    entered = find(seen.snapshot, entered=frozenset({f"{top}/{'e' * 40}"}))
    assert f"{top}/{'e' * 40}" in [model.path for model in entered.models]


def test_a_revision_fetched_by_its_commit_is_a_model(root: Path) -> None:
    """Where no ref points anywhere, every revision counts."""
    lay(hub_cache(FILES, ref=None), root / "models--gpt2")
    seen = look(root)
    assert list(seen.models) == [f"models--gpt2/snapshots/{COMMIT}"]
    assert names(seen, f"models--gpt2/snapshots/{COMMIT}") == ("gpt2", "gpt2")


def test_an_unfinished_blob_keeps_a_cached_model_from_rest(root: Path) -> None:
    """The model is whole, but asks for the long quiet period, and its signature follows the download."""
    lay(hub_cache(FILES), root / "models--o--m")
    path = f"models--o--m/snapshots/{COMMIT}"
    before = look(root)
    assert not before.verdicts[path].patient
    blob = root / "models--o--m" / "blobs" / f"{'a' * 64}.incomplete"
    signatures = {signature(before.models[path], before.snapshot)}
    for size in (1, 2, 3):
        blob.write_bytes(b"x" * size)
        seen = look(root)
        assert seen.verdicts[path].whole
        assert seen.verdicts[path].patient
        assert [warning.kind for warning in seen.verdicts[path].warnings] == [ReasonKind.DOWNLOADING]
        signatures.add(signature(seen.models[path], seen.snapshot))
    assert len(signatures) == 4


def test_other_programs_stores_are_passed_over(root: Path) -> None:
    """Ollama's blobs, data sets and spaces in a cache: no models, and no noise in the status either."""
    digest = hashlib.sha256(b"x").hexdigest()
    lay({f"blobs/sha256-{digest}": b"GGUF", "manifests/registry/library/m/latest": b"{}"}, root / "ollama")
    lay(hub_cache({"data.json": b"{}", "config.json": CONFIG}), root / "datasets--org--d")
    seen = look(root)
    assert seen.models == {}
    assert strays(seen) == {
        "datasets--org--d": [ReasonKind.FOREIGN_STORE],
        "ollama": [ReasonKind.FOREIGN_STORE],
    }
    assert all(stray.skipped for stray in seen.found.strays)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Qwen/Qwen2___5-0___5B-Instruct", ("qwen2.5-0.5b-instruct", "Qwen2.5-0.5B-Instruct")),
        ("publisher/Model-GGUF", ("model-gguf", "Model-GGUF")),
        ("run7/checkpoint-final/model", ("checkpoint-final-model", "checkpoint-final-model")),
    ],
)
def test_names_come_from_folders(root: Path, path: str, expected: tuple[str, str]) -> None:
    """ModelScope's three underscores are a dot; a publisher is a namespace; generic names say too little."""
    lay(FILES, root / path)
    assert names(look(root), path) == expected


def test_a_weak_layout_inside_a_model_is_its_part(root: Path) -> None:
    """An ONNX export in a pipeline's unnamed folder is no model; an adapter and a GGUF file are."""
    pipeline = {
        "model_index.json": plain({"_class_name": "P", "unet": ["diffusers", "UNet"]}),
        "unet/config.json": plain({"_class_name": "UNet"}),
        "unet/diffusion_pytorch_model.safetensors": tensors(1),
        "vae_decoder/model.onnx": making.onnx_model()["model.onnx"],
        "gguf/m-Q4.gguf": making.gguf_file(),
        "lora/adapter_config.json": plain({"peft_type": "LORA"}),
        "lora/adapter_model.safetensors": tensors(2),
    }
    lay(pipeline, root / "p")
    seen = look(root)
    assert {path: (model.layout, model.kind) for path, model in seen.models.items()} == {
        "p": (Layout.DIFFUSERS, Kind.PIPELINE),
        "p/gguf": (Layout.GGUF, Kind.MODEL),
        "p/lora": (Layout.PEFT, Kind.ADAPTER),
    }
    assert "vae_decoder/model.onnx" in {file.name for file in seen.models["p"].files}


def test_what_else_a_folder_may_be_is_kept(root: Path) -> None:
    """Each weaker reading with its evidence, strongest first; not what every such folder is besides."""
    folder = {
        **FILES,
        "modules.json": plain([{"path": ""}]),
        "model.onnx": making.onnx_model()["model.onnx"],
        "m.Q4.gguf": making.gguf_file(),
        **making.openvino(),
        "adapter_config.json": plain({"peft_type": "LORA"}),
        "adapter_model.safetensors": tensors(3),
    }
    lay(folder, root / "m")
    model = look(root).models["m"]
    assert model.layout is Layout.SENTENCE_TRANSFORMERS
    assert [candidate.layout for candidate in model.candidates] == [
        Layout.GGUF,
        Layout.ONNX,
        Layout.OPENVINO,
        Layout.PEFT,
    ]
    assert all(candidate.evidence for candidate in model.candidates)
    primary = model.primary
    assert primary is not None
    assert primary.files == ("model.safetensors",)


@pytest.mark.promise(1, "a downloader's pickle beside the model")
def test_a_pickle_beside_a_download_is_never_read(root: Path) -> None:
    """ModelScope's `.msc` says nothing: it has no facts."""
    lay({**FILES, ".msc": b"\x80\x04cposix\nsystem\nX\x04\x00\x00\x00true\x85R."}, root / "m")
    seen = look(root)
    assert seen.verdicts["m"].whole
    assert seen.snapshot.folders["m"].files[".msc"].facts is None


def test_only_a_downloaders_notes_are_read_in_a_cache_folder(root: Path) -> None:
    """Below `.cache` of a model only the notes of huggingface_hub are looked at; a link leads nowhere."""
    lay(FILES, root / "m")
    lay({"huggingface/download/config.json.metadata": making.hub_note(CONFIG)}, root / "m" / ".cache")
    lay({"pip/x.safetensors": b"", "huggingface/other/config.json": CONFIG}, root / "m" / ".cache")
    outside = root.parent / "outside"
    lay({"huggingface/download/config.json.metadata": b"secret"}, outside)
    lay(FILES, root / "n")
    (root / "n" / ".cache").symlink_to(outside)
    seen = look(root)
    below = sorted(path for path in seen.snapshot.folders if ".cache" in path)
    assert below == ["m/.cache", "m/.cache/huggingface", "m/.cache/huggingface/download"]
    assert {file.name for file in seen.models["m"].files} == set(FILES)
    assert all(verdict.whole for verdict in seen.verdicts.values())


def test_what_did_not_change_is_not_read_again(root: Path) -> None:
    """A second look at a cache and at a local download reads no file."""
    lay(hub_cache(FILES), root / "models--o--m")
    lay({**FILES, ".cache/huggingface/download/config.json.metadata": making.hub_note(CONFIG)}, root / "m")
    for folder in (root, *root.rglob("*")):
        if folder.is_file() and not folder.is_symlink():
            os.utime(folder, ns=(10**18, 10**18))
    scanner = Scanner(root, (), None)
    scanner.look(None, lambda: False)
    scanner.facts._racy.clear()
    read = scanner.facts.files_read
    snapshot = scanner.look(None, lambda: False)
    assert scanner.facts.files_read == read
    assert all(judge(model, snapshot).whole for model in find(snapshot).models)
