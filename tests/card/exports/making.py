"""Cards to export: one that knows everything, and any that a hostile folder could bring about."""

from __future__ import annotations

import hashlib

from hypothesis import strategies as st

from dxwatchd.card.parts import (
    Adapter,
    Ancestor,
    Architecture,
    Capabilities,
    Context,
    CustomCode,
    FilePart,
    Integrity,
    KvCache,
    KvLayers,
    Parameters,
    Provenance,
    Quantization,
    WeightSetPart,
)
from dxwatchd.card.schema import Card

COMMIT = "b968826d9c46dd6066d109eabc6255188de91218"


def digest(name: str) -> str:
    """A digest as a card has it; another name gives another one."""
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def digested(card: Card) -> Card:
    """The card once the digests of all its files are computed."""
    files = tuple(file.model_copy(update={"digest": digest(file.name)}) for file in card.files)
    return card.model_copy(update={"files": files})


def full_card(**changes: object) -> Card:
    """A card that knows everything that an export can tell, but for its digests."""
    return Card(
        technical_name="qwen3-8b-instruct",
        model_name="Qwen3-8B-Instruct",
        kind="model",
        layout="transformers",
        path="Qwen/Qwen3-8B",
        entry_path="Qwen/Qwen3-8B",
        availability="available",
        revision=3,
        change="restored",
        fingerprint=digest("content"),
        model_usage_type="chat",
        architecture=Architecture(
            model_type="qwen3", architectures=("Qwen3ForCausalLM",), num_attention_heads=32
        ),
        parameters=Parameters(total=8_190_735_360, active=8_190_735_360, exact=True),
        dtype="bfloat16",
        context=Context(declared=40_960, native=40_960, effective=40_960, rule="declared"),
        kv_cache=KvCache(
            bytes_per_token=147_456,
            constant_bytes=0,
            dtype="bfloat16",
            layers=(KvLayers(layer_type="full_attention", layers=36, bytes_per_token=147_456),),
        ),
        library_name="transformers",
        pipeline_tag="text-generation",
        tasks=("text-generation", "conversational"),
        license="apache-2.0",
        license_link="https://example.org/Qwen3-8B/LICENSE",
        language=("en", "zh-Hans", "deu", "yue"),
        tags=("chat", "reasoning"),
        datasets=("some/corpus", "https://example.org/data"),
        base_model=("Qwen/Qwen3-8B-Base",),
        base_model_relation="finetune",
        lineage=(
            Ancestor(
                name="Qwen/Qwen3-8B-Base",
                relation="finetune",
                technical_name="qwen3-8b-base",
                source="README.md#base_model",
            ),
        ),
        version="3.0",
        authors=("Qwen Team", "Doe, Jane"),
        training_objectives=("causal language modelling",),
        limitations="It may be wrong.",
        references=("https://arxiv.org/abs/2505.09388", "Qwen3 Technical Report"),
        template="qwen3",
        custom_code=CustomCode(required=False),
        capabilities=Capabilities(
            input_types=("text",),
            output_types=("text",),
            tool_usage=True,
            reasoning=True,
            confidence="stated",
        ),
        weight_sets=(
            WeightSetPart(
                format="safetensors", primary=True, files=("model.safetensors",), bytes=16_381_000_000
            ),
        ),
        files=(
            FilePart(name="README.md", size=16_000),
            FilePart(name="config.json", size=700),
            FilePart(name="model.safetensors", size=16_381_000_000),
            FilePart(name="tokenizer.json", size=15_000_000),
        ),
        integrity=Integrity(
            status="verified", provenance=(Provenance(source="huggingface", commit=COMMIT, files=4),)
        ),
    ).model_copy(update=changes)


def bare_card(**changes: object) -> Card:
    """A card of a folder that says nothing of itself."""
    return Card(
        technical_name="bare",
        model_name="Bare",
        kind="model",
        layout="transformers",
        path="bare",
        entry_path="bare",
        availability="available",
        revision=1,
        change="registered",
        fingerprint=digest("bare"),
        files=(FilePart(name="config.json", size=2),),
    ).model_copy(update=changes)


