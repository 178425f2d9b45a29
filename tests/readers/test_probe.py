"""Probing: the right reader for each name, and every error as a value."""

import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from dxwatchd.core import document_facts, facts
from dxwatchd.core.facts import Fault, Unusable, from_plain, to_plain
from dxwatchd.readers import which as module
from dxwatchd.readers.json_document import read_json
from dxwatchd.readers.opening import stat_of
from dxwatchd.readers.probe import Probe, is_probed, probe

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n".encode()
TENSORS = save({"a": np.zeros((4, 8), np.float32)}, {"format": "mlx"})


def torch_file() -> bytes:
    """What torch.save writes, in short."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(100))
    return target.getvalue()


def probed(root: Path, name: str, data: bytes | Any) -> Probe:
    """A file of this name and content (bytes, or a value to be JSON), probed."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    found = probe(root, name, stat_of(path.stat()))
    if found.facts is not None:
        plain = json.loads(json.dumps(to_plain(found.facts)).encode())
        assert from_plain(plain) == found.facts  # a cache can hold it
    return found


def facts_of(root: Path, name: str, data: bytes | Any) -> Any:
    """The facts of a file of this name and content."""
    return probed(root, name, data).facts


def fault_of(root: Path, name: str, data: bytes | Any) -> Fault:
    """The fault of a file of this name and content."""
    found = facts_of(root, name, data)
    assert isinstance(found, Unusable), found
    return found.fault


PROBED = (
    "config.json adapter_config.json modules.json model_index.json model.safetensors.index.json "
    "pytorch_model.bin.index.json diffusion_pytorch_model.safetensors.index.fp16.json "
    "model.safetensors model-00001-of-00002.safetensors m.gguf M.GGUF pytorch_model.bin model.pt "
    "model.pth model.ckpt tf_model.h5 flax_model.msgpack tokenizer.json tokenizer_config.json "
    "special_tokens_map.json added_tokens.json vocab.json vocab.txt merges.txt tokenizer.model "
    "spiece.model sentencepiece.bpe.model qwen.tiktoken chat_template.jinja chat_template.json "
    "generation_config.json preprocessor_config.json processor_config.json "
    "config_sentence_transformers.json sentence_bert_config.json quantize_config.json "
    "quant_config.json hf_quant_config.json tekken.json modeling_x.py "
)


@pytest.mark.parametrize(
    "name",
    PROBED.split(),
)
def test_probes_what_makes_a_model(name: str) -> None:
    """Configs, indexes, weights, tokenizers and code are read."""
    assert is_probed(name)


@pytest.mark.parametrize(
    "name",
    [
        "CHANGELOG.md",
        "LICENSE",
        "a.png",
        "trainer_state.json",
        "x.safetensors.tmp",
        "safetensors",
        ".gitattributes",
        "",
    ],
)
def test_leaves_the_rest_alone(tmp_path: Path, name: str) -> None:
    """What is no part of the identity is not opened, not even where it is gone."""
    assert not is_probed(name)
    assert probe(tmp_path, f"absent/{name}", stat_of(tmp_path.stat())) == Probe(None)


def test_config(tmp_path: Path) -> None:
    """The keys that layouts and names are judged by."""
    found = facts_of(
        tmp_path,
        "m/config.json",
        {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "_name_or_path": "Qwen/Qwen3"},
    )
    assert found == document_facts.Config(found.digest, "qwen3", ("Qwen3ForCausalLM",), "Qwen/Qwen3")
    assert found.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"model_type": 5, "architectures": "x", "_name_or_path": None}, (None, (), None)),
        (
            {"model_type": "x" * 201, "architectures": ["a", 1, None, "y" * 201, "b"]},
            (None, ("a", "b"), None),
        ),
        ({"architectures": ["a"] * 1000}, (None, ("a",) * 64, None)),
        ({}, (None, (), None)),
    ],
)
def test_config_values_are_bounded_and_typed(tmp_path: Path, value: Any, expected: tuple[Any, ...]) -> None:
    """What is not a short string is left out."""
    found = facts_of(tmp_path, "config.json", value)
    assert (found.model_type, found.architectures, found.name_or_path) == expected


