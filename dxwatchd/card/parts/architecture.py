"""The shape of the network."""

from __future__ import annotations

from pydantic import Field

from dxwatchd.card.parts.common import Count, Part, Size


class LayerHeads(Part):
    """The heads of one kind of layer. head_dim, v_head_dim: elements of a head's key and value."""

    num_key_value_heads: Size
    head_dim: Size
    v_head_dim: Size


class Attention(Part):
    """type: "mha", "gqa", "mqa" or "mla"; sliding_window, chunk_size: in tokens, of the layers that have one;
    layer_types: one word for each layer, empty where all look at everything; by_layer_type: where heads
    differ by it; kv_lora_rank and what follows: of multi-head latent attention, in elements.
    """

    type: str | None = None
    sliding_window: Size | None = None
    chunk_size: Size | None = None
    layer_types: tuple[str, ...] = ()
    by_layer_type: dict[str, LayerHeads] = Field(default_factory=dict)
    kv_lora_rank: Size | None = None
    q_lora_rank: Size | None = None
    qk_nope_head_dim: Size | None = None
    qk_rope_head_dim: Size | None = None
    v_head_dim: Size | None = None


class Moe(Part):
    """Mixture of experts. num_experts: routed experts in a layer; num_experts_per_tok: used for one token."""

    num_experts: Size | None = None
    num_experts_per_tok: Size | None = None
    num_shared_experts: Count | None = None
    moe_intermediate_size: Size | None = None


class Architecture(Part):
    """The shape of the network; of its text part where it has several.

    head_dim: elements of one attention head; intermediate_size: of a dense feed-forward layer.
    """

    model_type: str | None = None
    architectures: tuple[str, ...] = ()
    hidden_size: Size | None = None
    intermediate_size: Size | None = None
    num_hidden_layers: Size | None = None
    num_attention_heads: Size | None = None
    num_key_value_heads: Size | None = None
    head_dim: Size | None = None
    vocab_size: Size | None = None
    tie_word_embeddings: bool | None = None
    attention: Attention = Attention()
    moe: Moe | None = None
