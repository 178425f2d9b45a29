"""The parts of a card: one frozen model each. `None` says that the folder does not tell.

Field names are the field's own (Hugging Face configs, PEFT, GGUF), so that a consumer finds what it knows.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Count = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[int, Field(ge=1, lt=2**63)]


class Part(BaseModel):
    """What all parts share: they do not change, know all their keys and take no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Attention(Part):
    """type: "mha", "gqa", "mqa" or "mla"; sliding_window: in tokens; layer_types: one word for each layer."""

    type: str | None = None
    sliding_window: Size | None = None
    layer_types: tuple[str, ...] = ()


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


class Parameters(Part):
    """Counted over the primary weight set.

    total: logical weights (packed ones unfolded, tied ones once, without scales and buffers); active: of
    these, those that work on one token; trainable: of an adapter; by_dtype: logical weights by the stored
    dtype; stored_elements: elements of all tensors as they are stored; bytes: of all tensors' data;
    exact: whether every tensor was understood (else total and active are None).
    """

    total: Count | None = None
    active: Count | None = None
    trainable: Count | None = None
    by_dtype: dict[str, Count] = Field(default_factory=dict)
    stored_elements: Count | None = None
    bytes: Count | None = None
    exact: bool = False


class Quantization(Part):
    """How the weights are quantised.

    quant_method: "gptq", "awq", "fp8", "mlx", "gguf", ...; quant_type: the finer kind ("nf4", "Q4_K_M");
    group_size: weights that share a scale, -1 for a whole column; weight_block_size: rows and columns of a
    block of weights that share one.
    """

    quant_method: str | None = None
    quant_type: str | None = None
    bits: Size | None = None
    group_size: Annotated[int, Field(ge=-1, lt=2**63)] | None = None
    weight_block_size: tuple[Size, ...] = ()
    desc_act: bool | None = None
    sym: bool | None = None
    zero_point: bool | None = None
    kv_cache_quant: str | None = None


class Context(Part):
    """In tokens.

    declared: what the config says; native: before any scaling of positions; effective: what a server offers
    by default; rule: how effective follows from the others.
    """

    declared: Size | None = None
    native: Size | None = None
    effective: Size | None = None
    rule: str | None = None


class ChatTemplate(Part):
    """A template, never rendered.

    name: "default" or its own; source: the file; sha256: of its UTF-8 text; flags: what it mentions
    ("tools", "thinking", "system").
    """

    name: str
    source: str
    sha256: str
    flags: tuple[str, ...] = ()


class Tokenizer(Part):
    """model_max_length: in tokens, None where it is only a placeholder; tokens: as text."""

    tokenizer_class: str | None = None
    model_max_length: Size | None = None
    bos_token: str | None = None
    eos_token: str | None = None
    pad_token: str | None = None
    unk_token: str | None = None
    chat_templates: tuple[ChatTemplate, ...] = ()


class Adapter(Part):
    """PEFT's adapter_config.json.

    base_model_resolved: the technical name of the registered base, if known.
    """

    peft_type: str | None = None
    task_type: str | None = None
    r: Size | None = None
    lora_alpha: float | None = None
    lora_dropout: float | None = None
    target_modules: tuple[str, ...] = ()
    num_virtual_tokens: Size | None = None
    use_dora: bool | None = None
    use_rslora: bool | None = None
    base_model_name_or_path: str | None = None
    base_model_resolved: str | None = None


class SentenceTransformers(Part):
    """What sentence-transformers makes of the network's output.

    pooling_mode: "mean", "cls", ..., several joined by "+"; embedding_dimension: of the final vector;
    max_seq_length: in tokens; normalize: whether vectors are scaled to length 1.
    """

    pooling_mode: str | None = None
    embedding_dimension: Size | None = None
    max_seq_length: Size | None = None
    normalize: bool | None = None
    modules: tuple[str, ...] = ()


class Component(Part):
    """One component of a pipeline: its folder and the class that loads it."""

    name: str
    library: str
    class_name: str


class WeightSetPart(Part):
    """files: relative to the folder; tensors: counted for the primary set only; bytes: of the files there."""

    format: str
    primary: bool
    files: tuple[str, ...]
    index: str | None = None
    tensors: Count | None = None
    bytes: Count


class FilePart(Part):
    """name: relative to the folder; size: in bytes."""

    name: str
    size: Count


class Statement(Part):
    """What one source says."""

    source: str
    value: str


class Conflict(Part):
    """Different statements on one field; the card's value is the first."""

    field: str
    statements: tuple[Statement, ...]


Overrides = dict[str, JsonValue]
