"""Makes the corpus' hollow weight files true ones: their size stays, their structure comes to say it.

The corpus knows only the size and the first bytes of weights in other formats than safetensors. A file of
which nothing else was ever written proves nothing, so it gets what its format has at its start or its end.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path


def as_zip(path: Path, size: int) -> None:
    """A zip64 directory of one entry at the end, as `torch.save` writes it."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 45, 45, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    start = size - len(entry) - 56 - 20 - 22
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(entry), start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start + len(entry), 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    _put(path, 0, b"PK\x03\x04")
    _put(path, start, entry + record + locator + end)


def as_hdf5(path: Path, size: int) -> None:
    """A superblock of version 0 that names the end of the file."""
    versions = struct.pack("<8B2HI", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0)
    addresses = struct.pack("<4Q", 0, 2**64 - 1, size, 2**64 - 1)
    root = struct.pack("<2Q2I2Q", 0, 96, 1, 0, 136, 680)
    _put(path, 0, b"\x89HDF\r\n\x1a\n" + versions + addresses + root)
    _put(path, size - 1, b"\x01")


def as_msgpack(path: Path, size: int) -> None:
    """A map of binary values of a gibibyte at most that ends where the file does."""
    step = 2**30
    count = -(-size // step)
    _put(path, 0, b"\xde" + struct.pack(">H", count))
    at = 3
    for number in range(count):
        key = b"\xa8" + f"{number:08d}".encode()
        left = size - at - (len(key) + 5) * (count - number)
        length = left if number == count - 1 else min(left, step - 100)
        _put(path, at, key + b"\xc6" + struct.pack(">I", length))
        at += len(key) + 5 + length
    _put(path, size - 1, b"\x01")


def as_onnx(path: Path, size: int) -> None:
    """A model of one tensor whose graph ends where the file does."""
    head = b"\x08\x08" + b"\x42\x02\x10\x11"  # ir_version 8, opset_import {version: 17}
    inside = size - len(head)
    graph, tensor, raw = _field(7, inside), _field(5, inside), _field(9, inside)
    for _ in range(3):  # the lengths of the lengths depend on them
        graph = _field(7, inside)
        tensor = _field(5, inside - len(graph))
        raw = _field(9, inside - len(graph) - len(tensor))
        graph = _field(7, inside - len(graph))
        tensor = _field(5, inside - len(graph) - len(tensor))
        raw = _field(9, inside - len(graph) - len(tensor) - len(raw))
    _put(path, 0, head + graph + tensor + raw)
    _put(path, size - 1, b"\x01")


def as_openvino(path: Path, size: int) -> None:
    """XML that says how large the constants beside it are."""
    data = path.with_suffix(".bin")
    length = data.stat().st_size if data.exists() else 0
    start = (
        f'<?xml version="1.0"?><net><layers><layer type="Const"><data offset="0" size="{length}"/>'.encode()
    )
    end = b"</layer></layers></net>"
    filler = size - len(start) - len(end)
    path.write_bytes(start + b"<a/>\n" * (filler // 5) + b" " * (filler % 5) + end)
    if length:
        _put(data, length - 1, b"\x01")


def _field(number: int, length: int) -> bytes:
    out = bytearray([number << 3 | 2])
    while length >= 0x80:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*out, length])


def _put(path: Path, position: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(data)


MAKERS: dict[str, Callable[[Path, int], None]] = {
    **dict.fromkeys((".bin", ".pt", ".pth", ".ckpt", ".ot"), as_zip),
    ".h5": as_hdf5,
    ".msgpack": as_msgpack,
    ".onnx": as_onnx,
    ".xml": as_openvino,
}


def make_true(folder: Path, names: list[str]) -> list[str]:
    """Make these hollow files of `folder` true; returns those that prove themselves from now on."""
    proven = []
    for name in names:
        path = folder / name
        if path.name.startswith("openvino_") and path.suffix == ".bin":
            proven.append(name)  # by its XML
            continue
        maker = MAKERS.get(path.suffix)
        foreign = path.name.startswith("ggml-") or "coreml" in name
        if maker is None or foreign or (path.suffix == ".xml" and not path.name.startswith("openvino_")):
            continue
        maker(path, path.stat().st_size)
        proven.append(name)
    return proven
