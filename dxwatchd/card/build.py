"""All parts together: what was read of a folder → its card."""

from __future__ import annotations

from typing import cast

from dxwatchd.card.adapter import adapter
from dxwatchd.card.architecture import architecture
from dxwatchd.card.context import context
from dxwatchd.card.descriptive import describe, sees, usage_type
from dxwatchd.card.dtype import dtype
from dxwatchd.card.gguf import gguf_architecture, gguf_context, gguf_license, gguf_tokenizer
from dxwatchd.card.gguf_kv_cache import gguf_kv_cache
from dxwatchd.card.kv_cache import kv_cache
from dxwatchd.card.lineage import lineage
from dxwatchd.card.memory import memory_estimate
from dxwatchd.card.overrides import apply_overrides
from dxwatchd.card.parameters import count, main_type
from dxwatchd.card.parts import Component, Conflict, FilePart, Statement, WeightSetPart
from dxwatchd.card.quantization import gguf_quantization, packed_bits, quantization
from dxwatchd.card.schema import Availability, Card, Change
from dxwatchd.card.sentence_transformers import sentence_transformers
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.card.tokenizer import tokenizer
from dxwatchd.card.values import LIST_LIMIT, Notes, clean, mapping, plain, text
from dxwatchd.core.model import Kind, Layout, ModelFolder

_NAME_LIMIT = 1000


def build_card(inputs: CardInputs, identity: Identity) -> Card:
    """The card of a model folder. The same inputs give the same card, whatever the folder holds.

    Raises pydantic.ValidationError where `identity` itself is not valid (an unknown availability or change).
    """
    notes = Notes()
    for warning in inputs.warnings:
        notes.warn(warning)
    model, documents = inputs.model, inputs.documents
    config = documents.get("config.json")
    sentences = sentence_transformers(documents, notes)
    gguf = model.layout is Layout.GGUF
    file = ""
    if gguf:
        file = clean(next(iter(inputs.tensors), "") or _first_weight(model))
        shape = gguf_architecture(inputs.gguf_metadata, inputs.gguf_arrays, file, notes)
        length = gguf_context(inputs.gguf_metadata, file, notes)
        words = gguf_tokenizer(inputs.gguf_metadata, file, notes)
        file_type = inputs.gguf_metadata.get("general.file_type")
        stored = main_type(inputs.tensors)
        packing = gguf_quantization(file_type, stored, f"{file}#general.file_type", notes)
        stated_license = gguf_license(inputs.gguf_metadata, file)
    else:
        shape = architecture(config, notes)
        words = tokenizer(documents, inputs.texts, notes)
        max_seq_length = sentences.max_seq_length if sentences else None
        length = context(config, words.model_max_length, max_seq_length, notes)
        packing = quantization(documents, notes)
        stated_license = None
    vision = sees(config, (tensor.name for file in inputs.tensors.values() for tensor in file))
    description = describe(
        inputs.front_matter, shape.architectures, model.layout, stated_license, notes, vision=vision
    )
    usage = usage_type(description.pipeline_tag, shape.architectures, vision=vision)
    if usage:
        notes.source("model_usage_type", usage[1])
    parameters = count(
        inputs.tensors,
        packed_bits(documents, packing),
        notes,
        tied=shape.tie_word_embeddings,
        model_type=shape.model_type,
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
    generation = mapping(documents.get("generation_config.json"))
    if generation:
        notes.source("generation_config", "generation_config.json")
    ancestors = lineage(inputs, identity, file, notes, quantised=packing is not None)
    card = Card(
        technical_name=clean(identity.technical_name, _NAME_LIMIT),
        model_name=clean(identity.model_name, _NAME_LIMIT),
        kind=model.kind.value,
        layout=model.layout.value,
        path=_path(identity.path),
        entry_path=_path(identity.entry_path),
        availability=cast("Availability", identity.availability),
        revision=identity.revision,
        change=cast("Change", identity.change),
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
        generation_config={clean(key): plain(value) for key, value in list(generation.items())[:LIST_LIMIT]}
        or None,
        library_name=description.library_name,
        pipeline_tag=description.pipeline_tag,
        license=description.license,
        license_name=description.license_name,
        license_link=description.license_link,
        language=description.language,
        tags=description.tags,
        datasets=description.datasets,
        base_model=description.base_model,
        base_model_relation=description.base_model_relation,
        lineage=ancestors,
        adapter=adapter(documents.get("adapter_config.json"), ancestors, notes)
        if model.kind is Kind.ADAPTER
        else None,
        sentence_transformers=sentences,
        components=_components(documents.get("model_index.json")),
        weight_sets=_weight_sets(inputs),
        files=tuple(FilePart(name=_path(file.name), size=file.size) for file in model.files),
    )
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


def _path(value: str) -> str:
    """A path exactly as it is, but for bytes that are no UTF-8, which no JSON can hold."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _first_weight(model: ModelFolder) -> str:
    return model.primary.files[0] if model.primary and model.primary.files else "*.gguf"


def _weight_sets(inputs: CardInputs) -> tuple[WeightSetPart, ...]:
    sizes = {file.name: file.size for file in inputs.model.files}
    tensors = sum(len(file) for file in inputs.tensors.values()) if inputs.tensors else None
    return tuple(
        WeightSetPart(
            format=weights.format.value,
            primary=weights.primary,
            files=tuple(map(_path, weights.files)),
            index=None if weights.index is None else _path(weights.index),
            tensors=tensors if weights.primary else None,
            bytes=sum(sizes.get(name, 0) for name in weights.files),
        )
        for weights in inputs.model.weight_sets
    )


def _components(index: object) -> tuple[Component, ...]:
    """The entries of model_index.json that name a library and a class."""
    found: list[Component] = []
    for name, value in list(mapping(index).items())[: LIST_LIMIT * 2]:
        if isinstance(value, list) and len(value) == 2 and not name.startswith("_"):
            library, class_name = text(value[0]), text(value[1])
            if library and class_name:
                found.append(Component(name=clean(name), library=library, class_name=class_name))
    return tuple(found[:LIST_LIMIT])