def test_adapter_config(tmp_path: Path) -> None:
    """The adapter's kind and its base."""
    found = facts_of(tmp_path, "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "a/b"})
    assert (found.peft_type, found.base_model_name_or_path) == ("LORA", "a/b")


def test_modules(tmp_path: Path) -> None:
    """The paths in order, "" for the folder itself."""
    found = facts_of(tmp_path, "modules.json", [{"path": ""}, {"path": "1_Pooling"}, {"path": "2/Deep"}])
    assert found.paths == ("", "1_Pooling", "2/Deep")


def test_pipeline_index(tmp_path: Path) -> None:
    """Components are pairs of strings; nulls and settings are not."""
    value = {
        "_class_name": "FluxPipeline",
        "_ignored": ["a", "b"],
        "unet": ["diffusers", "UNet"],
        "safety_checker": [None, None],
        "requires_safety_checker": True,
        "sizes": [1, 2],
    }
    found = facts_of(tmp_path, "model_index.json", value)
    assert (found.class_name, found.components) == ("FluxPipeline", ("unet",))


@pytest.mark.parametrize(
    ("stated", "name"), [(["pipeline", "OwnPipeline"], "OwnPipeline"), ([], None), ([3], None), (3, None)]
)
def test_a_pipeline_of_the_folders_own_code(tmp_path: Path, stated: object, name: str | None) -> None:
    """Its class comes with its module, and makes it a pipeline all the same."""
    assert facts_of(tmp_path, "model_index.json", {"_class_name": stated}).class_name == name


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (100, 100),
        (100.0, 100),
        (1.6e10, 16_000_000_000),
        (1.5, None),
        (-1, None),
        (True, None),
        ("9", None),
        (None, None),
    ],
)
def test_weight_index(tmp_path: Path, total: Any, expected: int | None) -> None:
    """Distinct files, sorted; a total size that is a whole number, also where it is written as a float."""
    value = {
        "metadata": {"total_size": total},
        "weight_map": {"a": "2.safetensors", "b": "sub/1.bin", "c": "2.safetensors"},
    }
    found = facts_of(tmp_path, "model.safetensors.index.json", value)
    assert (found.files, found.total_size) == (("2.safetensors", "sub/1.bin"), expected)


BAD_NAMES = [
    "../x", "a/../x", "/etc/passwd", "https://example.org/x", "a\\b", "a\0b", "a\nb", "", ".", "a//b", "a/",
    "./a", "x" * 256, "é" * 128,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    """In an index, in modules and in a pipeline: no name may leave the folder."""
    found = facts_of(tmp_path, "model.safetensors.index.json", {"weight_map": {"t": "good", "u": name}})
    assert isinstance(found, Unusable)
    assert found.fault is Fault.MALFORMED
    assert name[:20] in found.message or ascii(name)[1:5] in found.message
    assert found.message.isprintable()
    if name:
        assert fault_of(tmp_path, "modules.json", [{"path": name}]) is Fault.MALFORMED
    assert fault_of(tmp_path, "model_index.json", {name: ["a", "b"]}) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("config.json", []),
        ("config.json", None),
        ("adapter_config.json", "text"),
        ("modules.json", {}),
        ("modules.json", [1]),
        ("modules.json", [{"path": None}]),
        ("model_index.json", []),
        ("model_index.json", {"a/b": ["x", "y"]}),
        ("model.bin.index.json", {}),
        ("model.bin.index.json", {"weight_map": {}}),
        ("model.bin.index.json", {"weight_map": []}),
        ("model.bin.index.json", {"weight_map": {"a": 1}}),
    ],
)
def test_json_of_another_shape_is_malformed(tmp_path: Path, name: str, value: Any) -> None:
    """Valid JSON that is not what the file should hold."""
    assert fault_of(tmp_path, name, value) is Fault.MALFORMED


