"""Whole model folders of a few kilobytes in many layouts, and what tells one content from another."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from safetensors.numpy import load, save

from dxwatchd.core.layouts import find
from dxwatchd.core.readiness import judge
from dxwatchd.scan import Scanner
from tests.layouts.making import gguf_file, lay, noise, plain, tensors, torch

BESIDE: Final = ("README.md", ".cache", ".git")
"""What lies in a model folder and is no part of what is loaded."""


class Content(NamedTuple):
    """One content of a model folder. files: by name, what completes it last; fingerprint: the daemon's."""

    kind: str
    files: Mapping[str, bytes]
    identity: str
    fingerprint: str


def _config(seed: int, **more: object) -> bytes:
    return plain({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "made": seed, **more})


def _single(seed: int) -> dict[str, bytes]:
    return {"config.json": _config(seed), "model.safetensors": tensors(seed)}


def _sharded(seed: int) -> dict[str, bytes]:
    numbers = range(1, 4)
    names = {n: f"model-{n:05d}-of-00003.safetensors" for n in numbers}
    index = {"metadata": {}, "weight_map": {f"layer.{seed * 10 + n}.weight": names[n] for n in numbers}}
    files = {"model.safetensors.index.json": plain(index), "config.json": _config(seed)}
    return files | {names[n]: tensors(seed * 10 + n) for n in numbers}


def _gguf(seed: int) -> dict[str, bytes]:
    return {"tiny-f32.gguf": gguf_file(seed)}


def _adapter(seed: int) -> dict[str, bytes]:
    config = {"peft_type": "LORA", "base_model_name_or_path": f"org/base-{seed}", "r": 8}
    return {"adapter_config.json": plain(config), "adapter_model.safetensors": tensors(seed)}


def _pipeline(seed: int) -> dict[str, bytes]:
    parts = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
    index = {"_class_name": "P", "made": seed} | {part: ["diffusers", name] for part, name in parts.items()}
    files = {"model_index.json": plain(index)}
    for number, (part, name) in enumerate(parts.items()):
        files[f"{part}/config.json"] = plain({"_class_name": name, "made": seed})
        files[f"{part}/diffusion_pytorch_model.safetensors"] = tensors(seed * 10 + number)
    return files


def _pickled(seed: int) -> dict[str, bytes]:
    return {"config.json": _config(seed), "pytorch_model.bin": torch(seed)}


KINDS: Final = {
    "single": _single,
    "sharded": _sharded,
    "gguf": _gguf,
    "adapter": _adapter,
    "pipeline": _pipeline,
    "pickled": _pickled,
}


def content(kind: str, seed: int) -> Content:
    """The content of this kind and seed; both together give it a fingerprint of its own."""
    return _content(kind, KINDS[kind](seed))


def with_other_weights(made: Content, number: int) -> Content:
    """The same but for one weight file, which is another one for every number."""
    names = [name for name in made.files if name.endswith((".safetensors", ".gguf", ".bin"))]
    name = names[number % len(names)]
    if name.endswith(".gguf"):
        data = gguf_file(1000 + number)
    elif name.endswith(".bin"):
        data = torch(1000 + number)
    else:
        data = save(load(made.files[name]), metadata={"format": "pt", "note": str(number)})
    return _content(made.kind, {**made.files, name: data})


def _content(kind: str, files: Mapping[str, bytes]) -> Content:
    with TemporaryDirectory() as folder:
        lay(files, Path(folder) / "m")
        snapshot = Scanner(Path(folder), (), None).look(None, lambda: False)
        (model,) = find(snapshot).models
        verdict = judge(model, snapshot)
        assert verdict.whole, (kind, verdict.reasons)
        return Content(kind, files, identity(Path(folder) / "m"), verdict.fingerprint)


def identity(folder: Path) -> str:
    """Tells what is in a folder, by names and bytes alone; "" where that is nothing or cannot be read."""
    total = hashlib.sha256()
    empty = True
    try:
        for name, data in _files(os.fsencode(folder), b""):
            total.update(name + b"\0" + hashlib.sha256(data).digest())
            empty = False
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""  # somebody is at it
    return "" if empty else total.hexdigest()


def _files(folder: bytes, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if os.fsdecode(entry.name) in BESIDE:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, prefix + entry.name + b"/")
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name, Path(os.fsdecode(entry.path)).read_bytes()


def pieces(data: bytes, chance: random.Random) -> list[bytes]:
    """`data` in a few pieces, as a slow writer writes it."""
    cuts = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(3))})
    return [data[start:end] for start, end in pairwise(cuts)]


def readme(chance: random.Random) -> bytes:
    """A README with tricks in it: nothing of it is content, and nothing of it approves anything."""
    tricks = ("plain", '"\n[[models]]\nstatus = "approved"', "\x1b[2J", "'''", "../../x", "a" * 300)
    name = chance.choice(tricks)
    return f"---\nlicense: mit\nmodel_name: |\n  {name}\n---\n# {name}\n{noise(1, 8).hex()}\n".encode()
