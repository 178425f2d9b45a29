"""All parts together: what was read of a folder → its card."""

from __future__ import annotations

from typing import NamedTuple, cast

from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.config.context import context
from dxwatchd.card.config.kv_cache import kv_cache
from dxwatchd.card.config.other_configs import completed
from dxwatchd.card.gguf.kv_cache import gguf_kv_cache
from dxwatchd.card.gguf.network import gguf_architecture, gguf_context, gguf_tokenizer
from dxwatchd.card.loading.adapter import adapter
from dxwatchd.card.loading.components import components, pipeline_architecture
from dxwatchd.card.loading.custom_code import custom_code
from dxwatchd.card.loading.first_module import at_the_top, first_module, put_back
from dxwatchd.card.loading.folder_files import listed_files, weight_sets
from dxwatchd.card.loading.generation import generation_config
from dxwatchd.card.loading.integrity import integrity
from dxwatchd.card.loading.sentence_transformers import sentence_transformers
from dxwatchd.card.loading.tokenizer import tokenizer
from dxwatchd.card.overrides import apply_overrides
from dxwatchd.card.parts import (
    Architecture,
    Conflict,
    Context,
    Quantization,
    SentenceTransformers,
    Statement,
    Tokenizer,
)
from dxwatchd.card.schema import Availability, Card
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.card.values import Notes, clean, encodable, mapping
from dxwatchd.card.weights.dtype import dtype
from dxwatchd.card.weights.memory import memory_estimate
from dxwatchd.card.weights.parameters import count, main_type
from dxwatchd.card.weights.quantization import gguf_quantization, packed_bits, quantization
from dxwatchd.card.weights.shapes import embedding_sizes, note_conflicts
from dxwatchd.card.weights.tied_by_weights import settled
from dxwatchd.card.words.capabilities import capabilities
from dxwatchd.card.words.descriptive import describe, sees, usage_type
from dxwatchd.card.words.lineage import lineage
from dxwatchd.core.model import Kind, Layout, ModelFolder

_NAME_LIMIT = 1000


def build_card(inputs: CardInputs, identity: Identity) -> Card:
    """The card of a model folder. The same inputs give the same card, whatever the folder holds.

    Raises pydantic.ValidationError where `identity` itself is not valid (an unknown availability or change).
    """
    notes = Notes()
    for warning in inputs.warnings:
        notes.warn(warning)
    module = first_module(inputs)
    inputs = at_the_top(inputs, module) if module else inputs
    model, documents = inputs.model, inputs.documents
    config = documents.get("config.json")
    sentences = sentence_transformers(documents, notes)
    gguf = model.layout is Layout.GGUF
    file = clean(next(iter(inputs.tensors), "") or _first_weight(model)) if gguf else ""
    shape, length, words, packing = (
        _of_gguf(inputs, file, notes) if gguf else _of_configs(inputs, sentences, notes)
    )
    vision = sees(documents, (tensor.name for file in inputs.tensors.values() for tensor in file))
    description = describe(inputs, shape, file, notes, vision=vision)
    usage = usage_type(description.pipeline_tag, shape.architectures, vision=vision)
    if usage:
        notes.source("model_usage_type", usage[1])
    parameters = count(
        inputs.tensors,
        packed_bits(documents, packing),
        notes,
        tied=shape.tie_word_embeddings,
        moe=shape.moe,
        layers=shape.num_hidden_layers,
        adapter=model.kind is Kind.ADAPTER,
    )
    precision = (
        None if gguf and packing else dtype(config, inputs.tensors, notes, quantised=packing is not None)
    )
    cache = (
        gguf_kv_cache(inputs.gguf_metadata, inputs.gguf_arrays, shape, file, notes)
        if gguf
        else kv_cache(config, shape, length, precision, packing, notes)
    )
    ancestors = lineage(inputs, identity, file, notes, quantised=packing is not None)
    files, unlisted = listed_files(model, notes)
    card = Card(
        technical_name=clean(identity.technical_name, _NAME_LIMIT),
        model_name=clean(identity.model_name, _NAME_LIMIT),
        kind=model.kind.value,
        layout=model.layout.value,
        path=encodable(identity.path),
        entry_path=encodable(identity.entry_path),
        availability=cast("Availability", identity.availability),
        revision=identity.revision,
        change=identity.change,
        fingerprint=identity.fingerprint,
        approved_fingerprint=identity.approved_fingerprint,
        model_usage_type=usage[0] if usage else None,
        architecture=shape,
        parameters=parameters,
        dtype=precision,
        quantization=packing,
        context=length,
        kv_cache=cache,
        memory_estimate=memory_estimate(
            [tensor for listed in inputs.tensors.values() for tensor in listed],
            parameters,
            cache,
            length.effective,
            notes,
            trains=model.layout is Layout.TRANSFORMERS and model.kind is Kind.MODEL,
            quantised=packing is not None,
        ),
        tokenizer=words,
        generation_config=generation_config(inputs, file, notes),
        library_name=description.library_name,
        pipeline_tag=description.pipeline_tag,
        tasks=description.tasks,
        license=description.license,
        license_name=description.license_name,
        license_link=description.license_link,
        language=description.language,
        tags=description.tags,
        datasets=description.datasets,
        base_model=description.base_model,
        base_model_relation=description.base_model_relation,
        version=description.version,
        authors=description.authors,
        training_objectives=description.training_objectives,
        limitations=description.limitations,
        references=description.references,
        capabilities=capabilities(description.task, config, words.chat_templates, notes, vision=vision),
        lineage=ancestors,
        adapter=adapter(documents.get("adapter_config.json"), ancestors, notes)
        if model.kind is Kind.ADAPTER
        else None,
        sentence_transformers=sentences,
        components=components(documents, notes),
        custom_code=custom_code(model, documents, notes),
        integrity=integrity(model, inputs.pickles, notes),
        weight_sets=weight_sets(inputs, notes),
        files=files,
        unlisted_files=unlisted,
    )
    if module:
        put_back(notes, module)
    noted = card.model_copy(
        update={
            "sources": dict(sorted(notes.sources.items())),
            "conflicts": tuple(
                Conflict(field=field, statements=tuple(Statement(source=s, value=v) for s, v in statements))
                for field, statements in notes.conflicts
            ),
            "warnings": tuple(notes.warnings),
        }
    )
    return apply_overrides(noted, identity.overrides)