HOSTILE = (
    "---\nlicense: forged\n---",
    "</ul><script>alert(1)</script>",
    "[here](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "https://evil.example/",
    "www.evil.example",
    "mail@evil.example",
    "```\n# heading",
    "`` ` ``",
    "`",
    "| a | b |\n|---|---|",
    "- [ ] task\n\n1. one",
    "&lt;b&gt; &amp; <b>",
    "no",
    "null",
    "2024-01-01",
    "!!python/object/apply:os.system ['id']",
    "*anchor",
    "{a: [",
    "\u202eevil\u2066",
    "\u0085next\u2028line",
    "\x00\x1b[31m",
    "  ",
)
"""What a folder may put where a name or a word is expected."""

_texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60), st.sampled_from(["en", "mit", "text"]))
_names = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=40))
_word = st.none() | _texts
_words = st.lists(_texts, max_size=4).map(tuple)
_count = st.none() | st.integers(0, 2**63 - 1)
_size = st.none() | st.integers(1, 2**63 - 1)
_flag = st.none() | st.booleans()


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """Any card of the schema, hostile texts included; its files have unique names, and may have digests."""
    files = draw(
        st.lists(
            st.builds(
                FilePart,
                name=_names,
                size=st.integers(0, 2**63 - 1),
                digest=st.none() | st.text(max_size=8).map(digest),
            ),
            max_size=4,
            unique_by=lambda file: file.name,
        )
    )
    return Card(
        technical_name=draw(_names),
        model_name=draw(_names),
        kind=draw(st.sampled_from(["model", "adapter", "pipeline"])),
        layout=draw(st.sampled_from(["transformers", "gguf", "peft", "onnx"])),
        path=draw(_names),
        entry_path=draw(_names),
        availability=draw(st.sampled_from(["available", "drifted", "missing"])),
        revision=draw(st.integers(1, 2**40)),
        change="registered",
        fingerprint=draw(_texts),
        model_usage_type=draw(_word),
        architecture=Architecture(
            model_type=draw(_word), architectures=draw(_words), num_attention_heads=draw(_size)
        ),
        parameters=Parameters(total=draw(_count), active=draw(_count), trainable=draw(_count)),
        dtype=draw(_word),
        quantization=draw(
            st.none() | st.builds(Quantization, quant_method=_word, quant_type=_word, bits=_size)
        ),
        context=Context(declared=draw(_size), effective=draw(_size)),
        kv_cache=KvCache(bytes_per_token=draw(_count)),
        library_name=draw(_word),
        pipeline_tag=draw(_word),
        tasks=draw(_words),
        license=draw(_word),
        license_name=draw(_word),
        license_link=draw(_word),
        language=draw(_words),
        tags=draw(_words),
        datasets=draw(_words),
        base_model=draw(_words),
        base_model_relation=draw(_word),
        lineage=draw(
            st.lists(
                st.builds(Ancestor, name=_texts, relation=_word, technical_name=_names, source=_texts),
                max_size=2,
            ).map(tuple)
        ),
        version=draw(_word),
        authors=draw(_words),
        training_objectives=draw(_words),
        limitations=draw(_word),
        references=draw(_words),
        template=draw(_word),
        adapter=draw(st.none() | st.builds(Adapter, base_model_resolved=_word)),
        custom_code=CustomCode(required=draw(_flag)),
        capabilities=Capabilities(
            input_types=draw(_words),
            output_types=draw(_words),
            tool_usage=draw(_flag),
            reasoning=draw(_flag),
        ),
        weight_sets=tuple(
            WeightSetPart(format=word, primary=True, files=(), bytes=0) for word in draw(_words)[:1]
        ),
        files=tuple(files),
        integrity=Integrity(
            disallowed_globals=draw(_words),
            provenance=draw(
                st.lists(
                    st.builds(Provenance, source=_texts, commit=_word, files=st.just(1)), max_size=2
                ).map(tuple)
            ),
        ),
    )
