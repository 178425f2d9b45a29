"""Feeds readers, whole folders and the card with spoiled files: `python -m tests.fuzz.engine --inputs 1000`.

Runs by itself, so that its memory can be bounded and every file that it opens be watched. It ends with an
error, and with the input that caused it, as soon as a reader lets anything but its own error out, takes more
memory than it may, or a file outside the models root is opened; and where a card is not what its bytes, its
exports and its screen say (`card_checks`). The same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dxwatchd.card.sources import Identity
from dxwatchd.cardmaking import make_card
from dxwatchd.core.facts import from_plain, to_plain
from dxwatchd.core.layouts import find
from dxwatchd.core.provenance import expected_digests
from dxwatchd.core.readiness import judge
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.front_matter import read_front_matter
from dxwatchd.readers.gguf import read_header as read_gguf
from dxwatchd.readers.pickle_files import MAX_STEPS, read_file
from dxwatchd.readers.pickle_opcodes import Steps
from dxwatchd.readers.safetensors import read_header as read_safetensors
from dxwatchd.readers.which import reading_of
from dxwatchd.scan import Scanner
from tests.fuzz.card_checks import check
from tests.fuzz.cards import feed_cards
from tests.layouts import making
from tests.readers.pickle_making import Running, legacy, state_dict, torch_zip

MOST_MEMORY = 64 * 2**20
"""Bytes that a reader may take beyond its input."""

NUMBERS = (
    *(0, 1, 2, 7, 127, 128, 255, 256, 65535),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1),
)
WORDS = (
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b"Infinity", b'"../../etc/passwd"', b'""', b"[]", b"{}"),
    *(b"[" * 2000, b'{"a":' * 1200, b'"\\ud800"', b"9" * 5000, b"\xef\xbb\xbf", b"\xff\xfe", b"\x00" * 4096),
    *(b"PK\x05\x06", b"PK\x06\x07", b"GGUF", b"version https://git-lfs.github.com/spec/v1\n", b"oid sha256:"),
    *(b"&a [*a,*a]", b"---\n", b"\n"),
)


class Target(NamedTuple):
    """What is fed. seeds: true files; run: lets out nothing but ReaderError."""

    name: str
    seeds: tuple[bytes, ...]
    run: Callable[[bytes], object]


def targets() -> tuple[Target, ...]:
    """Every reader by the names of the files that it gets, and those that cards are made with."""
    gguf = making.gguf_file(1)
    safetensors = making.tensors(1)
    onnx = making.onnx_model(1, "model.onnx_data")["model.onnx"]
    by_name = {
        "model.safetensors": (safetensors, making.tensors(0, 1, note="x" * 300)),
        "m.gguf": (gguf, making.gguf_file(0, split=(0, 2))),
        "pytorch_model.bin": (making.torch(), b"\x80\x02}q\x00." * 9),
        "model.bin": (making.ctranslate2(), making.torch()),
        "any.bin": (making.torch(), making.ggml()),
        "ggml-x.bin": (making.ggml(),),
        "model.onnx": (onnx, making.onnx_model()["model.onnx"]),
        "openvino_model.xml": (making.openvino()["openvino_model.xml"],),
        "tf_model.h5": (making.keras(),),
        "flax_model.msgpack": (making.flax(),),
        "m.tflite": (making.tflite(),),
        "m.nemo": (making.nemo(), b"\x1f\x8b\x08" + making.noise(1, 300)),
        "m.dduf": (making.torch(),),
        "config.json": (
            making.CONFIG,
            making.config(quantization={"group_size": 64, "bits": 4}, auto_map={}),
        ),
        "adapter_config.json": (making.plain({"peft_type": "LORA", "base_model_name_or_path": "a/b"}),),
        "modules.json": (making.plain([{"path": ""}, {"path": "1_Pooling"}]),),
        "model_index.json": (making.plain({"_class_name": "P", "unet": ["diffusers", "U"]}),),
        "model.safetensors.index.json": (making.sharded()["model.safetensors.index.json"],),
        "genai_config.json": (making.plain({"model": {"decoder": {"filename": "m.onnx"}}}),),
        "ndarray-cache.json": (making.plain({"records": [{"dataPath": "p.bin", "nbytes": 7}]}),),
        "params.json": (making.plain({"dim": 8, "n_layers": 2}),),
        "tokenizer.json": (making.TOKENIZER,),
        "checklist.chk": (b"d41d8cd98f00b204e9800998ecf8427e  a.pth\n" * 2,),
        "models--o--m/refs/main": (making.COMMIT.encode(),),
        "m/.cache/huggingface/download/config.json.metadata": (making.hub_note(b"x"),),
    }
    front = b"---\nlicense: mit\ntags: [a, b]\nlanguage:\n- en\nbase_model: org/x\n---\n# Title\ntext\n"
    made = [Target(name, seeds, _by_name(name)) for name, seeds in by_name.items()]
    return (
        *made,
        Target("safetensors header", by_name["model.safetensors"], _sized(read_safetensors)),
        Target("GGUF header", by_name["m.gguf"], _sized(read_gguf)),
        Target("README.md", (front,), lambda data: read_front_matter(io.BytesIO(data))),
        Target("pickles", _pickles(), _read_pickles),
    )


def _by_name(name: str) -> Callable[[bytes], object]:
    reading = reading_of(name)
    assert reading is not None, name

    def run(data: bytes) -> object:
        facts = reading.read(io.BytesIO(data), len(data))
        assert from_plain(to_plain(facts)) == facts
        return facts

    return run


def _pickles() -> tuple[bytes, ...]:
    """Pickles bare and in archives, stored and packed, some of which would run a program if loaded."""
    bare = [state_dict("a", "b", protocol=protocol, x=Running()) for protocol in (2, 4)]
    return (*bare, legacy(bare[0]), torch_zip(*bare), torch_zip(*bare, packed=True))


def _read_pickles(data: bytes) -> object:
    return read_file(io.BytesIO(data), len(data), "any.pkl", Steps(MAX_STEPS))


def _sized(read: Callable[[Any, int], object]) -> Callable[[bytes], object]:
    return lambda data: read(io.BytesIO(data), len(data))


def spoiled(chance: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """One of the seeds after a few changes; now and then nothing but noise."""
    if chance.random() < 0.02:
        return chance.randbytes(chance.randrange(0, 300))
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 9))):
        chance.choice(CHANGES)(chance, data, seeds)
    return bytes(data)


def _place(chance: random.Random, data: bytearray) -> int:
    """A position, more often near the start, where the structure of most formats stands."""
    near = min(len(data), 64) if chance.random() < 0.5 else len(data)
    return chance.randrange(near + 1)


def _flip(chance: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    if data:
        data[min(_place(chance, data), len(data) - 1)] ^= 1 << chance.randrange(8)


def _number(chance: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    value, width = chance.choice(NUMBERS), chance.choice((1, 2, 4, 8))
    raw = struct.pack(chance.choice("<>") + "Q", value)
    at = _place(chance, data)
    data[at : at + width] = raw[:width] if chance.random() < 0.5 else raw[-width:]


def _cut(chance: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    del data[_place(chance, data) :]


def _remove(chance: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    at = _place(chance, data)
    del data[at : at + chance.randrange(1, 40)]


def _repeat(chance: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    at, to = _place(chance, data), _place(chance, data)
    data[to:to] = data[at : at + chance.randrange(1, 60)] * chance.choice((1, 1, 2, 50))


def _insert(chance: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    at = _place(chance, data)
    data[at:at] = chance.choice(WORDS)


def _replace(chance: random.Random, data: bytearray, _: tuple[bytes, ...]) -> None:
    word, at = chance.choice(WORDS), _place(chance, data)
    data[at : at + len(word)] = word


def _join(chance: random.Random, data: bytearray, seeds: tuple[bytes, ...]) -> None:
    other = chance.choice(seeds)
    data[_place(chance, data) :] = other[chance.randrange(len(other) + 1) :]


CHANGES = (_flip, _flip, _number, _number, _cut, _remove, _repeat, _insert, _replace, _join)


def feed_readers(count: int, seed: int) -> Iterator[str]:
    """Give `count` inputs to the readers in turn; yields what went wrong."""
    every = targets()
    for number in range(count):
        target = every[number % len(every)]
        chance = random.Random(f"{seed} {number}")
        data = spoiled(chance, target.seeds)
        try:
            target.run(data)
        except ReaderError:
            continue
        except BaseException as error:  # noqa: BLE001 - whatever gets out is what is looked for
            yield f"{target.name}: {error!r} at --seed {seed}, input {number}: {data[:400]!r}"


def bound_memory() -> None:
    """Let this process take no more than `MOST_MEMORY` beyond what it has now."""
    gc.collect()
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MOST_MEMORY, resource.RLIM_INFINITY))


def feed_folders(count: int, seed: int) -> Iterator[str]:
    """Look at `count` folders of spoiled files as the daemon does; yields what went wrong."""
    from tests.layouts.test_table import ROWS, where

    with tempfile.TemporaryDirectory(dir=_memory()) as made:
        top = Path(made)
        (top / "secret").write_bytes(making.tensors())
        opened = _watch_opens()
        for number in range(count):
            chance = random.Random(f"{seed} folder {number}")
            row = chance.choice(ROWS)
            root = top / "models"
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            files = dict(row.files)
            _spoil(chance, files, top / "secret")
            try:
                making.lay(files, where(row, root))
            except OSError:
                continue  # a name that no file can have
            opened.clear()
            try:
                _look(root)
            except BaseException as error:  # noqa: BLE001 - as above
                yield f"{row.name}: {error!r} at --seed {seed}, folder {number}: {sorted(files)}"
            outside = [path for path in opened if not path.startswith(f"{root}/") and path != str(root)]
            if outside:
                yield f"{row.name}: opened {outside} at --seed {seed}, folder {number}"


def _spoil(chance: random.Random, files: dict[str, Any], secret: Path) -> None:
    for name in chance.sample(sorted(files), min(len(files), chance.choice((1, 1, 2, 4)))):
        way = chance.random()
        if way < 0.1:
            del files[name]
        elif way < 0.2:
            files[f"{name}{chance.choice(('.part', '.incomplete', '/', '/x', chr(10), '.~tmp'))}"] = (
                files.pop(name)
            )
        elif way < 0.3:
            files[name] = making.Link(
                chance.choice((str(secret), "../../secret", "..", "/dev/zero", name, "a/b"))
            )
        elif isinstance(files[name], bytes):
            files[name] = spoiled(chance, (files[name],))


def _look(root: Path) -> None:
    snapshot = Scanner(root, (), None).look(None, lambda: False)
    found = find(snapshot, propose_checkpoints=True)
    for model in found.models:
        verdict = judge(model, snapshot)
        for reason in (*verdict.reasons, *verdict.warnings):
            str(reason)
        expected_digests(model, snapshot)
        check(make_card(root, model, Identity("a", "A", model.path, model.path, verdict.fingerprint)))


def _memory() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def _watch_opens() -> list[str]:
    """The paths of all regular files that are opened from now on."""
    opened: list[str] = []
    real = os.open

    def watched(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        number = real(path, flags, mode, dir_fd=dir_fd)
        target = os.readlink(f"/proc/self/fd/{number}")
        if os.path.isfile(target) or not os.path.isdir(target):
            opened.append(target)
        return number

    os.open = watched
    return opened


def main() -> int:
    """Run; the exit code is 1 where anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="for the readers")
    parser.add_argument("--folders", type=int, default=500, help="whole folders")
    parser.add_argument("--cards", type=int, default=2_000, help="cards of what no writer writes")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began = time.monotonic()
    wrong = 0
    for feed, count in ((feed_folders, wanted.folders), (feed_cards, wanted.cards)):
        for problem in feed(count, wanted.seed):
            print(problem)
            wrong += 1
    targets()  # what making them takes is not the readers'
    bound_memory()
    for problem in feed_readers(wanted.inputs, wanted.seed):
        print(problem)
        wrong += 1
    took = time.monotonic() - began
    print(f"{wanted.inputs + wanted.folders + wanted.cards:,} inputs, {wrong} wrong, {took:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