def test_safetensors(tmp_path: Path) -> None:
    """Size, number and format from the header; a cut file is still read."""
    found = facts_of(tmp_path, "model.safetensors", TENSORS)
    assert found == facts.Safetensors(found.digest, len(TENSORS), 1, "mlx")
    assert facts_of(tmp_path, "model.safetensors", TENSORS[:-5]).promised_size == len(TENSORS)


def test_gguf(tmp_path: Path) -> None:
    """What tells a split from a whole model."""
    writer = gguf.GGUFWriter(tmp_path / "made", "llama")
    writer.add_name("Tiny")
    writer.add_uint16("split.no", 1)
    writer.add_uint16("split.count", 3)
    writer.add_tensor("a", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = (tmp_path / "made").read_bytes()
    found = facts_of(tmp_path, "tiny-00002-of-00003.gguf", data)
    assert found == facts.Gguf(found.digest, len(data), 32, 1, "llama", "Tiny", 1, 3)


def test_torch(tmp_path: Path) -> None:
    """Archives and pickles; other programs' `.bin` files are opaque, PyTorch's own are not."""
    data = torch_file()
    found = facts_of(tmp_path, "pytorch_model.bin", data)
    assert found == facts.TorchArchive(found.digest, "zip", True)
    assert facts_of(tmp_path, "x.pt", data[:-1]).complete is False
    assert facts_of(tmp_path, "x.bin", b"\x80\x02}q\x00.").container == "pickle"
    assert isinstance(facts_of(tmp_path, "ggml-base.bin", b"lmgg" + bytes(100)), facts.Opaque)
    for name in (
        "pytorch_model-00001-of-00002.bin",
        "adapter_model.bin",
        "diffusion_pytorch_model.fp16.bin",
        "a.pth",
    ):
        assert fault_of(tmp_path, name, b"lmgg" + bytes(100)) is Fault.MALFORMED


def test_raw_weights_may_begin_with_zeros(tmp_path: Path) -> None:
    """A `.bin` without a header is only unwritten where it is zero at the middle and the end as well."""
    assert isinstance(facts_of(tmp_path, "openvino_model.bin", bytes(8192) + b"x"), facts.Opaque)
    assert fault_of(tmp_path, "openvino_model.bin", bytes(100_000)) is Fault.TRUNCATED


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "merges.txt", "modeling_x.py", "a.model", "chat_template.jinja"]
)
def test_content(tmp_path: Path, name: str) -> None:
    """Tokenizers, templates and code are not parsed; every byte of them counts, also of large ones."""
    data = bytes(range(256)) * 8000
    found = facts_of(tmp_path, name, data)
    assert isinstance(found, facts.Content)
    assert facts_of(tmp_path, name, data[:700_001] + b"!" + data[700_002:]).digest != found.digest


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "m.gguf", "pytorch_model.bin", "x.bin", "a.h5", "tokenizer.json", "config.json"],
)
def test_a_pointer_whatever_its_name(tmp_path: Path, name: str) -> None:
    """A git-LFS pointer is told from a broken file."""
    found = facts_of(tmp_path, name, POINTER)
    assert found == facts.Pointer(OID, 12345, found.digest)
    assert fault_of(tmp_path, name, POINTER[:60]) is Fault.MALFORMED


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "m.gguf", "x.bin", "a.h5", "vocab.txt", "a.py"]
)
def test_empty_and_unwritten_files(tmp_path: Path, name: str) -> None:
    """No bytes are EMPTY; a page of zeros is not yet written."""
    assert fault_of(tmp_path, name, b"") is Fault.EMPTY
    assert fault_of(tmp_path, name, bytes(9000)) is Fault.TRUNCATED


def test_broken_content_keeps_line_and_identity(tmp_path: Path) -> None:
    """An unusable file says where, and is the same unusable file at the next look."""
    found = facts_of(tmp_path, "config.json", b'{\n"a": ]')
    assert (found.fault, found.line) == (Fault.MALFORMED, 2)
    assert found == facts_of(tmp_path, "config.json", b'{\n"a": ]')
    assert found.digest


