"""What speaks for each layout in one folder: a place → sentences, none where nothing does.

A marker that is there and cannot be read yet (empty, cut off, a git-LFS pointer) speaks for its layout too:
the folder is on its way to be one. Sources: each format's own loader, as its documentation describes it.
"""

from __future__ import annotations

import re

from dxwatchd.core.document_facts import AdapterConfig, Config, Document, Modules, PipelineIndex
from dxwatchd.core.facts import Safetensors
from dxwatchd.core.filenames import index_format, is_adapter_weights, is_projector, weight_format
from dxwatchd.core.model import WeightFormat
from dxwatchd.core.place import Place
from dxwatchd.core.text import count

CONSOLIDATED = re.compile(r"consolidated\.[0-9]{2}\.pth")
_CONSOLIDATED_SAFETENSORS = re.compile(r"consolidated.*\.safetensors(\.index\.json)?")
_DDUF = re.compile(r".+\.dduf")


def unread(place: Place, name: str) -> tuple[str, ...]:
    """The sentence for a marker that is there and cannot be read yet."""
    return (f"{name} is there but cannot be read yet",) if place.is_unread(name) else ()


def is_full_weights(name: str) -> bool:
    """Whether a file of this name holds a model's weights: not an adapter's, not a projector."""
    return weight_format(name) is not None and not is_adapter_weights(name) and not is_projector(name)


def diffusers(place: Place) -> tuple[str, ...]:
    """`model_index.json` with `_class_name`."""
    index = place.facts("model_index.json", PipelineIndex)
    if index is not None and index.class_name:
        return (f"model_index.json names the pipeline class {index.class_name}",)
    return unread(place, "model_index.json")


def sentence_transformers(place: Place) -> tuple[str, ...]:
    """`modules.json`."""
    modules = place.facts("modules.json", Modules)
    if modules is not None and modules.paths:
        return (f"modules.json names {count(len(modules.paths), 'module')}",)
    return unread(place, "modules.json")


def peft(place: Place) -> tuple[str, ...]:
    """`adapter_config.json`, beside no weights of a base model."""
    if any(is_full_weights(name) or index_format(name) for name in place.folder.files):
        return ()
    adapter = place.facts("adapter_config.json", AdapterConfig)
    if adapter is not None and adapter.peft_type:
        return (f"adapter_config.json names the PEFT type {adapter.peft_type}",)
    return unread(place, "adapter_config.json")


def peft_beside_base(place: Place) -> tuple[str, ...]:
    """An adapter in the very folder of its base: never the first choice, but to be told."""
    adapter = place.facts("adapter_config.json", AdapterConfig)
    if adapter is None or not adapter.peft_type or peft(place):
        return ()
    return (f"adapter_config.json names the PEFT type {adapter.peft_type}, beside weights of a base model",)


def is_only(place: Place, form: WeightFormat) -> bool:
    """Whether all weights in the folder are of one format, and there are any."""
    found = [name for name in place.folder.files if is_full_weights(name) or index_format(name)]
    return bool(found) and all(weight_format(name) is form for name in found)


def mlx(place: Place) -> tuple[str, ...]:
    """A transformers config with MLX's `quantization`, or safetensors that MLX wrote."""
    config = place.facts("config.json", Config)
    if config is None or not config.model_type:
        return ()
    said = []
    if "quantization" in config.marks:
        said.append("config.json has quantization with group_size and bits")
    if any(facts.metadata_format == "mlx" for _, facts in place.of_kind(Safetensors)):
        said.append("a safetensors header says format: mlx")
    return (f"config.json names the model type {config.model_type}", *said) if said else ()


def timm(place: Place) -> tuple[str, ...]:
    """`config.json` with `architecture` and `pretrained_cfg`, without `model_type`."""
    config = place.facts("config.json", Config)
    if config is None or config.model_type or not config.architecture:
        return ()
    if "pretrained_cfg" not in config.marks:
        return ()
    return (f"config.json names the timm architecture {config.architecture}",)


def transformers(place: Place) -> tuple[str, ...]:
    """`config.json` with `model_type` or `architectures`."""
    if is_only(place, WeightFormat.GGUF):
        return ()
    config = place.facts("config.json", Config)
    if config is None:
        return unread(place, "config.json")
    said = []
    if config.model_type:
        said.append(f"config.json names the model type {config.model_type}")
    if config.architectures:
        said.append(f"config.json names the architecture {', '.join(config.architectures)}")
    if said and config.quant_method:
        said.append(f"config.json names the quantisation method {config.quant_method}")
    if said:
        said.extend(f"{name} is there" for name in _QUANTISED if place.has(name))
    return tuple(said)


_QUANTISED = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")


def open_clip(place: Place) -> tuple[str, ...]:
    """`open_clip_config.json`."""
    config = place.facts("open_clip_config.json", Document)
    if config is not None and "model_cfg" in config.keys:
        return ("open_clip_config.json has model_cfg",)
    return unread(place, "open_clip_config.json")


def mistral(place: Place) -> tuple[str, ...]:
    """`params.json` with `consolidated*.safetensors` or `tekken.json`."""
    names = place.names(_CONSOLIDATED_SAFETENSORS)
    if not (names or place.has("tekken.json")):
        return ()
    return (*_params(place), *(f"{name} is there" for name in names[:1])) if _params(place) else ()


def llama(place: Place) -> tuple[str, ...]:
    """`params.json` with `consolidated.NN.pth`."""
    names = place.names(CONSOLIDATED)
    if not names and place.has("config.json"):
        return ()
    return (*_params(place), *(f"{name} is there" for name in names[:1])) if _params(place) else ()


def _params(place: Place) -> tuple[str, ...]:
    params = place.facts("params.json", Document)
    if params is not None and {"dim", "n_layers"} <= set(params.keys):
        return ("params.json has dim and n_layers",)
    weights = place.names(CONSOLIDATED) or place.names(_CONSOLIDATED_SAFETENSORS)
    return unread(place, "params.json") if weights else ()


def dduf(place: Place) -> tuple[str, ...]:
    """`*.dduf`."""
    names = place.names(_DDUF)
    return (f"{names[0]} is a diffusers pipeline in one file",) if names else ()
