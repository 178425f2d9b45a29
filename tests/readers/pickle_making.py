"""Pickles as torch.save writes them, made without torch, and hostile ones."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
WEIGHTS_GLOBALS = ("collections.OrderedDict", "torch.BFloat16Storage", "torch._utils._rebuild_tensor_v2")


class _Tensor:
    """Stands for a tensor; pickled as torch pickles one."""

    def __init__(self, key: str) -> None:
        self.key = key


@contextmanager
def _torch() -> Iterator[tuple[Any, type]]:
    """The two names of torch that weights need, importable for as long as pickle asks."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    storage = type("BFloat16Storage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    torch.BFloat16Storage, torch._utils = storage, utils  # type: ignore[attr-defined]
    kept = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield _rebuild_tensor_v2, storage
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def state_dict(*names: str, protocol: int = 2, **more: object) -> bytes:
    """The pickle of a dict of tensors, and of whatever else is put into it."""
    with _torch() as (rebuild, storage):

        class Pickler(pickle.Pickler):
            def persistent_id(self, thing: object) -> object:
                held = isinstance(thing, tuple) and len(thing) == 2 and thing[0] == "storage of"
                return ("storage", storage, thing[1], "cpu", 16) if held else None  # type: ignore[index]

            def reducer_override(self, thing: object) -> Any:
                if not isinstance(thing, _Tensor):
                    return NotImplemented
                args: tuple[object, ...] = (
                    ("storage of", thing.key),
                    0,
                    (4, 4),
                    (4, 1),
                    False,
                    OrderedDict(),
                )
                return rebuild, args

        target = io.BytesIO()
        tensors = OrderedDict((name, _Tensor(str(key))) for key, name in enumerate(names))
        Pickler(target, protocol).dump(tensors | more)
        return target.getvalue()


def torch_zip(*pickles: bytes, packed: bool = False, tensors: int = 1, prefix: str = "archive") -> bytes:
    """A file of torch.save since PyTorch 1.6, with one or more pickles in it."""
    target = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", method) as made:
        for number, data in enumerate(pickles):
            made.writestr(f"{prefix}/{'data' if number == 0 else f'constants{number}'}.pkl", data)
        for key in range(tensors):
            made.writestr(f"{prefix}/data/{key}", bytes(32))
        made.writestr(f"{prefix}/version", "3\n")
    return target.getvalue()


def legacy(data: bytes, numbers: bytes = b"", protocol: int = 2) -> bytes:
    """A file of torch.save before PyTorch 1.6: five pickles, then raw numbers."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4}}
    head = [LEGACY_MAGIC, 1001, system]
    parts = [pickle.dumps(part, protocol) for part in head]
    return b"".join([*parts, data, pickle.dumps(["0"], protocol), numbers])


class Running:
    """Its pickle runs a program when it is loaded."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)
