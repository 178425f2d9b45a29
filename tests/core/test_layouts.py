"""Which folders are one model, of which kind, and which files belong to each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.document_facts import Config
from dxwatchd.core.facts import Fault
from dxwatchd.core.layouts import find
from dxwatchd.core.model import Kind, Layout
from dxwatchd.core.reasons import ReasonKind
from dxwatchd.core.snapshot import Snapshot, Trouble
from tests.core.making import (
    File,
    Folder,
    Tree,
    adapter,
    config,
    digest,
    gguf,
    llama,
    modules,
    only,
    pipeline,
    pointer,
    sharded,
    snapshot,
    tensors,
    text,
    torch,
    unusable,
)

SENTENCES: dict[str, Any] = {
    **llama(),
    "modules.json": modules("", "1_Pooling", "2_Normalize"),
    "1_Pooling": {"config.json": Config(digest("pooling"))},
}
OLD_SENTENCES: dict[str, Any] = {
    "modules.json": modules("0_Transformer", "1_Pooling"),
    "0_Transformer": {"config.json": config("bert"), "pytorch_model.bin": torch()},
    "1_Pooling": {"config.json": Config(digest("pooling"))},
}
DIFFUSERS: dict[str, Any] = {
    "model_index.json": pipeline("unet", "text_encoder", "scheduler"),
    "unet": {"config.json": Config(digest("unet")), "diffusion_pytorch_model.safetensors": tensors()},
    "text_encoder": llama("clip"),
    "scheduler": {"scheduler_config.json": None},
}


def kinds(tree: Tree, **options: Any) -> dict[str, tuple[Layout, Kind]]:
    return {model.path: (model.layout, model.kind) for model in find(snapshot(tree), **options).models}


def stray_kinds(tree: Tree) -> dict[str, list[ReasonKind]]:
    return {stray.path: [reason.kind for reason in stray.reasons] for stray in find(snapshot(tree)).strays}


@pytest.mark.parametrize(
    ("inside", "layout", "kind"),
    [
        pytest.param(llama(), Layout.TRANSFORMERS, Kind.MODEL, id="safetensors"),
        pytest.param(sharded(3), Layout.TRANSFORMERS, Kind.MODEL, id="shards"),
        pytest.param(sharded(3, without=(2,)), Layout.TRANSFORMERS, Kind.MODEL, id="shards-missing"),
        pytest.param(
            {"config.json": config(), "pytorch_model.bin": torch()}, Layout.TRANSFORMERS, Kind.MODEL
        ),
        pytest.param({"config.json": config()}, Layout.TRANSFORMERS, Kind.MODEL, id="config-alone"),
        pytest.param(
            {"config.json": config(None, architectures=("LlamaForCausalLM",))},
            Layout.TRANSFORMERS,
            Kind.MODEL,
            id="architectures-alone",
        ),
        pytest.param({"config.json": pointer()}, Layout.TRANSFORMERS, Kind.MODEL, id="config-is-a-pointer"),
        pytest.param(
            {"config.json": unusable(Fault.EMPTY)}, Layout.TRANSFORMERS, Kind.MODEL, id="config-torn"
        ),
        pytest.param(adapter(), Layout.PEFT, Kind.ADAPTER, id="adapter"),
        pytest.param({**llama(), **adapter()}, Layout.TRANSFORMERS, Kind.MODEL, id="base-with-adapter-in-it"),
        pytest.param(SENTENCES, Layout.SENTENCE_TRANSFORMERS, Kind.MODEL, id="sentences"),
        pytest.param(OLD_SENTENCES, Layout.SENTENCE_TRANSFORMERS, Kind.MODEL, id="old-sentences"),
        pytest.param(DIFFUSERS, Layout.DIFFUSERS, Kind.PIPELINE, id="diffusers"),
        pytest.param({"a-Q4_K_M.gguf": gguf()}, Layout.GGUF, Kind.MODEL, id="gguf"),
        pytest.param({"config.json": config(), "a.gguf": gguf()}, Layout.GGUF, Kind.MODEL, id="gguf-config"),
        pytest.param(
            {"config.json": config(), "a.gguf": gguf(), "model.safetensors": tensors()},
            Layout.TRANSFORMERS,
            Kind.MODEL,
            id="gguf-beside-weights",
        ),
    ],
)
def test_layout(inside: Tree, layout: Layout, kind: Kind) -> None:
    """Each layout is known by its markers, the stronger marker first, at any depth of publishers."""
    assert kinds({"m": inside}) == {"m": (layout, kind)}
    assert kinds({"2026": {"publisher": {"m": inside}}}) == {"2026/publisher/m": (layout, kind)}
    assert stray_kinds({"m": inside}) == {}


def test_evidence() -> None:
    """A model says why it is taken for one."""
    assert only({"m": SENTENCES})[0].evidence == ("modules.json names 3 modules",)
    assert only({"m": llama()})[0].evidence == ("config.json names the model type llama",)
    assert only({"m": {"a.gguf": gguf(architecture="qwen3")}})[0].evidence == (
        "1 GGUF file",
        "a.gguf names the architecture qwen3",
    )


@pytest.mark.parametrize("inside", [SENTENCES, OLD_SENTENCES, DIFFUSERS], ids=["new", "old", "pipeline"])
def test_components_are_parts(inside: Tree) -> None:
    """A component is never a model of its own, though it could be loaded as one."""
    assert list(kinds({"m": inside})) == ["m"]
    model, _ = only({"m": inside})
    assert {file.name.split("/")[0] for file in model.files if "/" in file.name} <= set(model.components)


def test_components_and_their_weights() -> None:
    """The weights of every component are sets of the model, each place with a primary one."""
    assert [weights.files for weights in only({"m": OLD_SENTENCES})[0].weight_sets] == [
        ("0_Transformer/pytorch_model.bin",)
    ]
    assert only({"m": OLD_SENTENCES})[0].components == ("0_Transformer", "1_Pooling")
    sets = only({"m": DIFFUSERS})[0].weight_sets
    assert [(weights.files, weights.primary) for weights in sets] == [
        (("unet/diffusion_pytorch_model.safetensors",), True),
        (("text_encoder/model.safetensors",), True),
    ]


def test_component_over_a_link() -> None:
    """A component that is a link to a folder elsewhere gives its weights under the component's name."""
    tree = {
        "m": Folder({"model_index.json": pipeline("unet")}, links={"unet": "shared"}),
        "shared": DIFFUSERS["unet"],
    }
    model, _ = only(tree)
    assert [weights.files for weights in model.weight_sets] == [("unet/diffusion_pytorch_model.safetensors",)]


