"""Counting: packed formats, scales, buffers, ties, experts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.parts import Moe, Parameters
from dxwatchd.card.values import Notes
from dxwatchd.card.weights.dtype import TORCH_NAMES, stored_dtype
from dxwatchd.card.weights.logical_weights import is_buffer, logical_elements
from dxwatchd.card.weights.parameters import active_parameters, count, is_routed_expert, predicts_ahead
from dxwatchd.readers.safetensors import Tensor

Make = Callable[..., Any]


def _counted(*tensors: Any, bits: int | None = None, **more: Any) -> Parameters:
    return count({"model.safetensors": tensors}, lambda _: bits, Notes(), **more)


@pytest.mark.parametrize(
    ("packed", "beside", "bits", "logical"),
    [
        pytest.param(("m.weight", "BF16", 8, 4), (), None, 32, id="plain"),
        pytest.param(("m.weight", "F8_E4M3", 8, 4), ("m.weight_scale_inv", "F32", 1, 1), None, 32, id="fp8"),
        pytest.param(("m.qweight", "I32", 4, 8), ("m.scales", "F16", 1, 8), 4, 256, id="gptq-4"),
        pytest.param(("m.qweight", "I32", 3, 8), ("m.scales", "F16", 1, 8), 3, 256, id="gptq-3"),
        pytest.param(("m.qweight", "I32", 4, 8), ("m.scales", "F16", 1, 8), None, None, id="no-bits"),
        pytest.param(("m.qweight", "I32", 1, 7), ("m.scales", "F16", 1, 8), 5, None, id="no-whole-number"),
        pytest.param(("m.weight_packed", "I32", 8, 4), ("m.weight_scale", "BF16", 8, 1), 4, 256, id="pack-4"),
        pytest.param(
            ("m.weight_packed", "U8", 8, 4), ("m.weight_scale", "F8_E4M3", 8, 1), 4, 64, id="nvfp4-ct"
        ),
        pytest.param(("m.weight", "U8", 8, 4), ("m.weight_scale", "F8_E4M3", 8, 1), 4, 64, id="nvfp4"),
        pytest.param(("m.weight", "U8", 64, 1), ("m.weight.absmax", "F32", 2), 4, 128, id="bnb-4bit"),
        pytest.param(("m.weight", "I8", 8, 4), ("m.SCB", "F32", 8), 8, 32, id="bnb-8bit"),
        pytest.param(("m.weight", "U32", 8, 4), ("m.scales", "BF16", 8, 1), 4, 256, id="mlx-4"),
        pytest.param(("m.weight", "U32", 8, 6), ("m.scales", "BF16", 8, 1), 6, 256, id="mlx-6"),
        pytest.param(("m.up_blocks", "U8", 2, 3, 16), ("m.up_scales", "U8", 2, 3), None, 192, id="mxfp4"),
        pytest.param(("m.weight", "I8", 8, 16), ("m.scale", "F8_E8M0", 8, 1), None, 256, id="fp4-in-int8"),
        pytest.param(("m.codes", "I16", 8, 16), ("m.codebooks", "F16", 1, 8), None, None, id="aqlm"),
        pytest.param(("m.weight", "Q4_K", 256, 4), (), None, 1024, id="gguf"),
    ],
)
def test_logical_weights_of_a_packed_tensor(
    tensor: Make, packed: tuple[Any, ...], beside: tuple[Any, ...], bits: int | None, logical: int | None
) -> None:
    """What a container holds, by the format's own rule; None where nothing tells."""
    made = tensor(*packed)
    siblings = {each.name: each for each in (made, *([tensor(*beside)] if beside else []))}
    assert logical_elements(made, siblings, lambda _: bits) == logical


