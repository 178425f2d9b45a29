"""How much memory a model needs: estimates, each saying what it leaves out."""

from __future__ import annotations

from dxwatchd.card.parts.common import Count, Part, Size


class ServingMemory(Part):
    """To serve `batch_size` sequences of `context` tokens: weights and key-value cache, in bytes."""

    context: Size
    batch_size: Size
    kv_cache_bytes: Count
    total_bytes: Count


class TrainingMemory(Part):
    """To train without activations, in bytes.

    method: "full" (all weights, mixed precision, AdamW) or "lora" (frozen weights, an adapter of rank `r` on
    `target_modules`); trainable: parameters that are trained; gradients and optimiser states are for these.
    """

    method: str
    r: Size | None = None
    target_modules: tuple[str, ...] = ()
    trainable: Count
    weights_bytes: Count
    gradients_bytes: Count
    optimizer_bytes: Count
    total_bytes: Count


class MemoryEstimate(Part):
    """weights_bytes: as they are stored; excludes: what the figures leave out, in words."""

    weights_bytes: Count | None = None
    serving: tuple[ServingMemory, ...] = ()
    training: tuple[TrainingMemory, ...] = ()
    excludes: tuple[str, ...] = ()