def test_single_file_pipeline_beside_components() -> None:
    """Weights in a pipeline's own folder are no set of it: its components are what is loaded."""
    model, _ = only({"m": {**DIFFUSERS, "v1-5-pruned.safetensors": tensors()}})
    assert all("/" in weights.files[0] for weights in model.weight_sets)


def test_adapter_inside_base() -> None:
    """An adapter inside a base folder is its own model, and its files are not the base's."""
    tree = {"m": {**llama(), "adapters": {"x": adapter()}, "original": {"params.json": text()}}}
    assert kinds(tree) == {
        "m": (Layout.TRANSFORMERS, Kind.MODEL),
        "m/adapters/x": (Layout.PEFT, Kind.ADAPTER),
    }
    base, _ = only(tree)
    assert [file.name for file in base.files] == ["config.json", "model.safetensors", "original/params.json"]
    assert base.folders == ("adapters", "original")
    assert base.size == 300


@pytest.mark.parametrize("part", ["original", "onnx", "openvino", "._____temp"])
def test_parts_of_a_model(part: str) -> None:
    """Other forms of the weights, and a downloader's own folder, are part of the folder that holds them."""
    tree = {"m": {**llama(), part: {**llama(), "inner": llama()}}}
    assert list(kinds(tree)) == ["m"]
    assert f"{part}/config.json" in {file.name for file in only(tree)[0].files}


def test_publisher_owns_nothing() -> None:
    """A folder that groups models owns neither them nor the stray file beside them."""
    tree = {"org": {"a": llama(), "b": {"x.gguf": gguf()}, "README.md": None}, "c": llama()}
    assert list(kinds(tree)) == ["c", "org/a", "org/b"]
    assert stray_kinds(tree) == {}


def test_root_is_no_model() -> None:
    """The models root is never a model; loose weights in it are told one by one."""
    tree = {**llama(), "b.gguf": gguf(), "a.gguf": gguf(), "notes.txt": None, "m": llama()}
    assert list(kinds(tree)) == ["m"]
    (stray,) = find(snapshot(tree)).strays
    assert (stray.path, [reason.file for reason in stray.reasons]) == (
        "",
        ["a.gguf", "b.gguf", "model.safetensors"],
    )
    assert find(Snapshot({})).models == ()


CHECKPOINT = {**llama(), "trainer_state.json": None}