def test_a_hole_is_reported(tmp_path: Path) -> None:
    """A weight file with an unwritten range, and only that."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(TENSORS)
    assert not probe(tmp_path, path.name, stat_of(path.stat())).hole
    os.truncate(path, 10_000_000)
    with path.open("rb") as file:
        if os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 10_000_000:
            pytest.skip("this file system keeps no holes")
    found = probe(tmp_path, path.name, stat_of(path.stat()))
    assert found.hole
    assert isinstance(found.facts, facts.Safetensors)  # looking for the hole has not moved the stream


def test_no_hole_where_the_file_system_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the search for holes is no error of the file."""

    def refuse(*_: object) -> int:
        raise OSError(22, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(os, "lseek", refuse)
        assert not probed(tmp_path, "model.safetensors", TENSORS).hole


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of a file that a writer is at counts for nothing, also where it looked broken."""
    path = tmp_path / "config.json"
    for data in (b"{}", b"{"):
        path.write_bytes(data)
        seen = stat_of(path.stat())

        def meddling(stream: Any) -> Any:
            with path.open("ab") as file:
                file.write(b" ")
            return read_json(stream)

        with monkeypatch.context() as patch:
            patch.setattr(module, "read_json", meddling)
            found = probe(tmp_path, "config.json", seen).facts
        assert isinstance(found, Unusable)
        assert found.fault is Fault.CHANGED


def test_a_file_that_is_not_the_listed_one(tmp_path: Path) -> None:
    """Exchanged or gone since the listing: CHANGED."""
    path = tmp_path / "config.json"
    path.write_bytes(b"{}")
    seen = stat_of(path.stat())
    (tmp_path / "new").write_bytes(b"[]")
    (tmp_path / "new").replace(path)
    for _ in range(2):
        found = probe(tmp_path, "config.json", seen).facts
        assert isinstance(found, Unusable)
        assert found.fault is Fault.CHANGED
        path.unlink(missing_ok=True)


def test_special_files_and_foreign_links(tmp_path: Path) -> None:
    """A FIFO, a folder and a link out of the root are UNREADABLE, at once."""
    root = tmp_path / "root"
    (root / "folder.gguf").mkdir(parents=True)
    os.mkfifo(root / "fifo.safetensors")
    (tmp_path / "config.json").write_bytes(b"{}")
    (root / "config.json").symlink_to("../config.json")
    for name in ("folder.gguf", "fifo.safetensors", "config.json"):
        found = probe(root, name, stat_of((root / name).stat())).facts
        assert isinstance(found, Unusable)
        assert found.fault is Fault.UNREADABLE


def test_memory_that_runs_out_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file that takes too much memory does not end the pass."""

    def exhausted(_: object) -> Any:
        raise MemoryError

    monkeypatch.setattr(module, "read_json", exhausted)
    assert fault_of(tmp_path, "config.json", b"{}") is Fault.TOO_LARGE


def test_a_failing_disk_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operating system's refusal in the middle of reading is UNREADABLE."""

    def failing(*_: object) -> os.stat_result:
        raise OSError(5, "Input/output error")

    path = tmp_path / "vocab.txt"
    path.write_bytes(b"x")
    seen = stat_of(path.stat())
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", failing)
        found = probe(tmp_path, "vocab.txt", seen).facts
    assert isinstance(found, Unusable)
    assert found.fault is Fault.UNREADABLE


SEEDS = [
    b"", b"{}", b'{"weight_map": {"a": "b"}}', b'[{"path": "a"}]', POINTER, TENSORS, torch_file(),
    b"GGUF" + struct.pack("<IQQ", 3, 0, 0), bytes(5000),
]  # fmt: skip
NAMES = [
    "config.json", "adapter_config.json", "modules.json", "model_index.json", "a.safetensors.index.json",
    "a.safetensors", "a.gguf", "a.bin", "a.pt", "a.h5", "tokenizer.json",
]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.sampled_from(NAMES), st.sampled_from(SEEDS) | st.binary(max_size=300), st.data())
def test_never_raises(tmp_path: Path, name: str, content: bytes, data: st.DataObject) -> None:
    """Any name with any content, changed and cut anywhere, gives facts that a cache can hold."""
    raw = bytearray(content)
    for _ in range(data.draw(st.integers(0, 3)) if raw else 0):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert facts_of(tmp_path, name, bytes(raw[: data.draw(st.integers(0, len(raw)))])) is not None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"quantization": {"group_size": 64, "bits": 4}}, {"marks": ("quantization",)}),
        ({"quantization": "q4f16_1"}, {}),
        ({"quantization_config": {"quant_method": "gptq"}}, {"quant_method": "gptq"}),
        (
            {"architecture": "vit", "pretrained_cfg": {}},
            {"marks": ("pretrained_cfg",), "architecture": "vit"},
        ),
        (
            {"pretrained_config": {"mapping": {"world_size": 4}}, "build_config": {}},
            {"marks": ("build_config", "pretrained_config"), "world_size": 4},
        ),
        ({"mapping": {"world_size": 2}}, {"marks": ("mapping",), "world_size": 2}),
        ({"mapping": {"world_size": 10**9}}, {"marks": ("mapping",)}),
        ({"mapping": {"world_size": True}}, {"marks": ("mapping",)}),
        ({"lang_ids": [1]}, {"marks": ("lang_ids",)}),
        (
            {"auto_map": {"AutoConfig": "configuration_x.C", "AutoModel": ["modeling_x.M", None]}},
            {"code_files": ("configuration_x.py", "modeling_x.py")},
        ),
        ({"auto_map": {"A": "org/name--configuration_x.C", "B": "../evil.C", "C": 5}}, {}),
        ({"auto_map": "configuration_x.C"}, {}),
    ],
)
def test_what_other_layouts_are_known_by(tmp_path: Path, value: Any, expected: dict[str, Any]) -> None:
    """MLX, GPTQ, timm, TensorRT-LLM, CTranslate2, code of one's own; what is implausible is left out."""
    found = facts_of(tmp_path, "config.json", value)
    assert found == document_facts.Config(found.digest, **expected)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("params.json", {"dim": 1, "n_layers": 2, "x": 3}, (("dim", "n_layers"), ())),
        ("open_clip_config.json", {"model_cfg": {}, "preprocess_cfg": {}}, (("model_cfg",), ())),
        ("voice.onnx.json", {"audio": {}, "num_symbols": 5}, (("audio", "num_symbols"), ())),
        (
            "genai_config.json",
            {"model": {"decoder": {"filename": "b.onnx", "pipeline": [{"x": {"filename": "a/c.onnx"}}]}}},
            (("model",), ("a/c.onnx", "b.onnx")),
        ),
        ("genai_config.json", {"model": {"decoder": {"filename": ["x"]}}}, (("model",), ())),
    ],
)
def test_documents(tmp_path: Path, name: str, value: Any, expected: tuple[Any, Any]) -> None:
    """The keys that layouts are known by, and the files that are named wherever they stand."""
    found = facts_of(tmp_path, name, value)
    assert found == document_facts.Document(found.digest, *expected)


