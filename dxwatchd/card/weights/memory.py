"""How much memory serving and training need: arithmetic on what the card says elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dxwatchd.card.parts import KvCache, MemoryEstimate, Parameters, ServingMemory, TrainingMemory
from dxwatchd.card.sources import TensorInfo
from dxwatchd.card.values import INTEGER_LIMIT, LIST_LIMIT, Notes, clean

LORA_RANK = 16
"""The rank that estimates assume: the default of TRL's command line (`lora_r`)."""

SHORT_CONTEXT, BATCH = 4096, 8
"""Tokens and sequences of the second serving estimate, beside one sequence of full length."""

_NOT_LINEAR = frozenset({"gate", "router", "relative_attention_bias"})
"""Last parts of the names of matrices in a layer that are routers or tables."""

_TOWERS = re.compile(r"(^|\.)(vision|visual|audio|image)[^.]*\.")
_FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_SERVING_EXCLUDES = (
    "activations, CUDA graphs and the runtime's own memory (often 1 to 3 GiB for each GPU)",
    "copies for tensor parallelism and for speculative decoding",
)
_TRAINING_EXCLUDES = "in training: activations, which grow with batch size and sequence length"


def serving_memory(
    weights_bytes: int, cache: KvCache, context: int, batch_size: int = 1
) -> ServingMemory | None:
    """Weights and key-value cache for `batch_size` sequences of `context` tokens each, in bytes.

    total = weights_bytes + batch_size * (bytes_per_token * context + constant_bytes). The windows of sliding
    layers count as full. None where the cache is not known, or the sum is absurd.
    """
    if cache.bytes_per_token is None or cache.constant_bytes is None:
        return None
    kept = batch_size * (cache.bytes_per_token * context + cache.constant_bytes)
    total = weights_bytes + kept
    if total >= INTEGER_LIMIT:
        return None
    return ServingMemory(context=context, batch_size=batch_size, kv_cache_bytes=kept, total_bytes=total)


def full_training_memory(parameters: int) -> TrainingMemory | None:
    """Training all weights in mixed precision with AdamW: 16 bytes a parameter.

    2 for the 16-bit weight, 2 for its gradient, 12 for the optimiser: the weight in 32 bits and two moments.
    Source: Rajbhandari et al. 2020, "ZeRO" (arXiv:1910.02054), section 3.1.
    """
    if parameters * 16 >= INTEGER_LIMIT:
        return None
    return TrainingMemory(
        method="full",
        trainable=parameters,
        weights_bytes=2 * parameters,
        gradients_bytes=2 * parameters,
        optimizer_bytes=12 * parameters,
        total_bytes=16 * parameters,
    )


def lora_parameters(tensors: Iterable[TensorInfo], rank: int) -> tuple[int, tuple[str, ...]]:
    """What a LoRA adapter on every linear layer would train, and the names of these layers.

    r * (d_in + d_out) for each matrix of shape (d_out, d_in) in a numbered layer. Source: Hu et al. 2021
    (arXiv:2106.09685), section 4.1. Routers, routed experts and the towers of other senses are left as they
    are. (0, ()) where there are more different names than any network has: then they are something else.
    """
    trained, names = 0, set()
    for tensor in tensors:
        if len(tensor.shape) != 2 or tensor.dtype not in _FLOATS or ".experts." in f".{tensor.name}":
            continue
        *module, last = tensor.name.split(".")
        if last != "weight" or not module or module[-1] in _NOT_LINEAR:
            continue
        if any(part.isdecimal() for part in module) and not _TOWERS.search(tensor.name):
            trained += rank * sum(tensor.shape)
            names.add(clean(module[-1]))
    return (trained, tuple(sorted(names))) if len(names) <= LIST_LIMIT else (0, ())


def lora_training_memory(
    weights_bytes: int, trainable: int, rank: int, target_modules: tuple[str, ...]
) -> TrainingMemory | None:
    """Training a LoRA adapter beside frozen weights, in bytes.

    The weights as they are stored, and for each parameter of the adapter 16 bytes: itself, its gradient and
    AdamW's two moments, all in 32 bits, as PEFT keeps adapters of 16-bit models.
    """
    total = weights_bytes + 16 * trainable
    if total >= INTEGER_LIMIT:
        return None
    return TrainingMemory(
        method="lora",
        r=rank,
        target_modules=target_modules,
        trainable=trainable,
        weights_bytes=weights_bytes + 4 * trainable,
        gradients_bytes=4 * trainable,
        optimizer_bytes=8 * trainable,
        total_bytes=total,
    )


def memory_estimate(
    tensors: Iterable[TensorInfo],
    counted: Parameters,
    cache: KvCache,
    context: int | None,
    notes: Notes,
    *,
    trains: bool,
    quantised: bool,
) -> MemoryEstimate:
    """The estimates of a card. trains: whether it is a model of its own in a format that trainers load;
    quantised: packed weights are not trained themselves, only adapters beside them.
    """
    stored = counted.bytes
    if stored is None:
        return MemoryEstimate()
    notes.source("memory_estimate", "derived: parameters, kv_cache, context")
    served = []
    if context is not None:
        short = min(context, SHORT_CONTEXT)
        sizes = dict.fromkeys(((context, 1), (short, BATCH)))
        served = [serving_memory(stored, cache, length, batch) for length, batch in sizes]
    trained: list[TrainingMemory | None] = []
    if trains and counted.total and not quantised:
        trained.append(full_training_memory(counted.total))
    adapter, modules = lora_parameters(tensors, LORA_RANK) if trains else (0, ())
    if adapter:
        trained.append(lora_training_memory(stored, adapter, LORA_RANK, modules))
    serving, training = tuple(filter(None, served)), tuple(filter(None, trained))
    return MemoryEstimate(
        weights_bytes=stored,
        serving=serving,
        training=training,
        excludes=(*_SERVING_EXCLUDES, *([_TRAINING_EXCLUDES] if training else [])),
    )
