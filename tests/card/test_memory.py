"""Memory to serve and to train: arithmetic with known answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dxwatchd.card.parts import KvCache, MemoryEstimate, Parameters
from dxwatchd.card.values import Notes
from dxwatchd.card.weights.memory import (
    BATCH,
    SHORT_CONTEXT,
    full_training_memory,
    lora_parameters,
    lora_training_memory,
    memory_estimate,
    serving_memory,
)

QWEN3_8B = KvCache(bytes_per_token=147_456, constant_bytes=0, dtype="bfloat16")
GIB = 2**30


def test_serving_is_weights_and_cache() -> None:
    """Qwen3-8B: 32,768 tokens take 4.5 GiB, eight times as much for eight sequences."""
    one = serving_memory(16_381_470_720, QWEN3_8B, 32_768)
    assert one is not None
    assert one.kv_cache_bytes == 4.5 * GIB
    assert one.total_bytes == 16_381_470_720 + one.kv_cache_bytes
    eight = serving_memory(0, QWEN3_8B, 32_768, 8)
    assert eight is not None
    assert eight.total_bytes == 36 * GIB


def test_constant_part_counts_once_for_each_sequence() -> None:
    """A window or a state does not grow with the context, but with the batch."""
    cache = KvCache(bytes_per_token=10, constant_bytes=1000)
    served = serving_memory(5, cache, 7, 3)
    assert served is not None
    assert served.total_bytes == 5 + 3 * (10 * 7 + 1000)


def test_unknown_cache_gives_no_figure() -> None:
    """Weights alone would look like all that is needed."""
    assert serving_memory(5, KvCache(), 7) is None
    assert serving_memory(5, KvCache(bytes_per_token=2**62, constant_bytes=0), 2**20) is None


def test_full_training_takes_sixteen_bytes_a_parameter() -> None:
    """ZeRO's account: a model of 7.5 billion parameters takes 120 GB."""
    trained = full_training_memory(7_500_000_000)
    assert trained is not None
    assert trained.total_bytes == 120_000_000_000
    assert trained.total_bytes == trained.weights_bytes + trained.gradients_bytes + trained.optimizer_bytes
    assert full_training_memory(2**62) is None


_LAYER = "model.layers.0."


@pytest.mark.parametrize(
    ("tensors", "trained", "names"),
    [
        # Checked once with PEFT's own count over a whole tiny llama: 44,544 for 3 such layers.
        (
            [
                (_LAYER + "self_attn.q_proj.weight", "BF16", 64, 64),
                (_LAYER + "self_attn.k_proj.weight", "BF16", 32, 64),
                (_LAYER + "self_attn.v_proj.weight", "BF16", 32, 64),
                (_LAYER + "self_attn.o_proj.weight", "BF16", 64, 64),
                (_LAYER + "mlp.gate_proj.weight", "BF16", 96, 64),
                (_LAYER + "mlp.up_proj.weight", "BF16", 96, 64),
                (_LAYER + "mlp.down_proj.weight", "BF16", 64, 96),
                (_LAYER + "input_layernorm.weight", "BF16", 64),
            ],
            44_544 // 3,
            ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"),
        ),
        ([("model.embed_tokens.weight", "BF16", 100, 64), ("lm_head.weight", "BF16", 100, 64)], 0, ()),
        ([(_LAYER + "mlp.gate.weight", "BF16", 4, 64)], 0, ()),
        ([(_LAYER + "mlp.experts.3.up_proj.weight", "BF16", 96, 64)], 0, ()),
        ([(_LAYER + "mlp.shared_experts.up_proj.weight", "BF16", 96, 64)], 16 * 160, ("up_proj",)),
        ([("visual.blocks.0.attn.qkv.weight", "BF16", 96, 32)], 0, ()),
        ([("vision_tower.layers.0.fc1.weight", "BF16", 96, 32)], 0, ()),
        ([(_LAYER + "self_attn.q_proj.qweight", "I32", 8, 64)], 0, ()),
        ([(_LAYER + "self_attn.q_proj.weight", "U8", 2048, 1)], 0, ()),
    ],
)
def test_adapter_on_every_linear_layer(
    tensors: list[tuple[Any, ...]], trained: int, names: tuple[str, ...], tensor: Callable[..., Any]
) -> None:
    """16 * (in + out) for each, and nothing for embeddings, routers, experts, towers and packed weights."""
    assert lora_parameters([tensor(*one) for one in tensors], 16) == (trained, names)


def test_adapter_is_kept_in_32_bits() -> None:
    """The frozen weights as they are stored, and 16 bytes for each parameter of the adapter."""
    trained = lora_training_memory(1000, 10, 16, ("q_proj",))
    assert trained is not None
    assert trained.total_bytes == 1160
    assert trained.total_bytes == trained.weights_bytes + trained.gradients_bytes + trained.optimizer_bytes


def estimate(
    tensors: list[Any], counted: Parameters, context: int | None, *, trains: bool, quantised: bool
) -> MemoryEstimate:
    """The estimate with a known cache."""
    return memory_estimate(tensors, counted, QWEN3_8B, context, Notes(), trains=trains, quantised=quantised)


def test_estimate_of_a_card(tensor: Callable[..., Any]) -> None:
    """Serving at full length and in a batch, training both ways, and what all of it leaves out."""
    tensors = [tensor(_LAYER + "self_attn.q_proj.weight", "BF16", 64, 64)]
    counted = Parameters(total=4096, bytes=8192, exact=True)
    made = estimate(tensors, counted, 40_960, trains=True, quantised=False)
    assert [(one.context, one.batch_size) for one in made.serving] == [(40_960, 1), (SHORT_CONTEXT, BATCH)]
    assert [one.method for one in made.training] == ["full", "lora"]
    assert any("activations" in words for words in made.excludes)
    assert any("in training" in words for words in made.excludes)


def test_packed_weights_are_not_trained_themselves(tensor: Callable[..., Any]) -> None:
    """Only an adapter beside them, and of what no trainer loads nothing."""
    tensors = [tensor(_LAYER + "self_attn.q_proj.weight", "F8_E4M3", 64, 64)]
    counted = Parameters(total=4096, bytes=4096, exact=True)
    assert [one.method for one in estimate(tensors, counted, None, trains=True, quantised=True).training] == [
        "lora"
    ]
    served_only = estimate(tensors, counted, 2048, trains=False, quantised=False)
    assert served_only.training == ()
    assert not any("in training" in words for words in served_only.excludes)


def test_nothing_is_estimated_of_unknown_weights() -> None:
    """Without the weights' size there is nothing to say."""
    assert estimate([], Parameters(), 2048, trains=True, quantised=False) == MemoryEstimate()