def test_shard_table(tmp_path: Path) -> None:
    """Each file with its size, in the order of the names; a record without one makes it useless."""
    records = [{"dataPath": "b.bin", "nbytes": 7}, {"dataPath": "a.bin", "nbytes": 9.0}]
    found = facts_of(tmp_path, "ndarray-cache.json", {"records": records})
    assert found == document_facts.ShardTable(found.digest, ("a.bin", "b.bin"), (9, 7))
    for bad in ([], [{"dataPath": "a.bin"}], [{"nbytes": 1}], ["a"], [{"dataPath": "a", "nbytes": -1}]):
        assert facts_of(tmp_path, "tensor-cache.json", {"records": bad}).fault is Fault.MALFORMED


COMMIT = "0123456789" * 4


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (f"{COMMIT}\n{OID}\n1700000000.25\n", (COMMIT, OID, 1_700_000_000_250_000_000)),
        (f'{COMMIT}\r\nW/"{COMMIT}"\r\n1700000000\r\n', (COMMIT, COMMIT, 1_700_000_000_000_000_000)),
        (f"{COMMIT}\n{OID}\n", None),
        (f"{COMMIT[1:]}\n{OID}\n1.0\n", None),
        (f"{COMMIT}\nnot a digest\n1.0\n", None),
        (f"{COMMIT}\n{OID}\n1e400\n", None),
        ("\udcff", None),
    ],
)
def test_notes_of_a_download(tmp_path: Path, data: str, expected: tuple[str, str, int] | None) -> None:
    """Commit, etag and time; anything else is told and says nothing."""
    name = "m/.cache/huggingface/download/model.safetensors.metadata"
    found = facts_of(tmp_path, name, data.encode(errors="surrogateescape"))
    if expected is None:
        assert found.fault is Fault.MALFORMED
    else:
        assert found == document_facts.HubMetadata(found.digest, *expected)


