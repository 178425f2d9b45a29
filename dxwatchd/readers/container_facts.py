"""What weight files of other runtimes say of their own end, reduced to facts."""

from __future__ import annotations

from typing import BinaryIO

from dxwatchd.core import facts
from dxwatchd.core.facts import Facts
from dxwatchd.readers import ctranslate2, identity, openvino_xml, tar, weight_facts
from dxwatchd.readers import ggml as ggml_format
from dxwatchd.readers import hdf5 as hdf5_format
from dxwatchd.readers import msgpack as msgpack_format
from dxwatchd.readers import onnx as onnx_format
from dxwatchd.readers import tflite as tflite_format
from dxwatchd.readers.reading import read_up_to, seek_to
from dxwatchd.readers.weight_facts import refuse_zeros


def _sized(
    stream: BinaryIO, size: int, form: str, promised: int, *, exact: bool = True, tensors: int | None = None
) -> Facts:
    return facts.Sized(identity.content_digest(stream, size), form, promised, exact, tensors)


def onnx(stream: BinaryIO, size: int) -> Facts:
    """Of an ONNX model. Raises ReaderError."""
    refuse_zeros(stream, 0)
    model = onnx_format.read_model(stream, size)
    return facts.Onnx(
        digest=identity.content_digest(stream, size),
        promised_size=model.promised_size,
        names=tuple(data.location for data in model.external),
        sizes=tuple(data.size for data in model.external),
    )


def openvino(stream: BinaryIO, size: int) -> Facts:
    """Of the XML of an OpenVINO model. Raises ReaderError."""
    refuse_zeros(stream, 0)
    return facts.OpenVino(
        digest=identity.content_digest(stream, size),
        data_size=openvino_xml.read_ir(stream, size).data_size,
    )


def model_bin(stream: BinaryIO, size: int) -> Facts:
    """Of a `model.bin`: CTranslate2's, or anybody's. Raises ReaderError."""
    refuse_zeros(stream, 0)
    seek_to(stream, 0)
    if int.from_bytes(read_up_to(stream, 4), "little") > ctranslate2.LAST_VERSION:
        return weight_facts.torch_or_other_facts(stream, size)
    model = ctranslate2.read_model(stream, size)
    return _sized(stream, size, "CTranslate2", model.promised_size, tensors=model.variables)


def ggml(stream: BinaryIO, size: int) -> Facts:
    """Of whisper.cpp's legacy GGML file. Raises ReaderError."""
    refuse_zeros(stream, 0)
    model = ggml_format.read_model(stream, size)
    if model.promised_size is None:
        return weight_facts.opaque_facts(stream, size)
    return _sized(stream, size, "GGML", model.promised_size, tensors=model.tensors)


def hdf5(stream: BinaryIO, size: int) -> Facts:
    """Of Keras' HDF5 file. Raises ReaderError."""
    refuse_zeros(stream, 0)
    return _sized(stream, size, "HDF5", hdf5_format.read_superblock(stream, size).promised_size, exact=False)


def msgpack(stream: BinaryIO, size: int) -> Facts:
    """Of Flax's MessagePack file. Raises ReaderError."""
    refuse_zeros(stream, 0)
    return _sized(stream, size, "MessagePack", msgpack_format.read_map(stream, size).promised_size)


def tflite(stream: BinaryIO, size: int) -> Facts:
    """Of a TensorFlow Lite model. Raises ReaderError."""
    refuse_zeros(stream, 0)
    promised = tflite_format.read_model(stream, size).promised_size
    return _sized(stream, size, "TensorFlow Lite", promised, exact=False)


def nemo(stream: BinaryIO, size: int) -> Facts:
    """Of a NeMo archive. Raises ReaderError."""
    refuse_zeros(stream, 0)
    archive = tar.read_archive(stream, size)
    if archive.promised_size is None:  # compressed: only unpacking all of it would tell
        return weight_facts.opaque_facts(stream, size)
    return _sized(stream, size, "tar", archive.promised_size)
