"""Every layout: a good folder is whole and known for what it is; a spoiled one says what is wrong, where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dxwatchd.core.layouts import find
from dxwatchd.core.model import Kind, Layout
from dxwatchd.core.readiness import judge
from dxwatchd.core.reasons import ReasonKind as Why
from dxwatchd.core.reasons import State
from dxwatchd.core.snapshot import Snapshot
from tests.layouts import making
from tests.layouts.conftest import look
from tests.layouts.making import CONFIG, TOKENIZER, Link, config, lay, plain, pointer, tensors, torch

Files: TypeAlias = dict[str, Any]
Spoil: TypeAlias = Callable[[Files], None]


@dataclass(frozen=True)
class Spoiled:
    """One way to spoil a folder. why, file: the reason that must be among those that are given."""

    how: Spoil
    why: Why
    file: str
    state: State
    name: str


def cut(name: str, why: Why = Why.TOO_SHORT, by: int = 1) -> Spoiled:
    """The file lacks its last bytes."""

    def how(files: Files) -> None:
        files[name] = files[name][:-by]

    return Spoiled(how, why, name, State.INCOMPLETE, f"cut {name}")


def without(name: str, why: Why = Why.MISSING_FILE, file: str | None = None) -> Spoiled:
    """The file is not there."""

    def how(files: Files) -> None:
        del files[name]

    return Spoiled(how, why, name if file is None else file, State.INCOMPLETE, f"without {name}")


def copying(name: str, temporary: str = "{}.part") -> Spoiled:
    """The file still has a copier's name."""
    folder, slash, last = name.rpartition("/")
    new = f"{folder}{slash}{temporary.format(last)}"

    def how(files: Files) -> None:
        files[new] = files.pop(name)

    return Spoiled(how, Why.TEMPORARY_NAME, new, State.COPYING, f"copying {name}")


def only_pointer(name: str) -> Spoiled:
    """A git-LFS pointer stands for the file."""

    def how(files: Files) -> None:
        files[name] = pointer(files[name])

    return Spoiled(how, Why.POINTER, name, State.INCOMPLETE, f"pointer {name}")


def zeros(name: str) -> Spoiled:
    """The file has its size, and nothing was written to it."""

    def how(files: Files) -> None:
        files[name] = bytes(len(files[name]))

    return Spoiled(how, Why.TRUNCATED, name, State.INCOMPLETE, f"zeros {name}")


def emptied(name: str) -> Spoiled:
    """The file has no bytes yet."""

    def how(files: Files) -> None:
        files[name] = b""

    return Spoiled(how, Why.EMPTY, name, State.COPYING, f"empty {name}")


def grown(name: str, why: Why = Why.TOO_LONG) -> Spoiled:
    """The file has more bytes than it should."""

    def how(files: Files) -> None:
        files[name] += b"more"

    return Spoiled(how, why, name, State.INVALID, f"grown {name}")


def put(name: str, content: bytes | Link, why: Why, state: State, file: str | None = None) -> Spoiled:
    """Another file stands there."""

    def how(files: Files) -> None:
        files[name] = content

    return Spoiled(how, why, name if file is None else file, state, f"put {name}")


@dataclass(frozen=True)
class Row:
    """One layout: a good folder, what it must be taken for, and ways to spoil it."""

    name: str
    files: Mapping[str, Any]
    layout: Layout
    spoiled: tuple[Spoiled, ...]
    kind: Kind = Kind.MODEL
    path: str = "m"


