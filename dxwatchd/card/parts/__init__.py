"""The parts of a card: frozen models, one module each. `None` says that the folder does not tell.

Field names are the field's own (Hugging Face configs, PEFT, GGUF), so that a consumer finds what it knows.
"""

from __future__ import annotations

from dxwatchd.card.parts.adapter import Adapter
from dxwatchd.card.parts.architecture import Architecture, Attention, LayerHeads, Moe
from dxwatchd.card.parts.capabilities import Capabilities
from dxwatchd.card.parts.common import Count, Part, Size
from dxwatchd.card.parts.components import Component
from dxwatchd.card.parts.conflicts import Conflict, Statement
from dxwatchd.card.parts.context import Context
from dxwatchd.card.parts.custom_code import CustomCode
from dxwatchd.card.parts.files import FilePart, UnlistedFiles, WeightSetPart
from dxwatchd.card.parts.integrity import Integrity, PickleFile, Provenance
from dxwatchd.card.parts.kv_cache import KvCache, KvLayers
from dxwatchd.card.parts.lineage import Ancestor
from dxwatchd.card.parts.memory import MemoryEstimate, ServingMemory, TrainingMemory
from dxwatchd.card.parts.parameters import Parameters
from dxwatchd.card.parts.quantization import Quantization
from dxwatchd.card.parts.sentence_transformers import SentenceTransformers
from dxwatchd.card.parts.tokenizer import ChatTemplate, Tokenizer

__all__ = [
    "Adapter",
    "Ancestor",
    "Architecture",
    "Attention",
    "Capabilities",
    "ChatTemplate",
    "Component",
    "Conflict",
    "Context",
    "Count",
    "CustomCode",
    "FilePart",
    "Integrity",
    "KvCache",
    "KvLayers",
    "LayerHeads",
    "MemoryEstimate",
    "Moe",
    "Parameters",
    "Part",
    "PickleFile",
    "Provenance",
    "Quantization",
    "SentenceTransformers",
    "ServingMemory",
    "Size",
    "Statement",
    "Tokenizer",
    "TrainingMemory",
    "UnlistedFiles",
    "WeightSetPart",
]
