"""Model folders of every layout, made with the formats' own libraries where there is one."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeAlias

import gguf
import h5py
import msgpack
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Link(NamedTuple):
    """A symbolic link. target: relative to the folder that it is in."""

    target: str


Tree: TypeAlias = Mapping[str, bytes | Link]
"""A folder's files by path relative to it; a path that ends in "/" is an empty folder."""


def lay(tree: Tree, folder: Path) -> Path:
    """Write a tree to the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, what in tree.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, Link):
            path.symlink_to(what.target)
        else:
            path.write_bytes(what)
    return folder


def plain(value: Any) -> bytes:
    """JSON."""
    return json.dumps(value).encode()


def noise(seed: int, length: int) -> bytes:
    """Bytes that are no zeros."""
    return np.random.default_rng(seed).integers(1, 256, length, dtype=np.uint8).tobytes()


def tensors(seed: int = 0, rows: int = 32, **metadata: str) -> bytes:
    """A safetensors file."""
    weights = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    return save({f"layer.{seed}.weight": weights}, metadata={"format": "pt", **metadata})


def torch(seed: int = 0) -> bytes:
    """A file as `torch.save` lays it out."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as made:
        made.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        made.writestr("archive/data/0", noise(seed, 4096))
        made.writestr("archive/version", b"3\n")
    return target.getvalue()


def sharded(total: int = 3, stem: str = "model") -> dict[str, bytes]:
    """Numbered safetensors files with their index."""
    files = {f"{stem}-{n:05d}-of-{total:05d}.safetensors": tensors(n) for n in range(1, total + 1)}
    index = {"metadata": {}, "weight_map": {f"layer.{n}.weight": name for n, name in enumerate(files, 1)}}
    return {**files, f"{stem}.safetensors.index.json": plain(index)}


def gguf_file(
    seed: int = 0,
    *,
    architecture: str = "llama",
    split: tuple[int, int] | None = None,
    kind: str = "model",
    rows: int = 32,
) -> bytes:
    """A GGUF file of the format's own writer. split: number (from 0) and count; rows: 0 for no tensors."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.gguf"
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_type(kind)
        if split is not None:
            writer.add_uint16("split.no", split[0])
            writer.add_uint16("split.count", split[1])
        if rows:
            weights = np.random.default_rng(seed).normal(size=(rows, 32)).astype(np.float32)
            writer.add_tensor(f"blk.{seed}.weight", weights)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        if rows:
            writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def onnx_model(seed: int = 0, data: str | None = None) -> dict[str, bytes]:
    """An ONNX model by name `model.onnx`; data: the name of the file that holds its tensors."""
    weights = np.random.default_rng(seed).normal(size=(64, 8)).astype(np.float32)
    initializer = numpy_helper.from_array(weights, "weight")
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])], "made", [taken], [given], [initializer]
    )
    model = helper.make_model(graph)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        if data is None:
            onnx.save(model, path)
        else:
            onnx.save(model, path, save_as_external_data=True, location=data, size_threshold=0)
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def openvino() -> dict[str, bytes]:
    """An OpenVINO model: the graph in XML, its constants in a file of their own."""
    xml = (
        b'<?xml version="1.0"?>\n<net name="made" version="11"><layers>'
        b'<layer id="0" name="w" type="Const" version="opset1">'
        b'<data element_type="f32" shape="64, 8" offset="0" size="2048"/></layer>'
        b'<layer id="1" name="b" type="Const" version="opset1">'
        b'<data element_type="f32" shape="8" offset="2048" size="32"/></layer>'
        b"</layers><edges/></net>\n"
    )
    return {"openvino_model.xml": xml, "openvino_model.bin": noise(1, 2080)}


def ctranslate2() -> bytes:
    """A `model.bin` of CTranslate2, version 6: specification, variables, aliases."""

    def text(value: str) -> bytes:
        raw = value.encode() + b"\0"
        return struct.pack("<H", len(raw)) + raw

    out = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, 2)
    for number, name in enumerate(("encoder/weight", "decoder/weight")):
        out += text(name) + struct.pack("<B2IBI", 2, 16, 8, 0, 512) + noise(number, 512)
    return out + struct.pack("<I", 1) + text("alias") + text("encoder/weight")


def ggml() -> bytes:
    """A legacy GGML file of whisper.cpp: one layer each, so 11 + 15 + 24 tensors."""
    out = b"lmgg" + struct.pack("<11i", 4, 1500, 384, 6, 1, 448, 384, 6, 1, 2, 0)
    out += struct.pack("<2i", 2, 3) + noise(1, 24)
    out += struct.pack("<i", 4) + b"".join(struct.pack("<I", 2) + b"ab" for _ in range(4))
    for number in range(50):
        name = b"encoder.tensor.%d" % number
        out += struct.pack("<3i2i", 2, len(name), 0, 8, 4) + name + noise(number, 128)
    return out


def nemo() -> bytes:
    """A `.nemo`: a tar with a configuration and weights."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for name, data in (("model_config.yaml", b"target: x\n"), ("model_weights.ckpt", torch())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def keras() -> bytes:
    """An HDF5 file."""
    target = io.BytesIO()
    with h5py.File(target, "w") as made:
        made["weight"] = np.arange(1, 257, dtype=np.float32)
    return target.getvalue()