def test_checkpoints() -> None:
    """A training checkpoint is a model only where the setting or an entry asks for it."""
    tree = {"run": {"checkpoint-900": CHECKPOINT, "checkpoint-800": CHECKPOINT, "final": llama()}}
    assert list(kinds(tree)) == ["run/final"]
    assert stray_kinds(tree) == {
        "run/checkpoint-800": [ReasonKind.CHECKPOINT],
        "run/checkpoint-900": [ReasonKind.CHECKPOINT],
    }
    assert len(kinds(tree, propose_checkpoints=True)) == 3
    assert list(kinds(tree, entered=frozenset({"run/checkpoint-900"}))) == ["run/checkpoint-900", "run/final"]


@pytest.mark.parametrize(
    ("name", "inside", "checkpoint"),
    [
        ("checkpoint-9", CHECKPOINT, True),
        ("epoch-3", {**CHECKPOINT, "optimizer.pt": torch()}, True),
        ("final", CHECKPOINT, False),  # trainer.save_state() writes it beside a finished model
        ("checkpoint-9", llama(), False),
    ],
)
def test_what_is_a_checkpoint(name: str, inside: Tree, checkpoint: bool) -> None:
    """A checkpoint has a trainer's state and the name or the optimizer to go on with."""
    assert (name not in kinds({name: inside})) == checkpoint


def test_checkpoints_inside_a_model() -> None:
    """What a run leaves below the finished model is not the finished model's."""
    base, _ = only({"m": {**llama(), "checkpoint-9": CHECKPOINT}})
    assert len(find(snapshot({"m": {**llama(), "checkpoint-9": CHECKPOINT}})).strays) == 1
    found = find(snapshot({"m": {**llama(), "checkpoint-9": CHECKPOINT}}))
    assert [file.name for file in found.models[0].files] == ["config.json", "model.safetensors"]
    assert base.folders == ()


@pytest.mark.parametrize(
    ("inside", "kind", "file"),
    [
        ({"model.safetensors": tensors()}, ReasonKind.NO_CONFIG, "config.json"),
        ({"adapter_model.safetensors": tensors()}, ReasonKind.NO_CONFIG, "adapter_config.json"),
        (
            {"config.json": config(None), "model.safetensors": tensors()},
            ReasonKind.UNKNOWN_LAYOUT,
            "config.json",
        ),
        (Folder(trouble=Trouble.UNREADABLE), ReasonKind.UNREADABLE, ""),
        (Folder(trouble=Trouble.TOO_DEEP), ReasonKind.UNREADABLE, ""),
    ],
)
def test_strays(inside: Any, kind: ReasonKind, file: str) -> None:
    """A folder that holds something of a model, and is none, is told with what is wanting."""
    (stray,) = find(snapshot({"org": {"m": inside}})).strays
    assert (stray.path, stray.reasons[0].kind, stray.reasons[0].file) == ("org/m", kind, file)


@pytest.mark.parametrize(
    "inside",
    [
        {"mmproj-model-f16.gguf": gguf()},
        {"README.md": None, "config.json": config(None)},
        {"optimizer.pt": torch(), "scheduler.pt": torch()},
        {},
    ],
)
def test_neither_model_nor_stray(inside: Tree) -> None:
    """Nothing is said of folders without anything that could be loaded."""
    found = find(snapshot({"m": inside}))
    assert (found.models, found.strays) == ((), ())


def test_name_that_is_not_text() -> None:
    """A folder whose name no manifest can hold is told, whatever is in it."""
    assert stray_kinds({"a\udcff": {"x.txt": None}}) == {"a\udcff": [ReasonKind.NAME_NOT_TEXT]}


EVERYTHING: dict[str, Any] = {
    "org": {"a": sharded(3), "b": {**llama(), "lora": adapter()}, "c": SENTENCES},
    "d": DIFFUSERS,
    "e": {
        "x-Q4.gguf": gguf("4", name="x"),
        "x-Q8-00001-of-00002.gguf": gguf("8", name="y"),
        "mmproj.gguf": gguf(),
    },
    "run": {"checkpoint-5": CHECKPOINT, "model.safetensors": tensors()},
    "z.gguf": File(),
}


@given(st.randoms(use_true_random=False))
def test_order_of_listing(random: Any) -> None:
    """The result depends on what is there, not on the order in which it was listed."""

    def shuffled(tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        names = list(tree)
        random.shuffle(names)
        return {name: shuffled(tree[name]) for name in names}

    assert find(snapshot(shuffled(EVERYTHING))) == find(snapshot(EVERYTHING))