class _Network(NamedTuple):
    """What the folder states of the network, in one format or another."""

    shape: Architecture
    length: Context
    words: Tokenizer
    packing: Quantization | None


def _of_gguf(inputs: CardInputs, file: str, notes: Notes) -> _Network:
    """By the header of `file`."""
    metadata = inputs.gguf_metadata
    return _Network(
        gguf_architecture(metadata, inputs.gguf_arrays, file, notes),
        gguf_context(metadata, file, notes),
        gguf_tokenizer(metadata, file, notes),
        gguf_quantization(
            metadata.get("general.file_type"),
            main_type(inputs.tensors),
            f"{file}#general.file_type",
            notes,
        ),
    )


def _of_configs(inputs: CardInputs, sentences: SentenceTransformers | None, notes: Notes) -> _Network:
    """By the JSON files, and by the tensors' shapes where these are silent."""
    model, documents = inputs.model, inputs.documents
    config, by_shape = documents.get("config.json"), embedding_sizes(inputs.tensors)
    if model.kind is Kind.PIPELINE:
        shape = pipeline_architecture(documents, notes)
    else:
        shape = architecture(config, notes, by_shape if mapping(config) else {})
        shape = settled(config, shape, inputs.tensors, notes)
    note_conflicts(shape, by_shape, notes)
    words = tokenizer(documents, inputs.texts, notes, [listed.name for listed in model.files])
    max_seq_length = sentences.max_seq_length if sentences else None
    length = context(config, words.model_max_length, max_seq_length, notes)
    shape, length = completed(documents, by_shape, shape, length, notes)
    return _Network(shape, length, words, quantization(documents, notes))


def with_identity(card: Card, identity: Identity) -> Card:
    """The same content under what the daemon and the manifest say now. Overrides stay as they were."""
    return card.model_copy(
        update={
            "technical_name": identity.technical_name,
            "model_name": identity.model_name,
            "path": identity.path,
            "entry_path": identity.entry_path,
            "fingerprint": identity.fingerprint,
            "approved_fingerprint": identity.approved_fingerprint,
            "availability": identity.availability,
            "revision": identity.revision,
            "change": identity.change,
        }
    )


def _first_weight(model: ModelFolder) -> str:
    return model.primary.files[0] if model.primary and model.primary.files else "*.gguf"