def flax() -> bytes:
    """A Flax checkpoint."""
    packed: bytes = msgpack.packb({"params": {"kernel": msgpack.ExtType(1, noise(1, 2048))}})
    return packed


def tflite() -> bytes:
    """The least FlatBuffers file with TensorFlow Lite's identifier and one buffer of 64 bytes.

    Laid out by hand: root offset, identifier, a vtable of five fields of which `buffers` is set, the model's
    table, the vector of buffers, a buffer's vtable and table, and its data.
    """
    data = noise(3, 64)
    root = struct.pack("<I4s", 24, b"TFL3")
    vtable = struct.pack("<7H", 14, 8, 0, 0, 0, 0, 4) + b"\0\0"
    table = struct.pack("<iI", 24 - 8, 4)  # at 24: its vtable is 16 bytes before; buffers 4 bytes behind
    vector = struct.pack("<II", 1, 12)  # at 32: one buffer, whose table is at 36 + 12 = 48
    buffer_vtable = struct.pack("<3H", 6, 8, 4) + b"\0\0"  # at 40
    buffer_table = struct.pack("<iI", 8, 4)  # at 48: the data's vector follows
    return root + vtable + table + vector + buffer_vtable + buffer_table + struct.pack("<I", 64) + data


CONFIG = plain({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8})
TOKENIZER = plain({"version": "1.0", "model": {"type": "BPE"}})


def config(**more: Any) -> bytes:
    """A transformers `config.json` with further keys."""
    return plain({"model_type": "llama", "architectures": ["LlamaForCausalLM"], **more})


def pointer(data: bytes) -> bytes:
    """The git-LFS pointer that stands for a file of this content."""
    oid = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()


def hub_note(data: bytes, *, small: bool = False, noted: float = 4_000_000_000.0) -> bytes:
    """What huggingface_hub notes of a file that it downloaded: commit, etag, time in seconds."""
    etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() if small else None
    return f"{COMMIT}\n{etag or hashlib.sha256(data).hexdigest()}\n{noted}\n".encode()


def hub_cache(files: Mapping[str, bytes], *, commit: str = COMMIT, ref: str | None = "main") -> Tree:
    """A model in huggingface_hub's cache. ref: the one that points to it, None for none."""
    tree: dict[str, bytes | Link] = {}
    for name, data in files.items():
        blob = hashlib.sha256(data).hexdigest()
        up = "../" * (2 + name.count("/"))
        tree[f"blobs/{blob}"] = data
        tree[f"snapshots/{commit}/{name}"] = Link(f"{up}blobs/{blob}")
    if ref is not None:
        tree[f"refs/{ref}"] = commit.encode()
    return tree
