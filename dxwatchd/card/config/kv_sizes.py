"""How large the state of a layer is: formulas only, all sizes in bytes for one sequence.

itemsize: bytes of one element of the cache.
"""

from __future__ import annotations


def attention_bytes(key_value_heads: int, key_dim: int, value_dim: int, itemsize: int) -> int:
    """One token in one layer of multi-head, grouped-query or multi-query attention.

    n_kv * (d_k + d_v) * b, which is 2 * n_kv * d * b where keys and values are equally wide.
    Source: Ainslie et al. 2023, "GQA" (arXiv:2305.13245).
    """
    return key_value_heads * (key_dim + value_dim) * itemsize


def mla_bytes(kv_lora_rank: int, qk_rope_head_dim: int, itemsize: int) -> int:
    """One token in one layer of multi-head latent attention, kept compressed as inference servers do.

    (d_c + d_rope) * b. Source: DeepSeek-V2 (arXiv:2405.04434), section 2.1.
    """
    return (kv_lora_rank + qk_rope_head_dim) * itemsize


def window_bytes(bytes_per_token: int, window: int) -> int:
    """A layer that keeps only the last `window` tokens, once they are there: 2 * n_kv * d * b * window."""
    return bytes_per_token * window


def mamba_bytes(inner: int, conv: int, state: int, conv_itemsize: int, state_itemsize: int) -> int:
    """One Mamba layer: d_inner * d_conv for the convolution, d_inner * d_state for the state space.

    Source: Gu and Dao 2023 (arXiv:2312.00752); the shapes are those of transformers' cache for it.
    """
    return inner * conv * conv_itemsize + inner * state * state_itemsize


def mamba2_bytes(
    heads: int, head_dim: int, groups: int, conv: int, state: int, conv_itemsize: int, state_itemsize: int
) -> int:
    """One Mamba-2 layer: (d_inner + 2 * n_groups * d_state) * d_conv, and n_heads * d_head * d_state.

    Source: Dao and Gu 2024 (arXiv:2405.21060); the shapes are those of transformers' cache for it.
    """
    inner = heads * head_dim
    return (inner + 2 * groups * state) * conv * conv_itemsize + inner * state * state_itemsize


def gated_delta_bytes(
    key_heads: int,
    value_heads: int,
    key_dim: int,
    value_dim: int,
    conv: int,
    conv_itemsize: int,
    state_itemsize: int,
) -> int:
    """One layer of gated delta rule: (2 * n_k * d_k + n_v * d_v) * d_conv, and n_v * d_k * d_v.

    Source: Yang et al. 2024 (arXiv:2412.06464); the shapes are those of transformers' Qwen3-Next.
    """
    convolved = 2 * key_heads * key_dim + value_heads * value_dim
    return convolved * conv * conv_itemsize + value_heads * key_dim * value_dim * state_itemsize


def short_conv_bytes(width: int, conv: int, itemsize: int) -> int:
    """One layer of gated short convolution (LFM2): d * L_cache."""
    return width * conv * itemsize


def lightning_bytes(heads: int, head_dim: int, itemsize: int) -> int:
    """One layer of lightning attention (MiniMax-01): n_h * d * d.

    Source: Li et al. 2025 (arXiv:2501.08313); the shape is that of transformers' cache for it.
    """
    return heads * head_dim * head_dim * itemsize


def gated_recurrence_bytes(width: int, conv: int, itemsize: int, state_itemsize: int) -> int:
    """One recurrent block of Griffin (RecurrentGemma): d_rnn * (d_conv - 1) for the convolution, and d_rnn.

    Source: De et al. 2024 (arXiv:2402.19427); the shapes are those of transformers' RecurrentGemma.
    """
    return width * (conv - 1) * itemsize + width * state_itemsize
