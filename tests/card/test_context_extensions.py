"""Lengths that a family states by a key of its own, by hand-written configs."""

from __future__ import annotations

from typing import Any

import pytest

from dxwatchd.card.config.context import context
from dxwatchd.card.values import Notes

_LINEAR = {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}
_QWEN = {"model_type": "qwen", "use_dynamic_ntk": True, "seq_length": 8192}
_DUAL = {"dual_chunk_attention_config": {"original_max_position_embeddings": 262144}}


@pytest.mark.parametrize(
    ("config", "lengths", "native"),
    [
        pytest.param({"model_type": "cohere", "max_position_embeddings": 8192, "model_max_length": 131072},
                     (8192, 131072, 131072), "model_max_length", id="Command R"),
        pytest.param({"model_type": "cohere", "max_position_embeddings": 8192}, (8192, 8192, 8192),
                     "max_position_embeddings", id="Aya"),
        pytest.param({"model_type": "baichuan", "max_position_embeddings": 8192, "model_max_length": 131072},
                     (8192, 8192, 8192), "max_position_embeddings", id="another family's key of that name"),
        pytest.param({**_QWEN, "max_position_embeddings": 32768}, (32768, 8192, 8192),
                     "seq_length", id="Qwen-7B"),
        pytest.param({**_QWEN, "max_position_embeddings": 32768, "use_dynamic_ntk": False},
                     (32768, 32768, 32768), "max_position_embeddings", id="Qwen without scaling"),
        pytest.param({**_QWEN, "max_position_embeddings": 8192}, (8192, 8192, 8192),
                     "max_position_embeddings", id="Qwen-1.8B"),
        pytest.param({"model_type": "qwen2", "max_position_embeddings": 1010000, **_DUAL},
                     (1010000, 262144, 1010000),
                     "dual_chunk_attention_config/original_max_position_embeddings", id="Qwen2.5-7B-1M"),
        pytest.param({"model_type": "nomic_bert", "n_positions": 8192, "max_trained_positions": 2048},
                     (8192, 2048, 8192), "max_trained_positions", id="Nomic"),
        pytest.param({"model_type": "nomic_bert", "n_positions": 2048, "max_trained_positions": 2048},
                     (2048, 2048, 2048), "n_positions", id="Nomic's second"),
        pytest.param({**_LINEAR, "max_sequence_length": 16384}, (4096, 4096, 16384),
                     "max_position_embeddings", id="Vicuna-16k states the product, too"),
        pytest.param({**_LINEAR, "max_sequence_length": 4096}, (4096, 4096, 4096),
                     "max_position_embeddings", id="a length that is not the product"),
        pytest.param({"model_type": "rwkv", "context_length": 1024}, (1024, 1024, 1024), "context_length",
                     id="RWKV's class has another key"),
        pytest.param({"model_type": "led", "max_encoder_position_embeddings": 16384},
                     (16384, 16384, 16384), "max_encoder_position_embeddings", id="LED"),
        pytest.param({"model_type": "openelm", "max_context_length": 2048}, (2048, 2048, 2048),
                     "max_context_length", id="OpenELM"),
    ],
)  # fmt: skip
def test_length_by_a_familys_own_key(
    config: dict[str, Any], lengths: tuple[int, int, int], native: str
) -> None:
    """Declared, native and effective, and where the native one stands."""
    notes = Notes()
    made = context(config, None, None, notes)
    assert (made.declared, made.native, made.effective) == lengths
    assert notes.sources["context.native"] == f"config.json#/{native}"


def test_extension_does_not_lift_what_the_tokenizer_takes() -> None:
    """But for one that is stated beside the tokenizer's older limit."""
    command = {"model_type": "cohere", "max_position_embeddings": 8192, "model_max_length": 131072}
    assert context(command, 4096, None, Notes()).effective == 4096
    dual = {"model_type": "qwen2", "max_position_embeddings": 1010000, **_DUAL}
    assert context(dual, 131072, None, Notes()).effective == 1010000