@pytest.mark.parametrize(
    ("name", "shape", "buffer"),
    [
        ("transformer.h.0.attn.bias", (1, 1, 1024, 1024), True),
        ("gpt_neox.layers.0.attention.bias", (1, 1, 2048, 2048), True),
        ("transformer.h.0.attn.masked_bias", (), True),
        ("visual.attn.bias", (768,), False),
        ("embeddings.position_ids", (1, 512), True),
        ("model.layers.0.self_attn.rotary_emb.inv_freq", (64,), True),
        ("rope_freqs.weight", (64,), True),
        ("model.layers.0.mlp.gate.e_score_correction_bias", (256,), True),
        ("encoder.embed_positions.weights", (1026, 1024), True),
        ("model.embed_positions.weight", (1026, 1024), False),
        ("model.layers.0.mlp.router.bias", (32,), False),
        ("model.layers.0.self_attn.relative_attention_bias.weight", (32, 16), False),
    ],
)
def test_buffers_are_told_from_parameters(name: str, shape: tuple[int, ...], *, buffer: bool) -> None:
    """A saved mask is no parameter, the bias of a layer is one."""
    assert is_buffer(name, shape) is buffer


def test_gpt2_counts_without_its_masks(tensor: Make) -> None:
    """With them GPT-2 would have 137.0 M parameters instead of 124.4 M."""
    layers = [tensor(f"h.{n}.attn.bias", "F32", 1, 1, 1024, 1024) for n in range(12)]
    assert _counted(tensor("wte.weight", "F32", 50257, 768), *layers).total == 50257 * 768


def test_a_stored_copy_of_a_tied_embedding_counts_once(tensor: Make) -> None:
    """But only where the config says that it is tied: else what is stored counts."""
    both = tensor("model.embed_tokens.weight", "BF16", 10, 4), tensor("lm_head.weight", "BF16", 10, 4)
    assert _counted(*both, tied=True).total == 40
    assert _counted(*both, tied=False).total == 80
    assert _counted(*both).total == 80
    other = both[0], tensor("lm_head.weight", "BF16", 12, 4)
    assert _counted(*other, tied=True).total == 88


def test_an_embedding_shared_by_encoder_and_decoder_counts_once(tensor: Make) -> None:
    """T5 and BART may store it three times."""
    names = "shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"
    assert _counted(*(tensor(name, "F32", 10, 4) for name in names), tied=False).total == 80


def test_counts_stand_apart(tensor: Make) -> None:
    """Stored elements and bytes include scales; logical weights do not."""
    weight, scale = tensor("m.weight", "U32", 8, 4), tensor("m.scales", "BF16", 8, 1)
    made = _counted(weight, scale, tensor("norm.weight", "BF16", 5), bits=4)
    assert made == Parameters(
        total=261, by_dtype={"BF16": 5, "U32": 256}, stored_elements=45, bytes=154, exact=True
    )


def test_unknown_packing_gives_no_total(tensor: Make) -> None:
    """A wrong count is worse than none; what is stored is known all the same."""
    made = _counted(tensor("m.q_weight", "I32", 8, 4), tensor("norm.weight", "BF16", 5))
    assert (made.total, made.exact, made.stored_elements, made.bytes) == (None, False, 37, 138)


def test_absurd_shapes_give_no_total(tensor: Make) -> None:
    """Numbers beyond 63 bits are nobody's parameters."""
    made = _counted(tensor("m.weight", "BF16", 2**40, 2**40))
    assert (made.total, made.stored_elements) == (None, None)


def test_nothing_read_is_not_zero() -> None:
    """A `.bin` set has no header: its count is unknown."""
    assert count({}, lambda _: None, Notes()) == Parameters()


def test_adapters_train_all_they_store(tensor: Make) -> None:
    """`trainable` is the adapter's own."""
    made = _counted(tensor("q.lora_A.weight", "F32", 16, 64), adapter=True)
    assert (made.total, made.trainable) == (1024, 1024)