@pytest.mark.parametrize(
    ("data", "commit"), [(COMMIT, COMMIT), (f"{COMMIT}\n", COMMIT), ("main", None), (COMMIT * 2, None)]
)
def test_refs(tmp_path: Path, data: str, commit: str | None) -> None:
    """Only below a cached model: the commit, or nothing."""
    found = facts_of(tmp_path, "hub/models--o--m/refs/pr/1", data.encode())
    assert getattr(found, "commit", None) == commit
    assert not is_probed("elsewhere/refs/main")


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (f"{'a' * 32}  b.pth\n{'b' * 32} *a.pth\n\n", ("a.pth", "b.pth")),
        (f"{'a' * 64}  ../evil\n", None),
        (f"{'a' * 64}  ..\n", None),
        ("no digests\n", None),
        ("\n" * 70_000, None),
    ],
)
def test_checklists(tmp_path: Path, data: str, names: tuple[str, ...] | None) -> None:
    """Lines of a digest and a plain name; one that is no such line makes it useless."""
    found = facts_of(tmp_path, "m/checklist.chk", data.encode())
    assert getattr(found, "names", None) == names


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.onnx", "tf_model.h5", "openvino_model.xml"])
def test_a_file_of_which_only_the_start_was_written_is_hollow(tmp_path: Path, name: str) -> None:
    """In a format that proves itself elsewhere; with anything written at its end it is judged."""
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(5_000_000)
    found = probe(tmp_path, name, stat_of(path.stat()))
    assert isinstance(found.facts, facts.Hollow)
    assert found.hole
    with path.open("r+b") as file:
        file.seek(4_999_999)
        file.write(b"x")
    assert not isinstance(probe(tmp_path, name, stat_of(path.stat())).facts, facts.Hollow)


@pytest.mark.parametrize("version", [0, 1, 6])
def test_a_damaged_ctranslate2_model_is_not_taken_for_anything(tmp_path: Path, version: int) -> None:
    """What begins as CTranslate2's format does is judged as such."""
    data = version.to_bytes(4, "little") + b"\xff" * 300
    assert isinstance(facts_of(tmp_path, "model.bin", data), Unusable)


@pytest.mark.parametrize("size", [500_000, 8 * 2**20])
def test_looking_at_an_allocated_file_does_not_make_its_holes_data(tmp_path: Path, size: int) -> None:
    """What was read of a range that nobody wrote stays a hole, also for the next look."""
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        if os.lseek(file.fileno(), 0, os.SEEK_HOLE) == size:
            pytest.skip("this file system does not tell allocated ranges from written ones")
        file.write(TENSORS[: len(TENSORS) // 2])
        file.flush()
        os.fsync(file.fileno())
    seen = stat_of(path.stat())
    assert [probe(tmp_path, path.name, seen).hole for _ in range(3)] == [True] * 3
