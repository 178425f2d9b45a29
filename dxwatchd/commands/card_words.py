"""The numbers of a card in words: what a person asks of a network, its memory and its parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from dxwatchd.card.parts import Adapter, Quantization, SentenceTransformers
from dxwatchd.card.schema import Card
from dxwatchd.card.summary import human_count, human_size
from dxwatchd.core.text import count

_GENERATION = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens")


_DETAIL = re.compile(r" \(|, which | and for ")
"""Where a sentence on what an estimate leaves out goes into detail."""


def joined(*parts: str | None) -> str | None:
    """What is known of `parts`, with commas; None where nothing is."""
    return ", ".join(part for part in parts if part) or None


def some(values: Sequence[str], most: int) -> str | None:
    """The first `most` values, and how many more there are."""
    if not values:
        return None
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def task(card: Card) -> str | None:
    """What it is for, what it takes and gives."""
    can = card.capabilities
    takes, gives = some(can.input_types, 6), some(can.output_types, 6)
    tags = [card.pipeline_tag, *card.tasks] if card.pipeline_tag else list(card.tasks)
    return joined(
        some(list(dict.fromkeys(tags)), 3),
        f"used as {card.model_usage_type}" if card.model_usage_type else None,
        f"{takes} → {gives}" if takes and gives else None,
        "tools" if can.tool_usage else None,
        "reasoning" if can.reasoning else None,
    )


def network(card: Card) -> Iterator[tuple[str, str | None]]:
    """The shape of the network and its weights."""
    shape = card.architecture
    kinds = some(shape.architectures, 3)
    typed = f" ({shape.model_type})" if shape.model_type else ""
    yield "architecture", f"{kinds}{typed}" if kinds else shape.model_type
    yield "parameters", _parameters(card)
    yield "dtype", card.dtype
    yield "quantisation", _packing(card.quantization) if card.quantization else None
    yield (
        "layers",
        joined(
            f"{shape.num_hidden_layers}" if shape.num_hidden_layers else None,
            f"hidden size {shape.hidden_size:,}" if shape.hidden_size else None,
            f"feed-forward {shape.intermediate_size:,}" if shape.intermediate_size else None,
            _vocabulary(card),
        ),
    )
    yield "attention", _attention(card)
    moe = shape.moe
    if moe is not None and moe.num_experts:
        yield (
            "experts",
            joined(
                f"{moe.num_experts:,}",
                f"{moe.num_experts_per_tok} per token" if moe.num_experts_per_tok else None,
                f"{moe.num_shared_experts} shared" if moe.num_shared_experts else None,
            ),
        )


def _parameters(card: Card) -> str | None:
    counted = card.parameters
    if counted.total is None:
        return None
    named = (
        ("active", counted.active if counted.active != counted.total else None),
        ("trainable", counted.trainable if counted.trainable != counted.total else None),
        ("for multi-token prediction", counted.multi_token_prediction),
    )
    return joined(
        f"{counted.total:,} ({_short(counted.total)})",
        *(f"{_short(number)} {what}" for what, number in named if number),
    )


def _short(number: int) -> str:
    return human_count(number).removesuffix(" parameters")


def _packing(stated: Quantization) -> str | None:
    rows = " × ".join(f"{size}" for size in stated.weight_block_size)
    size = stated.group_size
    return joined(
        stated.quant_method,
        stated.quant_type if stated.quant_type != stated.quant_method else None,
        f"{stated.bits} bits" if stated.bits else None,
        "one group a column" if size == -1 else f"groups of {size}" if size else None,
        f"blocks of {rows}" if rows else None,
        f"KV cache {stated.kv_cache_quant}" if stated.kv_cache_quant else None,
    )


def _vocabulary(card: Card) -> str | None:
    shape = card.architecture
    if not shape.vocab_size:
        return None
    return f"vocabulary {shape.vocab_size:,}{' (tied)' if shape.tie_word_embeddings else ''}"


def _attention(card: Card) -> str | None:
    shape = card.architecture
    heads = shape.num_attention_heads
    groups = shape.num_key_value_heads if shape.num_key_value_heads != heads else None
    latent = shape.attention.type == "mla"
    return joined(
        shape.attention.type,
        f"{heads} heads" + (f" of {shape.head_dim}" if shape.head_dim else "") if heads else None,
        f"{groups} for keys and values" if heads and groups and not latent else None,
        _layer_types(card),
        f"window {shape.attention.sliding_window:,}" if shape.attention.sliding_window else None,
        f"chunks of {shape.attention.chunk_size:,}" if shape.attention.chunk_size else None,
    )


def _layer_types(card: Card) -> str | None:
    """How many layers are of which type, full attention first; nothing where all layers are that.

    For example "12 of 48 layers full attention, 36 linear attention".
    """
    found = Counter(card.architecture.attention.layer_types)
    if not found:
        found = Counter({one.layer_type: one.layers for one in card.kv_cache.layers})
    if set(found) <= {"full_attention"}:
        return None
    (first, number), *rest = sorted(found.most_common(), key=lambda one: one[0] != "full_attention")
    told = [f"{number} of {found.total()} layers {first}", *(f"{many} {kind}" for kind, many in rest[:3])]
    return ", ".join(told).replace("_", " ")


def use(card: Card) -> Iterator[tuple[str, str | None]]:
    """What serving and training need to know."""
    yield "context", _context(card)
    yield "KV cache", _cache(card)
    yield from _memory(card)
    text = card.tokenizer
    yield "tokenizer", text.tokenizer_class
    templates = [
        one.name + (f" ({', '.join(one.flags)})" if one.flags else "") for one in text.chat_templates
    ]
    yield "chat templates", some(templates, 4)
    stated = card.generation_config or {}
    numbers = [(key, stated[key]) for key in _GENERATION if isinstance(stated.get(key), int | float)]
    yield "generation", ", ".join(f"{key} {value}" for key, value in numbers) or None


def _memory(card: Card) -> Iterator[tuple[str, str | None]]:
    memory = card.memory_estimate
    if any(one.kv_cache_bytes for one in memory.serving):
        served = ", ".join(
            f"{human_size(one.total_bytes)} for {one.batch_size} × {one.context:,} tokens"
            for one in memory.serving[:2]
        )
    else:  # an adapter is nothing without its base
        served = human_size(memory.weights_bytes) if memory.weights_bytes and not card.adapter else ""
    trained = ", ".join(
        f"{human_size(one.total_bytes)} {'LoRA' if one.method == 'lora' else one.method}"
        + (f" (r {one.r})" if one.r else "")
        for one in memory.training[:3]
    )
    yield "to serve", served
    yield "to train", trained
    if served or trained:
        yield "left out", "; ".join(_DETAIL.split(excluded)[0] for excluded in memory.excludes)


def _context(card: Card) -> str | None:
    length = card.context
    shown = length.effective or length.declared
    if shown is None:
        return None
    native = length.native if length.native not in (shown, length.declared) else None
    others = joined(
        f"declared {length.declared:,}" if length.declared and length.declared != shown else None,
        f"native {native:,}" if native else None,
        length.rule if length.rule != "declared" else None,
    )
    return f"{shown:,} tokens" + (f" ({others})" if others else "")


def _cache(card: Card) -> str | None:
    kept = card.kv_cache
    if not kept.bytes_per_token and not kept.constant_bytes:
        return None
    grows = f"{kept.bytes_per_token / 1024:,.4g} KiB a token" if kept.bytes_per_token else "does not grow"
    constant = f"{human_size(kept.constant_bytes)} whatever the length" if kept.constant_bytes else None
    return joined(grows, constant, kept.dtype)


def adapter(part: Adapter) -> str | None:
    """Kind, rank and where it applies."""
    alpha = part.lora_alpha
    return joined(
        part.peft_type,
        f"r {part.r}" if part.r else None,
        f"alpha {alpha:g}" if alpha is not None else None,
        count(part.num_virtual_tokens, "virtual token") if part.num_virtual_tokens else None,
        "DoRA" if part.use_dora else None,
        "rsLoRA" if part.use_rslora else None,
        f"on {some(part.target_modules, 8)}" if part.target_modules else None,
    )


def embedding(part: SentenceTransformers) -> str | None:
    """Pooling and what comes out."""
    return joined(
        f"{part.pooling_mode} pooling" if part.pooling_mode else None,
        f"{part.embedding_dimension:,} dimensions" if part.embedding_dimension else None,
        f"at most {part.max_seq_length:,} tokens" if part.max_seq_length else None,
        "normalised" if part.normalize else None,
    )