@pytest.mark.parametrize(
    ("moe", "routed", "active"),
    [
        (Moe(num_experts=8, num_experts_per_tok=2), 800, 400),
        (Moe(num_experts=8), 800, None),
        (Moe(num_experts=8, num_experts_per_tok=2), 0, None),
        (Moe(num_experts=7, num_experts_per_tok=2), 800, None),
        (Moe(num_experts=2, num_experts_per_tok=8), 800, None),
        (None, 800, None),
    ],
)
def test_active_parameters(moe: Moe | None, routed: int, active: int | None) -> None:
    """All but the experts that are not used."""
    assert active_parameters(1000, routed, moe) == active


def test_shared_experts_are_always_active() -> None:
    """Only what the router chooses among is routed."""
    assert is_routed_expert("model.layers.3.mlp.experts.7.down_proj.weight")
    assert is_routed_expert("blk.3.ffn_down_exps.weight")
    assert not is_routed_expert("model.layers.3.mlp.shared_experts.down_proj.weight")
    assert not is_routed_expert("blk.3.ffn_down_shexp.weight")


def test_layers_of_multi_token_prediction_are_told_apart(tensor: Callable[..., Any]) -> None:
    """DeepSeek-V3 numbers them behind its own layers; none of them works on a token by itself."""
    tensors = [
        tensor("model.layers.0.mlp.experts.0.up_proj.weight", "BF16", 4, 8),
        tensor("model.layers.0.mlp.experts.1.up_proj.weight", "BF16", 4, 8),
        tensor("model.layers.0.self_attn.o_proj.weight", "BF16", 8, 8),
        tensor("model.layers.1.mlp.experts.0.up_proj.weight", "BF16", 4, 8),
        tensor("model.layers.1.mlp.experts.1.up_proj.weight", "BF16", 4, 8),
    ]
    moe = Moe(num_experts=2, num_experts_per_tok=1)
    made = count({"a": tensors}, lambda _: None, Notes(), moe=moe, layers=1)
    assert (made.total, made.multi_token_prediction, made.active) == (192, 64, 64 + 32)
    alike = count({"a": tensors}, lambda _: None, Notes(), moe=moe, layers=2)
    assert (alike.multi_token_prediction, alike.active) == (None, 64 + 64)


@pytest.mark.parametrize(
    ("name", "layers", "expected"),
    [
        ("mtp.layers.0.mlp.up_proj.weight", None, True),
        ("model.mtp_layers.0.mlp.up_proj.weight", 36, True),
        ("model.layers.61.eh_proj.weight", 61, True),
        ("model.layers.60.mlp.up_proj.weight", 61, False),
        ("model.layers.61.eh_proj.weight", None, False),
        ("encoder.layers.61.weight", 12, False),
        ("model.layers.99999999999999999999.weight", 12, False),
    ],
)
def test_tensors_of_multi_token_prediction(name: str, layers: int | None, expected: bool) -> None:
    """By their number or by their name."""
    assert predicts_ahead(name, layers) is expected


_STORED = st.builds(
    Tensor,
    st.sampled_from(
        ["a.weight", "b.weight", "c.bias", "d.inv_freq", "e.weight_scale", "f", "g.weight", "h.w"]
    ),
    st.sampled_from(["F32", "BF16", "F16", "F8_E4M3", "I32", "U8"]),
    st.just((2, 3)),
    st.integers(1, 4),
)


@given(st.lists(_STORED, max_size=8), st.booleans())
def test_the_dtype_is_that_of_most_bytes(tensors: list[Tensor], quantised: bool) -> None:
    """Counting stops where the rest can change nothing: the answer is that of counting everything."""
    listed = {tensor.name: tensor for tensor in tensors}
    sizes: Counter[str] = Counter()
    for tensor in listed.values():
        name = TORCH_NAMES.get(tensor.dtype)
        if name and not (quantised and "float8" in name) and logical_elements(tensor, listed, lambda _: None):
            sizes[name] += tensor.nbytes
    expected = max(sorted(sizes), key=lambda name: sizes[name]) if sizes else None
    assert stored_dtype({"w": tensors}, quantised=quantised) == expected
