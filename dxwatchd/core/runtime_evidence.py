"""What speaks for a layout of a runtime of its own: GGUF, ONNX, OpenVINO, CTranslate2, TensorRT-LLM, ...

As in `layout_evidence`: a place → sentences, none where nothing speaks for it.
"""

from __future__ import annotations

import re

from dxwatchd.core.document_facts import Config, Document
from dxwatchd.core.facts import Gguf, Sized
from dxwatchd.core.filenames import is_projector, weight_format
from dxwatchd.core.layout_evidence import is_only, unread
from dxwatchd.core.model import WeightFormat
from dxwatchd.core.place import Place
from dxwatchd.core.text import count

VOCABULARY = re.compile(r".*vocabulary.*\.(txt|json)")
_RANKS = re.compile(r"rank[0-9]+\.(engine|safetensors)")
_ENGINES = re.compile(r"rank[0-9]+\.engine")
OPENVINO_XML = re.compile(r"openvino_.*\.xml")
_WHISPER_PT = re.compile(r"(tiny|base|small|medium|large|turbo)(\.en|-v[0-9]|-v[0-9]-turbo)?\.pt")
_GGML = re.compile(r"ggml-.+\.bin")
_VOICE = re.compile(r".+\.onnx\.json")
_ONNX = re.compile(r".+\.onnx")
_TFLITE = re.compile(r".+\.tflite")
_NEMO = re.compile(r".+\.nemo")
SHARD_TABLES = ("ndarray-cache.json", "tensor-cache.json")

_NOT_A_MODEL = frozenset({"mmproj", "imatrix", "vocab"})
"""Values of a GGUF's `general.type` that are no model by themselves."""


def is_gguf_model(place: Place, name: str) -> bool:
    """Whether this is a GGUF file that is loaded by itself: no vision projector, no importance matrix."""
    if weight_format(name) is not WeightFormat.GGUF or is_projector(name):
        return False
    facts = place.facts(name, Gguf)
    return facts is None or not (facts.type in _NOT_A_MODEL or facts.architecture == "clip")


def mlc(place: Place) -> tuple[str, ...]:
    """`mlc-chat-config.json`."""
    config = place.facts("mlc-chat-config.json", Document)
    if config is not None:
        tables = [name for name in SHARD_TABLES if place.has(name)]
        return ("mlc-chat-config.json is there", *(f"{name} lists the shards" for name in tables))
    return unread(place, "mlc-chat-config.json")


def ort_genai(place: Place) -> tuple[str, ...]:
    """`genai_config.json`."""
    config = place.facts("genai_config.json", Document)
    if config is not None and "model" in config.keys:
        return (f"genai_config.json names {count(len(config.files), 'file')}",)
    return unread(place, "genai_config.json")


def ctranslate2(place: Place) -> tuple[str, ...]:
    """`model.bin` that CTranslate2 wrote, or one beside a vocabulary and a config without `model_type`."""
    if not place.has("model.bin"):
        return ()
    sized = place.facts("model.bin", Sized)
    vocabularies = place.names(VOCABULARY)
    if sized is not None and sized.form == "CTranslate2":
        said = ["model.bin is in CTranslate2's format"]
    elif vocabularies and not _names_model_type(place):
        said = ["model.bin lies beside a vocabulary, as CTranslate2 has it"]
    elif (config := place.facts("config.json", Config)) and {"lang_ids", "add_source_bos"} & set(
        config.marks
    ):
        said = ["config.json has keys that CTranslate2 writes"]
    else:
        return ()
    return (*said, *(f"{name} is its vocabulary" for name in vocabularies))


def _names_model_type(place: Place) -> bool:
    config = place.facts("config.json", Config)
    return config is not None and bool(config.model_type or config.architectures)


def openvino(place: Place) -> tuple[str, ...]:
    """`openvino_*.xml`, beside no other weights."""
    return openvino_beside(place) if is_only(place, WeightFormat.OPENVINO) else ()


def openvino_beside(place: Place) -> tuple[str, ...]:
    """`openvino_*.xml` beside whatever else."""
    names = place.names(OPENVINO_XML)
    return (f"{names[0]} is an OpenVINO model",) if names else ()


def tensorrt_llm(place: Place) -> tuple[str, ...]:
    """`config.json` of an engine (`pretrained_config`, `build_config`) or of a checkpoint of ranks."""
    config = place.facts("config.json", Config)
    if config is None:
        return ("rank0.engine is there",) if place.names(_ENGINES) else ()
    if {"pretrained_config", "build_config"} <= set(config.marks):
        return ("config.json has pretrained_config and build_config, as TensorRT-LLM writes them",)
    if "mapping" in config.marks and config.architecture and not config.model_type:
        return (f"config.json names the architecture {config.architecture} and a mapping of ranks",)
    if place.names(_RANKS) and not config.model_type:
        return ("rank files lie beside config.json",)
    return ()


def nemo(place: Place) -> tuple[str, ...]:
    """`*.nemo`, or `context/` beside `weights/` with a distributed checkpoint."""
    names = place.names(_NEMO)
    if names:
        return (f"{names[0]} is a NeMo archive",)
    context, weights = place.inner("context"), place.inner("weights")
    if context is None or weights is None:
        return ()
    saved = any(weight_format(name) is WeightFormat.TORCH_DISTRIBUTED for name in weights.files)
    if saved or "metadata.json" in weights.files or {"model.yaml", "io.json"} & set(context.files):
        return ("context/ and weights/ are there, as NeMo 2 saves them",)
    return ()


def whisper(place: Place) -> tuple[str, ...]:
    """OpenAI's `.pt` under its own names, or whisper.cpp's `ggml-*.bin`."""
    names = [*place.names(_WHISPER_PT), *place.names(_GGML)]
    return (f"{names[0]} is named as Whisper's weights are",) if names else ()


def gguf_adapter(place: Place) -> tuple[str, ...]:
    """GGUF files all of which say that they are adapters."""
    files = dict(place.of_kind(Gguf))
    names = [name for name in place.folder.files if is_gguf_model(place, name)]
    if not names or not all(name in files and files[name].type == "adapter" for name in names):
        return ()
    return (f"{min(names)} says that it is an adapter",)


def gguf(place: Place) -> tuple[str, ...]:
    """`*.gguf` but sidecars."""
    names = sorted(name for name in place.folder.files if is_gguf_model(place, name))
    if not names:
        return ()
    said = [count(len(names), "GGUF file")]
    for name in names:
        facts = place.facts(name, Gguf)
        if facts is not None and facts.architecture:
            said.append(f"{name} names the architecture {facts.architecture}")
            break
    return tuple(said)


def piper(place: Place) -> tuple[str, ...]:
    """`VOICE.onnx.json` with phonemes."""
    for name in place.names(_VOICE):
        voice = place.facts(name, Document)
        if voice is not None and {"phoneme_id_map", "num_symbols"} & set(voice.keys):
            return (f"{name} describes a Piper voice",)
    return ()


def onnx(place: Place) -> tuple[str, ...]:
    """`*.onnx` in the folder, or in its `onnx/`."""
    names = place.names(_ONNX)
    if names:
        return (f"{names[0]} is an ONNX model",)
    inner = place.inner("onnx")
    below = sorted(name for name in inner.files if _ONNX.fullmatch(name)) if inner is not None else []
    return (f"onnx/{below[0]} is an ONNX model",) if below else ()


def tflite(place: Place) -> tuple[str, ...]:
    """`*.tflite`."""
    names = place.names(_TFLITE)
    return (f"{names[0]} is a TensorFlow Lite model",) if names else ()