BASE = {"config.json": CONFIG, "tokenizer.json": TOKENIZER, "README.md": b"# A model\n"}
SAFE = {**BASE, "model.safetensors": tensors()}
PARAMS = plain({"dim": 8, "n_layers": 1, "n_heads": 2, "vocab_size": -1})
LORA = plain({"peft_type": "LORA", "r": 8, "base_model_name_or_path": "org/base"})
UNET = plain({"_class_name": "UNet2DConditionModel"})
DIFFUSERS = {
    "model_index.json": plain(
        {
            "_class_name": "StableDiffusionPipeline",
            "unet": ["diffusers", "UNet2DConditionModel"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "safety_checker": [None, None],
        }
    ),
    "unet/config.json": UNET,
    "unet/diffusion_pytorch_model.safetensors": tensors(1),
    "unet/diffusion_pytorch_model.fp16.safetensors": tensors(2),
    "text_encoder/config.json": CONFIG,
    "text_encoder/model.safetensors": tensors(3),
    "tokenizer/vocab.json": plain({"a": 0}),
}
MLC_SHARDS = {f"params_shard_{n}.bin": making.noise(n, 100 + n) for n in range(3)}
MLC = {
    "mlc-chat-config.json": plain({"model_type": "qwen2", "quantization": "q4f16_1", "model_config": {}}),
    "ndarray-cache.json": plain(
        {
            "metadata": {},
            "records": [{"dataPath": name, "nbytes": len(data)} for name, data in MLC_SHARDS.items()],
        }
    ),
    **MLC_SHARDS,
}
ENGINE = {
    "config.json": plain(
        {
            "pretrained_config": {"architecture": "LlamaForCausalLM", "mapping": {"world_size": 2}},
            "build_config": {"max_batch_size": 1},
        }
    ),
    "rank0.engine": making.noise(1, 3000),
    "rank1.engine": making.noise(2, 3000),
}
GENAI = {
    "genai_config.json": plain({"model": {"type": "phi3", "decoder": {"filename": "model.onnx"}}}),
    **making.onnx_model(1, "model.onnx.data"),
    "tokenizer.json": TOKENIZER,
}
CACHE = {name: data for name, data in SAFE.items() if name != "README.md"}
SNAPSHOT = f"models--org--Name-1B/snapshots/{making.COMMIT}"
MODEL = "model.safetensors"
SHARD = "model-00002-of-00003.safetensors"

ROWS: tuple[Row, ...] = (
    Row(
        "transformers",
        SAFE,
        Layout.TRANSFORMERS,
        (
            cut(MODEL),
            without(MODEL, Why.NO_WEIGHTS, ""),
            copying(MODEL),
            zeros(MODEL),
            grown(MODEL),
            emptied("config.json"),
            put("config.json", b'{"model_type": "llama",', Why.TRUNCATED, State.INCOMPLETE),
        ),
    ),
    Row(
        "transformers, one .bin",
        {**BASE, "pytorch_model.bin": torch()},
        Layout.TRANSFORMERS,
        (
            cut("pytorch_model.bin", Why.TRUNCATED),
            copying("pytorch_model.bin", ".{}.a1B2c3"),
            zeros("pytorch_model.bin"),
        ),
    ),
    Row(
        "transformers, TensorFlow only",
        {**BASE, "tf_model.h5": making.keras()},
        Layout.TRANSFORMERS,
        (cut("tf_model.h5"), zeros("tf_model.h5"), only_pointer("tf_model.h5")),
    ),
    Row(
        "transformers, Flax only",
        {**BASE, "flax_model.msgpack": making.flax()},
        Layout.TRANSFORMERS,
        (cut("flax_model.msgpack"), zeros("flax_model.msgpack"), grown("flax_model.msgpack")),
    ),
    Row(
        "sharded with an index",
        {**BASE, **making.sharded()},
        Layout.TRANSFORMERS,
        (without(SHARD), cut(SHARD), copying(SHARD, "{}.incomplete"), emptied(SHARD)),
    ),
    Row(
        "sharded by numbering",
        {**BASE, **{name: data for name, data in making.sharded().items() if "index" not in name}},
        Layout.TRANSFORMERS,
        (without(SHARD), cut(SHARD), zeros(SHARD)),
    ),
    Row(
        "diffusers",
        DIFFUSERS,
        Layout.DIFFUSERS,
        (
            cut("unet/diffusion_pytorch_model.safetensors"),
            without("unet/config.json"),
            without("tokenizer/vocab.json", file="tokenizer/"),
            copying("text_encoder/model.safetensors"),
            put(
                "model_index.json",
                plain({"_class_name": "X", "../evil": ["diffusers", "Y"]}),
                Why.MALFORMED,
                State.INVALID,
            ),
        ),
        Kind.PIPELINE,
    ),
    Row(
        "PEFT adapter",
        {"adapter_config.json": LORA, "adapter_model.safetensors": tensors()},
        Layout.PEFT,
        (
            cut("adapter_model.safetensors"),
            without("adapter_model.safetensors", Why.NO_WEIGHTS, ""),
            emptied("adapter_config.json"),
        ),
        Kind.ADAPTER,
    ),
    Row(
        "sentence-transformers",
        {
            **SAFE,
            "modules.json": plain([{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Normalize"}]),
            "1_Pooling/config.json": plain({"pooling_mode_mean_tokens": True}),
        },
        Layout.SENTENCE_TRANSFORMERS,
        (
            cut(MODEL),
            without("1_Pooling/config.json", file="1_Pooling/"),
            put("modules.json", plain([{"path": "../../etc"}]), Why.MALFORMED, State.INVALID),
        ),
    ),
    Row(
        "SetFit",
        {
            **SAFE,
            "modules.json": plain([{"path": ""}]),
            "config_setfit.json": plain({"labels": None}),
            "model_head.pkl": b"\x80\x04.",
        },
        Layout.SENTENCE_TRANSFORMERS,
        (only_pointer("model_head.pkl"), copying("model_head.pkl"), cut(MODEL)),
    ),
    Row(
        "GGUF",
        {"model-Q4_K_M.gguf": making.gguf_file(1), "model-Q8_0.gguf": making.gguf_file(2)},
        Layout.GGUF,
        (
            cut("model-Q4_K_M.gguf", by=200),
            zeros("model-Q8_0.gguf"),
            copying("model-Q8_0.gguf", "{}.crdownload"),
            put("model-Q4_K_M.gguf", b"GGML" + making.noise(1, 400), Why.MALFORMED, State.INVALID),
        ),
    ),
    Row(
        "GGUF in parts",
        {f"m-{n + 1:05d}-of-00002.gguf": making.gguf_file(n, split=(n, 2)) for n in range(2)},
        Layout.GGUF,
        (
            without("m-00002-of-00002.gguf"),
            cut("m-00001-of-00002.gguf", by=200),
            put(
                "m-00002-of-00002.gguf",
                making.gguf_file(0, split=(0, 2)),
                Why.MALFORMED,
                State.INVALID,
            ),
        ),
    ),
    Row(
        "GGUF with a projector",
        {"m-Q4.gguf": making.gguf_file(1), "mmproj-m-f16.gguf": making.gguf_file(2, kind="mmproj")},
        Layout.GGUF,
        (
            cut("mmproj-m-f16.gguf", by=200),
            put("m-Q4.gguf", making.gguf_file(1, rows=0), Why.NO_WEIGHTS, State.INCOMPLETE),
            put("m-Q4.gguf", making.gguf_file(1, split=(0, 3)), Why.MISSING_FILE, State.INCOMPLETE),
        ),
    ),
    Row(
        "GGUF adapter",
        {"lora.gguf": making.gguf_file(1, kind="adapter")},
        Layout.GGUF,
        (cut("lora.gguf", by=200), zeros("lora.gguf"), only_pointer("lora.gguf")),
        Kind.ADAPTER,
    ),
    Row(
        "Mistral",
        {"params.json": PARAMS, "consolidated.safetensors": tensors(), "tekken.json": TOKENIZER},
        Layout.MISTRAL,
        (
            cut("consolidated.safetensors"),
            without("consolidated.safetensors", Why.NO_WEIGHTS, ""),
            emptied("params.json"),
        ),
    ),
    Row(
        "Mistral beside Hugging Face shards",
        {**BASE, **making.sharded(), "params.json": PARAMS, "consolidated.safetensors": tensors(9)},
        Layout.TRANSFORMERS,
        (cut("consolidated.safetensors"), without(SHARD), emptied("consolidated.safetensors")),
    ),
    Row(
        "original LLaMA",
        {
            "params.json": PARAMS,
            "consolidated.00.pth": torch(0),
            "consolidated.01.pth": torch(1),
            "checklist.chk": b"".join(
                b"d41d8cd98f00b204e9800998ecf8427e  %s\n" % name
                for name in (b"consolidated.00.pth", b"consolidated.01.pth", b"params.json")
            ),
            "tokenizer.model": b"\n\x0etokens",
        },
        Layout.LLAMA,
        (
            without("consolidated.01.pth"),
            without("consolidated.00.pth"),
            cut("consolidated.01.pth", Why.TRUNCATED),
            without("params.json", Why.NO_CONFIG, "config.json"),
        ),
    ),
    Row(
        "original/ under a Hugging Face folder",
        {**SAFE, "original/params.json": PARAMS, "original/consolidated.00.pth": torch()},
        Layout.TRANSFORMERS,
        (
            cut("original/consolidated.00.pth", Why.TRUNCATED),
            zeros("original/consolidated.00.pth"),
            cut(MODEL),
        ),
    ),
    Row(
        "MLX",
        {
            **BASE,
            "config.json": config(quantization={"group_size": 64, "bits": 4}),
            "model.safetensors": tensors(0, format="mlx"),
        },
        Layout.MLX,
        (cut(MODEL), without(MODEL, Why.NO_WEIGHTS, ""), copying(MODEL)),
    ),
    *(
        Row(
            method,
            {**files, "config.json": config(quantization_config={"quant_method": method, "bits": 4})},
            Layout.TRANSFORMERS,
            (cut(weights), without(weights, Why.NO_WEIGHTS, ""), only_pointer(weights)),
        )
        for method, weights, files in (
            ("gptq", "model.safetensors", {**SAFE, "quantize_config.json": plain({"bits": 4})}),
            ("awq", "model.safetensors", {**SAFE, "quant_config.json": plain({"w_bit": 4})}),
            ("exl2", "output.safetensors", {**BASE, "output.safetensors": tensors()}),
            ("compressed-tensors", "model.safetensors", SAFE),
        )
    ),
    Row(
        "GPTQ in the old way",
        {
            **BASE,
            "quantize_config.json": plain({"bits": 4, "group_size": 128}),
            "gptq_model-4bit-128g.safetensors": tensors(),
        },
        Layout.TRANSFORMERS,
        (
            cut("gptq_model-4bit-128g.safetensors"),
            emptied("quantize_config.json"),
            copying("gptq_model-4bit-128g.safetensors"),
        ),
    ),
    Row(
        "ONNX",
        making.onnx_model(),
        Layout.ONNX,
        (cut("model.onnx"), zeros("model.onnx"), only_pointer("model.onnx")),
    ),
    Row(
        "ONNX with external data",
        making.onnx_model(1, "model.onnx_data"),
        Layout.ONNX,
        (without("model.onnx_data"), cut("model.onnx_data"), cut("model.onnx")),
    ),
    Row(
        "onnx/ under a Hugging Face folder",
        {**SAFE, **{f"onnx/{name}": data for name, data in making.onnx_model(1, "model.onnx_data").items()}},
        Layout.TRANSFORMERS,
        (without("onnx/model.onnx_data"), cut("onnx/model.onnx"), cut(MODEL)),
    ),
    Row(
        "onnx/ alone beside a config",
        {**BASE, **{f"onnx/{name}": data for name, data in making.onnx_model().items()}},
        Layout.TRANSFORMERS,
        (
            cut("onnx/model.onnx"),
            zeros("onnx/model.onnx"),
            without("onnx/model.onnx", Why.NO_WEIGHTS, ""),
        ),
    ),
    Row(
        "onnxruntime-genai",
        GENAI,
        Layout.ORT_GENAI,
        (without("model.onnx"), without("model.onnx.data"), emptied("genai_config.json")),
    ),
    Row(
        "Piper",
        {
            "voice.onnx": making.onnx_model()["model.onnx"],
            "voice.onnx.json": plain({"audio": {}, "phoneme_id_map": {}, "num_symbols": 3}),
        },
        Layout.PIPER,
        (cut("voice.onnx"), without("voice.onnx"), only_pointer("voice.onnx")),
    ),
    Row(
        "OpenVINO",
        {
            **making.openvino(),
            "openvino_tokenizer.xml": making.openvino()["openvino_model.xml"],
            "openvino_tokenizer.bin": making.noise(7, 2080),
            "config.json": CONFIG,
        },
        Layout.OPENVINO,
        (
            without("openvino_model.bin"),
            cut("openvino_model.bin"),
            cut("openvino_model.xml", Why.TRUNCATED, by=4),
            without("openvino_tokenizer.bin"),
        ),
    ),
    Row(
        "CTranslate2, faster-whisper",
        {
            "config.json": plain({"lang_ids": [1], "suppress_ids": [2]}),
            "model.bin": making.ctranslate2(),
            "vocabulary.txt": b"a\nb\n",
        },
        Layout.CTRANSLATE2,
        (cut("model.bin"), without("vocabulary.txt", file=""), only_pointer("model.bin"), grown("model.bin")),
    ),
    Row(
        "TensorRT-LLM engine",
        ENGINE,
        Layout.TENSORRT_LLM,
        (without("rank1.engine"), zeros("rank0.engine"), emptied("config.json")),
    ),
    Row(
        "TensorRT-LLM checkpoint",
        {
            "config.json": plain({"architecture": "LlamaForCausalLM", "mapping": {"world_size": 2}}),
            "rank0.safetensors": tensors(0),
            "rank1.safetensors": tensors(1),
        },
        Layout.TENSORRT_LLM,
        (without("rank1.safetensors"), cut("rank0.safetensors"), copying("rank1.safetensors")),
    ),
    Row(
        "NeMo",
        {"model.nemo": making.nemo()},
        Layout.NEMO,
        (cut("model.nemo", by=9000), zeros("model.nemo"), copying("model.nemo")),
    ),
    Row(
        "NeMo 2",
        {
            "context/io.json": plain({}),
            "context/model.yaml": b"a: b\n",
            "weights/metadata.json": plain({"sharded_backend": "torch_dist"}),
            "weights/__0_0.distcp": making.noise(1, 3000),
        },
        Layout.NEMO,
        (
            without("weights/__0_0.distcp", Why.NO_WEIGHTS, "weights/"),
            zeros("weights/__0_0.distcp"),
            copying("weights/__0_0.distcp"),
        ),
    ),
    Row(
        "Whisper .pt",
        {"large-v3.pt": torch()},
        Layout.WHISPER,
        (cut("large-v3.pt", Why.TRUNCATED), zeros("large-v3.pt"), only_pointer("large-v3.pt")),
    ),
    Row(
        "whisper.cpp",
        {"ggml-base.en.bin": making.ggml()},
        Layout.WHISPER,
        (cut("ggml-base.en.bin"), zeros("ggml-base.en.bin"), copying("ggml-base.en.bin")),
    ),
    Row(
        "timm",
        {
            "config.json": plain({"architecture": "vit_base_patch16_224", "pretrained_cfg": {"tag": "in1k"}}),
            "model.safetensors": tensors(),
        },
        Layout.TIMM,
        (cut(MODEL), without(MODEL, Why.NO_WEIGHTS, ""), only_pointer(MODEL)),
    ),
    Row(
        "open_clip",
        {
            "open_clip_config.json": plain({"model_cfg": {}, "preprocess_cfg": {}}),
            "open_clip_pytorch_model.bin": torch(),
        },
        Layout.OPEN_CLIP,
        (
            cut("open_clip_pytorch_model.bin", Why.TRUNCATED),
            without("open_clip_pytorch_model.bin", Why.NO_WEIGHTS, ""),
            emptied("open_clip_config.json"),
        ),
    ),
    Row(
        "MLC",
        MLC,
        Layout.MLC,
        (
            without("params_shard_1.bin"),
            cut("params_shard_2.bin"),
            grown("params_shard_0.bin"),
            without("ndarray-cache.json", Why.NO_WEIGHTS, ""),
        ),
    ),
    Row(
        "TensorFlow Lite",
        {"model.tflite": making.tflite()},
        Layout.TFLITE,
        (cut("model.tflite"), zeros("model.tflite"), copying("model.tflite")),
    ),
    Row(
        "DDUF",
        {"pipeline.dduf": torch()},
        Layout.DDUF,
        (cut("pipeline.dduf", Why.TRUNCATED), zeros("pipeline.dduf"), copying("pipeline.dduf")),
        Kind.PIPELINE,
    ),
    Row(
        "Hugging Face local folder",
        {
            **SAFE,
            **{
                f".cache/huggingface/download/{name}.metadata": making.hub_note(data)
                for name, data in SAFE.items()
            },
            ".cache/huggingface/.gitignore": b"*",
        },
        Layout.TRANSFORMERS,
        (
            put(
                ".cache/huggingface/download/abc.0123.incomplete",
                b"part",
                Why.TEMPORARY_NAME,
                State.COPYING,
            ),
            without(MODEL, Why.NO_WEIGHTS, ""),
            cut(MODEL),
        ),
    ),
    Row(
        "Hugging Face cache",
        making.hub_cache(CACHE),
        Layout.TRANSFORMERS,
        (
            without(f"snapshots/{making.COMMIT}/{MODEL}", Why.NO_WEIGHTS, ""),
            put(
                f"snapshots/{making.COMMIT}/{MODEL}",
                Link("../../blobs/" + "0" * 64),
                Why.LINK_BROKEN,
                State.INCOMPLETE,
                MODEL,
            ),
            put(
                f"snapshots/{making.COMMIT}/{MODEL}",
                Link("/etc/passwd"),
                Why.LINK_OUTSIDE,
                State.INVALID,
                MODEL,
            ),
        ),
        path=SNAPSHOT,
    ),
    Row(
        "ModelScope",
        {**SAFE, ".msc": b"\x80\x04cposix\nsystem\n.", ".mdl": b"\x80\x04.", ".mv": b"Revision:master"},
        Layout.TRANSFORMERS,
        (
            cut(MODEL),
            without(MODEL, Why.NO_WEIGHTS, ""),
            put("._____temp/model.safetensors", b"part", Why.TEMPORARY_NAME, State.COPYING, "._____temp/"),
        ),
        path="Qwen/Qwen2___5-0___5B-Instruct",
    ),
    Row(
        "LM Studio",
        {"Qwen3-8B-Q4_K_M.gguf": making.gguf_file()},
        Layout.GGUF,
        (
            cut("Qwen3-8B-Q4_K_M.gguf", by=200),
            zeros("Qwen3-8B-Q4_K_M.gguf"),
            copying("Qwen3-8B-Q4_K_M.gguf", "downloading_{}.part"),
        ),
        path="lmstudio-community/Qwen3-8B-GGUF",
    ),
    Row(
        "git-LFS",
        SAFE,
        Layout.TRANSFORMERS,
        (only_pointer(MODEL), only_pointer("tokenizer.json"), only_pointer("config.json")),
    ),
)

CASES = [(row, spoiled) for row in ROWS for spoiled in row.spoiled]


def where(row: Row, root: Path) -> Path:
    """The folder that the row's files are laid into."""
    return root / (row.path.split("/snapshots/")[0])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_good_folder_is_whole(row: Row, root: Path) -> None:
    """It is the one model there, of its layout and kind, with evidence, and nothing stands in the way."""
    lay(row.files, where(row, root))
    seen = look(root)
    assert list(seen.models) == [row.path]
    model = seen.models[row.path]
    assert (model.layout, model.kind) == (row.layout, row.kind)
    assert model.evidence
    assert model.primary is not None or row.kind is Kind.PIPELINE
    assert [str(reason) for reason in seen.reasons(row.path)] == []
    assert seen.verdicts[row.path].fingerprint.startswith("sha256:")


@pytest.mark.parametrize(("row", "spoiled"), CASES, ids=lambda one: one.name)
def test_a_spoiled_folder_says_why(row: Row, spoiled: Spoiled, root: Path) -> None:
    """The state is the expected one, and the file that is wrong is named, with a remedy."""
    files = dict(row.files)
    spoiled.how(files)
    lay(files, where(row, root))
    seen = look(root)
    reasons = seen.reasons(row.path)
    assert (spoiled.why, spoiled.file) in [(reason.kind, reason.file) for reason in reasons]
    assert all(reason.remedy and (reason.found or reason.expected) for reason in reasons)
    if row.path in seen.verdicts:
        assert seen.state(row.path) is spoiled.state
        assert seen.verdicts[row.path].fingerprint == ""


def test_every_row_is_spoiled_in_three_ways() -> None:
    """No layout is proven by its good folder alone."""
    assert [row.name for row in ROWS if len(row.spoiled) < 3] == []
    assert {row.layout for row in ROWS} == set(Layout)


def test_all_of_them_in_one_root(root: Path) -> None:
    """Side by side, each below a publisher of its own, every one is found, and none gets in another's way."""
    for number, row in enumerate(ROWS):
        lay(row.files, where(row, root / f"p{number:02d}"))
    seen = look(root)
    expected = {f"p{number:02d}/{row.path}": (row.layout, row.kind) for number, row in enumerate(ROWS)}
    assert {path: (model.layout, model.kind) for path, model in seen.models.items()} == expected
    assert [path for path, verdict in seen.verdicts.items() if not verdict.whole] == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
@given(chance=st.randoms(use_true_random=False))
def test_the_order_of_a_listing_means_nothing(everything: Snapshot, chance: Any) -> None:
    """In whatever order folders and files come, models, candidates and verdicts are the same."""

    def shuffled(of: Mapping[str, Any]) -> dict[str, Any]:
        names = list(of)
        chance.shuffle(names)
        return {name: of[name] for name in names}

    folders = {
        path: replace(folder, files=shuffled(folder.files))
        for path, folder in shuffled(everything.folders).items()
    }
    mixed = replace(everything, folders=folders)
    assert find(mixed) == find(everything)
    for model in find(everything).models:
        assert judge(model, mixed) == judge(model, everything)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Every row's good folder and its first spoiled form, in one snapshot."""
    root = tmp_path_factory.mktemp("everything")
    for number, row in enumerate(ROWS):
        files = dict(row.files)
        lay(files, where(row, root / f"p{number:02d}" / "good"))
        row.spoiled[0].how(files)
        lay(files, where(row, root / f"p{number:02d}" / "spoiled"))
    return look(root).snapshot
